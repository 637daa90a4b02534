package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// keeps is an HTTP/1.1 receiver that answers the first request of its first connection and does
// something else with the second. It serves all other connections.
func keeps(t *testing.T, second func(net.Conn) bool) (url string, conns, requests *atomic.Int32) {
	t.Helper()
	conns, requests = new(atomic.Int32), new(atomic.Int32)
	return "http://" + listen(t, func(conn net.Conn) {
		first := conns.Add(1) == 1
		for n := 1; ; n++ {
			if first && n == 2 && second == nil {
				return
			}
			if readRequest(conn) != nil {
				return
			}
			requests.Add(1)
			if first && n == 2 && second(conn) {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	}), conns, requests
}

// A kept connection that ends instead of an answer costs no attempt: the request is repeated once,
// on a new connection, for any method and headers.
func TestKeptConnectionThatEnds(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(net.Conn) bool{
		"closed": func(net.Conn) bool { return true },
		"reset":  func(conn net.Conn) bool { _ = conn.(*net.TCPConn).SetLinger(0); return true },
		"half open": func(conn net.Conn) bool {
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
			return true
		},
		"said to be idle": func(conn net.Conn) bool {
			_, _ = io.WriteString(conn, "HTTP/1.1 408 Request Time-out\r\nConnection: close\r\nContent-Length: 4\r\n\r\nidle")
			return true
		},
	} {
		for _, m := range []render.Message{
			{Method: "POST", Body: []byte("{}")},
			{Method: "POST"},
			{Method: "PUT", Body: bytes.Repeat([]byte("x"), 100<<10)},
			{Method: "PATCH", Body: []byte("{}")},
			{Method: "GET"},
			{Method: "GET", Body: []byte("{}")},
			{Method: "HEAD"},
			{Method: "DELETE"},
			{Method: "OPTIONS"},
		} {
			t.Run(fmt.Sprintf("%s, %s with %d", name, m.Method, len(m.Body)), func(t *testing.T) {
				t.Parallel()
				url, conns, requests := keeps(t, second)
				s := setup(t, nil)
				m.URL, m.Header = url, http.Header{"Idempotency-Key": {"dlv_01"}}
				for i, want := range []int{1, 2, 1} {
					o, err := s.send(t.Context(), new(switchboard.Subscription), m, plenty)
					if err != nil || o.StatusCode != 200 || o.Requests != want {
						t.Errorf("attempt %d: %+v, %v; want 200 with %d requests", i+1, o, err, want)
					}
				}
				if conns.Load() < 2 || requests.Load() != 4 {
					t.Errorf("%d requests on %d connections; want 4", requests.Load(), conns.Load())
				}
			})
		}
	}
}

// A new connection that ends says something about the receiver, and so does a kept one that ends
// inside an answer: these are not repeated.
func TestWhatIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		second  func(net.Conn) bool
		failure switchboard.Failure
	}{
		"half a header":    {func(conn net.Conn) bool { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-"); return true }, switchboard.FailureReset},
		"a first byte":     {func(conn net.Conn) bool { _, _ = io.WriteString(conn, "H"); return true }, switchboard.FailureBadResponse},
		"garbage":          {func(conn net.Conn) bool { _, _ = io.WriteString(conn, "garbage\r\n\r\n"); return true }, switchboard.FailureBadResponse},
		"an informational": {func(conn net.Conn) bool { _, _ = io.WriteString(conn, "HTTP/1.1 103 X\r\n\r\n"); return true }, switchboard.FailureReset},
	} {
		url, _, requests := keeps(t, test.second)
		s := setup(t, nil)
		send(t, s, url, plenty)
		if o := send(t, s, url, plenty); o.Failure != test.failure || o.StatusCode != 0 || o.Requests != 1 || requests.Load() != 2 {
			t.Errorf("%s: %+v; want %s after one request", name, o, test.failure)
		}
	}
	// Silence is not an end: the receiver has used up the time limit.
	url, _, requests := keeps(t, func(conn net.Conn) bool { _, _ = io.Copy(io.Discard, conn); return true })
	s := setup(t, nil)
	send(t, s, url, plenty)
	if o := sendShortly(t, s, url, switchboard.FailureTimeout); o.Failure != switchboard.FailureTimeout || o.Requests != 1 {
		t.Errorf("silent: %+v; want a timeout after one request", o)
	}
	for deadline := time.Now().Add(plenty); requests.Load() < 2 && time.Now().Before(deadline); time.Sleep(time.Millisecond) { // the receiver may read it later
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("silent: the receiver got %d requests; want 2", n)
	}
	// A 408 is an answer if the connection stays, and if it is new.
	const late = "HTTP/1.1 408 X\r\nContent-Length: 0\r\n"
	url, _, requests = keeps(t, func(conn net.Conn) bool { _, _ = io.WriteString(conn, late+"\r\n"); return true })
	send(t, s, url, plenty)
	if o := send(t, s, url, plenty); o.StatusCode != 408 || o.Requests != 1 || requests.Load() != 2 {
		t.Errorf("%+v; want a 408 to one request", o)
	}
	if o := send(t, s, answers(t, late+"Connection: close\r\n\r\n"), plenty); o.StatusCode != 408 || o.Requests != 1 {
		t.Errorf("%+v; want a 408 to one request", o)
	}
	// Each connection ends with the first request, as the receiver wants.
	var all atomic.Int32
	addr := listen(t, func(conn net.Conn) {
		if readRequest(conn) == nil {
			all.Add(1)
		}
	})
	if o := send(t, s, "http://"+addr, plenty); o.Failure != switchboard.FailureReset || o.Requests != 1 || all.Load() != 1 {
		t.Errorf("new: %+v after %d requests; want reset after one", o, all.Load())
	}
	// Nothing is sent if nothing can be sent.
	_, taken := bound(t)
	if o := send(t, s, "http://"+taken, plenty); o.Requests != 0 {
		t.Errorf("%+v; want no request", o)
	}
}

// All kept connections end, for example when the receiver restarts: one repeat is enough.
func TestAllKeptConnectionsEnd(t *testing.T) {
	t.Parallel()
	var old atomic.Bool
	old.Store(true)
	const several = 8
	came, held := make(chan struct{}, several), make(chan struct{})
	addr := listen(t, func(conn net.Conn) {
		of := old.Load()
		for readRequest(conn) == nil {
			if !old.Load() && of {
				return
			}
			if of {
				came <- struct{}{}
				<-held // until each request has its own connection
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	s := setup(t, nil)
	outcomes := make(chan switchboard.Outcome, several)
	for range several {
		go func() {
			_, o, _ := s.Attempt(t.Context(), work("http://"+addr), time.Now(), plenty)
			outcomes <- o
		}()
	}
	for range several {
		<-came
	}
	close(held)
	for range several {
		if o := <-outcomes; o.StatusCode != 200 {
			t.Fatalf("%+v", o)
		}
	}
	old.Store(false)
	for range several {
		if o := send(t, s, "http://"+addr, plenty); o.StatusCode != 200 || o.Requests > 2 {
			t.Errorf("%+v; want 200 with two requests at most", o)
		}
	}
}

// An interruption during the second request says that something was sent.
func TestInterruptedRepeat(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x := &attemptState{timeout: plenty, requests: 1, repeated: true}
	_, err := setup(t, nil).noResponse(ctx, errors.New("any"), new(try), x)
	if interrupted, ok := errors.AsType[*Interrupted](err); !ok || !interrupted.Sent {
		t.Errorf("%v; want an interruption after the request was sent", err)
	}
}
