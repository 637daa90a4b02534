package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// keepAlive makes the last heartbeats count for as long as the test takes.
func (b *bundle) keepAlive() {
	b.t.Helper()
	must(b.t, second(b.sql.Exec("UPDATE workers SET seen_at = now() + interval '1 hour'")))
}

// TestHeartbeats: a worker learns how many live, and whether the others count it.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, c := range []struct {
		worker  string
		counted int
		change  string // before
		want    switchboard.Workers
	}{
		{worker: "b", counted: 0, want: switchboard.Workers{Live: 1, Counted: true}},
		{worker: "b", counted: 1, want: switchboard.Workers{Live: 1, Counted: true}},
		{worker: "a", counted: 0, want: switchboard.Workers{Live: 2, Rank: 1}}, // its name does not matter
		{worker: "b", counted: 1, want: switchboard.Workers{Live: 2, Rank: 0}},
		{worker: "b", counted: 2, want: switchboard.Workers{Live: 2, Rank: 0}},
		{worker: "a", counted: 2, want: switchboard.Workers{Live: 2, Rank: 1, Counted: true}},
		{worker: "a", counted: 2, change: "UPDATE workers SET seen_at = now() - interval '6 seconds' WHERE id = 'b'", want: switchboard.Workers{Live: 1, Counted: true}},
		{worker: "b", counted: 2, want: switchboard.Workers{Live: 2, Rank: 1, Counted: true}}, // it comes back as the last
		{worker: "a", counted: 2, change: "DELETE FROM workers WHERE id = 'b'", want: switchboard.Workers{Live: 1, Counted: true}},
	} {
		if c.change != "" {
			_, err := b.sql.Exec(c.change)
			must(t, err)
		}
		got, err := b.Heartbeat(t.Context(), c.worker, c.counted, switchboard.WorkerFacts{})
		must(t, err)
		b.keepAlive()
		got.Queued = nil
		equal(t, "heartbeat "+string(rune('0'+i))+" of "+c.worker, got, c.want)
	}
	must(t, b.Leave(t.Context(), "a"))
	var left int
	if must(t, b.sql.Get(&left, "SELECT count(*) FROM workers")); left != 0 {
		t.Errorf("%d workers are left", left)
	}
}

// TestHeartbeatNamesWhatWaits: it returns the waiting subscriptions that may be sent to.
func TestHeartbeatNamesWhatWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for name, change := range map[string]string{
		"":             "",
		"paused":       "UPDATE subscriptions SET state = 'paused' WHERE id = $1",
		"breaker open": "UPDATE subscription_health SET breaker = 'open', breaker_since = now(), probe_at = now() WHERE subscription_id = $1",
		"deferred":     "UPDATE subscription_health SET deferred_until = now() + interval '1 hour' WHERE subscription_id = $1",
		"nothing":      "UPDATE subscription_health SET queue_reason = '' WHERE subscription_id = $1",
	} {
		sub := b.subscribe("acme "+name, "*")
		d := b.accept(event("acme "+name, "evt-1")).Deliveries[0]
		b.advance(time.Second)
		_, err := b.QueueDelivery(t.Context(), d, beyondCap())
		must(t, err)
		if change == "" {
			want = append(want, sub.ID)
			continue
		}
		_, err = b.sql.Exec(change, sub.ID)
		must(t, err)
	}
	got, err := b.Heartbeat(t.Context(), "a", 1, switchboard.WorkerFacts{})
	must(t, err)
	if !slices.Equal(got.Queued, want) {
		t.Errorf("queued %v, want %v", got.Queued, want)
	}
}

// TestHeartbeatsWaitForNoOther: after an outage of Postgres each worker would delete the rows of
// the others, while these send their own heartbeats.
func TestHeartbeatsWaitForNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, second(b.sql.Exec("INSERT INTO workers (id, joined_at, seen_at, counted) SELECT id, now() - interval '1 hour', now() - interval '1 minute', 2 FROM unnest('{a,b}'::text[]) AS id")))
	other, err := b.sql.Beginx()
	must(t, err)
	defer func() { _ = other.Rollback() }()
	must(t, second(other.Exec("UPDATE workers SET seen_at = clock_timestamp() WHERE id = 'b'")))
	must(t, second(b.Heartbeat(t.Context(), "a", 2, switchboard.WorkerFacts{})))
	must(t, second(other.Exec("DELETE FROM workers WHERE id = 'a' AND seen_at < clock_timestamp() - interval '5 seconds'")))
	must(t, other.Commit())
	b.keepAlive()
	w, err := b.Heartbeat(t.Context(), "a", 2, switchboard.WorkerFacts{})
	must(t, err)
	equal(t, "workers", w.Live, 2)
	b.noDeadlocks()
}
