package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seed-49a43567/switchboard"
)

// plenty is a time limit that no healthy test comes near.
const plenty = 20 * time.Second

// oddData is JSON that re-marshalling would change.
var oddData = map[string]string{
	"whitespace":    " {\"a\" :\n\t1 ,\"b\": [ ] }\n",
	"big number":    `{"n":123456789012345678901234567890.10e+400}`,
	"escapes":       `{"s":"\u00e9\u003c\/\ud83d\ude00\u2028"}`,
	"html":          `{"s":"<a href='x'>&amp;</a>"}`,
	"duplicate key": `{"b":1,"a":2,"b":3}`,
	"invalid utf-8": "{\"s\":\"\xff\"}",
	"scalar":        `-0.0`,
	"string":        `"text"`,
}

func TestEveryStatus(t *testing.T) {
	t.Parallel()
	status := make(chan int, 1)
	url := "http://" + listen(t, func(conn net.Conn) {
		if readRequest(conn) == nil {
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %03d Whatever\r\nContent-Length: 0\r\nRetry-After: 7\r\nLocation: /x\r\nConnection: close\r\n\r\n", <-status)
		}
	})
	s := setup(t, nil)
	for code := 99; code <= 600; code++ {
		status <- code
		o := send(t, s, url, plenty)
		want := switchboard.Failure("")
		switch {
		case code < 100, code == 101, code >= 600:
			want = switchboard.FailureBadResponse
		case code < 200: // informational, and then nothing follows
			want = switchboard.FailureReset
		case code >= 500:
			want = switchboard.FailureHTTP5xx
		case code >= 400:
			want = switchboard.FailureHTTP4xx
		case code >= 300:
			want = switchboard.FailureRedirect
		}
		wantCode, wantAfter := code, 7*time.Second
		if want == switchboard.FailureReset {
			wantCode, wantAfter = 0, 0
		}
		if want == "" {
			wantAfter = 0
		}
		if o.Failure != want || o.StatusCode != wantCode || o.RetryAfter != wantAfter || o.Latency <= 0 {
			t.Errorf("%d: %+v; want failure %q, status %d, Retry-After %s", code, o, want, wantCode, wantAfter)
		}
		if (o.Detail == "") != (want == "") || strings.Contains(o.Detail, "Whatever") {
			t.Errorf("%d: detail %q", code, o.Detail)
		}
	}
}

func TestReceiverGetsTheVeryBytes(t *testing.T) {
	t.Parallel()
	type received struct {
		header http.Header
		sum    [sha256.Size]byte
		body   []byte
		length int64
	}
	got := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header.Clone(), sha256.Sum256(body), body, r.ContentLength}
	}))
	t.Cleanup(server.Close)
	s := setup(t, nil)
	for name, data := range oddData {
		w := work(server.URL + "/hook?q=1")
		w.Event.Data = []byte(data)
		request, o, err := s.Attempt(t.Context(), w, time.Now(), plenty)
		if err != nil || o.Failure != "" {
			t.Fatalf("%s: %+v, %v", name, o, err)
		}
		r := <-got
		if r.sum != sha256.Sum256([]byte(data)) || r.length != int64(len(data)) || request.Bytes != len(data) {
			t.Errorf("%s: received %q; want %q", name, r.body, data)
		}
		receiver, err := standardwebhooks.NewWebhook(w.Subscription.Secrets[0].Secret.Reveal())
		if err == nil {
			err = receiver.Verify(r.body, r.header)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if ua := r.header.Get("User-Agent"); ua != "Switchboard/1.2.3 (webhook)" {
			t.Errorf("%s: User-Agent %q", name, ua)
		}
		if r.header.Get("Accept-Encoding") != "" {
			t.Errorf("%s: asks for compression", name)
		}
	}
}

