package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// many makes that many pending deliveries to the subscription, due an hour ago.
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

// step does the next step of an operation, which must not fail.
func (b *bundle) step(s *store.Store, operation string) switchboard.OperationProgress {
	b.t.Helper()
	progress, err := s.OperateStep(b.t.Context(), operation)
	must(b.t, err)
	return progress
}

// operate runs an operation to its end, each step after the wait that the one before asked for, as
// its workflow does.
func (b *bundle) operate(operation string) {
	b.t.Helper()
	for {
		progress := b.step(b.Store, operation)
		if progress.Finished {
			return
		}
		b.dispatched(b.Store)
		b.advance(time.Duration(progress.Wait))
	}
}

// RecordVerification records a verification as the store does, and runs the operation.
func (b *bundle) RecordVerification(ctx context.Context, caller switchboard.Caller, id string, version int, reason string) (switchboard.Subscription, error) {
	sub, operation, err := b.Store.RecordVerification(ctx, caller, id, version, reason)
	if err == nil && operation != "" {
		b.operate(operation)
	}
	return sub, err
}

// UpdateSubscription changes a subscription as the store does, and does not run an operation that
// follows.
func (b *bundle) UpdateSubscription(ctx context.Context, caller switchboard.Caller, id string, version int, change func(*switchboard.Subscription) error) (switchboard.Subscription, error) {
	sub, _, err := b.Store.UpdateSubscription(ctx, caller, id, version, change)
	return sub, err
}

// DeleteSubscription deletes a subscription as the store does, and runs the operation.
func (b *bundle) DeleteSubscription(ctx context.Context, caller switchboard.Caller, id, reason string) error {
	operation, err := b.Store.DeleteSubscription(ctx, caller, id, reason)
	for finished := false; err == nil && !finished; {
		var progress switchboard.OperationProgress
		progress, err = b.OperateStep(ctx, operation)
		finished = progress.Finished
	}
	return err
}

// changeState changes the state of a subscription, and returns the operation that follows.
func (b *bundle) changeState(sub switchboard.Subscription, action switchboard.SubscriptionAction) (operation string) {
	b.t.Helper()
	_, operation, err := b.ChangeSubscriptionState(b.t.Context(), root(), sub.ID, action, "a reason")
	must(b.t, err)
	return operation
}

// dispatch is when a delivery is dispatched, and for which generation.
type dispatch struct {
	ID         string
	DispatchAt time.Time
	Generation int
}

// dispatches returns the dispatches of the subscription's deliveries, in the order of their ids.
func (b *bundle) dispatches(sub switchboard.Subscription) (got []dispatch) {
	b.t.Helper()
	must(b.t, b.sql.Select(&got, `SELECT id, dispatch_at AS dispatchat, generation FROM deliveries WHERE subscription_id = $1 AND dispatch_at IS NOT NULL ORDER BY id`, sub.ID))
	return got
}

// spaced checks that that many deliveries are dispatched one after the other from that time on,
// with that spacing, in the order of their ids.
func (b *bundle) spaced(sub switchboard.Subscription, count int, from time.Time, spacing time.Duration) {
	b.t.Helper()
	got := b.dispatches(sub)
	equal(b.t, "dispatches", len(got), count)
	for i, d := range got {
		if want := from.Add(time.Duration(i) * spacing); !d.DispatchAt.Equal(want) {
			b.t.Fatalf("dispatch %d is at %s; want %s", i, d.DispatchAt, want)
		}
	}
}

