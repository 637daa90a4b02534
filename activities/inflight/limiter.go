package inflight

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Pool is a group of slots.
type Pool string

// The pools. Slow endpoints have slots of their own, so that they leave the others theirs.
const (
	PoolFast Pool = "fast"
	PoolSlow Pool = "slow"
)

// Pools lists every pool.
func Pools() []Pool { return []Pool{PoolFast, PoolSlow} }

// Limiter bounds the requests in flight of this process: so many of each pool, at most half of
// what the others leave of it for each tenant, and this process's share of max_in_flight for each
// subscription. A delivery that gets no slot of the pool gets a date for its next try, as far from
// the date of the one before as slots become free: with ten thousand waiting for a slow receiver,
// Temporal would otherwise be busy with asking for them. One beyond max_in_flight gets none: it
// is to wait in Postgres.
type Limiter struct {
	mu      sync.Mutex
	pools   map[Pool]*pool
	queues  map[string]*queue // by subscription
	waiting map[string]bool   // the subscriptions whose deliveries wait in Postgres
	workers workers
}

// pool is what is taken of a pool.
type pool struct {
	limit   int
	taken   int
	tenants map[string]int // the slots that each has taken
}

// NewLimiter makes the limiter of a process that has at most so many requests in flight, and so
// many more to slow endpoints.
func NewLimiter(slots, slowSlots int) *Limiter {
	return &Limiter{
		pools: map[Pool]*pool{
			PoolFast: {limit: slots, tenants: map[string]int{}},
			PoolSlow: {limit: slowSlots, tenants: map[string]int{}},
		},
		queues: map[string]*queue{}, waiting: map[string]bool{},
	}
}

// Request is one that wants a slot.
type Request struct {
	Subscription *switchboard.Subscription
	DeliveryID   string
	Slow         bool // its endpoint is known to be slow
	First        bool // it is the delivery's first attempt
}

// Slot is the right to have one request in flight, or says when there is one.
type Slot struct {
	Load    float64   // the share of the pool's slots that were taken before this one, 0 to 1
	Full    bool      // there is none: max_in_flight requests of the subscription are under way
	RetryAt time.Time // there is none: when to try again; zero: the slot is taken

	limiter      *Limiter
	pool         *pool
	tenant       string
	subscription string
	began        time.Time
	slow         bool // its endpoint was known to be so
}

// Taken reports whether the slot is taken.
func (s *Slot) Taken() bool { return s.limiter != nil }

// Take takes a slot for a request. While slots are contended, a delivery's first attempt gets
// none, so that it does not overtake those that wait.
func (l *Limiter) Take(r Request, now time.Time) *Slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, tenant := r.Subscription.ID, r.Subscription.Tenant
	q, p := l.queues[id], l.poolOf(r, now)
	switch {
	case l.workers.lost(now):
		return &Slot{RetryAt: now.Add(minDefer + rand.N(minDefer))} //nolint:gosec // a spread, not a secret
	case q.free(l.workers.share(r.Subscription.MaxInFlight), r.DeliveryID, now) <= 0:
		return &Slot{Full: true}
	case p.room(tenant) <= 0 || r.First && q.contended(now) && 2*p.tenants[tenant] >= p.share(tenant):
		return &Slot{RetryAt: q.nextDate(now)}
	}
	if q == nil {
		q = newQueue()
		l.queues[id] = q
	}
	slot := &Slot{Load: p.load(), limiter: l, pool: p, tenant: tenant, subscription: id, began: now, slow: r.Slow}
	p.taken++
	p.tenants[tenant]++
	q.take(slot, r)
	return slot
}

// Begin says that the request begins now, and not when the slot was taken: it has waited for the
// subscription's rate limit.
func (s *Slot) Begin(now time.Time) {
	if l := s.limiter; l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.began = now
	}
}

// Release gives the slot back, if it is taken, and reports whether the endpoint is slow by the
// latency of its requests here. The latency is that of the request, if one was made; else it is 0.
func (s *Slot) Release(now time.Time, latency time.Duration) (slow bool) {
	l := s.limiter
	if l == nil {
		return s.slow
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.pool.taken--
	if s.pool.tenants[s.tenant]--; s.pool.tenants[s.tenant] == 0 {
		delete(s.pool.tenants, s.tenant)
	}
	q := l.queues[s.subscription]
	delete(q.inFlight, s)
	q.usedAt = now
	if latency > 0 {
		q.observe(latency)
	}
	if q.idle(now) {
		delete(l.queues, s.subscription)
	}
	return q.slow(s.slow)
}

// poolOf is the pool that a request takes its slot of.
func (l *Limiter) poolOf(r Request, now time.Time) *pool {
	if q := l.queues[r.Subscription.ID]; q.slow(r.Slow) || q.hangs(now) {
		return l.pools[PoolSlow]
	}
	return l.pools[PoolFast]
}

// Slow reports whether the endpoint of a subscription is slow, by the average latency of its
// requests here; known is what all processes take it for so far.
func (l *Limiter) Slow(subscriptionID string, known bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queues[subscriptionID].slow(known)
}

// Hangs reports whether a request of the subscription is under way here for so long that the next
// one is expected to be slow.
func (l *Limiter) Hangs(subscriptionID string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queues[subscriptionID].hangs(now)
}

// Usage is what is taken of a pool.
type Usage struct {
	Taken          int
	Limit          int
	TenantsAtShare int // tenants that may take no more for now
}

// Usage returns what is taken of a pool.
func (l *Limiter) Usage(name Pool) Usage {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pools[name]
	u := Usage{Taken: p.taken, Limit: p.limit}
	for tenant := range p.tenants {
		if p.room(tenant) <= 0 {
			u.TenantsAtShare++
		}
	}
	return u
}

// Load is the share of this process's slots that are taken, 0 to 1; those of slow endpoints are
// not among them.
func (l *Limiter) Load() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pools[PoolFast].load()
}

func (p *pool) load() float64 { return float64(p.taken) / float64(p.limit) }

// share is how many slots a tenant may have: half of those that the others leave, so that however
// much it has to send, the next one finds as many free. The last one that is free anybody gets.
func (p *pool) share(tenant string) int {
	return (p.limit - (p.taken - p.tenants[tenant]) + 1) / 2
}

// room is how many more slots the tenant may take.
func (p *pool) room(tenant string) int { return p.share(tenant) - p.tenants[tenant] }
