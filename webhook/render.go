package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"switchboard"
)

// Message is an HTTP request ready to be sent. It is not changed once made.
//
// Headers, query and body hold what only the receiver may see, so printing,
// logging or marshalling a message shows none of them.
type Message struct {
	Method string
	URL    string      `json:"-"`
	Header http.Header `json:"-"`
	Body   []byte      `json:"-"`
}

// String names the message without anything that could be secret.
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

// Sent returns what may be shown and stored of the message: sensitive header
// values are masked, and of the body only its length remains. The signature
// stays: it proves what was sent, and nobody can sign anything else with it.
func (m Message) Sent() switchboard.SentRequest {
	flat := make(map[string]string, len(m.Header))
	for name, values := range m.Header {
		flat[name] = strings.Join(values, ", ")
	}
	return switchboard.SentRequest{
		Method: m.Method, URL: m.URL, Headers: switchboard.MaskHeaders(flat), Bytes: len(m.Body),
	}
}

// Platforms knows what the platforms' profiles say. It is the catalogue's business.
type Platforms interface {
	// UseCase returns the use case of that name.
	UseCase(name string) (switchboard.UseCase, bool)
	// VendorName returns the platform's own spelling of an event type; empty: it has none.
	VendorName(platform, eventType string) string
}

// Renderer makes the requests of attempts. It may be used by many goroutines.
type Renderer struct {
	platforms Platforms
}

// NewRenderer makes a renderer; platforms may be nil.
func NewRenderer(platforms Platforms) *Renderer { return &Renderer{platforms: platforms} }

// Render makes the request that the subscription asks for, not yet signed.
//
// A request that cannot be made is a *[switchboard.Error] that names the
// subscription's or event's field at fault; sending the same work again cannot
// mend it, so an attempt turns it into [switchboard.FailureRender].
func (r *Renderer) Render(work switchboard.Work) (Message, error) {
	request := &work.Subscription.Request
	// Checked at save time too, but the row may be older than the rules are. This is
	// also what keeps line breaks and our own headers out of the custom ones.
	if err := request.Validate(); err != nil {
		return Message{}, err
	}
	body, err := renderBody(request.Body, &work.Event)
	if err != nil {
		return Message{}, err
	}
	header := make(http.Header, len(request.Headers)+5) // content type, user agent, three of the signature
	for name, value := range request.Headers {
		header.Set(name, value)
	}
	header.Set("Content-Type", request.ContentType)
	return Message{Method: request.Method, URL: request.URL, Header: header, Body: body}, nil
}

func renderBody(kind switchboard.BodyKind, event *switchboard.Event) ([]byte, error) {
	if len(event.Data) == 0 {
		return nil, switchboard.InvalidField("data", "the event holds no data any more")
	}
	switch kind {
	case switchboard.DataBody:
		return event.Data, nil
	case switchboard.Envelope:
		return envelope(event)
	}
	return nil, switchboard.InvalidField("request.body", "%q is not a body", kind)
}

// envelope wraps the event's data. It is put together by hand because
// encoding/json would compact and re-escape the data, and the receiver is
// promised the very bytes that the platform posted.
func envelope(event *switchboard.Event) ([]byte, error) {
	id, err := json.Marshal(event.ID)
	if err != nil {
		return nil, fmt.Errorf("encoding the event's id: %w", err)
	}
	eventType, err := json.Marshal(event.Type)
	if err != nil {
		return nil, fmt.Errorf("encoding the event's type: %w", err)
	}
	const frame = len(`{"id":,"type":,"timestamp":"","data":}`) + len(time.RFC3339Nano)
	b := make([]byte, 0, frame+len(id)+len(eventType)+len(event.Data))
	b = append(b, `{"id":`...)
	b = append(b, id...)
	b = append(b, `,"type":`...)
	b = append(b, eventType...)
	b = append(b, `,"timestamp":"`...)
	b = event.OccurredAt.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","data":`...)
	b = append(b, event.Data...)
	return append(b, '}'), nil
}
