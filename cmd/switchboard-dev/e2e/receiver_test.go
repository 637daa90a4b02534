package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// received is one request that reached a receiver.
type received struct {
	at     time.Time
	method string
	path   string
	target string // unchanged from the request line
	header http.Header
	body   []byte
}

// receiver answers by script and records what it received.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
}

// newReceiver starts a receiver that answers the nth request with the nth status, and later ones
// with the last.
func newReceiver(t *testing.T, statuses ...int) *receiver {
	t.Helper()
	return newReceiverFunc(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(statuses[min(n, len(statuses))-1])
		_, _ = io.WriteString(w, "answer")
	})
}

// newReceiverFunc starts a receiver that answers with f, which gets the number of the request.
func newReceiverFunc(t *testing.T, f func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		request.Body = io.NopCloser(bytes.NewReader(body)) // for f
		r.mu.Lock()
		r.requests = append(r.requests, received{time.Now(), request.Method, request.URL.Path, request.RequestURI, request.Header, body})
		n := len(r.requests)
		r.mu.Unlock()
		f(n, w, request)
	}))
	t.Cleanup(r.Close)
	return r
}

// newHangingReceiver starts a receiver that never answers. gaveUp gets a value for each sender that
// gives up.
func newHangingReceiver(t *testing.T, answerFirst ...int) (r *receiver, gaveUp <-chan struct{}) {
	t.Helper()
	ended := make(chan struct{}, 16)
	release, stop := context.WithCancel(context.Background())
	r = newReceiverFunc(t, func(n int, w http.ResponseWriter, request *http.Request) {
		if n <= len(answerFirst) {
			w.WriteHeader(answerFirst[n-1])
			return
		}
		select {
		case <-request.Context().Done():
			ended <- struct{}{}
		case <-release.Done():
		}
	})
	t.Cleanup(stop) // before the server's Close, which waits for its handlers
	return r, ended
}

// newHoldingReceiver starts a receiver that delays its last answer, and every later one, until
// answer is called.
func newHoldingReceiver(t *testing.T, statuses ...int) (r *receiver, answer func()) {
	t.Helper()
	released := make(chan struct{})
	answer = sync.OnceFunc(func() { close(released) })
	r = newReceiverFunc(t, func(n int, w http.ResponseWriter, request *http.Request) {
		if n >= len(statuses) {
			select {
			case <-released:
			case <-request.Context().Done():
				return
			}
		}
		w.WriteHeader(statuses[min(n, len(statuses))-1])
	})
	t.Cleanup(answer) // before the server's Close, which waits for its handlers
	return r, answer
}

// got returns what has been received so far.
func (r *receiver) got() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.requests...)
}

func (r *receiver) await(t *testing.T, n int) []received {
	t.Helper()
	await(t, "so many requests received", func() bool { return len(r.got()) >= n })
	return r.got()
}