func TestEveryMethodCarriesTheBody(t *testing.T) {
	t.Parallel()
	var sum atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sum.Store(r.Method + string(body))
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	s := setup(t, nil)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"} {
		w := work(server.URL)
		w.Subscription.Request.Method = method
		_, o, err := s.Attempt(t.Context(), w, time.Now(), plenty)
		if err != nil || o.StatusCode != 204 || sum.Load() != method+string(w.Event.Data) {
			t.Errorf("%s: %+v, %v; received %v", method, o, err, sum.Load())
		}
	}
}

func TestHTTP2OverTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	var conns sync.Map
	url, s := serveTLS(t, ca.issue(t, nil), ca.pool(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conns.Store(r.RemoteAddr, true)
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/large" {
			flood(w, strings.Repeat("x", 1<<10))
		}
		_, _ = io.WriteString(w, r.Proto)
	}))
	if o := send(t, s, url, plenty); o.StatusCode != 200 || string(o.Response.Body) != "HTTP/2.0" {
		t.Errorf("%+v; want 200 over HTTP/2.0", o)
	}
	// A body without end costs its stream, not the connection.
	if o := send(t, s, url+"/large", plenty); o.Failure != "" || !o.Response.Truncated || len(o.Response.Body) != maxBody {
		t.Errorf("large: failure %q, truncated %t, %d bytes", o.Failure, o.Response.Truncated, len(o.Response.Body))
	}
	if o := send(t, s, url, plenty); string(o.Response.Body) != "HTTP/2.0" {
		t.Errorf("third: %+v", o)
	}
	n := 0
	conns.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections; want 1", n)
	}
}

func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status, body int
		want         int // connections of two sends
	}{
		"no body":              {200, 0, 1},
		"short body":           {200, 100, 1},
		"100 KiB after a 4xx":  {422, 100 << 10, 1},
		"all that is drained":  {503, maxDrain - 1, 1},
		"more than is drained": {200, 2 << 20, 2},
		"redirect":             {302, 100, 1},
	}
	for name, test := range tests {
		var conns atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(test.status)
			_, _ = w.Write(make([]byte, test.body))
		}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				conns.Add(1)
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		s := setup(t, nil)
		for range 2 {
			o := send(t, s, server.URL, plenty)
			kept := min(test.body, maxBody)
			if o.StatusCode != test.status || len(o.Response.Body) != kept || o.Response.Truncated != (test.body > maxBody) {
				t.Errorf("%s: status %d, %d bytes, truncated %t", name, o.StatusCode, len(o.Response.Body), o.Response.Truncated)
			}
		}
		if n := int(conns.Load()); n != test.want {
			t.Errorf("%s: %d connections; want %d", name, n, test.want)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	t.Cleanup(target.Close)
	for _, location := range []string{target.URL, "http://169.254.169.254/", "::not a URL::"} {
		url := answers(t, "HTTP/1.1 307 Temporary Redirect\r\nLocation: "+location+"\r\nContent-Length: 0\r\n\r\n")
		o := send(t, setup(t, nil), url, plenty)
		if o.Failure != switchboard.FailureRedirect || o.StatusCode != 307 || o.Response.Headers["Location"] != location {
			t.Errorf("to %s: %+v", location, o)
		}
	}
	if followed.Load() {
		t.Error("the redirect was followed")
	}
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	// Not parallel, because it sets the environment. A proxy on a closed port would make the
	// attempt fail.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	url := answers(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	s := setup(t, func(c *Config) {
		c.Guard.resolver = toLoopback{} // net/http never uses a proxy for a loopback address
	})
	if o := send(t, s, strings.Replace(url, "127.0.0.1", "receiver.test", 1), plenty); o.StatusCode != 200 {
		t.Errorf("%+v; want 200", o)
	}
	if s.newTransport(&tls.Config{NextProtos: []string{protoHTTP1}}).Proxy != nil {
		t.Error("the transport asks for a proxy")
	}
}

