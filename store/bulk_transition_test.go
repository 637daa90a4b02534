package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// many makes so many deliveries to the subscription, that are pending and due an hour ago.
func (b *bundle) many(sub switchboard.Subscription, count int) {
	b.t.Helper()
	_, err := b.sql.Exec(`
WITH n AS (SELECT $1 || '_' || lpad(i::text, 9, '0') AS id FROM generate_series(1, $4::int) i),
made AS (INSERT INTO events (id, tenant, type, created_at, occurred_at, data) SELECT id, $2, 'ticket.created', $3, $3, '{}' FROM n)
INSERT INTO deliveries (id, tenant, state, next_attempt_at, event_type, host, method, created_at, event_id, subscription_id)
SELECT 'dlv_' || id, $2, 'pending', $3, 'ticket.created', 'x', 'POST', $3, id, $1 FROM n`, sub.ID, sub.Tenant, b.clock().Add(-time.Hour), count)
	must(b.t, err)
}

// holdAll holds all of the subscription's deliveries for that reason.
func (b *bundle) holdAll(sub switchboard.Subscription, reason string) {
	b.t.Helper()
	_, err := b.sql.Exec("UPDATE deliveries SET state = 'held', reason = $2, "+parked+" WHERE subscription_id = $1", sub.ID, reason)
	must(b.t, err)
}

// count counts the subscription's deliveries in that state.
func (b *bundle) count(sub switchboard.Subscription, state switchboard.State) (count int) {
	b.t.Helper()
	must(b.t, b.sql.Get(&count, "SELECT count(*) FROM deliveries WHERE subscription_id = $1 AND state = $2", sub.ID, state))
	return count
}

// dispatches checks that the subscription's deliveries are dispatched one after the other
// from now on, in the order of their ids.
func (b *bundle) dispatches(sub switchboard.Subscription, count int) {
	b.t.Helper()
	var got []time.Time
	must(b.t, b.sql.Select(&got, "SELECT dispatch_at FROM deliveries WHERE subscription_id = $1 AND dispatch_at IS NOT NULL ORDER BY id", sub.ID))
	equal(b.t, "dispatches", len(got), count)
	for i, at := range got {
		if want := b.clock().Add(time.Duration(i) * 10 * time.Millisecond); !at.Equal(want) {
			b.t.Fatalf("dispatch %d is at %s; want %s", i, at, want)
		}
	}
}

// TestDeleteSubscriptionOfVeryMany: its caller does not wait for all of them, and nothing
// is left open.
func TestDeleteSubscriptionOfVeryMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, other := b.subscribe("acme", "*"), b.subscribe("acme", "*")
	b.many(sub, 11_500)
	b.many(other, 1)
	must(t, b.DeleteSubscription(t.Context(), of("acme"), sub.ID, "leaving"))
	equal(t, "cancelled by the call", b.count(sub, switchboard.StateCancelled), 10_000)

	for _, want := range []int{1500, 0} {
		left, err := b.CancelDeleted(t.Context())
		must(t, err)
		equal(t, "cancelled afterwards", left, want)
	}
	b.dispatches(sub, 11_500)
	equal(t, "first", b.actions("dlv_"+sub.ID+"_000000001"), []string{"key_acme cancel leaving"})
	equal(t, "last", b.actions("dlv_"+sub.ID+"_000011500"), []string{"switchboard cancel its subscription is deleted"})
	equal(t, "of another subscription", b.count(other, switchboard.StatePending), 1)
}

// TestCancelDeletedFinishes: what a deletion could not cancel is cancelled later,
// held or not.
func TestCancelDeletedFinishes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, unverified := b.subscribe("acme", "*"), b.subscribe("acme", "*")
	b.many(sub, 3)
	b.many(unverified, 2)
	b.holdAll(unverified, switchboard.ReasonSubscriptionUnverified)
	_, err := b.sql.Exec("UPDATE subscriptions SET deleted_at = $1", b.clock())
	must(t, err)

	released, err := b.ReleaseVerified(t.Context())
	must(t, err)
	cancelled, err := b.CancelDeleted(t.Context())
	must(t, err)
	equal(t, "released, cancelled", []int{released, cancelled}, []int{0, 5})
	b.dispatches(sub, 3)
	b.dispatches(unverified, 0) // no workflow waits
}

// TestVerifiedReleasesItsOwn, and of very many only the first ones. What was held for
// another reason stays.
func TestVerifiedReleasesItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, missed, paused, asked := b.subscribe("acme", "*"), b.subscribe("globex", "*"), b.subscribe("acme", "*"), b.subscribe("acme", "*")
	b.many(sub, 10_100)
	for _, s := range []switchboard.Subscription{missed, paused, asked} {
		b.many(s, 2)
	}
	for s, reason := range map[*switchboard.Subscription]string{
		&sub: switchboard.ReasonSubscriptionUnverified, &missed: switchboard.ReasonSubscriptionUnverified,
		&paused: switchboard.ReasonSubscriptionPaused, &asked: switchboard.ReasonSubscriptionUnverified,
	} {
		b.holdAll(*s, reason)
	}
	_, err := b.sql.Exec("UPDATE subscriptions SET state = 'unverified' WHERE id IN ($1, $2)", sub.ID, asked.ID)
	must(t, err)

	must(t, second(b.RecordVerification(t.Context(), root(), sub.ID, 1, "")))
	equal(t, "released by the call", b.count(sub, switchboard.StatePending), 10_000)
	equal(t, "of another subscription", b.count(missed, switchboard.StatePending), 0)
	released, err := b.ReleaseVerified(t.Context())
	must(t, err)
	equal(t, "released afterwards", released, 102)
	b.dispatches(sub, 10_100)
	b.dispatches(missed, 2)
	equal(t, "paused, unverified", []int{b.count(paused, switchboard.StateHeld), b.count(asked, switchboard.StateHeld)}, []int{2, 2})
	var late int
	must(t, b.sql.Get(&late, "SELECT count(*) FROM deliveries WHERE next_attempt_at < dispatch_at"))
	equal(t, "late before their dispatch", late, 0)
}

// TestBulkTransitionsHaveIndexes: neither what is done nor what is held for others is read.
func TestBulkTransitionsHaveIndexes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.many(sub, 3000)
	_, err := b.sql.Exec("UPDATE deliveries SET state = 'delivered', next_attempt_at = NULL, completed_at = now() WHERE id NOT LIKE '%_0000000__'")
	must(t, err)
	_, err = b.sql.Exec("UPDATE events SET key = 'k' WHERE id LIKE '%_00000000_'")
	must(t, err)
	_, err = b.sql.Exec("ANALYZE")
	must(t, err)
	s := b.openPatient(ring, 0)
	must(t, second(s.ReleaseVerified(t.Context())))
	must(t, s.DeleteSubscription(t.Context(), root(), sub.ID, ""))
	page, err := s.Events(t.Context(), root(), switchboard.EventFilter{Key: "k"}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "events of the key", len(page.Items), 9)
	must(t, s.Close()) // then Postgres counts
	for _, index := range []string{"deliveries_open", "deliveries_held", "events_key"} {
		eventually(t, index+" is used", func() bool {
			var scans int
			must(t, b.sql.Get(&scans, "SELECT sum(idx_scan) FROM pg_stat_user_indexes JOIN pg_inherits ON inhrelid = indexrelid WHERE inhparent = $1::regclass", index))
			return scans > 0
		})
	}
}
