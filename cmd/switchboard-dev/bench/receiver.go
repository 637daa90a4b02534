package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// The receiver's paths.
const (
	pathWell = "/well" // answers 200 at once
	pathAway = "/away" // answers 503 at once
	pathSlow = "/slow" // answers 200 after slowAnswer
)

// receiver receives the webhooks. It records when each delivery first arrived, and counts repeated
// arrivals.
type receiver struct {
	url    string
	server *http.Server

	mu         sync.Mutex
	arrivals   map[string]time.Time // by webhook-id, since the last expect
	duplicates int
	wanted     int
	complete   chan struct{} // closed when the wanted number has arrived
}

func startReceiver() (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + listener.Addr().String()}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	r.expect(0)
	go func() { _ = r.server.Serve(listener) }() // returns after Close, and only then
	return r, nil
}

// expect forgets what has arrived, and then waits for that many.
func (r *receiver) expect(wanted int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.arrivals, r.duplicates, r.wanted = make(map[string]time.Time, wanted), 0, wanted
	r.complete = make(chan struct{})
}

// ServeHTTP takes a webhook.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	now := time.Now()
	_, _ = io.Copy(io.Discard, request.Body) // so that the connection can be reused
	r.arrive(request.Header.Get("webhook-id"), now)
	switch request.URL.Path {
	case pathAway:
		w.WriteHeader(http.StatusServiceUnavailable)
	case pathSlow:
		_ = pause(request.Context(), slowAnswer) // a sender that gave up reads no answer
	}
}

func (r *receiver) arrive(id string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, again := r.arrivals[id]; again {
		r.duplicates++
		return
	}
	r.arrivals[id] = at
	if len(r.arrivals) == r.wanted {
		close(r.complete)
	}
}

// wait waits until all have arrived.
func (r *receiver) wait(ctx context.Context) error {
	r.mu.Lock()
	complete := r.complete
	r.mu.Unlock()
	select {
	case <-complete:
		return nil
	case <-ctx.Done():
		r.mu.Lock()
		defer r.mu.Unlock()
		return fmt.Errorf("%d of %d deliveries have arrived: %w", len(r.arrivals), r.wanted, ctx.Err())
	}
}

// match returns when each posted delivery arrived, in the same order, and the number of duplicates.
// A delivery that did not arrive is an error.
func (r *receiver) match(all []posted) (arrivals []time.Time, duplicates int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	arrivals = make([]time.Time, len(all))
	for i, p := range all {
		at, ok := r.arrivals[p.delivery]
		if !ok {
			err = errors.Join(err, fmt.Errorf("delivery %s was accepted and did not arrive", p.delivery))
		}
		arrivals[i] = at
	}
	return arrivals, r.duplicates, err
}
