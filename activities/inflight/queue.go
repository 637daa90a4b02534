package inflight

import (
	"maps"
	"math/rand/v2"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// minDefer is for how long a delivery waits at least that got no slot.
	minDefer = time.Second
	// maxDefer is for how long it waits at most, however many wait before it: a receiver that
	// became fast is not left idle for longer.
	maxDefer = 5 * time.Minute
	// latencyShare is the part that one request has in the average latency of its
	// subscription's: an eighth.
	latencyShare = 8
	// fastBelow is the average latency below which a slow endpoint is no longer slow: half of that
	// from which on it is, so that one near the limit does not change its class all the time.
	fastBelow = switchboard.SlowAfter / 2
	// minObserved is how many requests make an average: a single slow answer, as a first one often
	// is, makes no slow endpoint.
	minObserved = 2
	// rememberSlow is for how long the average of an endpoint that is not fast is kept after its
	// last request.
	rememberSlow = 10 * time.Minute
)

// queue is what is known of a subscription with requests in flight, with deliveries that wait for
// a slot, or with an endpoint that was not fast lately. It is dropped when that is over. A nil
// queue is one of which nothing is known.
type queue struct {
	limit    int // max_in_flight, as the last request had it
	inFlight map[*Slot]struct{}
	expected map[string]time.Time // deliveries that a slot is kept for, and until when
	average  time.Duration        // latency of its requests
	observed int                  // how many requests are in the average, up to minObserved
	usedAt   time.Time            // when the last slot was given back
	lastDate time.Time            // the latest date given to a delivery that got no slot
}

func newQueue() *queue {
	return &queue{inFlight: map[*Slot]struct{}{}, expected: map[string]time.Time{}}
}

// take adds a request.
func (q *queue) take(s *Slot, r Request) {
	q.limit = r.Subscription.MaxInFlight
	q.inFlight[s] = struct{}{}
	delete(q.expected, r.DeliveryID)
	if r.Slow && q.observed == 0 { // another process knows it, or this one before it was restarted
		q.average, q.observed = 2*switchboard.SlowAfter, minObserved
	}
}

// free is how many more requests may be in flight for that delivery, of so many in all. Slots that
// are kept for other deliveries are not free.
func (q *queue) free(limit int, deliveryID string, now time.Time) int {
	if q == nil {
		return limit
	}
	q.forgetLate(now)
	free := limit - len(q.inFlight)
	if _, kept := q.expected[deliveryID]; !kept {
		free -= len(q.expected)
	}
	return free
}

// forgetLate keeps no slots any more for deliveries that have not come: another process sends them.
func (q *queue) forgetLate(now time.Time) {
	maps.DeleteFunc(q.expected, func(_ string, until time.Time) bool { return until.Before(now) })
}

// slow reports whether the endpoint is slow by its average latency.
func (q *queue) slow(known bool) bool {
	switch {
	case q == nil || q.observed < minObserved:
		return known
	case known:
		return q.average >= fastBelow
	}
	return q.average > switchboard.SlowAfter
}

// hangs reports whether a request is under way for longer than a fast one takes.
func (q *queue) hangs(now time.Time) bool {
	if q == nil {
		return false
	}
	for s := range q.inFlight {
		if now.Sub(s.began) > switchboard.SlowAfter {
			return true
		}
	}
	return false
}

// idle reports whether there is nothing to know any more.
func (q *queue) idle(now time.Time) bool {
	q.forgetLate(now)
	return len(q.inFlight) == 0 && len(q.expected) == 0 && !q.lastDate.After(now) && (q.average < fastBelow || now.Sub(q.usedAt) > rememberSlow)
}

// contended reports whether deliveries wait for longer than the shortest time.
func (q *queue) contended(now time.Time) bool {
	return q != nil && q.lastDate.After(now.Add(2*minDefer))
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

// observe updates the moving average of latencies.
func (q *queue) observe(latency time.Duration) {
	if q.observed == 0 {
		q.average = latency
	}
	q.average += (latency - q.average) / latencyShare
	q.observed = min(q.observed+1, minObserved)
}

// slotInterval is the time between the dates of two deliveries: half of the time between two
// slots that become free. Deliveries come unevenly, and where one is called for each slot, every
// fifth slot stays empty (Erlang's loss formula, 16 slots; with two deliveries for each, every
// sixteenth). A request is taken to last for the average latency, or for the age of those in
// flight if they are older, which shows a receiver that has begun to hang.
func (q *queue) slotInterval(now time.Time) time.Duration {
	n := time.Duration(len(q.inFlight))
	if n == 0 {
		return q.average
	}
	var age time.Duration
	for s := range q.inFlight {
		age += now.Sub(s.began)
	}
	return max(q.average, age/n) / n / 2
}