// TestReleaseKeepsItsRate: over its whole length, oldest first, in steps that date at most a second
// and a half ahead.
func TestReleaseKeepsItsRate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.changeState(sub, switchboard.PauseSubscription)
	b.many(sub, 2000)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	_, err := b.sql.Exec("UPDATE subscriptions SET document = jsonb_set(document::jsonb, '{release_rate}', '200') WHERE id = $1", sub.ID)
	must(t, err)
	operation, from := b.changeState(sub, switchboard.ResumeSubscription), b.clock()
	for i := 0; ; i++ {
		progress := b.step(b.Store, operation)
		var ahead int
		must(t, b.sql.Get(&ahead, "SELECT count(*) FROM deliveries WHERE dispatch_at > $1", b.clock().Add(1500*time.Millisecond)))
		equal(t, fmt.Sprintf("dated too far ahead in step %d", i), ahead, 0)
		if progress.Finished {
			break
		}
		b.dispatched(b.Store)
		b.advance(time.Duration(progress.Wait) + 20*time.Millisecond) // Temporal's timer and the task take a moment
	}
	var dates []time.Time
	must(t, b.sql.Select(&dates, "SELECT next_attempt_at FROM deliveries WHERE subscription_id = $1 ORDER BY id", sub.ID))
	for i, at := range dates {
		if want := from.Add(time.Duration(i) * 5 * time.Millisecond); !at.Equal(want) {
			t.Fatalf("delivery %d is due at %s; want %s", i, at, want)
		}
	}
	o, err := b.Operation(t.Context(), of("acme"), operation)
	must(t, err)
	equal(t, "operation", []any{o.State, o.Total, o.Done, o.Skipped, o.Rate}, []any{switchboard.OperationFinished, 2000, 2000, 0, 200.0})
	equal(t, "actions", b.actions("dlv_"+sub.ID+"_000000001"), []string{"key_root release a reason"})
}

// dispatched takes due dispatches, as the relays do.
func (b *bundle) dispatched(s *store.Store) {
	b.t.Helper()
	claimed, err := s.ClaimDispatches(b.t.Context(), 1000, time.Second)
	must(b.t, err)
	must(b.t, s.MarkDispatched(b.t.Context(), claimed))
}

// TestReleaseAfterAPause: after a pause of the workflow, what should have been dispatched in a
// second is dispatched at once, and no more.
func TestReleaseAfterAPause(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.changeState(sub, switchboard.PauseSubscription)
	b.many(sub, 500)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	operation := b.changeState(sub, switchboard.ResumeSubscription)
	first := b.step(b.Store, operation)
	equal(t, "done in the first step", first.Done, 76) // 1.5 s at 50 a second
	equal(t, "again at once", b.step(b.Store, operation).Changed, 0)
	_, err := b.sql.Exec("UPDATE deliveries SET dispatch_at = NULL")
	must(t, err)
	b.advance(time.Hour)
	equal(t, "done after an hour", b.step(b.Store, operation).Changed, 126) // 1 s back, 1.5 s ahead
	b.spaced(sub, 126, b.clock().Add(-time.Second), 20*time.Millisecond)
}

// TestReleaseWaitsForTheRelays: while the relays are behind it dates nothing, so that due
// deliveries of others do not wait behind it.
func TestReleaseWaitsForTheRelays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, busy := b.subscribe("acme", "*"), b.subscribe("globex", "*")
	b.changeState(sub, switchboard.PauseSubscription)
	b.many(sub, 10)
	b.many(busy, 100)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	_, err := b.sql.Exec("UPDATE deliveries SET dispatch_at = $2 WHERE subscription_id = $1", busy.ID, b.clock().Add(-time.Second))
	must(t, err)
	operation := b.changeState(sub, switchboard.ResumeSubscription)
	progress := b.step(b.Store, operation)
	equal(t, "while they are behind", []any{progress.Changed, progress.Finished, time.Duration(progress.Wait)}, []any{0, false, time.Second})
	_, err = b.sql.Exec("UPDATE deliveries SET dispatch_at = NULL WHERE id = (SELECT min(id) FROM deliveries WHERE subscription_id = $1)", busy.ID)
	must(t, err)
	equal(t, "afterwards", b.step(b.Store, operation).Changed, 10)
}

