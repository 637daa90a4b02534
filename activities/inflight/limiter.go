package inflight

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// minDefer is for how long a delivery waits at least that got no slot.
	minDefer = time.Second
	// maxDefer is for how long it waits at most, however many wait before it: a receiver that
	// became fast is not left idle for longer.
	maxDefer = 5 * time.Minute
	// durationShare is the part that one request has in the average duration of its
	// subscription's: an eighth.
	durationShare = 8
)

// Limiter bounds the requests in flight of this process: so many in all, and so many of each
// subscription. A delivery that gets no slot gets a date for its next try, as far from the date
// of the one before as slots become free: with ten thousand waiting for a slow receiver,
// Temporal would otherwise be busy with asking for them.
type Limiter struct {
	limit int

	mu     sync.Mutex
	taken  int
	queues map[string]*queue // by subscription
}

// queue is what is known of a subscription with requests in flight, or with deliveries that
// wait for a slot. It is dropped when both are over, or with the next request.
type queue struct {
	inFlight    int
	starts      time.Duration // the sum of the starts of those in flight, each as time after since
	since       time.Time
	avgDuration time.Duration // of its requests
	lastDate    time.Time     // the latest date given to a delivery that got no slot
}

// NewLimiter makes the limiter of a process that has at most limit requests in flight.
func NewLimiter(limit int) *Limiter {
	return &Limiter{limit: limit, queues: map[string]*queue{}}
}

// Slot is the right to have one request in flight.
type Slot struct {
	Load    float64   // the share of all slots that were taken before this one, 0 to 1
	RetryAt time.Time // zero: the slot is taken; else there is none, and this is when to try again

	limiter      *Limiter
	subscription string
	takenAt      time.Time
}

// Take takes a slot for a request of the subscription. While slots are contended, a delivery's
// first attempt gets none, so that it does not overtake those that wait.
func (l *Limiter) Take(s *switchboard.Subscription, first bool, now time.Time) Slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queues[s.ID]
	if l.taken >= l.limit || q.full(s.MaxInFlight) || first && q.contended(s.MaxInFlight, now) {
		return Slot{RetryAt: q.nextDate(now)}
	}
	if q == nil {
		q = &queue{since: now}
		l.queues[s.ID] = q
	}
	slot := Slot{Load: l.load(), limiter: l, subscription: s.ID, takenAt: now}
	l.taken++
	q.inFlight++
	q.starts += now.Sub(q.since)
	return slot
}

// Release gives the slot back, if it is taken. The time since then is the duration of a request,
// if one was made.
func (s Slot) Release(now time.Time, requested bool) {
	l := s.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken--
	q := l.queues[s.subscription]
	q.inFlight--
	q.starts -= s.takenAt.Sub(q.since)
	if requested {
		q.observe(now.Sub(s.takenAt))
	}
	if q.inFlight == 0 && !q.lastDate.After(now) {
		delete(l.queues, s.subscription)
	}
}

// Load is the share of this process's slots that are taken, 0 to 1.
func (l *Limiter) Load() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.load()
}

func (l *Limiter) load() float64 { return float64(l.taken) / float64(l.limit) }

func (q *queue) full(limit int) bool { return limit <= 0 || q != nil && q.inFlight >= limit }

// contended reports whether half of the slots are taken, and deliveries wait for longer than the
// shortest time. With fewer taken the receiver has become faster than their dates expect, or
// they are cancelled.
func (q *queue) contended(limit int, now time.Time) bool {
	return q != nil && 2*q.inFlight >= limit && q.lastDate.After(now.Add(2*minDefer))
}

// nextDate is when a delivery that got no slot is to try again.
func (q *queue) nextDate(now time.Time) time.Time {
	if q == nil { // other subscriptions have taken all slots
		return now.Add(minDefer + rand.N(minDefer)) //nolint:gosec // a spread, not a secret
	}
	if soonest := now.Add(minDefer); q.lastDate.Before(soonest) {
		q.lastDate = soonest
	}
	q.lastDate = q.lastDate.Add(q.slotInterval(now))
	if latest := now.Add(maxDefer); q.lastDate.After(latest) {
		q.lastDate = latest
		return latest.Add(-rand.N(maxDefer / 2)) //nolint:gosec // as above
	}
	return q.lastDate
}

// observe updates the moving average of request durations.
func (q *queue) observe(d time.Duration) {
	if q.avgDuration == 0 {
		q.avgDuration = d
	}
	q.avgDuration += (d - q.avgDuration) / durationShare
}

// slotInterval is the time between the dates of two deliveries: half of the time between two
// slots that become free. Deliveries come unevenly, and where one is called for each slot, every
// fifth slot stays empty (Erlang's loss formula, 16 slots; with two deliveries for each, every
// sixteenth). A request is taken to last for the average duration, or for the age of those in
// flight if they are older, which shows a receiver that has begun to hang.
func (q *queue) slotInterval(now time.Time) time.Duration {
	if q.inFlight == 0 {
		return q.avgDuration
	}
	n := time.Duration(q.inFlight)
	age := now.Sub(q.since) - q.starts/n
	return max(q.avgDuration, age) / n / 2
}
