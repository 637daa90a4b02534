package webhook

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// received is a request by its bytes.
type received struct{ target, host string }

// lineReceiver answers each request with 200 and reports its unparsed request target and Host
// header: a server of net/http would parse them first.
func lineReceiver(t testing.TB) (port string, requests <-chan received) {
	t.Helper()
	seen := make(chan received, 16)
	return portOf(t, listen(t, func(conn net.Conn) { answerLines(conn, seen) })), seen
}

// answerLines answers the requests of a connection until it ends.
func answerLines(conn net.Conn, seen chan<- received) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		method, target, _ := strings.Cut(line, " ")
		target = strings.TrimSuffix(target, " HTTP/1.1") // a target with blanks stays whole
		r, length := received{target: target}, 0
		for {
			header, err := reader.ReadString('\n')
			if err != nil {
				return
			}
			if header == "\r\n" {
				break
			}
			name, value, _ := strings.Cut(strings.TrimSpace(header), ": ")
			switch name {
			case "Host":
				r.host = value
			case "Content-Length":
				_, _ = fmt.Sscan(value, &length)
			}
		}
		if _, err := io.CopyN(io.Discard, reader, int64(length)); err != nil {
			return
		}
		seen <- r
		body := "ok"
		if method == http.MethodHead {
			body = ""
		}
		if _, err := fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body); err != nil {
			return
		}
	}
}

// targets are URLs after scheme and host, with the part that is sent.
var targets = []struct{ name, written, sent string }{
	{"encoded slash beside a blank", "/my docs/a%2Fb", "/my%20docs/a%2Fb"},
	{"encoded semicolon beside a bar", "/a|b/c%2Fd%3Bx", "/a%7Cb/c%2Fd%3Bx"},
	{"encoded in lower case", "/%c3%a9/a%2fb", "/%c3%a9/a%2fb"},
	{"encoded letter", "/%41", "/%41"},
	{"no path", "", "/"},
	{"no path, a query", "?a=1", "/?a=1"},
	{"an empty query", "/hook?", "/hook?"},
	{"blank in the query", "/hook?name=John Doe", "/hook?name=John%20Doe"},
	{"letters outside ASCII", "/Zoë?name=Zoë", "/Zo%C3%AB?name=Zo%C3%AB"},
	{"not UTF-8", "/\xff?\xfe", "/%FF?%FE"},
	{"what no target may hold", "/\"<>{}|^`\\?\"<>{}|^`\\", "/%22%3C%3E%7B%7D%7C%5E%60%5C?%22%3C%3E%7B%7D%7C%5E%60%5C"},
	{"all that one may hold", "/-._~!$&'()*+,;=:@[]/?-._~!$&'()*+,;=:@[]/?", "/-._~!$&'()*+,;=:@[]/?-._~!$&'()*+,;=:@[]/?"},
	{"plus and encoded plus", "/a+b%2B?a+b%2B", "/a+b%2B?a+b%2B"},
	{"slashes and dots", "//a/../b/./c//", "//a/../b/./c//"},
	{"encoded percent", "/100%25?50%25", "/100%25?50%25"},
	{"a star", "/*", "/*"},
	{"blanks behind", "/hook  ", "/hook"},
	{"blank behind the query", "/hook?a=1 ", "/hook?a=1"},
	{"no-break space behind", "/hook\u00a0", "/hook"},
}

// TestTargetOnTheWire: what goes over the wire is what is rendered, for deliveries, challenges and
// token endpoints.
func TestTargetOnTheWire(t *testing.T) {
	t.Parallel()
	port, requests := lineReceiver(t)
	s := setup(t, nil)
	for _, test := range targets {
		address := "http://127.0.0.1:" + port
		w := work(address + test.written)
		m, err := s.Prepare(w, time.Now())
		if err != nil || m.URL != address+test.sent {
			t.Errorf("%s: rendered as %s, %v; want %s", test.name, m.URL, err, test.sent)
			continue
		}
		sent, outcome, err := s.Attempt(t.Context(), w, time.Now(), time.Minute)
		if err != nil || outcome.StatusCode != http.StatusOK || sent.URL != switchboard.MaskQuery(m.URL) {
			t.Fatalf("%s: %+v, %v, shown as %s", test.name, outcome, err, sent.URL)
		}
		want := received{test.sent, "127.0.0.1:" + port}
		if got := <-requests; got != want {
			t.Errorf("%s: delivered to %+v; want %+v", test.name, got, want)
		}
		_ = s.Challenge(t.Context(), w.Subscription) // the answer is wrong, which does not matter here
		if got := <-requests; got != want {
			t.Errorf("%s: challenged at %+v; want %+v", test.name, got, want)
		}
		w.Subscription.Auth = switchboard.Auth{Type: switchboard.AuthOAuth2, TokenURL: address + test.written, ClientID: "a", ClientSecret: "b"}
		_ = s.CheckAuth(t.Context(), w.Subscription)
		if got := <-requests; got != want {
			t.Errorf("%s: asked for a token at %+v; want %+v", test.name, got, want)
		}
	}
}

