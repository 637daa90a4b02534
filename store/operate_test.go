package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// parked is what an UPDATE sets to park a delivery, in addition to its state and its reason.
const parked = "next_attempt_at = NULL, dispatch_at = NULL, parked_at = created_at, held_until = created_at + interval '30 days'"

// hold parks a delivery, whatever the state of its subscription.
func (b *bundle) hold(id string, state switchboard.State) {
	b.t.Helper()
	_, err := b.sql.Exec("UPDATE deliveries SET state = $2, reason = 'subscription_paused', blocked_by = CASE WHEN $2 = 'blocked' THEN 'dlv_0' ELSE '' END, "+parked+" WHERE id = $1", id, state)
	must(b.t, err)
}

func TestRetryOfAFinalDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	failed := b.record(b.delivery("acme"), 1, 410)
	b.advance(time.Hour)
	got, nextGeneration, err := b.Retry(t.Context(), of("acme"), failed.ID, "receiver fixed")
	must(t, err)
	want := failed
	want.State, want.Reason, want.CompletedAt, want.NextAttemptAt = switchboard.StatePending, "", time.Time{}, b.clock()
	want.Generation, want.TemporalRunID, want.PriorAttempts, want.Permanent = 2, "", 1, false
	want.DispatchAt = b.clock().Add(switchboard.DispatchGrace)
	equal(t, "next generation", got, want)
	equal(t, "stored", b.read(failed.ID), want)
	equal(t, "next generation, actions, dispatch", []any{nextGeneration, b.actions(failed.ID), b.read(failed.ID).DispatchAt},
		[]any{true, []string{"key_acme retry receiver fixed"}, b.clock().Add(5 * time.Second)})

	// Again, while it is pending: due now, in the same generation.
	b.advance(time.Second)
	again, nextGeneration, err := b.Retry(t.Context(), root(), failed.ID, "")
	must(t, err)
	want.NextAttemptAt, want.DispatchAt = b.clock(), b.clock()
	equal(t, "again", again, want)
	equal(t, "next generation", nextGeneration, false)
}

func TestRetryOfADeliveryThatWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	retrying := b.record(b.delivery("acme"), 1, 503)
	b.advance(time.Second)
	got, nextGeneration, err := b.Retry(t.Context(), root(), retrying.ID, "now")
	must(t, err)
	want := retrying
	want.NextAttemptAt = b.clock()
	equal(t, "due now", got, want)
	equal(t, "next generation, dispatch", []any{nextGeneration, b.read(got.ID).DispatchAt}, []any{false, time.Time{}})
}

// TestRetryAt: the next attempt gets the date, and no workflow is started before it.
func TestRetryAt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := b.clock().Add(6 * time.Hour)
	later := switchboard.ActionOptions{RetryAt: at}
	retrying, failed := b.record(b.delivery("acme"), 1, 503), b.record(b.delivery("acme"), 1, 410)
	for name, c := range map[string]struct {
		before   switchboard.Delivery
		want     switchboard.Delivery // state, generation
		dispatch time.Time
	}{
		"in backoff": {retrying, switchboard.Delivery{State: switchboard.StateRetrying, Generation: 1}, time.Time{}},
		"final":      {failed, switchboard.Delivery{State: switchboard.StatePending, Generation: 2}, at},
	} {
		got, start, err := b.Retry(t.Context(), root(), c.before.ID, "tonight", later)
		must(t, err)
		equal(t, name, []any{got.State, got.Generation, got.NextAttemptAt, got.DispatchAt, start}, []any{c.want.State, c.want.Generation, at, c.dispatch, false})
		equal(t, name+", stored", b.read(got.ID), got)
	}
	b.advance(switchboard.DispatchGrace + time.Second)
	claimed, err := b.ClaimDispatches(t.Context(), 10, time.Second)
	must(t, err)
	equal(t, "dispatched before the date", len(claimed), 0)
	b.advance(6 * time.Hour)
	claimed, err = b.ClaimDispatches(t.Context(), 10, time.Second)
	must(t, err)
	equal(t, "dispatched at the date", []any{len(claimed), claimed[0].ID}, []any{1, failed.ID})
}