// TestReleaseLeavesWhatIsHeldForOtherReasons: an operator's hold stays, and a delivery that is now
// held for another reason names that.
func TestReleaseLeavesWhatIsHeldForOtherReasons(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, other := b.subscribe("acme", "*"), b.subscribe("acme", "*")
	b.changeState(sub, switchboard.PauseSubscription)
	b.many(sub, 4)
	b.many(other, 1)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	b.holdAll(other, switchboard.ReasonSubscriptionPaused)
	id := func(i int) string { return fmt.Sprintf("dlv_%s_%09d", sub.ID, i) }
	_, err := b.sql.Exec("UPDATE deliveries SET reason = 'operator' WHERE id = $1", id(2))
	must(t, err)
	_, err = b.sql.Exec("UPDATE deliveries SET expires_at = $2, held_until = $2 WHERE id = $1", id(3), b.clock())
	must(t, err)
	operation := b.changeState(sub, switchboard.ResumeSubscription)
	b.changeState(sub, switchboard.PauseSubscription) // before the first step
	progress := b.step(b.Store, operation)
	equal(t, "paused again", []any{progress.Done, progress.Skipped, progress.Finished}, []any{1, 2, true})
	equal(t, "expired", b.read(id(3)).Reason, switchboard.ReasonExpired)

	operation = b.changeState(sub, switchboard.ResumeSubscription)
	b.operate(operation)
	equal(t, "states", []switchboard.State{b.read(id(1)).State, b.read(id(2)).State, b.read(id(4)).State},
		[]switchboard.State{switchboard.StatePending, switchboard.StateHeld, switchboard.StatePending})
	equal(t, "of another subscription", b.count(other, switchboard.StateHeld), 1)
}

// TestReleaseAgain: if a release is started while one runs, the same operation begins again with
// the oldest.
func TestReleaseAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.changeState(sub, switchboard.PauseSubscription)
	b.many(sub, 200)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	operation := b.changeState(sub, switchboard.ResumeSubscription)
	b.step(b.Store, operation)
	b.changeState(sub, switchboard.PauseSubscription)
	first := "dlv_" + sub.ID + "_000000001"
	held, err := b.HoldDelivery(t.Context(), b.read(first), switchboard.Conditions{})
	must(t, err)
	equal(t, "parked behind the release", held.State, switchboard.StateHeld)
	equal(t, "operation", b.changeState(sub, switchboard.ResumeSubscription), operation)
	b.operate(operation)
	equal(t, "held", b.count(sub, switchboard.StateHeld), 0)
	equal(t, "generation", b.read(first).Generation, 3)
	var running int
	must(t, b.sql.Get(&running, "SELECT count(*) FROM operations WHERE state = 'running'"))
	equal(t, "running operations", running, 0)
}

// TestReleaseRaces: events are accepted, the subscription is paused and resumed, and two processes
// make the steps of one operation, all at the same time. No delivery is left held, and none is
// released twice for one hold.
func TestReleaseRaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	other := b.open(ring)
	b.changeState(sub, switchboard.PauseSubscription)
	b.many(sub, 300)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	_, err := b.sql.Exec("UPDATE subscriptions SET document = jsonb_set(document::jsonb, '{release_rate}', '1000') WHERE id = $1", sub.ID)
	must(t, err)
	operations := make(chan string, 100)
	operations <- b.changeState(sub, switchboard.ResumeSubscription)
	var changes, steps sync.WaitGroup
	for _, s := range []*store.Store{b.Store, other} {
		changes.Go(func() {
			for range 30 {
				if _, err := s.Accept(t.Context(), root(), []switchboard.Event{event("acme", "")}); err != nil {
					t.Error(err)
				}
			}
		})
		steps.Go(func() {
			for operation := range operations {
				for finished := false; !finished; {
					progress, err := s.OperateStep(t.Context(), operation)
					if err != nil {
						t.Error(err)
						return
					}
					finished = progress.Finished
					b.dispatched(s)
					b.advance(time.Duration(progress.Wait))
				}
			}
		})
	}
	changes.Go(func() {
		for range 10 {
			b.changeState(sub, switchboard.PauseSubscription)
			operations <- b.changeState(sub, switchboard.ResumeSubscription)
		}
	})
	changes.Wait()
	close(operations)
	steps.Wait()
	equal(t, "held", b.count(sub, switchboard.StateHeld), 0)
	equal(t, "pending", b.count(sub, switchboard.StatePending), 360)
	var twice int
	// A relay that claims one while the subscription is paused holds it again.
	must(t, b.sql.Get(&twice, "SELECT count(*) FROM deliveries d WHERE generation > 2 + (SELECT count(*) FROM actions a WHERE a.delivery_id = d.id AND a.action = 'hold')"))
	equal(t, "released twice", twice, 0)
	b.noDeadlocks()
}