// TestRenderedTargetOnTheWire: the receiver gets the URL that was rendered and is shown, for any
// text around a value.
func TestRenderedTargetOnTheWire(t *testing.T) {
	t.Parallel()
	port, requests := lineReceiver(t)
	s, sent := setup(t, nil), 0
	address := "http://127.0.0.1:" + port
	for _, around := range []string{
		"", "a", "é", "\xff", "%2F", "%5c", "%25", "..", ".", "/", "//", `\`, "?", "?a=", "?a=b c&", "&x=", ";", ";x=1", "|", "<>", `"`,
		"^`{|}", "[]", "*", ":", "@", "!$&'()*+,;=", "~", "\u2028", "\u0301", "/../", "/./", "%2e", "%2E%2e/", "%00",
	} {
		for _, value := range []string{"plain", "&x=#/..", "..", "a b", "%2e%2e%2f", "é", "\x00\r\n", `"`} {
			w := work(address + "/" + around + "{{ v }}" + around)
			w.Event.Data, _ = json.Marshal(map[string]string{"v": value})
			m, err := s.Prepare(w, time.Now())
			if err != nil {
				continue // it is not a valid URL
			}
			shown, outcome, err := s.Attempt(t.Context(), w, time.Now(), time.Minute)
			if err != nil || outcome.StatusCode != http.StatusOK || shown.URL != switchboard.MaskQuery(m.URL) {
				t.Fatalf("%s: %+v, %v, shown as %s", m.URL, outcome, err, shown.URL)
			}
			if got := <-requests; address+got.target != m.URL || "http://"+got.host != address {
				t.Errorf("%s: received as %+v", m.URL, got)
			}
			sent++
		}
	}
	if sent < 100 {
		t.Errorf("%d of the URLs were sent", sent)
	}
}

// TestHostOnTheWire: the dialled name is that in the Host header.
func TestHostOnTheWire(t *testing.T) {
	t.Parallel()
	port, requests := lineReceiver(t)
	here := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	s := setup(t, func(c *Config) {
		c.Guard.resolver = names{"xn--mnchen-3ya.test": here, "xn--fiqs8s.test": here, "receiver.test": here, "a_b.test": here}
	})
	for written, host := range map[string]string{
		"MÜNCHEN.test":        "xn--mnchen-3ya.test",
		"Mu\u0308nchen.test":  "xn--mnchen-3ya.test", // decomposed, as macOS pastes it
		"münchen.test.":       "xn--mnchen-3ya.test",
		"xn--mnchen-3ya.test": "xn--mnchen-3ya.test",
		"中国.test":             "xn--fiqs8s.test",
		"中国。test":             "xn--fiqs8s.test", // an ideographic full stop
		"ReCeiver.TEST":       "receiver.test",
		"ｒｅｃｅｉｖｅｒ.test":       "receiver.test",
		"a_b.test":            "a_b.test",
		"127.0.0.1":           "127.0.0.1",
		"%6d%C3%BCnchen.test": "",              // ASCII may not be encoded in a host
		"re\u00adceiver.test": "receiver.test", // a soft hyphen
		"receiver.test\u0000": "",
		"a\"b.test":           "",
		"[fe80::1%25lo]":      "",
	} {
		w := work("HTTP://" + written + ":0" + port + "/")
		m, err := s.Prepare(w, time.Now())
		if host == "" {
			if err == nil {
				t.Errorf("%q is rendered as %s", written, m.URL)
			}
			continue
		}
		if err != nil || m.URL != "http://"+host+":"+port+"/" {
			t.Errorf("%q is rendered as %s, %v", written, m.URL, err)
			continue
		}
		if _, outcome, err := s.Attempt(t.Context(), w, time.Now(), time.Minute); err != nil || outcome.StatusCode != http.StatusOK {
			t.Fatalf("%q: %+v, %v", written, outcome, err)
		}
		if got := <-requests; got.host != host+":"+port {
			t.Errorf("%q: Host: %s; want %s", written, got.host, host)
		}
	}
}

