package store_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// cancelOperation cancels an operation.
func (b *bundle) cancelOperation(id string) {
	b.t.Helper()
	must(b.t, second(b.ChangeOperation(b.t.Context(), root(), id, switchboard.CancelOperation, "wrong filter")))
}

// standings describes the deliveries, in the order of their ids, by everything that decides about
// them except the generation.
func (b *bundle) standings() (all []string) {
	b.t.Helper()
	must(b.t, b.sql.Select(&all, `SELECT concat_ws(' ', id, state, reason, permanent, attempts_made, prior_attempts, temporal_run_id, next_attempt_at, completed_at, dispatch_at, parked_at, held_until,
	blocked_by, expires_at) FROM deliveries ORDER BY id`))
	return all
}

// makeAttempt does what the attempt of a delivery does if it is due, with the response 200. It
// reports whether the delivery was sent.
func (b *bundle) makeAttempt(s *store.Store, id string) (sent bool, err error) {
	loaded, err := s.LoadForAttempt(b.t.Context(), id)
	d := loaded.Delivery
	if err != nil || !d.State.HasNextAttempt() || d.NextAttemptAt.After(b.clock()) {
		return false, err
	}
	if loaded.Withdrawn {
		if _, withdrawn, err := s.Withdraw(b.t.Context(), d); err != nil || withdrawn {
			return false, err
		}
	}
	a := b.attempt(d, d.AttemptsMade+1, 200)
	_, err = s.Record(b.t.Context(), switchboard.Record{Attempt: a, Decision: switchboard.Decision{State: switchboard.StateDelivered}, TemporalRunID: "run_of_" + id, Generation: d.Generation})
	return true, err
}

// TestCancelTakesBack: deliveries that an operation has dated and no relay has dispatched are in
// their former state again.
func TestCancelTakesBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action switchboard.ActionKind
		state  switchboard.State
		kinds  []string // of the actions on one that is taken back
	}{
		{switchboard.ActionRetry, switchboard.StateFailed, []string{"retry", "cancel"}},
		{switchboard.ActionRetry, switchboard.StateDelivered, []string{"retry", "cancel"}},
		{switchboard.ActionRetry, switchboard.StateRetrying, []string{"retry", "cancel"}},
		{switchboard.ActionRelease, switchboard.StateHeld, []string{"release", "hold"}},
	} {
		name := fmt.Sprintf("%s of %s", c.action, c.state)
		b := setup(t)
		ids := b.stored(b.subscribe("acme", "none"), c.state, 20, b.clock().Add(-time.Hour))
		before, checks := b.standings(), b.checks()
		r := requestFor(c.action, switchboard.Selection{Tenant: "acme", States: []switchboard.State{c.state}})
		r.Rate = 10
		o, err := b.StartOperation(t.Context(), root(), "", r)
		must(t, err)
		equal(t, name+": dated", b.step(b.Store, o.ID).Done, 16) // 1.5 s at 10 a second
		b.advance(500 * time.Millisecond)
		b.dispatched(b.Store)
		sent := b.standings()[:6]
		b.cancelOperation(o.ID)
		equal(t, name, b.outcome(o.ID), "cancelled 6 10 0 of 20")
		equal(t, name+": skipped", b.whys(o.ID), map[string]int{"the operation was cancelled before it was sent": 10})
		equal(t, name+": standings", b.standings(), slices.Concat(sent, before[6:]))
		var kinds []string
		must(t, b.sql.Select(&kinds, "SELECT action FROM actions WHERE delivery_id = $1 ORDER BY id", ids[10]))
		equal(t, name+": actions", kinds, c.kinds)
		b.advance(time.Hour)
		claimed, err := b.ClaimDispatches(t.Context(), 100, time.Second)
		must(t, err)
		equal(t, name+": to be dispatched", len(claimed), 0)
		equal(t, name+": finished", b.step(b.Store, o.ID).Finished, false)
		for _, id := range ids[:6] {
			sent, err := b.makeAttempt(b.Store, id)
			must(t, err)
			equal(t, name+": sent after the cancellation", sent, false)
		}
		equal(t, name+": standings in the end", b.standings(), before)
		equal(t, name+": in the end", b.outcome(o.ID), "cancelled 0 16 0 of 20")
		equal(t, name+": finished in the end", b.step(b.Store, o.ID).Finished, true)
		equal(t, name+": checks", b.checks(), checks)
	}
}

