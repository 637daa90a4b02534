package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// startedBy starts an operation of the caller, at the highest rate.
func (b *bundle) startedBy(caller switchboard.Caller, action switchboard.ActionKind, filter switchboard.Selection) switchboard.Operation {
	b.t.Helper()
	r := requestFor(action, filter)
	r.Rate = switchboard.MaxOperationRate
	o, err := b.StartOperation(b.t.Context(), caller, "", r)
	must(b.t, err)
	return o
}

// outcome returns "state done skipped failed of total" of an operation.
func (b *bundle) outcome(id string) string {
	b.t.Helper()
	o, err := b.Operation(b.t.Context(), root(), id)
	must(b.t, err)
	return fmt.Sprintf("%s %d %d %d of %d", o.State, o.Done, o.Skipped, o.Failed, o.Total)
}

// whys counts why items of the operation were skipped.
func (b *bundle) whys(id string) map[string]int {
	b.t.Helper()
	page, err := b.OperationItems(b.t.Context(), root(), id, switchboard.OutcomeSkipped, switchboard.PageRequest{Limit: switchboard.MaxPage})
	must(b.t, err)
	whys := map[string]int{}
	for _, i := range page.Items {
		whys[i.Why]++
	}
	return whys
}

// TestItemsOnce: even if steps are aborted, or made twice at the same time, each of 3,000
// deliveries is retried once, and those that arrive after the plan are not changed.
func TestItemsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	failed := b.stored(sub, switchboard.StateFailed, 1500, b.clock().Add(-3*24*time.Hour))
	retrying := b.stored(sub, switchboard.StateRetrying, 1500, b.clock().Add(-2*24*time.Hour))
	r := requestFor(switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	plan, err := b.PlanOperation(t.Context(), root(), r)
	must(t, err)
	b.advance(time.Minute)
	later := b.stored(sub, switchboard.StateFailed, 10, b.clock())
	o, err := b.StartOperation(t.Context(), root(), plan.Plan, switchboard.OperationRequest{Reason: "a reason", Rate: 200})
	must(t, err)
	for i, finished := 0, false; !finished; i++ {
		// A process that is killed leaves its step at any point.
		aborted, cancel := context.WithTimeout(t.Context(), time.Duration(i%12)*4*time.Millisecond)
		_, _ = b.OperateStep(aborted, o.ID)
		cancel()
		var both sync.WaitGroup
		var progress [2]switchboard.OperationProgress
		for n := range progress {
			both.Go(func() {
				var err error
				if progress[n], err = b.OperateStep(t.Context(), o.ID); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		finished = progress[0].Finished || t.Failed()
		b.dispatched(b.Store)
		// All are sent at once, and steps are so frequent that the operation, which dates no more
		// deliveries than are sent, keeps its rate.
		_, err := b.sql.Exec("UPDATE deliveries SET attempts_made = attempts_made + 1 WHERE id IN (SELECT delivery_id FROM operation_items WHERE operation_id = $1)", o.ID)
		must(t, err)
		b.advance(time.Second / 2)
	}
	equal(t, "operation", b.outcome(o.ID), "finished 3000 0 0 of 3000")
	var items, actions []string
	must(t, b.sql.Select(&items, "SELECT delivery_id FROM operation_items WHERE operation_id = $1 AND outcome = 'done' ORDER BY 1", o.ID))
	must(t, b.sql.Select(&actions, "SELECT delivery_id FROM actions WHERE action = 'retry' ORDER BY 1"))
	all := slices.Sorted(slices.Values(slices.Concat(failed, retrying)))
	equal(t, "items", items, all)
	equal(t, "actions", actions, all)
	var generations []string
	must(t, b.sql.Select(&generations, "SELECT concat(generation, ' ', state, ' ', count(*)) FROM deliveries GROUP BY generation, state ORDER BY 1"))
	equal(t, "deliveries", generations, []string{"1 failed 10", "1 retrying 1500", "2 pending 1500"})
	var dates []time.Time
	must(t, b.sql.Select(&dates, "SELECT next_attempt_at FROM deliveries WHERE id < $1 ORDER BY id", later[0]))
	for i := 1; i < len(dates); i++ {
		if gap := dates[i].Sub(dates[i-1]); gap < 5*time.Millisecond {
			t.Fatalf("delivery %d is due %s after the one before", i, gap)
		}
	}
}

// TestOperationActions: the effect of each action on deliveries in the states that it handles.
func TestOperationActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action  switchboard.ActionKind
		states  []switchboard.State
		outcome string
		becomes []string
		whys    map[string]int
	}{
		{switchboard.ActionRetry, nil, "finished 6 0 0 of 6", []string{"blocked 3", "cancelled 3", "delivered 3", "held 3", "pending 6", "retrying 3"}, nil},
		{switchboard.ActionRetry, switchboard.States(), "finished 15 0 0 of 15", []string{"blocked 3", "held 3", "pending 12", "retrying 3"}, nil},
		{switchboard.ActionCancel, nil, "finished 12 0 0 of 12", []string{"cancelled 15", "delivered 3", "failed 3"}, nil},
		{switchboard.ActionHold, nil, "finished 9 3 0 of 12", []string{"cancelled 3", "delivered 3", "failed 3", "held 12"}, map[string]int{"it is held already": 3}},
		{switchboard.ActionRelease, nil, "finished 3 0 0 of 3", []string{"blocked 3", "cancelled 3", "delivered 3", "failed 3", "pending 6", "retrying 3"}, nil},
	} {
		b, _ := everyState(t)
		o := b.startedBy(root(), c.action, switchboard.Selection{Tenant: "acme", States: c.states})
		b.operate(o.ID)
		name := fmt.Sprint(c.action, c.states)
		equal(t, name, b.outcome(o.ID), c.outcome)
		var states []string
		must(t, b.sql.Select(&states, "SELECT concat(state, ' ', count(*)) FROM deliveries GROUP BY state ORDER BY 1"))
		equal(t, name+": states", states, c.becomes)
		if c.whys != nil {
			equal(t, name+": skipped", b.whys(o.ID), c.whys)
		}
	}
}

// TestOperationSkips: it skips deliveries that have changed since they were selected, or that the
// action does not apply to.
func TestOperationSkips(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, gone := b.subscribe("acme", "none"), b.subscribe("acme", "none")
	ids := b.stored(sub, switchboard.StateFailed, 4, b.clock().Add(-time.Hour))
	b.stored(gone, switchboard.StateFailed, 2, b.clock().Add(-2*time.Hour))
	must(t, b.DeleteSubscription(t.Context(), root(), gone.ID, "left"))
	erasure, err := b.EraseEvent(t.Context(), root(), "acme", "evt_"+ids[0], "asked")
	must(t, err)
	b.eraseAll(erasure.ID)
	o := b.startedBy(root(), switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	// The lock of one of them makes the step wait, and the delivery is retried in the meantime.
	tx, err := b.sql.Beginx()
	must(t, err)
	_, err = tx.Exec("UPDATE deliveries SET state = 'delivered', reason = '' WHERE id = $1", ids[1])
	must(t, err)
	done := make(chan error)
	go func() {
		_, err := b.OperateStep(t.Context(), o.ID)
		done <- err
	}()
	b.awaitLockWait()
	must(t, tx.Commit())
	must(t, <-done)
	whys := b.whys(o.ID)
	equal(t, "operation", b.outcome(o.ID), "finished 2 4 0 of 6")
	for why, count := range map[string]int{
		"it is delivered, and does not match the filter any more":                               1,
		"the data of the event of delivery " + ids[0] + " are erased: there is nothing to send": 1,
	} {
		equal(t, why, whys[why], count)
	}
}

// awaitLockWait waits until a transaction of the database waits for a lock.
func (b *bundle) awaitLockWait() {
	b.t.Helper()
	eventually(b.t, "somebody waits for a lock", func() bool {
		var waiting bool
		must(b.t, b.sql.Get(&waiting, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"))
		return waiting
	})
}

// TestPausedAndCancelled: such operations do nothing, and a resumed one continues where it was.
func TestPausedAndCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	ids := b.stored(sub, switchboard.StateFailed, 400, b.clock().Add(-24*time.Hour))
	r := requestFor(switchboard.ActionRetry, switchboard.Selection{Subscription: sub.ID})
	r.Rate = 100
	o, err := b.StartOperation(t.Context(), root(), "", r)
	must(t, err)
	change := func(change switchboard.OperationChange, code switchboard.Code) {
		t.Helper()
		if _, err := b.ChangeOperation(t.Context(), of("acme"), o.ID, change, "a reason"); switchboard.CodeOf(err) != code {
			t.Errorf("%s: %v", change, err)
		}
	}
	equal(t, "first step", b.step(b.Store, o.ID).Done, 100) // and no more before some are sent
	change(switchboard.ResumeOperation, switchboard.CodeConflict)
	change(switchboard.PauseOperation, "")
	change(switchboard.PauseOperation, switchboard.CodeConflict)
	b.advance(time.Hour)
	paused := b.step(b.Store, o.ID)
	equal(t, "paused", []any{paused.Changed, paused.Finished, paused.State}, []any{0, true, switchboard.OperationPaused})
	idle, err := b.OperationsToStart(t.Context(), time.Minute)
	must(t, err)
	equal(t, "to start", len(idle), 0)
	change(switchboard.ResumeOperation, "")
	b.sends(ids[:100]...)
	equal(t, "resumed", b.step(b.Store, o.ID).Changed, 116)
	change(switchboard.CancelOperation, "")
	b.advance(time.Minute)
	equal(t, "cancelled", b.step(b.Store, o.ID).Changed, 0)
	equal(t, "operation", b.outcome(o.ID), "cancelled 100 116 0 of 400") // those that no relay has dispatched are taken back
	change(switchboard.ResumeOperation, switchboard.CodeConflict)
	equal(t, "left", b.count(sub, switchboard.StateFailed), 300)
	var verbs []string
	must(t, b.sql.Select(&verbs, "SELECT verb FROM audit WHERE object = $1 ORDER BY id", o.ID))
	equal(t, "audit", len(verbs), 4)
}

// TestOwnOperationsAreNotCancelled: but a release of Switchboard's own can be paused.
func TestOwnOperationsAreNotCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.changeState(sub, switchboard.PauseSubscription)
	b.many(sub, 5)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	id := b.changeState(sub, switchboard.ResumeSubscription)
	refused(t, "cancel", second(b.ChangeOperation(t.Context(), root(), id, switchboard.CancelOperation, "r")), switchboard.CodeConflict, "")
	must(t, second(b.ChangeOperation(t.Context(), root(), id, switchboard.PauseOperation, "r")))
	equal(t, "paused", b.step(b.Store, id).Changed, 0)
	b.advance(time.Hour)
	if report := b.verifyDatabase(); slices.ContainsFunc(report.Violations, func(v switchboard.Violation) bool { return v.Check == "held_without_cause" }) {
		t.Errorf("what a paused release leaves held is no violation: %+v", report.Violations)
	}
	must(t, second(b.ChangeOperation(t.Context(), root(), id, switchboard.ResumeOperation, "")))
	b.operate(id)
	equal(t, "operation", b.outcome(id), "finished 5 0 0 of 5")
}

// TestSeveralOperationsAtOnce: of one subscription, in addition to the release of Switchboard's
// own.
func TestSeveralOperationsAtOnce(t *testing.T) {
	t.Parallel()
	b, sub := everyState(t)
	_, err := b.ReleaseHeld(t.Context(), sub.ID)
	must(t, err)
	one := b.startedBy(root(), switchboard.ActionRelease, switchboard.Selection{Subscription: sub.ID})
	other := b.startedBy(root(), switchboard.ActionRelease, switchboard.Selection{Subscription: sub.ID})
	b.operate(one.ID)
	b.operate(other.ID)
	equal(t, "first", b.outcome(one.ID), "finished 3 0 0 of 3")
	equal(t, "second", b.outcome(other.ID), "finished 0 0 0 of 0")
}

// TestReplay: it makes new deliveries of the events that a subscription takes, also of a
// subscription that was made later.
func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	for i := range 120 {
		b.advance(time.Second)
		e := event("acme", fmt.Sprintf("e-%03d", i))
		e.Type = []string{"ticket.created", "ticket.closed", "call.rang"}[i%3]
		e.Data = fmt.Appendf(nil, `{"n": %d}`, i)
		b.accept(e)
	}
	erasure, err := b.EraseEvent(t.Context(), root(), "acme", "e-000", "asked")
	must(t, err)
	b.eraseAll(erasure.ID)
	b.advance(time.Minute)
	sub := b.ordering("acme", func(s *switchboard.Subscription) {
		s.Events, s.Filter = []string{"ticket.*"}, json.RawMessage(`{"data": {"n": {"$lt": 90}}}`)
	})
	o := b.startedBy(root(), switchboard.ActionReplay, switchboard.Selection{Subscription: sub.ID, After: begin().Add(-time.Hour)})
	b.advance(time.Second)
	b.accept(event("acme", "after the plan"))
	b.operate(o.ID)
	equal(t, "operation", b.outcome(o.ID), "finished 59 21 0 of 80")
	equal(t, "skipped", b.whys(o.ID), map[string]int{"its data are erased": 1, "the subscription's filter does not let it through": 20})
	var events []string
	must(t, b.sql.Select(&events, "SELECT d.event_id FROM deliveries d JOIN events e ON e.id = d.event_id AND e.created_at = d.event_at WHERE d.subscription_id = $1 ORDER BY d.next_attempt_at", sub.ID))
	equal(t, "replayed", len(events), 59)
	equal(t, "in order", slices.IsSorted(events), true)
	var id string
	must(t, b.sql.Get(&id, "SELECT id FROM deliveries WHERE subscription_id = $1 AND event_id = $2", sub.ID, events[0]))
	equal(t, "actions", b.actions(id), []string{"key_root replay a reason"})
	loaded, err := b.LoadForAttempt(t.Context(), id)
	must(t, err)
	equal(t, "data", string(loaded.Event.Data), `{"n": 1}`)
}

// TestReplayInOrder: deliveries of one key wait for each other, and those of a paused subscription are held.
func TestReplayInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.ordering("acme", byKey)
	b.acceptKeyed("acme", "a", "b", "a")
	b.advance(time.Minute)
	later := b.ordering("acme", byKey)
	o := b.startedBy(root(), switchboard.ActionReplay, switchboard.Selection{Subscription: later.ID})
	b.operate(o.ID)
	equal(t, "operation", b.outcome(o.ID), "finished 3 0 0 of 3")
	equal(t, "sent", b.count(later, switchboard.StatePending), 2)
	equal(t, "blocked", b.count(later, switchboard.StateBlocked), 1)
	b.changeState(sub, switchboard.PauseSubscription)
	o = b.startedBy(root(), switchboard.ActionReplay, switchboard.Selection{Subscription: sub.ID, Key: "b"})
	b.operate(o.ID)
	equal(t, "held", b.count(sub, switchboard.StateHeld), 1)
	if report := b.verifyDatabase(); !report.Clean() {
		t.Errorf("%+v", report)
	}
}