// TestStepIsUndoneWithItsTransaction: after a crash at any point before the commit the next step does
// the same.
func TestStepIsUndoneWithItsTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.changeState(sub, switchboard.PauseSubscription)
	b.many(sub, 10)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	operation := b.changeState(sub, switchboard.ResumeSubscription)
	_, err := b.sql.Exec(`
CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'killed'; END $$;
CREATE TRIGGER crash BEFORE UPDATE ON operations FOR EACH ROW EXECUTE FUNCTION crash()`)
	must(t, err)
	if _, err := b.OperateStep(t.Context(), operation); err == nil {
		t.Fatal("the step has not failed")
	}
	equal(t, "held", b.count(sub, switchboard.StateHeld), 10)
	_, err = b.sql.Exec("DROP TRIGGER crash ON operations")
	must(t, err)
	progress := b.step(b.Store, operation)
	equal(t, "progress", []any{progress.Total, progress.Done, progress.Finished}, []any{10, 10, true})
	equal(t, "again", b.step(b.Store, operation).Changed, 0)
	b.spaced(sub, 10, b.clock(), 20*time.Millisecond)
}

// TestTwoReleasesDoNotSlowEachOther: each has its own rate and its own row.
func TestTwoReleasesDoNotSlowEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	subs := []switchboard.Subscription{b.subscribe("acme", "*"), b.subscribe("globex", "*")}
	operations := make([]string, 2)
	for i, sub := range subs {
		b.changeState(sub, switchboard.PauseSubscription)
		b.many(sub, 100)
		b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
		operations[i] = b.changeState(sub, switchboard.ResumeSubscription)
	}
	for i, sub := range subs {
		b.step(b.Store, operations[i])
		b.spaced(sub, 76, b.clock(), 20*time.Millisecond)
	}
}

// TestRateOfARelease: the subscription's rate, and at most its rate limit.
func TestRateOfARelease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for document, want := range map[string]float64{
		`{}`:                                  50,
		`{"release_rate": 200}`:               200,
		`{"rate_limit": {"per_second": 0.5}}`: 0.5,
		`{"release_rate": 10, "rate_limit": {"per_second": 2000}}`: 10,
	} {
		sub := b.subscribe("acme", "*")
		b.changeState(sub, switchboard.PauseSubscription)
		_, err := b.sql.Exec("UPDATE subscriptions SET document = $2 WHERE id = $1", sub.ID, document)
		must(t, err)
		_, operation, err := b.ChangeSubscriptionState(t.Context(), root(), sub.ID, switchboard.ResumeSubscription, "")
		must(t, err)
		o, err := b.Operation(t.Context(), root(), operation)
		must(t, err)
		equal(t, document, o.Rate, want)
	}
}

// TestDeleteSubscriptionOfVeryMany: no delivery stays open, and the workflows of those that have
// one are ended one after the other.
func TestDeleteSubscriptionOfVeryMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, other := b.subscribe("acme", "*"), b.subscribe("acme", "*")
	b.many(sub, 2500)
	b.many(other, 1)
	operation, err := b.Store.DeleteSubscription(t.Context(), of("acme"), sub.ID, "leaving")
	must(t, err)
	equal(t, "cancelled by the call", b.count(sub, switchboard.StateCancelled), 0)
	for _, want := range []int{1000, 1000, 500} {
		progress := b.step(b.Store, operation)
		equal(t, "step", []any{progress.Changed, time.Duration(progress.Wait), progress.Finished}, []any{want, time.Duration(0), want == 500})
	}
	b.spaced(sub, 2500, b.clock(), 10*time.Millisecond)
	equal(t, "last", b.actions("dlv_"+sub.ID+"_000002500"), []string{"key_acme cancel leaving"})
	equal(t, "of another subscription", b.count(other, switchboard.StatePending), 1)
	o, err := b.Operation(t.Context(), of("acme"), operation)
	must(t, err)
	equal(t, "operation", []any{o.Action, o.State, o.Total, o.Done, o.Reason, o.Actor}, []any{switchboard.ActionCancel, switchboard.OperationFinished, 2500, 2500, "leaving", "key_acme"})
	_, err = b.Operation(t.Context(), of("globex"), operation)
	refused(t, "another tenant's", err, switchboard.CodeNotFound, "")
}

