package faults

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The healthy receiver's paths, of which each has a tenant.
const (
	pathSteady = "/steady" // answers 200 at once
	pathFlaky  = "/flaky"  // answers 503 to the first request of every third event, and 200 to others after flakyAnswer
	pathSlow   = "/slow"   // answers 200 after slowAnswer
)

const (
	// slowAnswer and flakyAnswer are long enough for some first and some later attempts to be
	// under way at every moment, so that every fault hits some.
	slowAnswer  = 300 * time.Millisecond
	flakyAnswer = 400 * time.Millisecond
	// flakyEvery is of how many events one is refused first: few in a row, so that no breaker opens.
	flakyEvery = 3
	// maxBody bounds what is read of a request.
	maxBody = 64 << 10
)

// arrival is what became of one event at its receiver.
type arrival struct {
	first    time.Time // when the first request came that is answered 200
	requests int       // all of them
	good     int       // that are answered 200
}

// arrivals are those of every event, by its id.
type arrivals struct {
	mu   sync.Mutex
	seen map[string]*arrival
}

// note notes a request, and reports whether it is answered 200: good says so, of the event's first
// request or a later one.
func (a *arrivals) note(event string, good func(first bool) bool) bool {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	one, known := a.seen[event]
	if !known {
		one = &arrival{}
		a.seen[event] = one
	}
	one.requests++
	if !good(one.requests == 1) {
		return false
	}
	if one.good++; one.good == 1 {
		one.first = now
	}
	return true
}

// of is what has become of an event so far.
func (a *arrivals) of(event string) arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one, known := a.seen[event]; known {
		return *one
	}
	return arrival{}
}

// receiver is what the webhooks are sent to that no fault has to do with.
type receiver struct {
	*arrivals
	url    string
	server *http.Server
}

func startReceiver(seen *arrivals) (*receiver, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{arrivals: seen, url: "http://" + listener.Addr().String()}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.server.Serve(listener) }() // returns after Close, and only then
	return r, nil
}

// ServeHTTP takes a webhook. An event counts as received as soon as its request is read, whether
// or not somebody is left to read the answer.
func (a *arrivals) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	sent, err := readPayload(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var wait time.Duration
	good := func(bool) bool { return true }
	switch {
	case strings.HasPrefix(request.URL.Path, pathSlow):
		wait = slowAnswer
	case strings.HasPrefix(request.URL.Path, pathFlaky):
		wait = flakyAnswer
		good = func(first bool) bool { return !first || sent.Number%flakyEvery != 0 }
	}
	if !a.note(sent.Event, good) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	select {
	case <-time.After(wait):
	case <-request.Context().Done():
	}
}

// readPayload reads the data of the event that a request carries, in Switchboard's own envelope.
func readPayload(request *http.Request) (payload, error) {
	var envelope struct {
		Data payload `json:"data"`
	}
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, &envelope)
	}
	return envelope.Data, err
}
