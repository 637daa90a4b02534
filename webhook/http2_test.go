package webhook

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// frames is an HTTP/2 receiver that can break the rules of HTTP/2. It is at https://receiver.test,
// and answers "1.1" to an HTTP/1.1 request.
type frames struct {
	url       string
	s         *Sender
	conns     atomic.Int32  // of HTTP/2
	requests  atomic.Int32  // over HTTP/2
	requests1 atomic.Int32  // over HTTP/1.1
	closed    chan struct{} // of HTTP/2, in order
}

// newFrames starts a receiver. begin is called before anything of a connection is read, and may be
// nil. serve is called for each complete request, with its stream. A connection is closed when one
// of them says so.
func newFrames(t *testing.T, begin func(*http2.Framer) bool, serve func(f *http2.Framer, stream uint32) (done bool)) *frames {
	t.Helper()
	ca, r := newAuthority(t), &frames{closed: make(chan struct{}, 100)}
	config := &tls.Config{Certificates: []tls.Certificate{ca.issue(t, nil)}, NextProtos: []string{"h2", "http/1.1"}, ClientAuth: tls.RequestClientCert}
	port := portOf(t, listen(t, func(plain net.Conn) {
		conn := tls.Server(plain, config)
		defer func() { _ = conn.Close() }()
		if conn.Handshake() != nil {
			return
		}
		if conn.ConnectionState().NegotiatedProtocol == "h2" {
			r.conns.Add(1)
			r.serve(conn, begin, serve)
			r.closed <- struct{}{}
			return
		}
		for readRequest(conn) == nil {
			r.requests1.Add(1)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n1.1")
		}
	}))
	r.url = "https://receiver.test:" + port
	r.s = setup(t, func(c *Config) {
		c.RootCAs, c.Guard.resolver = ca.pool(), names{"receiver.test": {netip.MustParseAddr("127.0.0.1")}}
	})
	return r
}

func (r *frames) serve(conn net.Conn, begin func(*http2.Framer) bool, serve func(*http2.Framer, uint32) bool) {
	f := http2.NewFramer(conn, conn)
	_ = f.WriteSettings()
	if begin != nil && begin(f) {
		_, _ = io.CopyN(io.Discard, conn, 1) // so that what was written arrives
		return
	}
	if _, err := io.CopyN(io.Discard, conn, int64(len(http2.ClientPreface))); err != nil {
		return
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
			continue
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = f.WritePing(true, frame.Data)
			}
			continue
		case *http2.HeadersFrame:
			r.requests.Add(1)
			if !frame.StreamEnded() {
				continue
			}
		case *http2.DataFrame:
			if !frame.StreamEnded() {
				continue
			}
		default:
			continue
		}
		if serve(f, frame.Header().StreamID) {
			return
		}
	}
}

// ok answers 200.
func ok(f *http2.Framer, stream uint32) bool {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header(":status", "200"), EndHeaders: true, EndStream: true})
	return false
}

func header(pairs ...string) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for i := 0; i < len(pairs); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return block.Bytes()
}

func reset(code http2.ErrCode) func(*http2.Framer, uint32) bool {
	return func(f *http2.Framer, stream uint32) bool {
		_ = f.WriteRSTStream(stream, code)
		return false
	}
}

// goAway says that nothing of this connection was processed, or everything up to the stream.
func goAway(code http2.ErrCode, processed bool) func(*http2.Framer, uint32) bool {
	return func(f *http2.Framer, stream uint32) bool {
		if !processed {
			stream = 0
		}
		_ = f.WriteGoAway(stream, code, []byte("s3cret ErrCode=CANCEL"))
		return processed
	}
}

