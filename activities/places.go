package activities

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// crowdedWait is how long a delivery waits at least that found no place.
	crowdedWait = time.Second
	// longestTurn is how long it waits at most, however many wait before it: a receiver
	// that became fast is not left idle for longer.
	longestTurn = 5 * time.Minute
	// usualShare is the weight of one request in what is usual for its subscription.
	usualShare = 8
)

// places are those that requests in flight take in this process: so many in all, and
// so many of each subscription. Those who find none get a turn each, as far apart as
// places become free: with ten thousand waiting for a slow receiver, Temporal would
// otherwise be busy with asking for them.
type places struct {
	limit int

	mu    sync.Mutex
	total int
	lines map[string]*line // by subscription
}

// line is what is known of a subscription that has requests in flight, or deliveries
// that wait for a place. It is dropped when both are over, or with the next request.
type line struct {
	inFlight int
	begun    time.Duration // of those in flight, the sum of their starts, each as time after since
	since    time.Time
	usual    time.Duration // how long its requests take
	last     time.Time     // the turn that was given last
}

// admit takes a place for a request of the subscription, which leave gives back. It
// returns the load under which it was taken, and reports whether there was one. Where
// places are scarce, a delivery's first attempt finds none while others wait.
func (p *places) admit(s switchboard.Subscription, first bool, now time.Time) (load float64, leave func(time.Time), free bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lines[s.ID]
	if p.total >= p.limit || l.full(s.MaxInFlight) || first && l.scarce(s.MaxInFlight, now) {
		return 0, nil, false
	}
	if l == nil {
		l = &line{since: now}
		p.lines[s.ID] = l
	}
	load = p.load()
	p.total++
	l.inFlight++
	l.begun += now.Sub(l.since)
	return load, func(end time.Time) { p.leave(s.ID, now, end) }, true
}

func (p *places) leave(subscriptionID string, began, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total--
	l := p.lines[subscriptionID]
	l.inFlight--
	l.begun -= began.Sub(l.since)
	l.took(now.Sub(began))
	if l.inFlight == 0 && !l.last.After(now) {
		delete(p.lines, subscriptionID)
	}
}

// turn is when a delivery of the subscription that found no place is to try again.
func (p *places) turn(subscriptionID string, now time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lines[subscriptionID]
	if l == nil { // it is others that take all places
		return now.Add(crowdedWait + rand.N(crowdedWait)) //nolint:gosec // a spread, not a secret
	}
	if soonest := now.Add(crowdedWait); l.last.Before(soonest) {
		l.last = soonest
	}
	l.last = l.last.Add(l.pace(now))
	if latest := now.Add(longestTurn); l.last.After(latest) {
		l.last = latest
		return latest.Add(-rand.N(longestTurn / 2)) //nolint:gosec // as above
	}
	return l.last
}

// Load is the share of this process's places that requests in flight take, 0 to 1.
func (p *places) Load() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.load()
}

func (p *places) load() float64 { return float64(p.total) / float64(p.limit) }

func (l *line) full(limit int) bool { return limit <= 0 || l != nil && l.inFlight >= limit }

// scarce reports whether half of the places are taken, and deliveries wait for longer
// than the shortest time. With fewer taken the receiver has become faster than their
// turns, or they are cancelled.
func (l *line) scarce(limit int, now time.Time) bool {
	return l != nil && 2*l.inFlight >= limit && l.last.After(now.Add(2*crowdedWait))
}

// took adds what a request took to what is usual.
func (l *line) took(d time.Duration) {
	if l.usual == 0 {
		l.usual = d
	}
	l.usual += (d - l.usual) / usualShare
}

// pace is the time between two turns, half of that between two places that become free:
// turns come unevenly, and where one is called for each place, every fifth stays empty
// (Erlang's loss formula, 16 places; with two, every sixteenth). A request is taken to
// last as long as usual, or as those in flight have lasted by now, which shows a receiver
// that has begun to hang.
func (l *line) pace(now time.Time) time.Duration {
	if l.inFlight == 0 {
		return l.usual
	}
	n := time.Duration(l.inFlight)
	age := now.Sub(l.since) - l.begun/n
	return max(l.usual, age) / n / 2
}