// TestOperationsAreListed: by subscription, state and tenant, newest first.
func TestOperationsAreListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for _, tenant := range []string{"acme", "globex"} {
		sub := b.subscribe(tenant, "*")
		b.changeState(sub, switchboard.PauseSubscription)
		released := b.changeState(sub, switchboard.ResumeSubscription)
		b.operate(released)
		b.advance(time.Millisecond)
		cancelled, err := b.Store.DeleteSubscription(t.Context(), root(), sub.ID, "")
		must(t, err)
		b.advance(time.Millisecond)
		want = append(want, released, cancelled)
		for filter, ids := range map[switchboard.OperationFilter][]string{
			{Subscription: sub.ID}: {cancelled, released},
			{Subscription: sub.ID, State: switchboard.OperationRunning}:  {cancelled},
			{Subscription: sub.ID, State: switchboard.OperationFinished}: {released},
			{Tenant: "nobody"}: nil,
		} {
			found, err := b.Operations(t.Context(), root(), filter, switchboard.PageRequest{})
			must(t, err)
			equal(t, fmt.Sprintf("%+v", filter), operationIDs(found.Items), ids)
		}
	}
	slices.Reverse(want)
	first, err := b.Operations(t.Context(), root(), switchboard.OperationFilter{}, switchboard.PageRequest{Limit: 3})
	must(t, err)
	rest, err := b.Operations(t.Context(), root(), switchboard.OperationFilter{}, switchboard.PageRequest{Cursor: first.NextCursor})
	must(t, err)
	equal(t, "two pages", append(operationIDs(first.Items), operationIDs(rest.Items)...), want)
	ofAcme, err := b.Operations(t.Context(), of("acme"), switchboard.OperationFilter{}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "a tenant's own", operationIDs(ofAcme.Items), want[2:])
}

func operationIDs(operations []switchboard.Operation) (ids []string) {
	for _, o := range operations {
		ids = append(ids, o.ID)
	}
	return ids
}

// TestOperationsToStart: those whose next step is late, and not one that waits for its rate.
func TestOperationsToStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, slow := b.subscribe("acme", "*"), b.subscribe("acme", "*")
	for _, s := range []switchboard.Subscription{sub, slow} {
		b.changeState(s, switchboard.PauseSubscription)
		b.many(s, 3)
		b.holdAll(s, switchboard.ReasonSubscriptionPaused)
	}
	_, err := b.sql.Exec(`UPDATE subscriptions SET document = '{"rate_limit":{"per_second":0.01}}' WHERE id = $1`, slow.ID)
	must(t, err)
	late, waiting := b.changeState(sub, switchboard.ResumeSubscription), b.changeState(slow, switchboard.ResumeSubscription)
	b.step(b.Store, waiting)
	toStart := func() []string {
		ids, err := b.OperationsToStart(t.Context(), time.Minute)
		must(t, err)
		return ids
	}
	equal(t, "at first", toStart(), []string(nil))
	b.advance(61 * time.Second)
	equal(t, "after a minute", toStart(), []string{late})
	b.operate(late)
	equal(t, "after its end", toStart(), []string(nil))
}

// TestChangeSubscriptionState: the result of each action, and where it is refused.
func TestChangeSubscriptionState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.advance(time.Hour)
	marta := switchboard.Caller{KeyID: "key_support", Role: switchboard.RoleSupport, Tenant: "acme", Person: "marta"}
	paused, operation, err := b.ChangeSubscriptionState(t.Context(), marta, sub.ID, switchboard.PauseSubscription, "migration")
	must(t, err)
	equal(t, "paused", []any{paused.State, paused.StateReason, paused.StateSince, paused.StateBy, operation}, []any{switchboard.SubscriptionPaused, "migration", b.clock(), "marta", ""})
	stored, err := b.Subscription(t.Context(), root(), sub.ID)
	must(t, err)
	equal(t, "stored", stored, paused)
	equal(t, "version", stored.Version, 1)

	held := b.accept(event("acme", "")).Deliveries[0]
	equal(t, "accepted", []any{held.State, held.Reason, held.HeldUntil}, []any{switchboard.StateHeld, switchboard.ReasonSubscriptionPaused, b.clock().Add(switchboard.DefaultHold)})
	_, _, err = b.ChangeSubscriptionState(t.Context(), marta, sub.ID, switchboard.PauseSubscription, "again")
	refused(t, "pause again", err, switchboard.CodeConflict, "")
	_, _, err = b.ChangeSubscriptionState(t.Context(), of("globex"), sub.ID, switchboard.ResumeSubscription, "")
	refused(t, "another tenant's", err, switchboard.CodeNotFound, "")

	_, err = b.sql.Exec(`INSERT INTO subscription_health (subscription_id, breaker, breaker_since, probe_at, window_at, updated_at) VALUES ($1, 'open', $2, $2, $2, $2)`, sub.ID, b.clock())
	must(t, err)
	active, operation, err := b.ChangeSubscriptionState(t.Context(), marta, sub.ID, switchboard.ResumeSubscription, "")
	must(t, err)
	equal(t, "resumed", []any{active.State, active.StateReason}, []any{switchboard.SubscriptionActive, ""})
	b.operate(operation)
	released := b.read(held.ID)
	equal(t, "released, although the breaker was open", []any{released.State, released.Generation}, []any{switchboard.StatePending, 2})
}

