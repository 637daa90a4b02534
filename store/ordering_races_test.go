package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// TestOrderUnderLoad: while two processes accept and end many deliveries of a few keys, each key is
// sent strictly in order, and nothing is left behind.
func TestOrderUnderLoad(t *testing.T) {
	t.Parallel()
	const keys, events, workers = 6, 25, 6
	b := setup(t)
	b.ordering("acme", byKey)
	stores := []*store.Store{b.Store, b.open(ring)}
	var posting, ending sync.WaitGroup
	for key := range keys {
		posting.Go(func() { // one after the other: that is the order of the key
			for i := range events {
				e := keyed("acme", fmt.Sprintf("k%d-%03d", key, i), fmt.Sprint("k", key))
				if _, err := stores[(key+i)%2].Accept(t.Context(), root(), []switchboard.Event{e}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var posted atomic.Bool
	for worker := range workers {
		ending.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 11))
			for deadline := time.Now().Add(longest); ; {
				complete := posted.Load()
				open, err := b.endOne(stores[worker%2], random)
				if err != nil || time.Now().After(deadline) {
					t.Errorf("worker %d: %v", worker, err)
					return
				}
				if complete && !open {
					return
				}
			}
		})
	}
	posting.Wait()
	posted.Store(true)
	ending.Wait()
	var left []string
	must(t, b.sql.Select(&left, "SELECT event_id || ' ' || state || ' ' || reason || ' ' || blocked_by FROM deliveries WHERE completed_at IS NULL"))
	equal(t, "left behind", left, []string(nil))
	b.keysLeft(0)
	b.noDeadlocks()
	equal(t, "violations", b.checks(), []string(nil))
}

// endOne acts on an open delivery: on one that may be sent, after it checked whether those before
// it in its key have ended, or on one that is blocked. It reports whether any is open.
func (b *bundle) endOne(s *store.Store, random *rand.Rand) (open bool, err error) {
	ctx := b.t.Context()
	var all []struct{ ID, EventID, Key, State string }
	if err := b.sql.SelectContext(ctx, &all, "SELECT id, event_id AS eventid, key, state FROM deliveries WHERE completed_at IS NULL ORDER BY random() LIMIT 20"); err != nil || len(all) == 0 {
		return false, err
	}
	d := all[0]
	for _, one := range all {
		if one.State != "blocked" {
			d = one
		}
	}
	if d.State == "blocked" {
		if random.IntN(10) == 0 {
			_, err = s.Cancel(ctx, root(), d.ID, "")
		}
	} else {
		var earlier int
		if err := b.sql.GetContext(ctx, &earlier, "SELECT count(*) FROM deliveries WHERE key = $1 AND event_id < $2 AND completed_at IS NULL", d.Key, d.EventID); err != nil {
			return true, err
		}
		if earlier > 0 {
			return true, fmt.Errorf("%s is %s while %d earlier ones of its key are open", d.EventID, d.State, earlier)
		}
		found, err := s.Find(ctx, []string{d.ID})
		if err != nil {
			return true, err
		}
		decision := switchboard.Decision{State: switchboard.StateDelivered}
		if random.IntN(3) == 0 {
			decision = switchboard.Decision{State: switchboard.StateRetrying, Reason: "http_503"}
		}
		_, err = s.Record(ctx, switchboard.Record{Attempt: b.attempt(found[0], found[0].AttemptsMade+1, 503), Decision: decision, Generation: found[0].Generation, TemporalRunID: "run"})
		if err != nil {
			return true, err
		}
	}
	if code := switchboard.CodeOf(err); code == switchboard.CodeConflict { // it has ended since
		err = nil
	}
	return true, err
}

// whileLocked resumes a paused subscription in a transaction, and commits it when do waits for
// that.
func (b *bundle) whileLocked(id string, do func()) {
	b.t.Helper()
	tx, err := b.sql.Beginx()
	must(b.t, err)
	_, err = tx.Exec("UPDATE subscriptions SET state = 'active', flow = flow + 1 WHERE id = $1", id)
	must(b.t, err)
	var done sync.WaitGroup
	done.Go(do)
	b.awaitLockWait()
	must(b.t, tx.Commit())
	done.Wait()
}

// TestResumedWhileItIsAccepted: a delivery that is accepted while its subscription is resumed is
// only parked if the release that follows finds it.
func TestResumedWhileItIsAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, ordered := b.subscribe("acme", "*"), b.ordering("other", byKey)
	for _, c := range []struct {
		id    string
		event switchboard.Event
	}{{sub.ID, event("acme", "")}, {ordered.ID, keyed("other", "", "k")}} {
		b.state(c.id, switchboard.SubscriptionPaused)
		equal(t, "paused", b.accept(c.event).Deliveries[0].Reason, switchboard.ReasonSubscriptionPaused)
		if c.event.Key != "" {
			c.event.Key = "another"
		}
		b.whileLocked(c.id, func() {
			a, err := b.Accept(t.Context(), root(), []switchboard.Event{c.event})
			if err != nil || len(a) != 1 || len(a[0].Deliveries) != 1 {
				t.Errorf("%+v, %v", a, err)
				return
			}
			got := a[0].Deliveries[0]
			equal(t, "resumed meanwhile", got.State, switchboard.StatePending)
			equal(t, "stored", b.read(got.ID), got)
		})
	}
}

// TestResumedWhileItsAttemptIsDue: an attempt that saw its subscription paused parks the delivery
// only if it is still paused when the attempt has the lock.
func TestResumedWhileItsAttemptIsDue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	d := b.accept(event("acme", "")).Deliveries[0]
	b.state(sub.ID, switchboard.SubscriptionPaused)
	b.whileLocked(sub.ID, func() {
		got, err := b.HoldDelivery(t.Context(), d, switchboard.Conditions{})
		if err != nil {
			t.Error(err)
		}
		equal(t, "resumed meanwhile", got, d)
	})
	b.state(sub.ID, switchboard.SubscriptionPaused)
	got, err := b.HoldDelivery(t.Context(), d, switchboard.Conditions{})
	must(t, err)
	equal(t, "paused", []any{got.State, got.Reason, got.HeldUntil}, []any{switchboard.StateHeld, switchboard.ReasonSubscriptionPaused, b.clock().Add(switchboard.DefaultHold)})
	equal(t, "stored", b.read(d.ID), got)
	equal(t, "actions", b.actions(d.ID), []string{"switchboard hold the subscription is paused"})

}
