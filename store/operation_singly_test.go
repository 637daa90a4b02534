package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// breaks makes Postgres refuse every change of a delivery with that id, and every new delivery of
// that event.
func (b *bundle) breaks(id string) {
	b.t.Helper()
	_, err := b.sql.Exec(fmt.Sprintf(`
CREATE OR REPLACE FUNCTION break_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'secret words of %%', NEW.id; END $$;
CREATE TRIGGER break_change BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.id = %[1]s) EXECUTE FUNCTION break_it();
CREATE TRIGGER break_new BEFORE INSERT ON deliveries FOR EACH ROW WHEN (NEW.event_id = %[1]s) EXECUTE FUNCTION break_it()`, pq.QuoteLiteral(id)))
	must(b.t, err)
}

// operateSingly runs an operation to its end, one item at a time.
func (b *bundle) operateSingly(id string) {
	b.t.Helper()
	for finished := false; !finished; {
		progress, err := b.OperateSingly(b.t.Context(), id)
		must(b.t, err)
		finished = progress.Finished
		b.dispatched(b.Store)
		b.advance(time.Duration(progress.Wait))
	}
}

// failures returns the failed items of the operation, each with its reason.
func (b *bundle) failures(id string) (failures []string) {
	b.t.Helper()
	page, err := b.OperationItems(b.t.Context(), root(), id, switchboard.OutcomeFailed, switchboard.PageRequest{})
	must(b.t, err)
	for _, i := range page.Items {
		failures = append(failures, i.DeliveryID+i.EventID+": "+i.Why)
	}
	return failures
}

const raised = ": the database refuses the change (P0001, raise_exception); the log of the worker has more"

// TestBrokenItemFailsAlone: an item that always breaks its step fails, and the others are handled
// once.
func TestBrokenItemFailsAlone(t *testing.T) {
	t.Parallel()
	for action, done := range map[switchboard.ActionKind]string{
		switchboard.ActionRetry: "pending", switchboard.ActionCancel: "cancelled", switchboard.ActionHold: "held", switchboard.ActionRelease: "pending",
	} {
		b := setup(t)
		state := map[switchboard.ActionKind]switchboard.State{switchboard.ActionRetry: "failed", switchboard.ActionCancel: "retrying", switchboard.ActionHold: "retrying", switchboard.ActionRelease: "held"}[action]
		ids := b.stored(b.subscribe("acme", "none"), state, 5, b.clock().Add(-time.Hour))
		b.breaks(ids[2])
		o := b.startedBy(root(), action, switchboard.Selection{Tenant: "acme"})
		for range 2 {
			if _, err := b.OperateStep(t.Context(), o.ID); err == nil || !strings.Contains(err.Error(), "secret words") {
				t.Fatalf("%s: the whole step: %v", action, err)
			}
		}
		equal(t, string(action)+": before", b.outcome(o.ID), "running 0 0 0 of 5")
		b.operateSingly(o.ID)
		equal(t, string(action), b.outcome(o.ID), "finished 4 0 1 of 5")
		equal(t, string(action)+": failed", b.failures(o.ID), []string{ids[2] + raised})
		var states []string
		must(t, b.sql.Select(&states, "SELECT state FROM deliveries ORDER BY id"))
		equal(t, string(action)+": states", states, []string{done, done, string(state), done, done})
		var actions int
		must(t, b.sql.Get(&actions, "SELECT count(*) FROM actions"))
		equal(t, string(action)+": actions", actions, 4)
	}
}

// TestBrokenEventFailsAlone: the others are replayed once, also if the broken one is the last.
func TestBrokenEventFailsAlone(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"e-1", "e-4"} {
		b := setup(t)
		b.subscribe("acme", "*")
		for i := range 5 {
			b.advance(time.Second)
			b.accept(event("acme", fmt.Sprintf("e-%d", i)))
		}
		b.advance(time.Minute)
		sub := b.ordering("acme", byKey)
		b.breaks(broken)
		o := b.startedBy(root(), switchboard.ActionReplay, switchboard.Selection{Subscription: sub.ID})
		if _, err := b.OperateStep(t.Context(), o.ID); err == nil {
			t.Fatal("the whole step is done")
		}
		b.operateSingly(o.ID)
		equal(t, broken, b.outcome(o.ID), "finished 4 0 1 of 5")
		equal(t, broken+": failed", b.failures(o.ID), []string{broken + raised})
		equal(t, broken+": replayed", b.count(sub, switchboard.StatePending), 4)
	}
}

// TestBrokenItemOfOurOwn: it blocks neither a release nor the cancelling for a deleted
// subscription.
func TestBrokenItemOfOurOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	ids := b.stored(sub, switchboard.StateRetrying, 5, b.clock().Add(-time.Hour))
	b.changeState(sub, switchboard.PauseSubscription)
	b.holdAll(sub, switchboard.ReasonSubscriptionPaused)
	b.breaks(ids[2])
	release := b.changeState(sub, switchboard.ResumeSubscription)
	if _, err := b.OperateStep(t.Context(), release); err == nil {
		t.Fatal("the whole step is done")
	}
	b.operateSingly(release)
	equal(t, "release", b.outcome(release), "finished 4 0 1 of 5")
	equal(t, "release: failed", b.failures(release), []string{ids[2] + raised})
	equal(t, "pending, held", []int{b.count(sub, switchboard.StatePending), b.count(sub, switchboard.StateHeld)}, []int{4, 1})
	cancel, err := b.Store.DeleteSubscription(t.Context(), root(), sub.ID, "left")
	must(t, err)
	b.operateSingly(cancel)
	equal(t, "cancel", b.outcome(cancel), "finished 4 0 1 of 5")
	equal(t, "cancelled, held", []int{b.count(sub, switchboard.StateCancelled), b.count(sub, switchboard.StateHeld)}, []int{4, 1})
}

// TestWhyItemsBreak: the reason has Postgres's error without the quoted data; an error that no item
// causes is no outcome.
func TestWhyItemsBreak(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	ids := b.stored(sub, switchboard.StateFailed, 3, b.clock().Add(-time.Hour))
	o := b.startedBy(root(), switchboard.ActionRetry, switchboard.Selection{Subscription: sub.ID})
	away, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.OperateSingly(away, o.ID); err == nil {
		t.Error("a step whose caller has left is done")
	}
	must(t, second(b.sql.Exec("ALTER TABLE actions RENAME TO actions_gone")))
	if _, err := b.OperateSingly(t.Context(), o.ID); err == nil {
		t.Error("a step without a table is done")
	}
	equal(t, "nothing done", b.outcome(o.ID), "running 0 0 0 of 3")
	must(t, second(b.sql.Exec("ALTER TABLE actions_gone RENAME TO actions")))
	must(t, second(b.sql.Exec(fmt.Sprintf("ALTER TABLE deliveries ADD CONSTRAINT stays_failed CHECK (id <> '%s' OR state = 'failed')", ids[0]))))
	b.operateSingly(o.ID)
	equal(t, "operation", b.outcome(o.ID), "finished 2 0 1 of 3")
	equal(t, "failed", b.failures(o.ID), []string{ids[0] + ": the database refuses the change (23514, check_violation stays_failed); the log of the worker has more"})
}
