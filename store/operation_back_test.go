package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// cancelOperation cancels an operation.
func (b *bundle) cancelOperation(id string) {
	b.t.Helper()
	must(b.t, second(b.ChangeOperation(b.t.Context(), root(), id, switchboard.CancelOperation, "wrong filter")))
}

// standings describes the deliveries, in the order of their ids, by all that decides about them but the
// generation.
func (b *bundle) standings() (all []string) {
	b.t.Helper()
	must(b.t, b.sql.Select(&all, `SELECT concat_ws(' ', id, state, reason, permanent, attempts_made, prior_attempts, temporal_run_id, next_attempt_at, completed_at, dispatch_at, parked_at, held_until,
	blocked_by, expires_at) FROM deliveries ORDER BY id`))
	return all
}

// TestCancelTakesBack what an operation has dated and no relay has dispatched: those stand as before.
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
		equal(t, name+": finished", b.step(b.Store, o.ID).Finished, true)
		equal(t, name+": checks", b.checks(), checks)
	}
}

// TestCancelTakesBackReplays: what was not sent is cancelled, also what waits for an earlier one of its key.
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

// TestCancelTakesBackWhatIsParkedLater: what a relay had claimed, and no slot was free for, a moment after
// the cancellation.
func TestCancelTakesBackWhatIsParkedLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	id := b.stored(sub, switchboard.StateFailed, 2, b.clock().Add(-time.Hour))[0]
	r := requestFor(switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	r.Rate = 0.5
	o, err := b.StartOperation(t.Context(), root(), "", r)
	must(t, err)
	equal(t, "dated", b.step(b.Store, o.ID).Done, 1)
	claimed, err := b.ClaimDispatches(t.Context(), 10, 10*time.Second)
	must(t, err)
	equal(t, "claimed", idsOf(claimed), []string{id})
	b.cancelOperation(o.ID)
	equal(t, "claimed: operation", b.outcome(o.ID), "cancelled 1 0 0 of 2")
	must(t, b.MarkDispatched(t.Context(), claimed))
	b.advance(time.Second)
	progress := b.step(b.Store, o.ID)
	equal(t, "dispatched: goes on, done", []any{progress.Finished, progress.Wait, progress.Done}, []any{false, switchboard.Duration(time.Second), 1})
	must(t, second(b.QueueDelivery(t.Context(), b.read(id), switchboard.Admit(b.clock(), switchboard.Conditions{Full: true}))))
	equal(t, "parked: done", b.step(b.Store, o.ID).Done, 0)
	equal(t, "failed", b.count(sub, switchboard.StateFailed), 2)
	b.advance(15 * time.Second)
	equal(t, "in the end", b.step(b.Store, o.ID).Finished, true)
}

// TestCancelTakesBackAll: of very many the call takes back the latest, and the workflow the rest, which
// the reconciler starts where nobody has.
func TestCancelTakesBackAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	b.stored(sub, switchboard.StateFailed, 2500, b.clock().Add(-3*24*time.Hour))
	o := b.startedBy(root(), switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	for b.step(b.Store, o.ID).Done < 2300 {
		b.advance(400 * time.Millisecond) // no relay dispatches, and none is late yet
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
	equal(t, "left", []int{done, b.count(sub, switchboard.StateFailed)}, []int{0, 2500})
	b.advance(time.Minute)
	running, err = b.OperationsToStart(t.Context(), 0)
	must(t, err)
	equal(t, "in the end", len(running), 0)
}

// TestBrokenItemIsNotTakenBack, and the others are.
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
