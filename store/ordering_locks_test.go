package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// awaitLockWaits waits until that many transactions of the database wait for locks.
func (b *bundle) awaitLockWaits(count int) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%d transactions wait for locks", count), func() bool {
		var waiting int
		must(b.t, b.sql.Get(&waiting, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"))
		return waiting == count
	})
}

// TestOperationLocksKeysInOrder: an operation whose deliveries enter the queues of several keys,
// and events that are accepted for the same keys in the meantime, wait for each other without a
// deadlock. Keys that the operation does not use are not left behind.
func TestOperationLocksKeysInOrder(t *testing.T) {
	t.Parallel()
	for _, action := range []switchboard.ActionKind{switchboard.ActionReplay, switchboard.ActionRetry, switchboard.ActionRelease} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			sub := b.ordering("acme", byKey)
			for _, d := range b.acceptKeyed("acme", "b", "x", "a") {
				if action == switchboard.ActionRelease {
					must(t, second(b.SetAside(t.Context(), root(), d.ID, "")))
				} else {
					b.end(d.ID, 410)
				}
			}
			b.keysLeft(0)
			b.advance(time.Minute)
			o := b.startedBy(root(), action, switchboard.Selection{Subscription: sub.ID})
			held, err := b.sql.Beginx()
			must(t, err)
			must(t, second(held.Exec("INSERT INTO ordering_keys (subscription_id, key) VALUES ($1, 'x')", sub.ID)))
			var both sync.WaitGroup
			both.Go(func() { b.step(b.Store, o.ID) })
			b.awaitLockWaits(1)
			both.Go(func() {
				_, err := b.Accept(t.Context(), root(), []switchboard.Event{keyed("acme", "", "a"), keyed("acme", "", "b")})
				must(t, err)
			})
			b.awaitLockWaits(2)
			must(t, held.Rollback())
			both.Wait()
			b.noDeadlocks()
			equal(t, "violations", b.checks(), []string(nil))
		})
	}
}

// TestTurnAfterTheDeadline: the end of an expired hold and the release of the same delivery, whose
// turn has come too late, wait for each other without a deadlock.
func TestTurnAfterTheDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.ordering("acme", func(s *switchboard.Subscription) {
		byKey(s)
		s.DeliverWithin = switchboard.Duration(time.Minute)
	})
	d := b.acceptKeyed("acme", "k")[0]
	_, err := b.QueueDelivery(t.Context(), d, switchboard.Admission{Kind: switchboard.AdmissionPark, State: switchboard.StateHeld, Reason: switchboard.ReasonWaitingForSlot, HoldFor: time.Hour})
	must(t, err)
	b.advance(time.Minute)
	held, err := b.sql.Beginx()
	must(t, err)
	must(t, second(held.Exec("SELECT FROM ordering_keys WHERE subscription_id = $1 FOR UPDATE", sub.ID)))
	var both sync.WaitGroup
	both.Go(func() { must(t, second(b.ExpireHolds(t.Context()))) })
	b.awaitLockWaits(1)
	released := make(chan struct{})
	both.Go(func() {
		defer close(released)
		must(t, second(b.ReleaseNext(t.Context(), sub.ID, time.Second, func(switchboard.Subscription, switchboard.Health) int { return 10 })))
	})
	eventually(t, "it waits too, or need not", func() bool {
		select {
		case <-released:
			return true
		default:
			var waiting int
			must(t, b.sql.Get(&waiting, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"))
			return waiting == 2
		}
	})
	must(t, held.Rollback())
	both.Wait()
	b.noDeadlocks()
	equal(t, "violations", b.checks(), []string(nil))
}
