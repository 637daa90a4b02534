package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

const (
	// callLimit limits one call to the API, as a platform's client would. After a call to a frozen
	// API, the other one is tried.
	callLimit = 3 * time.Second
	// againPause is the pause before an event that was not accepted is posted again.
	againPause = 500 * time.Millisecond
	// answerLimit is how long events are posted again after the load has ended.
	answerLimit = time.Minute
	// idleConnections is how many connections to each API are kept.
	idleConnections = 64
)

// eventType is the type of every event that is posted.
const eventType = "ticket.created"

// load posts events at a steady rate, each repeatedly until an API has accepted it.
type load struct {
	apis  []*client.Client
	name  string // prefix of the ids of its events
	every time.Duration
	turns []string // the tenants that events are posted for, in turn

	posting  context.Context
	stop     context.CancelFunc // ends the posting of new events
	giveUp   context.CancelFunc // ends the repetition of old ones
	trying   context.Context
	underWay sync.WaitGroup
	paced    chan struct{} // closed when no new events are posted any more

	mu     sync.Mutex
	events []*posted
	wrong  error // the first answer that no event should get
}

// posted is one event.
type posted struct {
	id, tenant string
	at         time.Time // when it was posted first
	accepted   time.Time // when an API answered 202; zero: not yet
}

// payload is the data of an event, by which the receivers recognise it.
type payload struct {
	Event  string `json:"event"`
	Number int    `json:"number"`
}

// startLoad begins to post that many events per second for those tenants in turn.
func startLoad(ctx context.Context, apis []*client.Client, name string, rate int, turns []string) *load {
	l := &load{apis: apis, name: name, every: time.Second / time.Duration(rate), turns: turns, paced: make(chan struct{})}
	l.trying, l.giveUp = context.WithCancel(ctx)
	l.posting, l.stop = context.WithCancel(l.trying)
	go l.pace()
	return l
}

func (l *load) pace() {
	defer close(l.paced)
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for {
		select {
		case <-l.posting.Done():
			return
		case <-tick.C:
			l.postNext()
		}
	}
}

func (l *load) postNext() {
	l.mu.Lock()
	n := len(l.events)
	event := &posted{id: fmt.Sprintf("%s-%d", l.name, n), tenant: l.turns[n%len(l.turns)], at: time.Now()}
	l.events = append(l.events, event)
	l.mu.Unlock()
	l.underWay.Go(func() { l.untilAccepted(event, n) })
}

// untilAccepted posts an event to one API after the other, until one has accepted it.
func (l *load) untilAccepted(event *posted, n int) {
	data, err := json.Marshal(payload{Event: event.id, Number: n})
	if err != nil {
		l.note(event, err)
		return
	}
	wire := client.NewEvent{Tenant: event.tenant, Type: eventType, ID: event.id, Data: data}
	for try := n; ; try++ {
		accepted, err := l.apis[try%len(l.apis)].PostEvent(l.trying, wire)
		if err == nil && len(accepted.Deliveries) != 1 {
			err = fmt.Errorf("event %s has %d deliveries; want 1", event.id, len(accepted.Deliveries))
			l.note(event, err)
			return
		}
		if err == nil || !temporary(err) {
			l.note(event, err)
			return
		}
		select {
		case <-l.trying.Done():
			return
		case <-time.After(againPause):
		}
	}
}

// temporary reports whether posting the event again may help: there was no answer, or an answer
// that blames Switchboard.
func temporary(err error) bool {
	answered, ok := errors.AsType[*client.Error](err)
	return !ok || answered.Status >= http.StatusInternalServerError || answered.Status == http.StatusTooManyRequests
}

func (l *load) note(event *posted, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		event.accepted = time.Now()
	} else if l.wrong == nil {
		l.wrong = fmt.Errorf("post %s: %w", event.id, err)
	}
}

// postAgain posts all events again that were accepted since then, as a platform does after
// Switchboard's database went back in time.
func (l *load) postAgain(since time.Time) (again int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, event := range l.events {
		if event.accepted.Before(since) {
			continue
		}
		event.accepted = time.Time{}
		again++
		l.underWay.Go(func() { l.untilAccepted(event, n) })
	}
	return again
}

// end stops posting, and waits until everything that was posted is accepted, or until that takes
// too long.
func (l *load) end() error {
	l.stop()
	<-l.paced
	limit := time.AfterFunc(answerLimit, l.giveUp)
	defer limit.Stop()
	l.underWay.Wait()
	l.giveUp()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wrong
}

// all copies what has been posted so far.
func (l *load) all() []posted {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := make([]posted, len(l.events))
	for i, event := range l.events {
		events[i] = *event
	}
	return events
}

// connect makes the clients of the APIs, which do not repeat calls by themselves.
func connect(urls []string, key switchboard.Secret) ([]*client.Client, error) {
	var clients []*client.Client
	for _, url := range urls {
		transport := &http.Transport{MaxIdleConns: idleConnections, MaxIdleConnsPerHost: idleConnections}
		made, err := client.New(client.Config{URL: url, Key: key, HTTP: &http.Client{Transport: transport, Timeout: callLimit}})
		if err != nil {
			return nil, err
		}
		clients = append(clients, made)
	}
	return clients, nil
}
