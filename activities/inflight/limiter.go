package inflight

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Pool is a group of slots.
type Pool string

// The pools. Slow endpoints have slots of their own, so that they do not take those of others.
const (
	PoolFast Pool = "fast"
	PoolSlow Pool = "slow"
)

// Pools lists every pool.
func Pools() []Pool { return []Pool{PoolFast, PoolSlow} }

// Limiter bounds the requests in flight of this process: a number for each pool, at most half of
// what the others leave of the pool for each tenant, and this process's share of max_in_flight for
// each subscription. A delivery that gets no slot of the pool gets a date for its next try, as far
// from the previous date as slots become free. Otherwise, with ten thousand waiting for a slow
// receiver, Temporal would be busy with asking for them. A delivery beyond max_in_flight gets no
// date: it must wait in Postgres.
type Limiter struct {
	mu      sync.Mutex
	pools   map[Pool]*pool
	queues  map[string]*queue // by subscription
	waiting map[string]bool   // the subscriptions whose deliveries wait in Postgres
	workers workers
}

// pool has the taken slots of a pool.
type pool struct {
	limit   int
	taken   int
	tenants map[string]int // the slots that each tenant has taken
}

// NewLimiter makes the limiter of a process that has at most that many requests in flight, and that
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

// Request is a request for a slot.
type Request struct {
	Subscription *switchboard.Subscription
	DeliveryID   string
	Slow         bool // its endpoint is known to be slow
	First        bool // it is the delivery's first attempt
}

// Slot is the right to have one request in flight, or says when to ask again.
type Slot struct {
	Load    float64   // the share of the pool's slots that were taken before this one, 0 to 1
	Full    bool      // no slot: max_in_flight requests of the subscription are running
	RetryAt time.Time // no slot: when to try again; zero: the slot is taken

	limiter      *Limiter
	pool         *pool
	tenant       string
	subscription string
	began        time.Time
	slow         bool // its endpoint was known to be slow
}

// Taken reports whether the slot is taken.
func (s *Slot) Taken() bool { return s.limiter != nil }

// Take takes a slot for a request. While slots are contended, the first attempt of a delivery gets
// none, so that it does not overtake waiting ones.
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

// Begin sets the start of the request to now: after it took the slot, it waited for the
// subscription's rate limit.
func (s *Slot) Begin(now time.Time) {
	if l := s.limiter; l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.began = now
	}
}

// Release gives the slot back, if it is taken, and reports whether the endpoint is slow by the
// latency of its requests here. latency is that of the request, or 0 if none was made.
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

// poolOf returns the pool for a request.
func (l *Limiter) poolOf(r Request, now time.Time) *pool {
	if q := l.queues[r.Subscription.ID]; q.slow(r.Slow) || q.hangs(now) {
		return l.pools[PoolSlow]
	}
	return l.pools[PoolFast]
}

// Slow reports whether the endpoint of a subscription is slow, by the average latency of its
// requests here; known is what all processes know so far.
func (l *Limiter) Slow(subscriptionID string, known bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queues[subscriptionID].slow(known)
}

// Hangs reports whether a request of the subscription has been running here for so long that the
// next one is expected to be slow.
func (l *Limiter) Hangs(subscriptionID string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queues[subscriptionID].hangs(now)
}

// Usage is how much of a pool is taken.
type Usage struct {
	Taken          int
	Limit          int
	TenantsAtShare int // tenants that may take no more for now
}

// Usage returns how much of a pool is taken.
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

// Load returns the share of this process's slots that are taken, 0 to 1, without those of slow
// endpoints.
func (l *Limiter) Load() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pools[PoolFast].load()
}

func (p *pool) load() float64 { return float64(p.taken) / float64(p.limit) }

// share returns how many slots a tenant may have: half of those that the others leave, so that the
// next tenant finds as many free, however much this one has to send. Any tenant may take the last
// free slot.
func (p *pool) share(tenant string) int {
	return (p.limit - (p.taken - p.tenants[tenant]) + 1) / 2
}

// room returns how many more slots the tenant may take.
func (p *pool) room(tenant string) int { return p.share(tenant) - p.tenants[tenant] }
