package inflight

import (
	"maps"
	"math/rand/v2"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// minDefer is the shortest wait of a delivery that got no slot.
	minDefer = time.Second
	// maxDefer is the longest wait, however many wait before it, so that a receiver that became
	// fast is not idle for longer.
	maxDefer = 5 * time.Minute
	// latencyShare is the weight of one request in the average latency of its subscription: an
	// eighth.
	latencyShare = 8
	// fastBelow is the average latency below which a slow endpoint is no longer slow: half of the
	// limit from which it is slow, so that an endpoint near the limit does not change its class all
	// the time.
	fastBelow = switchboard.SlowAfter / 2
	// minObserved is how many requests make an average. A single slow response, such as the first
	// one often is, does not make an endpoint slow.
	minObserved = 2
	// rememberSlow is how long the average of an endpoint that is not fast is kept after its last
	// request.
	rememberSlow = 10 * time.Minute
)

// queue has the state of a subscription with requests in flight, with deliveries that wait for a
// slot, or with an endpoint that was recently not fast. It is dropped when that is over. A nil
// queue stands for a subscription without state.
type queue struct {
	limit    int // max_in_flight of the last request
	inFlight map[*Slot]struct{}
	expected map[string]time.Time // deliveries with a reserved slot, and until when
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
	if r.Slow && q.observed == 0 { // another process knows it, or this one did before it was restarted
		q.average, q.observed = 2*switchboard.SlowAfter, minObserved
	}
}

// free returns how many more requests may be in flight for that delivery, within the limit. Slots
// that are reserved for other deliveries are not free.
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

// forgetLate drops reservations for deliveries that have not come, because another process sends
// them.
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

// hangs reports whether a request has been running for longer than a fast one takes.
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

// idle reports whether there is no state to keep.
func (q *queue) idle(now time.Time) bool {
	q.forgetLate(now)
	return len(q.inFlight) == 0 && len(q.expected) == 0 && !q.lastDate.After(now) && (q.average < fastBelow || now.Sub(q.usedAt) > rememberSlow)
}

// contended reports whether deliveries wait for longer than the shortest wait.
func (q *queue) contended(now time.Time) bool {
	return q != nil && q.lastDate.After(now.Add(2*minDefer))
}

// nextDate returns when a delivery that got no slot must try again.
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

// slotInterval is the time between the dates of two deliveries: half of the time between two slots
// that become free. Deliveries come unevenly, and if only one is called for each slot, every fifth
// slot stays empty (Erlang's loss formula, 16 slots; with two deliveries for each, every
// sixteenth). A request is assumed to last for the average latency, or for the age of those in
// flight if they are older, which shows that a receiver has begun to hang.
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
