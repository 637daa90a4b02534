package webhook

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func TestBodyWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 500} {
		addr := listen(t, func(conn net.Conn) {
			if readRequest(conn) == nil {
				_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d X\r\n\r\n", status)
				flood(conn, strings.Repeat("x", 1<<10))
			}
		})
		o := send(t, setup(t, nil), "http://"+addr, plenty)
		if o.StatusCode != status || o.Failure != switchboard.FailureOfStatus(status) || len(o.Response.Body) != maxBody || !o.Response.Truncated {
			t.Errorf("%d: status %d, failure %q, %d bytes kept", status, o.StatusCode, o.Failure, len(o.Response.Body))
		}
	}
}

// A body that is slow, breaks off or is garbage does not change the status, since the receiver has
// sent it.
func TestBodyThatNeverComes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		serve func(net.Conn)
		kept  string
	}{
		"stops": {func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
			_, _ = io.Copy(io.Discard, conn) // until the sender disconnects
		}, "abc"},
		"breaks off": {func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") }, "abc"},
		"broken chunk": {func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
		}, "abc"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := listen(t, func(conn net.Conn) {
				if readRequest(conn) == nil {
					test.serve(conn)
				}
			})
			o := shortly(func(limit time.Duration) switchboard.Outcome { return send(t, setup(t, nil), "http://"+addr, limit) },
				func(o switchboard.Outcome) bool { return string(o.Response.Body) == test.kept })
			if o.Failure != "" || o.StatusCode != 200 || string(o.Response.Body) != test.kept || !o.Response.Truncated {
				t.Errorf("%+v; want 200 with a truncated body", o)
			}
		})
	}
}

func TestTimeLimitBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for name, response := range map[string]string{
		"silent":              "",
		"half a status line":  "HTTP/1.1 2",
		"headers without end": "HTTP/1.1 200 OK\r\nX-A: b\r\n",
		"only informational":  "HTTP/1.1 103 Early Hints\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := listen(t, func(conn net.Conn) {
				if readRequest(conn) == nil {
					_, _ = io.WriteString(conn, response)
					_, _ = io.Copy(io.Discard, conn)
				}
			})
			want(t, sendShortly(t, setup(t, nil), "http://"+addr, switchboard.FailureTimeout), switchboard.FailureTimeout)
		})
	}
}

// A receiver that sends one byte now and then is cut off by the total limit.
func TestSlowLorisHeaders(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(conn net.Conn) {
		if readRequest(conn) != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Slow: ")
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for range ticker.C {
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
		}
	})
	want(t, sendShortly(t, setup(t, nil), "http://"+addr, switchboard.FailureTimeout), switchboard.FailureTimeout)
}

func TestFloods(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		start, text string
		status      int // 0: none was sent
	}{
		"headers without end":       {"HTTP/1.1 200 OK\r\nX-A: b", "\r\nX-More: x", 200},
		"one header without end":    {"HTTP/1.1 500 X\r\nX-A: b", "xxxxxxxxxxxxxxxx", 500},
		"informational without end": {"HTTP/1.1 103 Early Hints\r\n", "\r\nHTTP/1.1 103 Early Hints\r\n", 0},
		"status without end":        {"HTTP/1.1 200 ", "OKOKOKOK", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := listen(t, func(conn net.Conn) {
				if readRequest(conn) == nil {
					_, _ = io.WriteString(conn, test.start)
					flood(conn, test.text)
				}
			})
			o := send(t, setup(t, nil), "http://"+addr, plenty)
			if o.StatusCode != test.status || o.Failure != switchboard.FailureOfStatus(test.status) || o.Detail == "" {
				t.Errorf("%+v; want the status %d", o, test.status)
			}
		})
	}
}

func TestInformationalThenAnswer(t *testing.T) {
	t.Parallel()
	url := answers(t, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
	if o := send(t, setup(t, nil), url, plenty); o.StatusCode != 201 || o.Failure != "" {
		t.Errorf("%+v; want 201", o)
	}
}

func TestCompressedBodyIsKeptAsItCame(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	if _, err := w.Write(make([]byte, 8<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	response := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", bomb.Len(), bomb.Bytes())
	o := send(t, setup(t, nil), answers(t, response), plenty)
	if o.StatusCode != 200 || !bytes.Equal(o.Response.Body, bomb.Bytes()[:min(bomb.Len(), maxBody)]) {
		t.Errorf("status %d, %d bytes kept; want the %d that were sent", o.StatusCode, len(o.Response.Body), bomb.Len())
	}
}

func TestRetryAfterOfReceivers(t *testing.T) {
	t.Parallel()
	for value, wantAfter := range map[string]struct{ least, most time.Duration }{
		"3":                              {3 * time.Second, 3 * time.Second},
		"-3":                             {0, 0},
		"soon":                           {0, 0},
		"99999999999999999999999999":     {time.Hour, 1<<63 - 1},
		"Fri, 31 Dec 9999 23:59:59 GMT":  {time.Hour, 1<<63 - 1},
		"Mon, 01 Jan 0001 00:00:00 GMT":  {0, 0},
		"3\r\nRetry-After: 5":            {3 * time.Second, 3 * time.Second},
		"Sunday, 06-Nov-94 08:49:37 GMT": {0, 0},
	} {
		o := send(t, setup(t, nil), answers(t, "HTTP/1.1 503 X\r\nRetry-After: "+value+"\r\n\r\n"), plenty)
		if o.StatusCode != 503 || o.RetryAfter < wantAfter.least || o.RetryAfter > wantAfter.most {
			t.Errorf("%q: %s; want %s to %s", value, o.RetryAfter, wantAfter.least, wantAfter.most)
		}
	}
}

func TestAnswerBeforeTheRequestIsRead(t *testing.T) {
	t.Parallel()
	addr := listen(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	w := work("http://" + addr)
	w.Event.Data = []byte(`"` + strings.Repeat("x", 200<<10) + `"`)
	_, o, err := setup(t, nil).Attempt(t.Context(), w, time.Now(), plenty)
	if err != nil || (o.StatusCode != 413 && o.Failure != switchboard.FailureReset) {
		t.Errorf("%+v, %v; want 413", o, err)
	}
}

// A second answer to one request must not become the answer to the next request.
func TestUnasked(t *testing.T) {
	t.Parallel()
	url := answers(t, "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	s := setup(t, nil)
	for range 3 {
		if o := send(t, s, url, plenty); o.StatusCode != 500 && o.Failure != switchboard.FailureReset {
			t.Errorf("%+v; want 500", o)
		}
	}
}

func TestHTTP2Failures(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	url, s := serveTLS(t, ca.issue(t, nil), ca.pool(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/reset":
			panic(http.ErrAbortHandler) // resets the stream
		case "/hang":
			<-r.Context().Done()
		case "/header":
			w.Header().Set("X-Large", strings.Repeat("x", 2*maxHeaderRead))
		}
	}))
	for _, test := range []struct {
		path    string
		failure switchboard.Failure
	}{
		{"/reset", switchboard.FailureReset},
		{"/hang", switchboard.FailureTimeout},
		{"/header", switchboard.FailureBadResponse}, // net/http refuses it without reading its status
	} {
		o := sendShortly(t, s, url+test.path, test.failure)
		if o.Failure != test.failure || o.StatusCode != 0 || o.Detail == "" {
			t.Errorf("%s: %+v; want %s", test.path, o, test.failure)
		}
	}
	// None of them affects the next request.
	if o := send(t, s, url, plenty); o.StatusCode != 200 {
		t.Errorf("afterwards: %+v", o)
	}
}
