package store_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
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

// TestDeliveriesAreLockedInOrder: a statement that changes several deliveries waits for the first of
// them before it locks the second, even if its plan finds the second first.
func TestDeliveriesAreLockedInOrder(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(b *bundle, first, last switchboard.Delivery) error{
		"record attempts": func(b *bundle, first, last switchboard.Delivery) error {
			var records []switchboard.Record
			for _, d := range []switchboard.Delivery{last, first} {
				records = append(records, switchboard.Record{Attempt: b.attempt(d, 1, 503), Decision: switchboard.Decision{State: switchboard.StateRetrying, Reason: "http_503", Wait: time.Second}, Generation: 1})
			}
			return second(b.RecordFast(b.t.Context(), records))
		},
		"mark dispatched": func(b *bundle, first, last switchboard.Delivery) error {
			return b.MarkDispatched(b.t.Context(), []switchboard.Delivery{last, first})
		},
		"dispatch now": func(b *bundle, first, last switchboard.Delivery) error {
			return b.DispatchNow(b.t.Context(), []string{last.ID, first.ID})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			subs := []switchboard.Subscription{b.subscribe("acme", "none"), b.subscribe("acme", "none")}
			slices.SortFunc(subs, func(x, y switchboard.Subscription) int { return strings.Compare(y.ID, x.ID) })
			var made []switchboard.Delivery
			for _, sub := range subs {
				a, err := b.AcceptFor(t.Context(), root(), sub.ID, event("acme", ""), false)
				must(t, err)
				made = append(made, a.Deliveries[0])
				b.advance(time.Second)
			}
			d, e := made[0], made[1]
			// The second comes first in the table, and in the index of subscriptions.
			must(t, second(b.sql.Exec("UPDATE deliveries SET host = host || '.' WHERE id = $1", d.ID)))
			must(t, second(b.sql.Exec("ALTER TABLE deliveries DROP CONSTRAINT deliveries_pkey; ANALYZE deliveries")))
			b.Store = b.open(ring)
			held, err := b.sql.Beginx()
			must(t, err)
			must(t, second(held.Exec("SELECT FROM deliveries WHERE id = $1 FOR NO KEY UPDATE", d.ID)))
			var group sync.WaitGroup
			group.Go(func() { must(t, change(b, d, e)) })
			b.awaitLockWaits(1)
			var free []string
			must(t, b.sql.Select(&free, "SELECT id FROM deliveries WHERE id = $1 FOR NO KEY UPDATE SKIP LOCKED", e.ID))
			equal(t, "not locked yet", free, []string{e.ID})
			must(t, held.Rollback())
			group.Wait()
		})
	}
}

// TestAcceptLocksSubscriptionsFirst: an event whose subscription another transaction is changing
// does not keep its name from others while it waits.
func TestAcceptLocksSubscriptionsFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	held, err := b.sql.Beginx()
	must(t, err)
	must(t, second(held.Exec("SELECT FROM subscriptions WHERE id = $1 FOR NO KEY UPDATE", sub.ID)))
	var group sync.WaitGroup
	group.Go(func() { must(t, second(b.Accept(t.Context(), root(), []switchboard.Event{event("acme", "evt-1")}))) })
	b.awaitLockWaits(1)
	other, err := b.sql.Beginx()
	must(t, err)
	must(t, second(other.Exec("SET LOCAL lock_timeout = '2s'")))
	name := sha256.Sum256([]byte("acme\x00evt-1"))
	must(t, second(other.Exec("INSERT INTO event_ids (name, created_at, content) VALUES ($1, now(), '')", hex.EncodeToString(name[:16]))))
	must(t, other.Rollback())
	must(t, held.Rollback())
	group.Wait()
	equal(t, "deliveries", b.count(sub, switchboard.StatePending), 1)
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