// TestSetAside: a delivery that an operator holds waits for its release, whatever its subscription does.
func TestSetAside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	retrying := b.record(b.delivery("acme"), 1, 503)
	b.advance(time.Second)
	want := retrying
	want.State, want.Reason, want.NextAttemptAt = switchboard.StateHeld, switchboard.ReasonOperator, time.Time{}
	want.ParkedAt, want.HeldUntil, want.DispatchAt = b.clock(), b.clock().Add(switchboard.DefaultHold), b.clock().Add(switchboard.DispatchGrace)
	for range 2 { // the second time changes nothing, but is stored
		got, err := b.SetAside(t.Context(), of("acme"), retrying.ID, "wrong price")
		must(t, err)
		equal(t, "held", got, want)
	}
	equal(t, "stored", b.read(retrying.ID), want)
	equal(t, "actions", b.actions(retrying.ID), []string{"key_acme hold wrong price", "key_acme hold wrong price"})

	// The start that a relay has made before covers neither the hold nor the wake that the hold
	// needs.
	started := retrying
	started.State = switchboard.StatePending
	must(t, b.MarkDispatched(t.Context(), []switchboard.Delivery{started}))
	equal(t, "dispatch after a start", b.read(retrying.ID).DispatchAt, want.DispatchAt)
	b.advance(switchboard.DispatchGrace)
	claimed, err := b.ClaimDispatches(t.Context(), 10, time.Second)
	must(t, err)
	equal(t, "claimed", []any{len(claimed), claimed[0].State}, []any{1, switchboard.StateHeld})
	must(t, b.MarkDispatched(t.Context(), claimed))
	equal(t, "dispatch", b.read(retrying.ID).DispatchAt, time.Time{})

	b.operate(b.pausedAndResumed(retrying.SubscriptionID))
	equal(t, "after a release of the subscription", b.read(retrying.ID).State, switchboard.StateHeld)
	released, err := b.ReleaseDelivery(t.Context(), of("acme"), retrying.ID, "right")
	must(t, err)
	equal(t, "released", []any{released.State, released.NextAttemptAt, released.DispatchAt, released.Generation, released.AttemptsMade, released.PriorAttempts, released.HeldUntil},
		[]any{switchboard.StatePending, b.clock(), b.clock(), 2, 1, 0, time.Time{}})

	final := b.record(b.delivery("acme"), 1, 200)
	_, err = b.SetAside(t.Context(), root(), final.ID, "x")
	refused(t, "hold of a final one", err, switchboard.CodeConflict, "")
	_, err = b.ReleaseDelivery(t.Context(), root(), final.ID, "x")
	refused(t, "release of a final one", err, switchboard.CodeConflict, "")
	_, err = b.SetAside(t.Context(), root(), "dlv_none", "x")
	refused(t, "no such delivery", err, switchboard.CodeNotFound, "")
}

func (b *bundle) pausedAndResumed(id string) (operation string) {
	b.changeState(switchboard.Subscription{ID: id}, switchboard.PauseSubscription)
	return b.changeState(switchboard.Subscription{ID: id}, switchboard.ResumeSubscription)
}