// TestOperationIsAnnounced: its tenant and the operators get the event when it finishes; if it has
// several tenants, only the operators do.
func TestOperationIsAnnounced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own, operators, sub := b.subscribe("acme", "switchboard.*"), b.subscribe("_operator", "switchboard.*"), b.subscribe("acme", "none")
	b.stored(sub, switchboard.StateFailed, 2, b.clock().Add(-time.Hour))
	one := b.startedBy(root(), switchboard.ActionRetry, switchboard.Selection{Subscription: sub.ID})
	b.operate(one.ID)
	several := b.startedBy(root(), switchboard.ActionCancel, switchboard.Selection{Host: "crm.example.com"})
	b.operate(several.ID)
	const of = " switchboard.operation.finished switchboard.operation.finished:"
	equal(t, "the tenant's", b.announcedTo(own), []string{"acme" + of + one.ID})
	want := []string{"_operator" + of + one.ID, "_operator" + of + several.ID}
	slices.Sort(want)
	equal(t, "the operators'", b.announcedTo(operators), want)
}

// TestRetriedOnceThroughAQueue: a retried delivery that gets no slot under max_in_flight waits in
// Postgres, and its turn is another generation. The operation acted on it once, and no attempt is
// used up.
func TestRetriedOnceThroughAQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	id := b.stored(sub, switchboard.StateFailed, 1, b.clock().Add(-time.Hour))[0]
	o := b.startedBy(root(), switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	b.operate(o.ID)
	for generation := 2; generation < 4; generation++ {
		d := b.read(id)
		equal(t, "generation", d.Generation, generation)
		must(t, second(b.QueueDelivery(t.Context(), d, switchboard.Admit(b.clock(), switchboard.Conditions{Full: true}))))
		b.advance(time.Second)
		released, err := b.ReleaseNext(t.Context(), sub.ID, time.Second, roomFor(1))
		must(t, err)
		equal(t, "released", inOrder(released), []string{id})
	}
	d := b.read(id)
	equal(t, "after two turns", []any{d.State, d.Generation, d.AttemptsMade, d.PriorAttempts}, []any{switchboard.StatePending, 4, 1, 1})
	equal(t, "operation", b.outcome(o.ID), "finished 1 0 0 of 1")
	equal(t, "actions", b.actions(id), []string{"key_root retry a reason"})
}
