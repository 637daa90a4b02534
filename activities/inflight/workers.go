package inflight

import (
	"maps"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// expectedFor is how long a slot is reserved for a delivery that this process has released: longer
// than the start of its workflow takes.
const expectedFor = 2 * time.Second

// workers is what this process knows of the live workers. They share max_in_flight of a
// subscription: no worker asks another, and together they begin no request beyond it. When their
// number changes, requests in flight may hang while a worker that joined since sends its own.
type workers struct {
	live  int       // including this one; 0: it is alone, and nobody counts
	rank  int       // how many of them came before it
	until time.Time // when the others stop counting this one, unless they hear of it again
}

// share returns this worker's part of max_in_flight. The first workers have the remainder.
func (w workers) share(maxInFlight int) int {
	if w.live <= 1 {
		return maxInFlight
	}
	share := maxInFlight / w.live
	if w.rank < maxInFlight%w.live {
		share++
	}
	return share
}

// lost reports whether the others may consider this worker dead, and have divided its share.
func (w workers) lost(now time.Time) bool { return w.live > 0 && now.After(w.until) }

// SetWorkers sets how many workers live, how many of them came before this one, and until when that
// is valid. It reports whether every subscription's requests in flight are within its share.
func (l *Limiter) SetWorkers(live, rank int, until time.Time) (within bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.workers = workers{live, rank, until}
	for _, q := range l.queues {
		if len(q.inFlight) > l.workers.share(q.limit) {
			return false
		}
	}
	return true
}

// SetWaiting sets the subscriptions whose deliveries wait in Postgres until this or another worker
// releases them.
func (l *Limiter) SetWaiting(subscriptionIDs []string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.waiting)
	for _, id := range subscriptionIDs {
		l.waiting[id] = true
	}
	maps.DeleteFunc(l.queues, func(_ string, q *queue) bool { return q.idle(now) })
}

// AddWaiting adds one of them.
func (l *Limiter) AddWaiting(subscriptionID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting[subscriptionID] = true
}

// IsWaiting reports whether deliveries of the subscription wait in Postgres.
func (l *Limiter) IsWaiting(subscriptionID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting[subscriptionID]
}

// Room returns how many deliveries of the subscription this process can send now.
func (l *Limiter) Room(r Request, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.workers.lost(now) {
		return 0
	}
	free := l.queues[r.Subscription.ID].free(l.workers.share(r.Subscription.MaxInFlight), "", now)
	return max(0, min(free, l.poolOf(r, now).room(r.Subscription.Tenant)))
}

// Expect reserves slots of max_in_flight for deliveries that this process has released and starts.
func (l *Limiter) Expect(deliveries []switchboard.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range deliveries {
		q := l.queues[d.SubscriptionID]
		if q == nil {
			q = newQueue()
			l.queues[d.SubscriptionID] = q
		}
		q.expected[d.ID] = d.NextAttemptAt.Add(expectedFor)
	}
}
