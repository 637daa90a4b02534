package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// limited makes a subscription of acme to every event with these limits.
func (b *bundle) limited(maxInFlight int, rate switchboard.RateLimit) switchboard.Subscription {
	b.t.Helper()
	s := b.subscribe("acme", "*")
	var changed switchboard.Subscription
	must(b.t, b.sql.Get(&changed.MaxInFlight, "UPDATE subscriptions SET max_in_flight = $2 WHERE id = $1 RETURNING max_in_flight", s.ID, maxInFlight))
	if rate.IsSet() {
		_, err := b.sql.Exec("UPDATE subscriptions SET document = (document::jsonb || jsonb_build_object('rate_limit', jsonb_build_object('per_second', $2::float8, 'burst', $3::int)))::json WHERE id = $1",
			s.ID, rate.PerSecond, max(rate.Burst, 1))
		must(b.t, err)
	}
	s.MaxInFlight, s.RateLimit = maxInFlight, rate
	return s
}

// TestTurns: the generic cell rate algorithm, for turns that are asked for one after the other
// without a pause. The rates are so low that the time of the test does not matter.
func TestTurns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		limit switchboard.RateLimit
		since time.Duration // that the next turn at the full rate is ahead, before the first is asked for
		want  []time.Duration
	}{
		"the first at once, the next an interval later": {switchboard.RateLimit{PerSecond: 0.0002, Burst: 1}, 0, []time.Duration{0, 5000 * time.Second, 5000 * time.Second}},
		"a burst after a pause":                         {switchboard.RateLimit{PerSecond: 0.0002, Burst: 3}, 0, []time.Duration{0, 0, 0, 5000 * time.Second}},
		"a long pause is worth no more than a burst":    {switchboard.RateLimit{PerSecond: 0.0002, Burst: 2}, -1000 * time.Hour, []time.Duration{0, 0, 5000 * time.Second}},
		"while others wait":                             {switchboard.RateLimit{PerSecond: 0.0002, Burst: 1}, 10000 * time.Second, []time.Duration{10000 * time.Second, 10000 * time.Second}},
		"no burst given":                                {switchboard.RateLimit{PerSecond: 0.0002}, 0, []time.Duration{0, 5000 * time.Second}},
	} {
		sub := b.limited(16, c.limit)
		if c.since != 0 {
			_, err := b.sql.Exec("INSERT INTO subscription_rates (subscription_id, allowed_at) VALUES ($1, now() + $2 * interval '1 microsecond')", sub.ID, c.since.Microseconds())
			must(t, err)
		}
		for i, want := range c.want {
			got, err := b.TakeTurn(t.Context(), sub.ID, c.limit)
			must(t, err)
			if early := want - got; early < 0 || early > 1000*time.Second || want == 0 && got != 0 {
				t.Errorf("%s: turn %d in %s, want %s", name, i, got, want)
			}
		}
	}
}

// TestTurnsOfTwoWorkers: two workers that ask at the same time get each turn once.
func TestTurnsOfTwoWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	limit := switchboard.RateLimit{PerSecond: 0.0002, Burst: 10}
	sub := b.limited(16, limit)
	var mu sync.Mutex
	now := 0
	var group sync.WaitGroup
	for _, s := range []*store.Store{b.Store, b.open(ring)} {
		for range 20 {
			group.Go(func() {
				wait, err := s.TakeTurn(t.Context(), sub.ID, limit)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				} else if wait == 0 {
					now++
				}
			})
		}
	}
	group.Wait()
	if now != 10 {
		t.Errorf("%d of 40 requests may be made at once, want 10", now)
	}
}