// Whatever an HTTP/2 receiver sends instead of an answer, an attempt makes at most two requests,
// and the record says how many. The detail has HTTP/2's own name for it.
func TestRepeatsOverHTTP2(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		serve    func(*http2.Framer, uint32) bool
		requests int // of an attempt with a body
		failure  switchboard.Failure
		detail   string
	}{
		"goaway, nothing processed":    {goAway(http2.ErrCodeNo, false), 2, switchboard.FailureReset, "GOAWAY: NO_ERROR"},
		"goaway for its behaviour":     {goAway(http2.ErrCodeEnhanceYourCalm, false), 1, switchboard.FailureReset, "GOAWAY: ENHANCE_YOUR_CALM"},
		"goaway after it":              {goAway(http2.ErrCodeNo, true), 1, switchboard.FailureReset, "GOAWAY: NO_ERROR"},
		"goaway after it, for a fault": {goAway(http2.ErrCodeInternal, true), 1, switchboard.FailureReset, "GOAWAY: INTERNAL_ERROR"},
		"refused":                      {reset(http2.ErrCodeRefusedStream), 2, switchboard.FailureReset, "reset the HTTP/2 stream: REFUSED_STREAM"},
		"protocol error":               {reset(http2.ErrCodeProtocol), 2, switchboard.FailureReset, "reset the HTTP/2 stream: PROTOCOL_ERROR"},
		"internal error":               {reset(http2.ErrCodeInternal), 1, switchboard.FailureReset, "reset the HTTP/2 stream: INTERNAL_ERROR"},
		"cancel":                       {reset(http2.ErrCodeCancel), 1, switchboard.FailureReset, "reset the HTTP/2 stream: CANCEL"},
		"calm":                         {reset(http2.ErrCodeEnhanceYourCalm), 1, switchboard.FailureReset, "reset the HTTP/2 stream: ENHANCE_YOUR_CALM"},
		"unknown code":                 {reset(0xbad), 1, switchboard.FailureReset, "before it answered"},
		"closes":                       {func(*http2.Framer, uint32) bool { return true }, 1, switchboard.FailureReset, "closed the connection"},
		"header without a status": {func(f *http2.Framer, stream uint32) bool {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header("x-a", "b"), EndHeaders: true, EndStream: true})
			return false
		}, 1, switchboard.FailureBadResponse, "is not valid: PROTOCOL_ERROR"},
		"header with a capital": {func(f *http2.Framer, stream uint32) bool {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header(":status", "200", "X-A", "b"), EndHeaders: true, EndStream: true})
			return false
		}, 1, switchboard.FailureBadResponse, "is not valid: PROTOCOL_ERROR"},
		"garbage": {func(f *http2.Framer, stream uint32) bool {
			_ = f.WriteRawFrame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, stream, []byte{0xff, 0xff, 0xff})
			return false
		}, 1, switchboard.FailureBadResponse, "is not valid: COMPRESSION_ERROR"},
		"window of the stream overflows": {func(f *http2.Framer, stream uint32) bool {
			_ = f.WriteWindowUpdate(stream, 1<<31-1)
			return false
		}, 1, switchboard.FailureBadResponse, "is not valid: FLOW_CONTROL_ERROR"},
		"window of the connection overflows": {func(f *http2.Framer, _ uint32) bool {
			_ = f.WriteWindowUpdate(0, 1<<31-1)
			return false
		}, 1, switchboard.FailureBadResponse, "is not valid: FLOW_CONTROL_ERROR"},
		"data before a header": {func(f *http2.Framer, stream uint32) bool {
			_ = f.WriteData(stream, true, []byte("ok"))
			return false
		}, 1, switchboard.FailureBadResponse, "is not valid: PROTOCOL_ERROR"},
	} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				r := newFrames(t, nil, test.serve)
				w := work(r.url)
				w.Subscription.Request.Method = method
				m, err := r.s.Prepare(w, time.Now())
				if err != nil {
					t.Fatal(err)
				}
				if method != "POST" {
					m.Body = nil
				}
				o, err := r.s.send(t.Context(), &w.Subscription, m, plenty)
				if err != nil || o.StatusCode != 0 || o.Failure != test.failure {
					t.Fatalf("%+v, %v; want %s", o, err, test.failure)
				}
				if n := int(r.requests.Load()); n != test.requests || o.Requests != n {
					t.Errorf("%d requests, %d recorded; want %d", n, o.Requests, test.requests)
				}
				// net/http hides the reason if it repeats a request without a body itself.
				said := method != "POST" && test.requests == 2 && strings.HasSuffix(o.Detail, "without processing it")
				if !said && !strings.Contains(o.Detail, test.detail) || strings.Contains(o.Detail, "s3cret") {
					t.Errorf("detail %q; want %q in it", o.Detail, test.detail)
				}
			})
		}
	}
}

