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

// The healthy receiver's paths. Each has a tenant.
const (
	pathSteady = "/steady" // answers 200 at once
	pathFlaky  = "/flaky"  // answers 503 to the first request of every third event, and 200 to others after flakyAnswer
	pathSlow   = "/slow"   // answers 200 after slowAnswer
)

const (
	// slowAnswer and flakyAnswer are so long that some first and some later attempts run at every
	// moment. So every fault hits some.
	slowAnswer  = 300 * time.Millisecond
	flakyAnswer = 400 * time.Millisecond
	// flakyEvery is the number of events of which one is refused first. Few in a row are refused,
	// so that no breaker opens.
	flakyEvery = 3
	// maxBody limits what is read of a request.
	maxBody = 64 << 10
)

// arrival is what happened to one event at its receiver.
type arrival struct {
	first    time.Time // when the first request came that was answered 200
	requests int       // number of requests
	good     int       // number of requests answered 200
}

// arrivals are the arrivals of every event, by event id.
type arrivals struct {
	mu   sync.Mutex
	seen map[string]*arrival
}

// note records a request, and reports whether it is answered 200. good decides that for the event's
// first request or a later one.
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

// of returns what has happened to an event so far.
func (a *arrivals) of(event string) arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one, known := a.seen[event]; known {
		return *one
	}
	return arrival{}
}

// receiver receives the webhooks that are not about a fault.
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
	go func() { _ = r.server.Serve(listener) }() // returns only after Close
	return r, nil
}

// ServeHTTP receives a webhook. An event counts as received as soon as its request is read, whether
// or not anybody reads the answer.
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

// readPayload reads the event's data from a request with Switchboard's own envelope.
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
