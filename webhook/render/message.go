package render

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// Message is an HTTP request that is ready to be sent. It is immutable.
//
// Headers, query and body contain what only the receiver may see. So printing,
// logging or marshalling a message shows none of them.
type Message struct {
	Method string
	URL    string      `json:"-"`
	Header http.Header `json:"-"`
	Body   []byte      `json:"-"`
}

// String describes the message without anything that could be secret.
func (m Message) String() string {
	host := "?"
	if u, err := url.Parse(m.URL); err == nil {
		host = u.Host
	}
	return fmt.Sprintf("%s to %s, %d bytes", m.Method, host, len(m.Body))
}

// Format prints [Message.String] under every verb: %+v and %#v would otherwise
// show headers and body.
func (m Message) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// LogValue logs [Message.String].
func (m Message) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Sent returns the parts of the message that may be shown and stored. The values of sensitive
// headers and of the query are masked, and only the length of the body remains. A GET carries its
// data in the query, which often contains the receiver's token. The signature stays: it proves what
// was sent, and nobody can sign anything else with it.
func (m Message) Sent() switchboard.SentRequest {
	flat := make(map[string]string, len(m.Header))
	for name, values := range m.Header {
		flat[name] = strings.Join(values, ", ")
	}
	return switchboard.SentRequest{
		Method: m.Method, URL: switchboard.MaskQuery(m.URL), Headers: switchboard.MaskHeaders(flat), Bytes: len(m.Body),
	}
}