// The second request uses a new connection, and its answer counts.
func TestRepeatOverHTTP2Succeeds(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(*http2.Framer, uint32) bool{
		"goaway":         goAway(http2.ErrCodeNo, false),
		"refused":        reset(http2.ErrCodeRefusedStream),
		"protocol error": reset(http2.ErrCodeProtocol),
	} {
		for _, test := range []struct{ method, body string }{{"POST", "{}"}, {"HEAD", ""}} {
			var asked atomic.Int32
			r := newFrames(t, nil, func(f *http2.Framer, stream uint32) bool {
				if asked.Add(1) == 1 {
					return refuse(f, stream)
				}
				return ok(f, stream)
			})
			o, err := r.s.send(t.Context(), new(switchboard.Subscription), render.Message{Method: test.method, URL: r.url, Header: http.Header{}, Body: []byte(test.body)}, plenty)
			if err != nil || o.StatusCode != 200 || o.Requests != 2 || r.requests.Load() != 2 || r.conns.Load() < 2 {
				t.Errorf("%s, %s: %+v, %v, on %d connections; want 200 with the second request, on a new one", name, test.method, o, err, r.conns.Load())
			}
		}
	}
}

// A receiver that closes each connection before the request is sent ends the attempt after some
// connections, not after its time.
func TestConnectionsOfARequestAreBounded(t *testing.T) {
	t.Parallel()
	r := newFrames(t, func(f *http2.Framer) bool {
		_ = f.WriteGoAway(0, http2.ErrCodeNo, nil)
		return true
	}, ok)
	o := send(t, r.s, r.url, plenty)
	if o.StatusCode != 0 || o.Failure != switchboard.FailureReset || o.Requests > 2 || r.conns.Load() > 2*maxDials {
		t.Errorf("%+v over %d connections", o, r.conns.Load())
	}
}

// A receiver that demands HTTP/1.1 gets it, and is not offered HTTP/2 again for a while.
func TestHTTP1Required(t *testing.T) {
	t.Parallel()
	for name, demand := range map[string]func(*http2.Framer, uint32) bool{
		"stream":                reset(http2.ErrCodeHTTP11Required),
		"connection":            goAway(http2.ErrCodeHTTP11Required, false),
		"connection, processed": goAway(http2.ErrCodeHTTP11Required, true),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFrames(t, nil, demand)
			now := time.Now()
			r.s.now = func() time.Time { return now }
			ask := func(requests, overHTTP2 int) {
				t.Helper()
				o := send(t, r.s, r.url, plenty)
				if o.StatusCode != 200 || string(o.Response.Body) != "1.1" || o.Requests != requests || int(r.requests.Load()) != overHTTP2 {
					t.Errorf("%+v, body %q, %d requests over HTTP/2; want an answer over HTTP/1.1 after %d", o, o.Response.Body, r.requests.Load(), requests)
				}
			}
			ask(2, 1)
			ask(1, 1)
			now = now.Add(connectionAge) // the connections are renewed, but the demand is remembered
			ask(1, 1)
			now = now.Add(http1Time)
			ask(2, 2)
		})
	}
}