// TestReleaseOfWhatItsSubscriptionHolds: it is refused; a delivery that an operator holds gets the
// subscription's reason.
func TestReleaseOfWhatItsSubscriptionHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	_, err := b.SetAside(t.Context(), root(), d.ID, "x")
	must(t, err)
	sub := switchboard.Subscription{ID: d.SubscriptionID}
	b.changeState(sub, switchboard.PauseSubscription)
	got, err := b.ReleaseDelivery(t.Context(), root(), d.ID, "y")
	must(t, err)
	equal(t, "released by the operator", []any{got.State, got.Reason}, []any{switchboard.StateHeld, switchboard.ReasonSubscriptionPaused})
	_, err = b.ReleaseDelivery(t.Context(), root(), d.ID, "y")
	refused(t, "held by its subscription", err, switchboard.CodeConflict, "")
	if !strings.Contains(err.Error(), "the subscription is paused") {
		t.Errorf("%v does not say why", err)
	}
	b.operate(b.changeState(sub, switchboard.ResumeSubscription))
	equal(t, "resumed", b.read(d.ID).State, switchboard.StatePending)
}

// TestHeldWhileItsRequestIsUnderWay: the attempt counts, and a delivery that the receiver has
// accepted is delivered.
func TestHeldWhileItsRequestIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for status, want := range map[int]switchboard.State{200: switchboard.StateDelivered, 503: switchboard.StateHeld, 410: switchboard.StateHeld} {
		d := b.delivery("acme")
		_, err := b.SetAside(t.Context(), root(), d.ID, "x")
		must(t, err)
		got := b.record(d, 1, status)
		equal(t, fmt.Sprint(status), []any{got.State, got.AttemptsMade}, []any{want, 1})
	}
}

// TestExpireHolds: a delivery that is held for longer than a hold lasts fails, and says whether its
// own deadline has passed.
func TestExpireHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.many(sub, 1202)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	id := func(i int) string { return fmt.Sprintf("dlv_%s_%09d", sub.ID, i) }
	now := b.clock()
	_, err := b.sql.Exec("UPDATE deliveries SET held_until = $1", now)
	must(t, err)
	_, err = b.sql.Exec("UPDATE deliveries SET expires_at = held_until WHERE id = $1", id(2))
	must(t, err)
	_, err = b.sql.Exec("UPDATE deliveries SET held_until = $2 WHERE id = $1", id(3), now.Add(time.Second))
	must(t, err)
	for _, want := range []int{1201, 0} {
		expired, err := b.ExpireHolds(t.Context())
		must(t, err)
		equal(t, "expired", expired, want)
	}
	equal(t, "reasons", []string{b.read(id(1)).Reason, b.read(id(2)).Reason, b.read(id(3)).Reason},
		[]string{switchboard.ReasonHoldExpired, switchboard.ReasonExpired, switchboard.ReasonSubscriptionPaused})
	equal(t, "failed", b.count(sub, switchboard.StateFailed), 1201)
}

// TestOperationsHaveIndexes: they read neither handled deliveries nor those that are held for other
// reasons.
func TestOperationsHaveIndexes(t *testing.T) {
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
	_, _, err = s.ChangeSubscriptionState(t.Context(), root(), sub.ID, switchboard.PauseSubscription, "x")
	must(t, err)
	_, released, err := s.ChangeSubscriptionState(t.Context(), root(), sub.ID, switchboard.ResumeSubscription, "")
	must(t, err)
	must(t, second(s.OperateStep(t.Context(), released)))
	must(t, second(s.ExpireHolds(t.Context())))
	cancelled, err := s.DeleteSubscription(t.Context(), root(), sub.ID, "")
	must(t, err)
	must(t, second(s.OperateStep(t.Context(), cancelled)))
	page, err := s.Events(t.Context(), root(), switchboard.EventFilter{Key: "k"}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "events of the key", len(page.Items), 9)
	must(t, s.Close()) // then Postgres counts
	for _, index := range []string{"deliveries_open", "deliveries_releasable", "deliveries_held_until", "events_key"} {
		eventually(t, index+" is used", func() bool {
			var scans int
			must(t, b.sql.Get(&scans, "SELECT sum(idx_scan) FROM pg_stat_user_indexes JOIN pg_inherits ON inhrelid = indexrelid WHERE inhparent = $1::regclass", index))
			return scans > 0
		})
	}
}
