package inflight

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// requestOf is a request of that tenant's subscription with that max_in_flight.
func requestOf(tenant, subscription string, maxInFlight int) Request {
	return Request{Subscription: &switchboard.Subscription{ID: subscription, Tenant: tenant, MaxInFlight: maxInFlight}}
}

// TestRequestWithoutLatencyIsNotObserved: a slot without a request does not change the average
// latency.
func TestRequestWithoutLatencyIsNotObserved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		latency  time.Duration
		interval time.Duration // between the dates of two that got no slot
	}{
		"a request of 800ms was made": {800 * time.Millisecond, 200 * time.Millisecond},
		"none was made":               {0, 50 * time.Millisecond}, // by the age of those in flight, 200ms
	} {
		l, now, r := NewLimiter(3, 0), start(), requestOf("acme", "sub_1", 10)
		l.Take(r, now) // and keeps its slot
		first := l.Take(r, now)
		if load := l.Load(); first.Load != 1.0/3 || load != 2.0/3 {
			t.Errorf("%s: load %g, then %g", name, first.Load, load)
		}
		now = now.Add(200 * time.Millisecond)
		first.Release(now, c.latency)
		now = now.Add(200 * time.Millisecond)
		l.Take(r, now)
		one, other := l.Take(r, now), l.Take(r, now)
		if one.Taken() || one.Full || other.RetryAt.Sub(one.RetryAt) != c.interval {
			t.Errorf("%s: dates %s and %s, want them %s apart", name, one.RetryAt, other.RetryAt, c.interval)
		}
	}
}

// TestNoTenantTakesAllSlots has the numbers of two cases before there were shares. 520 deliveries
// of one subscription delayed another tenant's delivery by 55 seconds, and 34 subscriptions with
// the default max_in_flight by 35 seconds. Their receivers did not answer.
func TestNoTenantTakesAllSlots(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		subscriptions, maxInFlight int
		slow                       bool
		taken                      int // by the tenant
	}{
		"one subscription, 1000 in flight":           {1, 1000, false, 250},
		"one subscription, 100 in flight":            {1, 100, false, 100},
		"34 subscriptions, 16 in flight":             {34, 16, false, 250},
		"34 subscriptions that are known to be slow": {34, 16, true, 100},
	} {
		l, now := NewLimiter(500, 200), start()
		take := func(tenant, subscription string, maxInFlight int) *Slot {
			r := requestOf(tenant, subscription, maxInFlight)
			r.Slow, r.DeliveryID = c.slow, fmt.Sprint("dlv_", subscription)
			return l.Take(r, now)
		}
		taken := 0
		for i := range 600 {
			if take("bad", fmt.Sprint("sub_", i%c.subscriptions), c.maxInFlight).Taken() {
				taken++
			}
		}
		if taken != c.taken {
			t.Errorf("%s: the tenant took %d slots, want %d", name, taken, c.taken)
		}
		if !take("good", "sub_good", 16).Taken() {
			t.Errorf("%s: another tenant got no slot", name)
		}
	}
}

// TestShareOfATenant: half of what the others leave, and the last free slot.
func TestShareOfATenant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ limit, others, share int }{
		{500, 0, 250}, {500, 250, 125}, {500, 375, 63}, {500, 499, 1}, {500, 500, 0}, {2, 0, 1}, {1, 0, 1}, {0, 0, 0},
	} {
		p := pool{limit: c.limit, taken: c.others, tenants: map[string]int{"others": c.others}}
		if got := p.share("acme"); got != c.share {
			t.Errorf("%d slots, %d taken by others: a share of %d, want %d", c.limit, c.others, got, c.share)
		}
	}
}