// TestTargetOverHTTP2: its :path is the same text.
func TestTargetOverHTTP2(t *testing.T) {
	t.Parallel()
	requests := make(chan received, 1)
	authority := newAuthority(t)
	address, s := serveTLS(t, authority.issue(t, nil), authority.pool(), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("asked with %s", r.Proto)
		}
		requests <- received{r.RequestURI, r.Host}
	}))
	for _, test := range targets {
		if _, outcome, err := s.Attempt(t.Context(), work(address+test.written), time.Now(), time.Minute); err != nil || outcome.StatusCode != http.StatusOK {
			t.Fatalf("%s: %+v, %v", test.name, outcome, err)
		}
		if got := <-requests; got.target != test.sent || "https://"+got.host != address {
			t.Errorf("%s: %+v; want %s", test.name, got, test.sent)
		}
	}
}

// TestQueryIsNotKept: neither of what was sent nor of what could not be sent.
func TestQueryIsNotKept(t *testing.T) {
	t.Parallel()
	port, requests := lineReceiver(t)
	s := setup(t, nil)
	address := "http://127.0.0.1:" + port
	for written, want := range map[string]string{
		"/a?token=hunter2":             "/a?token=[redacted]",
		"/{{ missing }}?token=hunter2": "/{{ missing }}?token=[redacted]",
		"/a?hunter2":                   "/a?[redacted]",
	} {
		sent, outcome, err := s.Attempt(t.Context(), work(address+written), time.Now(), time.Minute)
		if err != nil || sent.URL != address+want || strings.Contains(outcome.Detail, "hunter2") {
			t.Errorf("%s: kept as %s, %s, %v", written, sent.URL, outcome.Detail, err)
		}
		if outcome.StatusCode != 0 {
			<-requests
		}
	}
	w := withParams(address+"/", "GET", "application/json", `{"card":"hunter2"}`)
	w.Subscription.Signature = switchboard.Signature{Scheme: signing.None}
	sent, _, err := s.Attempt(t.Context(), w, time.Now(), time.Minute)
	if got := <-requests; err != nil || got.target != "/?card=hunter2" || sent.URL != address+"/?card=[redacted]" {
		t.Errorf("params: sent to %s, kept as %s, %v", got.target, sent.URL, err)
	}
}

// TestParamsArriveAsRendered sends requests and checks what a server of net/http read.
func TestParamsArriveAsRendered(t *testing.T) {
	t.Parallel()
	type seen struct {
		Method, URI, ContentType, Length, Body string
	}
	var got seen
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Content-Length"), string(body)}
	}))
	t.Cleanup(server.Close)
	s := setup(t, nil)
	for _, test := range []struct {
		method, contentType string
		want                seen
	}{
		{"GET", "application/json", seen{"GET", "/u/a%2Fb?x=1&v=a%2Fb", "", "", ""}},
		{"DELETE", "application/json", seen{"DELETE", "/u/a%2Fb?x=1&v=a%2Fb", "", "", ""}},
		{"POST", "application/x-www-form-urlencoded", seen{"POST", "/u/a%2Fb?x=1", "application/x-www-form-urlencoded", "7", "v=a%2Fb"}},
		{"PUT", "application/json", seen{"PUT", "/u/a%2Fb?x=1", "application/json", "11", `{"v":"a/b"}`}},
	} {
		w := withParams(server.URL+"/u/{{ v }}?x=1", test.method, test.contentType, `{"v":"{{ v }}"}`)
		w.Event.Data = []byte(`{"v":"a/b"}`)
		_, outcome, err := s.Attempt(t.Context(), w, time.Now(), plenty)
		if err != nil || outcome.StatusCode != 200 {
			t.Fatalf("%s: %+v, %v", test.method, outcome, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.method, diff)
		}
	}
}