// TestExpect: an action is applied if the delivery is in the state that its caller expects;
// otherwise the error has the actual state.
func TestExpect(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := 1, 2
	d := b.record(b.delivery("acme"), 1, 503)
	wrong := switchboard.ActionOptions{Expect: switchboard.Expectation{State: switchboard.StateRetrying, Generation: 1, Attempts: &two}}
	right := switchboard.ActionOptions{Expect: switchboard.Expectation{State: switchboard.StateRetrying, Generation: 1, Attempts: &one}}
	actions := map[string]func(switchboard.ActionOptions) error{
		"retry": func(o switchboard.ActionOptions) error {
			_, _, err := b.Retry(t.Context(), root(), d.ID, "", o)
			return err
		},
		"cancel": func(o switchboard.ActionOptions) error { return second(b.Cancel(t.Context(), root(), d.ID, "", o)) },
		"hold":   func(o switchboard.ActionOptions) error { return second(b.SetAside(t.Context(), root(), d.ID, "", o)) },
		"release": func(o switchboard.ActionOptions) error {
			return second(b.ReleaseDelivery(t.Context(), root(), d.ID, "", o))
		},
	}
	standing := switchboard.Standing{State: switchboard.StateRetrying, Generation: 1, Attempts: 1, Reason: "http_503"}
	for name, act := range actions {
		err := act(wrong)
		refused(t, name, err, switchboard.CodeConflict, "expect")
		if conflict, ok := errors.AsType[*switchboard.StandingConflict](err); !ok || conflict.Current != standing {
			t.Errorf("%s: %#v", name, err)
		}
	}
	equal(t, "unchanged", b.read(d.ID), d)
	equal(t, "actions", len(b.actions(d.ID)), 0)
	conflict, ok := errors.AsType[*switchboard.StandingConflict](actions["release"](right))
	equal(t, "what the state does not allow", []any{ok, conflict.Current}, []any{true, standing})
	must(t, actions["cancel"](right))
}

// TestSurroundings: the obstacles to sending each delivery of a list again.
func TestSurroundings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	here, gone, paused, erased := b.delivery("acme"), b.delivery("acme"), b.delivery("acme"), b.record(b.delivery("acme"), 1, 410)
	must(t, b.DeleteSubscription(t.Context(), root(), gone.SubscriptionID, ""))
	b.changeState(switchboard.Subscription{ID: paused.SubscriptionID}, switchboard.PauseSubscription)
	_, err := b.sql.Exec("UPDATE events SET erased_at = now(), data = '' WHERE id = $1", erased.EventID)
	must(t, err)
	found, err := b.Surroundings(t.Context(), []string{here.ID, gone.ID, paused.ID, erased.ID, "dlv_none"})
	must(t, err)
	for name, c := range map[string]struct {
		id              string
		deleted, erased bool
		state           switchboard.SubscriptionState
	}{
		"in order": {here.ID, false, false, switchboard.SubscriptionActive},
		"deleted":  {gone.ID, true, false, switchboard.SubscriptionActive},
		"paused":   {paused.ID, false, false, switchboard.SubscriptionPaused},
		"erased":   {erased.ID, false, true, switchboard.SubscriptionActive},
	} {
		around := found[c.id]
		obstacles := around.Obstacles()
		equal(t, name, []any{obstacles.SubscriptionDeleted, obstacles.NothingToSend != nil, around.Subscription.State}, []any{c.deleted, c.erased, c.state})
	}
	equal(t, "found", len(found), 4)
	_, err = b.sql.Exec("UPDATE retention SET payloads_until = $1", b.clock().Add(time.Hour))
	must(t, err)
	found, err = b.Surroundings(t.Context(), []string{here.ID})
	must(t, err)
	refused(t, "retention is over", found[here.ID].NothingToSend, switchboard.CodeConflict, "")
}

func TestRetryRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, state := range []switchboard.State{switchboard.StateHeld, switchboard.StateBlocked} {
		d := b.delivery("acme")
		b.hold(d.ID, state)
		_, _, err := b.Retry(t.Context(), root(), d.ID, "")
		refused(t, string(state), err, switchboard.CodeConflict, "")
	}
	d := b.record(b.delivery("acme"), 1, 410)
	must(t, b.DeleteSubscription(t.Context(), root(), d.SubscriptionID, ""))
	_, _, err := b.Retry(t.Context(), root(), d.ID, "")
	refused(t, "subscription deleted", err, switchboard.CodeConflict, "")
	equal(t, "unchanged", b.read(d.ID), d)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pending, held := b.delivery("acme"), b.delivery("acme")
	retrying := b.record(b.delivery("acme"), 1, 503)
	b.hold(held.ID, switchboard.StateHeld)
	b.advance(time.Minute)
	for _, before := range []switchboard.Delivery{pending, b.read(held.ID), retrying} {
		want := before
		want.State, want.Reason, want.NextAttemptAt, want.CompletedAt = switchboard.StateCancelled, switchboard.ReasonOperator, time.Time{}, b.clock()
		want.ParkedAt, want.HeldUntil = time.Time{}, time.Time{}
		if before.State != switchboard.StateHeld { // which has no workflow to end
			want.DispatchAt = b.clock().Add(switchboard.DispatchGrace)
		}
		for range 2 { // the second time changes nothing, but is stored
			got, err := b.Cancel(t.Context(), of("acme"), before.ID, "wrong number")
			must(t, err)
			equal(t, string(before.State), got, want)
		}
		equal(t, "stored", b.read(before.ID), want)
		equal(t, "actions", b.actions(before.ID), []string{"key_acme cancel wrong number", "key_acme cancel wrong number"})
	}
	for status, state := range map[int]switchboard.State{200: switchboard.StateDelivered, 410: switchboard.StateFailed} {
		_, err := b.Cancel(t.Context(), root(), b.record(b.delivery("acme"), 1, status).ID, "")
		refused(t, string(state), err, switchboard.CodeConflict, "")
	}
}

func TestCloseDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	action := switchboard.Action{At: begin().Add(time.Second), Actor: switchboard.ActorTemporal, Kind: switchboard.ActionCancel, Reason: "terminated"}
	b.advance(time.Minute)

	got, err := b.CloseDelivery(t.Context(), d.ID, 2, switchboard.StateCancelled, switchboard.ReasonTerminated, action)
	must(t, err)
	equal(t, "of another generation", got, d)

	want := d
	want.State, want.Reason, want.NextAttemptAt, want.CompletedAt = switchboard.StateCancelled, switchboard.ReasonTerminated, time.Time{}, b.clock()
	want.DispatchAt = time.Time{}
	for range 2 {
		got, err = b.CloseDelivery(t.Context(), d.ID, 1, switchboard.StateCancelled, switchboard.ReasonTerminated, action)
		must(t, err)
		equal(t, "closed", got, want)
	}
	detail, err := b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	equal(t, "detail", history(detail), switchboard.DeliveryDetail{Delivery: want, Attempts: []switchboard.Attempt{}, Actions: []switchboard.Action{action}})

	_, err = b.CloseDelivery(t.Context(), "dlv_none", 1, switchboard.StateCancelled, "x", action)
	refused(t, "no such delivery", err, switchboard.CodeNotFound, "")
}

func TestPostpone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	loaded := b.delivery("acme")
	until := b.clock().Add(time.Minute)
	must(t, second(b.Postpone(t.Context(), loaded, until, switchboard.ReasonWaitingForSlot)))
	want := loaded
	want.NextAttemptAt, want.Reason = until, switchboard.ReasonWaitingForSlot
	equal(t, "postponed", b.read(loaded.ID), want)

	// A retry in the meantime wins.
	retried, _, err := b.Retry(t.Context(), root(), loaded.ID, "")
	must(t, err)
	must(t, second(b.Postpone(t.Context(), want, until.Add(time.Minute), "")))
	equal(t, "retried", b.read(loaded.ID), retried)

	ended, err := b.Cancel(t.Context(), root(), loaded.ID, "")
	must(t, err)
	must(t, second(b.Postpone(t.Context(), retried, until, "")))
	equal(t, "ended", b.read(loaded.ID), ended)
}

func TestReset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	action := switchboard.Action{Actor: switchboard.ActorTemporal, Kind: switchboard.ActionReset, Reason: "reset"}
	open := b.delivery("acme")
	want := open
	want.TemporalRunID = "run_x"
	got, err := b.Reset(t.Context(), open.ID, "run_x", action)
	must(t, err)
	equal(t, "open", got, want)

	done := b.record(b.delivery("acme"), 1, 200)
	got, err = b.Reset(t.Context(), done.ID, done.TemporalRunID, action)
	must(t, err)
	equal(t, "by the run that it ended in", got, done)

	b.advance(time.Minute)
	want = done
	want.State, want.NextAttemptAt, want.CompletedAt, want.PriorAttempts, want.TemporalRunID = switchboard.StatePending, b.clock(), time.Time{}, 1, "run_x"
	for range 2 {
		got, err = b.Reset(t.Context(), done.ID, "run_x", action)
		must(t, err)
		equal(t, "next generation", got, want)
	}
	equal(t, "actions, dispatch", []any{b.actions(done.ID), b.read(done.ID).DispatchAt}, []any{[]string{"temporal reset reset"}, time.Time{}})

	orphan := b.record(b.delivery("acme"), 1, 200)
	must(t, b.DeleteSubscription(t.Context(), root(), orphan.SubscriptionID, ""))
	got, err = b.Reset(t.Context(), orphan.ID, "run_x", action)
	must(t, err)
	equal(t, "of a deleted subscription", got.State, switchboard.StateDelivered)
}
