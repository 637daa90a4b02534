package alerts

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowness is how long a slow receiver takes: more than the alert allows for half of the
// deliveries.
const slowness = 1500 * time.Millisecond

// receiver behaves as the first part of the path says: ok, fails, slow, hangs or gone. The second
// part is a name by which what fails or hangs can be repaired.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	repaired map[string]chan struct{}
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{repaired: map[string]chan struct{}{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(func() {
		r.CloseClientConnections()
		r.Close()
	})
	return r
}

// url returns the address for a behaviour. Nobody listens on that of "closed".
func (r *receiver) url(path string) string {
	if path == "closed" {
		return "http://127.0.0.1:1/"
	}
	return r.URL + "/" + path
}

// of returns a channel that is closed when that name is repaired.
func (r *receiver) of(name string) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.repaired[name] == nil {
		r.repaired[name] = make(chan struct{})
	}
	return r.repaired[name]
}

// repair makes everything with that name answer well from now on.
func (r *receiver) repair(name string) { close(r.of(name)) }

func (r *receiver) serve(w http.ResponseWriter, request *http.Request) {
	_, _ = io.Copy(io.Discard, request.Body)
	behaviour, name, _ := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/")
	repaired := r.of(name)
	switch behaviour {
	case "fails":
		select {
		case <-repaired:
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	case "gone":
		w.WriteHeader(http.StatusNotFound)
	case "hangs":
		select {
		case <-repaired:
		case <-request.Context().Done():
		}
	case "slow":
		answer := time.NewTimer(slowness)
		defer answer.Stop()
		select {
		case <-answer.C:
		case <-request.Context().Done():
		}
	}
}