// TestCancelTakesBackReplays: deliveries that were not sent are cancelled, also those that wait for
// an earlier one of their key.
func TestCancelTakesBackReplays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ordering("acme", byKey)
	for range 4 {
		b.acceptKeyed("acme", "a", "b", "a")
	}
	b.advance(time.Minute)
	later := b.ordering("acme", byKey)
	checks := b.checks()
	r := requestFor(switchboard.ActionReplay, switchboard.Selection{Subscription: later.ID})
	r.Rate = 4
	o, err := b.StartOperation(t.Context(), root(), "", r)
	must(t, err)
	equal(t, "made", b.step(b.Store, o.ID).Done, 7)
	equal(t, "pending, blocked", []int{b.count(later, switchboard.StatePending), b.count(later, switchboard.StateBlocked)}, []int{2, 5})
	b.dispatched(b.Store) // the first of its key
	b.cancelOperation(o.ID)
	equal(t, "operation", b.outcome(o.ID), "cancelled 1 6 0 of 12")
	equal(t, "pending, cancelled", []int{b.count(later, switchboard.StatePending), b.count(later, switchboard.StateCancelled)}, []int{1, 6})
	equal(t, "checks", b.checks(), checks)
}

// TestCancelTakesBackWhatIsParkedLater: deliveries that a relay had claimed, and that found no free
// slot just after the cancellation.
func TestCancelTakesBackWhatIsParkedLater(t *testing.T) {
	t.Parallel()
	for _, state := range []switchboard.State{switchboard.StateFailed, switchboard.StateRetrying} {
		name := string(state)
		b := setup(t)
		sub := b.subscribe("acme", "none")
		id := b.stored(sub, state, 2, b.clock().Add(-time.Hour))[0]
		stood := b.read(id).NextAttemptAt
		r := requestFor(switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
		r.Rate = 0.5
		o, err := b.StartOperation(t.Context(), root(), "", r)
		must(t, err)
		equal(t, name+": dated", b.step(b.Store, o.ID).Done, 1)
		claimed, err := b.ClaimDispatches(t.Context(), 10, 10*time.Second)
		must(t, err)
		equal(t, name+": claimed", idsOf(claimed), []string{id})
		attempting := b.read(id) // and not withdrawn yet
		b.cancelOperation(o.ID)
		equal(t, name+": claimed: operation", b.outcome(o.ID), "cancelled 1 0 0 of 2")
		must(t, b.MarkDispatched(t.Context(), claimed))
		b.advance(time.Second)
		progress := b.step(b.Store, o.ID)
		equal(t, name+": dispatched: goes on, done", []any{progress.Finished, progress.Wait, progress.Done}, []any{false, switchboard.Duration(time.Second), 1})
		b.advance(5 * time.Second)
		equal(t, name+": less and less often", b.step(b.Store, o.ID).Wait, switchboard.Duration(6*time.Second))
		must(t, second(b.QueueDelivery(t.Context(), attempting, switchboard.Admit(b.clock(), switchboard.Conditions{Full: true}))))
		progress = b.step(b.Store, o.ID)
		equal(t, name+": parked: finished, done", []any{progress.Finished, progress.Done}, []any{true, 0})
		equal(t, name+": as before", b.count(sub, state), 2)
		d := b.read(id)
		equal(t, name+": its date", d.NextAttemptAt, stood)
		if state == switchboard.StateRetrying { // its workflow has ended: another one is started at its date
			equal(t, "dispatched again", []any{d.Generation, d.DispatchAt}, []any{2, stood})
		}
	}
}

// TestCancelTakesBackAll: if there are very many, the call takes back the latest, and the workflow
// the rest. If nobody has started the workflow, the reconciler does.
func TestCancelTakesBackAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	b.stored(sub, switchboard.StateFailed, 3500, b.clock().Add(-3*24*time.Hour))
	o := b.startedBy(root(), switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	b.changeState(sub, switchboard.PauseSubscription) // the relay parks what is dated
	for b.step(b.Store, o.ID).Done < 2300 {
		b.advance(400 * time.Millisecond)
		b.dispatched(b.Store)
	}
	b.cancelOperation(o.ID)
	running, err := b.OperationsToStart(t.Context(), 0)
	must(t, err)
	equal(t, "at once", len(running), 0)
	b.advance(time.Minute)
	running, err = b.OperationsToStart(t.Context(), 30*time.Second)
	must(t, err)
	equal(t, "later", running, []string{o.ID})
	steps := 1
	for ; !b.step(b.Store, o.ID).Finished; steps++ {
		b.advance(time.Second)
	}
	equal(t, "steps", steps, 2)
	var done int
	must(t, b.sql.Get(&done, "SELECT done FROM operations"))
	equal(t, "left", []int{done, b.count(sub, switchboard.StateFailed)}, []int{0, 3500})
	b.advance(time.Minute)
	running, err = b.OperationsToStart(t.Context(), 0)
	must(t, err)
	equal(t, "in the end", len(running), 0)
}

// TestCancelRacesWithAttempts: each delivery is sent once, or is in its former state and is not
// sent.
func TestCancelRacesWithAttempts(t *testing.T) {
	t.Parallel()
	const all, count = 130, 100
	b := setup(t)
	sub := b.subscribe("acme", "none")
	ids := b.stored(sub, switchboard.StateFailed, all, b.clock().Add(-3*time.Hour))
	r := requestFor(switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	r.Rate = 100
	o, err := b.StartOperation(t.Context(), root(), "", r)
	must(t, err)
	equal(t, "dated", b.step(b.Store, o.ID).Done, count)
	b.advance(time.Second)
	b.dispatched(b.Store)
	var sent [count]atomic.Int32
	var attempts sync.WaitGroup
	enough := make(chan struct{})
	for w, s := range []*store.Store{b.Store, b.open(ring), b.Store} {
		attempts.Go(func() {
			for i := w; i < count; i += 3 {
				if i == count/2 {
					close(enough)
				}
				did, err := b.makeAttempt(s, ids[i])
				if err != nil {
					t.Error(err)
				}
				if did {
					sent[i].Add(1)
				}
			}
		})
	}
	<-enough
	b.cancelOperation(o.ID)
	attempts.Wait()
	equal(t, "finished", b.step(b.Store, o.ID).Finished, true)
	requests := 0
	for i, id := range ids[:count] {
		d, n := b.read(id), int(sent[i].Load())
		if want := map[int]switchboard.State{0: switchboard.StateFailed, 1: switchboard.StateDelivered}[n]; d.State != want || d.AttemptsMade != 1+n {
			t.Errorf("%s is %s with %d attempts after %d requests", id, d.State, d.AttemptsMade, n)
		}
		requests += n
	}
	equal(t, "operation", b.outcome(o.ID), fmt.Sprintf("cancelled %d %d 0 of %d", requests, count-requests, all))
	b.noDeadlocks()
}

// TestBrokenItemIsNotTakenBack: the others are.
func TestBrokenItemIsNotTakenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	ids := b.stored(sub, switchboard.StateFailed, 5, b.clock().Add(-time.Hour))
	o := b.startedBy(root(), switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	must(t, second(b.sql.Exec("UPDATE operations SET rate = 2")))
	equal(t, "dated", b.step(b.Store, o.ID).Done, 4)
	b.breaks(ids[2])
	b.cancelOperation(o.ID)
	equal(t, "before", b.outcome(o.ID), "cancelled 4 0 0 of 5")
	if _, err := b.OperateStep(t.Context(), o.ID); err == nil {
		t.Error("the whole step is done")
	}
	for finished := false; !finished; {
		progress, err := b.OperateSingly(t.Context(), o.ID)
		must(t, err)
		finished = progress.Finished
		b.advance(time.Duration(progress.Wait))
	}
	equal(t, "operation", b.outcome(o.ID), "cancelled 1 3 0 of 5")
	equal(t, "left", []int{b.count(sub, switchboard.StatePending), b.count(sub, switchboard.StateFailed)}, []int{1, 4})
}
