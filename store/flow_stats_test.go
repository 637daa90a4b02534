package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func TestFlowStats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	none, err := b.FlowStats(t.Context())
	must(t, err)
	for _, p := range none.Parked {
		equal(t, "parked at first for "+p.Reason, p.Count, 0)
	}
	equal(t, "reasons shown from the start", len(none.Parked), 9)
	none.Parked = nil
	equal(t, "at first", none, switchboard.FlowStats{})

	must(t, second(b.sql.Exec("UPDATE subscriptions SET state = 'paused', hold_for_us = 172800000000, flow = flow + 1 WHERE id = $1", sub.ID)))
	for range 2 {
		b.accept(event("acme", ""))
		b.advance(time.Hour)
	}
	must(t, second(b.sql.Exec("INSERT INTO subscription_health (subscription_id, breaker, breaker_since, probe_at, slow, deferred_until, window_at, updated_at) VALUES ($1, 'half_open', $2, $2, true, $3, $2, $2)",
		sub.ID, b.clock().Add(-time.Minute), b.clock().Add(time.Minute))))
	must(t, second(b.sql.Exec(`INSERT INTO operations (id, tenant, subscription_id, action, state, rate, reason, actor, total, next_at, created_at, updated_at)
		VALUES ('op_1', 'acme', $1, 'release', 'running', 50, '', 'switchboard', 2, $2, $3, $3)`, sub.ID, b.clock().Add(-time.Second), b.clock().Add(-time.Hour))))
	stats := func() switchboard.FlowStats {
		got, err := b.FlowStats(t.Context())
		must(t, err)
		parked := got.Parked
		got.Parked = nil
		for _, p := range parked {
			if p.Count > 0 {
				got.Parked = append(got.Parked, p)
			}
		}
		return got
	}
	want := switchboard.FlowStats{
		Parked:        []switchboard.ParkedStats{{State: switchboard.StateHeld, Reason: "subscription_paused", Count: 2, Oldest: 2 * time.Hour}},
		BreakerOldest: time.Minute, Deferred: 1, Slow: 1, Operations: 1, OperationStalled: time.Second,
	}
	equal(t, "two are held for two days", stats(), want)
	b.advance(23 * time.Hour) // 25 hours after the first
	want.HoldsEnding, want.Parked[0].Oldest, want.BreakerOldest, want.OperationStalled, want.Deferred = 1, 25*time.Hour, 23*time.Hour+time.Minute, 23*time.Hour+time.Second, 0
	equal(t, "a day before the end of the first", stats(), want)
	must(t, second(b.sql.Exec("UPDATE deliveries SET expires_at = held_until")))
	want.HoldsEnding = 0
	equal(t, "with a deadline at the same time", stats(), want)

	b.rollUp()
	equal(t, "just counted", stats(), want)
	b.advance(time.Minute)
	want.RollupLag, want.Parked[0].Oldest, want.BreakerOldest, want.OperationStalled = time.Minute, 25*time.Hour+time.Minute, 23*time.Hour+2*time.Minute, 23*time.Hour+time.Minute+time.Second
	equal(t, "a minute later", stats(), want)
	must(t, second(b.sql.Exec("UPDATE rollup SET hours_to = $1", b.clock().Add(-3*time.Hour))))
	want.RollupLag = 3*time.Hour - time.Hour - 10*time.Minute
	equal(t, "an hour is late", stats(), want)
}