func TestSlotsAreGivenBack(t *testing.T) {
	t.Parallel()
	l, now, r := NewLimiter(10, 10), start(), requestOf("acme", "sub_1", 2)
	one, two := l.Take(r, now), l.Take(r, now)
	if third := l.Take(r, now); !third.Full || third.Taken() {
		t.Errorf("the third: %+v, want that two are under way", third)
	}
	one.Release(now, time.Millisecond)
	two.Release(now, time.Millisecond)
	if u := l.Usage(PoolFast); u != (Usage{Limit: 10}) || len(l.queues) != 0 {
		t.Errorf("%+v and %d subscriptions are left", u, len(l.queues))
	}
	if s := l.Take(r, now); !s.Taken() {
		t.Error("a slot that was given back is not free")
	}
}

// TestSlowEndpoint: the class follows the average latency, and changes back at half of the limit.
func TestSlowEndpoint(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	for name, c := range map[string]struct {
		known     bool
		latencies []time.Duration
		slow      bool
	}{
		"nothing is known":                     {false, nil, false},
		"another process knows it":             {true, nil, true},
		"fast":                                 {false, []time.Duration{20 * ms, 20 * ms, 20 * ms}, false},
		"a single slow answer":                 {false, []time.Duration{10000 * ms}, false},
		"two slow answers":                     {false, []time.Duration{10000 * ms, 10000 * ms}, true},
		"slow answers among fast ones":         {false, []time.Duration{20 * ms, 20 * ms, 20 * ms, 3000 * ms, 3000 * ms}, false},
		"as slow as the limit":                 {false, []time.Duration{1000 * ms, 1000 * ms}, false},
		"known to be slow, one fast answer":    {true, []time.Duration{20 * ms}, true},
		"known to be slow, between the limits": {true, []time.Duration{700 * ms, 700 * ms, 700 * ms, 700 * ms, 700 * ms, 700 * ms, 700 * ms, 700 * ms}, true},
		"known to be slow, now fast": {
			true, []time.Duration{20 * ms, 20 * ms, 20 * ms, 20 * ms, 20 * ms, 20 * ms, 20 * ms, 20 * ms, 20 * ms, 20 * ms, 20 * ms, 20 * ms}, false,
		},
	} {
		l, now := NewLimiter(10, 10), start()
		r := requestOf("acme", "sub_1", 16)
		r.Slow = c.known
		l.Take(r, now) // and keeps its slot, so that the average is kept
		got := l.Slow("sub_1", c.known)
		for _, latency := range c.latencies {
			got = l.Take(r, now).Release(now, latency)
		}
		if got != c.slow {
			t.Errorf("%s: slow %t, want %t", name, got, c.slow)
		}
	}
}

// TestSlowRequestsHaveSlotsOfTheirOwn: so do those of an endpoint that begins to hang.
func TestSlowRequestsHaveSlotsOfTheirOwn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		known bool
		after time.Duration // between two requests
		want  [2]int        // taken of the fast and of the slow pool
	}{
		"fast":           {false, 900 * time.Millisecond, [2]int{2, 0}},
		"known as slow":  {true, 0, [2]int{0, 2}},
		"begins to hang": {false, 1100 * time.Millisecond, [2]int{1, 1}},
	} {
		l, now := NewLimiter(10, 10), start()
		r := requestOf("acme", "sub_1", 16)
		r.Slow = c.known
		l.Take(r, now)
		now = now.Add(c.after)
		if got, want := l.Hangs("sub_1", now), c.after > time.Second; got != want {
			t.Errorf("%s: hangs %t", name, got)
		}
		l.Take(r, now)
		if got := [2]int{l.Usage(PoolFast).Taken, l.Usage(PoolSlow).Taken}; got != c.want {
			t.Errorf("%s: %v slots taken, want %v", name, got, c.want)
		}
	}
}

// TestRequestThatWaitedForItsTurnDoesNotHang: the wait for its turn is not the receiver's latency.
func TestRequestThatWaitedForItsTurnDoesNotHang(t *testing.T) {
	t.Parallel()
	l, now := NewLimiter(10, 10), start()
	s := l.Take(requestOf("acme", "sub_1", 16), now)
	s.Begin(now.Add(time.Second))
	if l.Hangs("sub_1", now.Add(1500*time.Millisecond)) {
		t.Error("a request hangs that is under way for half a second")
	}
}