func TestResponseHeadersAreMaskedAndBounded(t *testing.T) {
	t.Parallel()
	var response bytes.Buffer
	response.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: s3cret\r\nX-Auth-Token: s3cret\r\n" +
		"Location: https://r.test/hook?token=s3cret&x\r\nContent-Location: /hook?token=s3cret#a\r\n" +
		"X-Two: a\r\nX-Two: b\r\nX-Odd: \xff\tz\r\nAa-Large: " + strings.Repeat("x", maxHeaderBytes) + "\r\n")
	for i := range 100 {
		fmt.Fprintf(&response, "Y-%03d: %s\r\n", i, strings.Repeat("y", 100))
	}
	response.WriteString("\r\n")
	o := send(t, setup(t, nil), answers(t, response.String()), plenty)
	size := 0
	for name, value := range o.Response.Headers {
		size += len(name) + len(value)
	}
	if o.StatusCode != 200 || len(o.Response.Headers) > maxHeaders || size > maxHeaderBytes+100 || len(o.Response.Headers) < 30 {
		t.Errorf("status %d with %d headers of %d bytes kept", o.StatusCode, len(o.Response.Headers), size)
	}
	for name, want := range map[string]string{
		"Location": "https://r.test/hook?token=[redacted]&[redacted]", "Content-Location": "/hook?token=[redacted]",
		"Set-Cookie": "[redacted]", "X-Auth-Token": "[redacted]", "X-Two": "a, b", "X-Odd": "\uFFFD z", "Aa-Large": "",
	} {
		if got := o.Response.Headers[name]; got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
}

func TestContextThatEnds(t *testing.T) {
	t.Parallel()
	shutdown := errors.New("shutting down")
	tests := map[string]struct {
		cause error
		want  switchboard.Failure
		sent  bool // where there is an error
	}{
		"aborted by an operator": {cause: ErrAborted, want: switchboard.FailureAborted},
		"shutdown":               {cause: shutdown, want: switchboard.FailureUnknown, sent: true},
		"no cause":               {cause: context.Canceled, want: switchboard.FailureUnknown, sent: true},
	}
	for name, test := range tests {
		ctx, cancel := context.WithCancelCause(t.Context())
		addr := listen(t, func(conn net.Conn) {
			if readRequest(conn) == nil {
				cancel(test.cause)
				_, _ = conn.Read(make([]byte, 1)) // until the sender hangs up
			}
		})
		_, o, err := setup(t, nil).Attempt(ctx, work("http://"+addr), time.Now(), plenty)
		cancel(nil)
		if o.Failure != test.want || o.StatusCode != 0 || o.Latency <= 0 || o.Detail == "" {
			t.Errorf("%s: %+v; want %s", name, o, test.want)
		}
		interrupted, ok := errors.AsType[*Interrupted](err)
		if ok != (test.want == switchboard.FailureUnknown) || ok && (interrupted.Sent != test.sent || !errors.Is(err, test.cause)) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestContextThatHasEndedSendsNothing(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	addr := listen(t, func(net.Conn) { conns.Add(1) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, o, err := setup(t, nil).Attempt(ctx, work("http://"+addr), time.Now(), plenty)
	if interrupted, ok := errors.AsType[*Interrupted](err); !ok || interrupted.Sent || o.Failure != switchboard.FailureUnknown {
		t.Errorf("%+v, %v; want an interruption before anything was sent", o, err)
	}
	if conns.Load() != 0 {
		t.Error("a connection was made")
	}
	// The caller's own deadline is the caller's reason, not the receiver's fault.
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	addr = listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	_, o, err = setup(t, nil).Attempt(ctx, work("http://"+addr), time.Now(), plenty)
	if !errors.Is(err, context.DeadlineExceeded) || o.Failure != switchboard.FailureUnknown {
		t.Errorf("deadline of the caller: %+v, %v", o, err)
	}
}

// After the head of an answer has come, nothing on our side revokes it.
func TestAnswerOutlivesCancellation(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	read := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		close(read)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	s := setup(t, nil)
	req, err := http.NewRequestWithContext(ctx, "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.newTransport(&tls.Config{NextProtos: []string{protoHTTP1}}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	<-read
	cancel(ErrAborted)
	if o := outcomeOf(resp, func() {}); o.Failure != "" || o.StatusCode != 200 || !o.Response.Truncated {
		t.Errorf("%+v; want 200, truncated", o)
	}
}