// There is one repeat, for any sequence of failures.
func TestHTTP1RequiredAfterARepeat(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	r := newFrames(t, nil, func(f *http2.Framer, stream uint32) bool {
		if asked.Add(1) == 1 {
			return reset(http2.ErrCodeRefusedStream)(f, stream)
		}
		return reset(http2.ErrCodeHTTP11Required)(f, stream)
	})
	o := send(t, r.s, r.url, plenty)
	want(t, o, switchboard.FailureReset)
	if o.Requests != 2 || !strings.Contains(o.Detail, "the receiver demands HTTP/1.1") {
		t.Errorf("%+v; want two requests and the reason", o)
	}
	if o := send(t, r.s, r.url, plenty); o.StatusCode != 200 || o.Requests != 1 { // but it is known from then on
		t.Errorf("%+v; want 200 over HTTP/1.1", o)
	}
}

func TestHTTPVersionOfASubscription(t *testing.T) {
	t.Parallel()
	r := newFrames(t, nil, ok)
	for version, want := range map[switchboard.HTTPVersion]string{"": "", switchboard.HTTPVersionAuto: "", switchboard.HTTPVersion1: "1.1"} {
		w := work(r.url)
		w.Subscription.Request.HTTPVersion = version
		if o := attempt(t, r.s, w, plenty); o.StatusCode != 200 || string(o.Response.Body) != want || o.Requests != 1 {
			t.Errorf("%q: %+v, body %q; want %q", version, o, o.Response.Body, want)
		}
	}
	if r.requests.Load() != 2 || r.requests1.Load() != 1 {
		t.Errorf("%d requests over HTTP/2, %d over HTTP/1.1; want 2 and 1", r.requests.Load(), r.requests1.Load())
	}
}

// An HTTP/2 connection without an answer in time, or whose answer did not end in time, is not used
// again. It is closed once nothing else needs it, however much data comes on it.
func TestConnectionOfATimeLimitOverHTTP2(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]func(*http2.Framer, uint32) (done bool){
		"silent": func(*http2.Framer, uint32) bool { return false },
		"floods": func(f *http2.Framer, _ uint32) bool {
			for f.WritePing(false, [8]byte{}) == nil {
			}
			return true
		},
		"no end": func(f *http2.Framer, stream uint32) bool {
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header(":status", "200"), EndHeaders: true})
			_ = f.WriteData(stream, false, []byte("o"))
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			r := newFrames(t, nil, func(f *http2.Framer, stream uint32) bool {
				if asked.Add(1) == 2 {
					return hang(f, stream)
				}
				return ok(f, stream)
			})
			if o := send(t, r.s, r.url, plenty); o.StatusCode != 200 { // so that the next attempt need not connect
				t.Fatalf("%+v", o)
			}
			ended := func(o switchboard.Outcome) bool { return o.StatusCode != 0 || o.Failure == switchboard.FailureTimeout }
			if o := shortly(func(limit time.Duration) switchboard.Outcome { return send(t, r.s, r.url, limit) }, ended); !ended(o) || o.Latency < soon {
				t.Errorf("%+v", o)
			}
			for range 2 {
				if o := send(t, r.s, r.url, plenty); o.StatusCode != 200 || o.Requests != 1 {
					t.Errorf("%+v", o)
				}
			}
			if r.conns.Load() != 2 {
				t.Errorf("%d connections; want 2", r.conns.Load())
			}
			select {
			case <-r.closed:
			case <-time.After(plenty):
				t.Error("the first connection is still open")
			}
		})
	}
}

// TestStatusOverHTTP2: a status without exactly three digits is invalid, and never reaches
// Postgres, which would refuse it.
func TestStatusOverHTTP2(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"99": 99, "600": 600, "999": 999, "0": 0, "-1": 0, "-2147483649": 0, "1000": 0, "2147483648": 0, "9223372036854775807": 0,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			r := newFrames(t, nil, func(f *http2.Framer, stream uint32) bool {
				_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header(":status", text), EndHeaders: true, EndStream: true})
				return false
			})
			if o := send(t, r.s, r.url, plenty); o.StatusCode != want || o.Failure != switchboard.FailureBadResponse || o.Requests != 1 {
				t.Errorf("%+v; want the status %d and %s", o, want, switchboard.FailureBadResponse)
			}
		})
	}
}
