package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// canary is in everything that a test stores of one tenant.
const canary = "canary7391"

// canaries returns the rows of any table that have the canary, as text or in bytes.
func (b *bundle) canaries() []string {
	b.t.Helper()
	found := []string{}
	for table, rows := range b.dump() {
		for _, row := range rows {
			if strings.Contains(row, canary) || strings.Contains(row, fmt.Sprintf("%x", canary)) {
				found = append(found, fmt.Sprintf("%s: %.300s", table, row))
			}
		}
	}
	return found
}

// eraseAll makes the steps of an erasure as the workflow does, while a relay dispatches.
func (b *bundle) eraseAll(id string) {
	b.t.Helper()
	for range 100 {
		progress, err := b.EraseStep(b.t.Context(), id)
		must(b.t, err)
		if progress.Finished {
			return
		}
		b.advance(time.Minute)
		claimed, err := b.ClaimDispatches(b.t.Context(), 1000, time.Minute)
		must(b.t, err)
		must(b.t, b.MarkDispatched(b.t.Context(), claimed))
	}
	b.t.Fatal("the erasure does not end")
}

// withCanary makes a subscription, a key, events and deliveries of a tenant, with the canary in
// every place for the tenant's texts.
func (b *bundle) withCanary(tenant string) (open, ended switchboard.Delivery) {
	b.t.Helper()
	ctx := b.t.Context()
	s := switchboard.Subscription{
		Tenant: tenant, Name: canary + " hook", Events: []string{"ticket.*"},
		Request: switchboard.Request{URL: "https://" + canary + ".example/hook?key=" + canary, Headers: map[string]string{"Authorization": canary}},
		Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
	}
	s.SetDefaults()
	must(b.t, b.CreateSubscription(ctx, root(), &s))
	_, err := b.CreateKey(ctx, root(), switchboard.Key{Name: canary, Role: switchboard.RolePublisher, Tenant: tenant}, switchboard.NewKeyText())
	must(b.t, err)
	var made []switchboard.Delivery
	for i := range 3 {
		e := switchboard.Event{ID: fmt.Sprint(canary, "-", i), Tenant: tenant, Type: "ticket.created", Key: canary, Data: []byte(`{"a":"` + canary + `"}`)}
		d := b.accept(e).Deliveries[0]
		a := b.attempt(d, 1, 503)
		a.Outcome.Detail, a.Outcome.Response.Body = canary, []byte(canary)
		a.Request.Headers, a.Request.URL = map[string]string{"X-Canary": canary}, "https://receiver.example/"+canary
		policy := switchboard.Next(s.Retry, s.LimitsUnder(0), d.ID, 1, a.Outcome)
		_, err := b.Record(ctx, switchboard.Record{Attempt: a, Decision: policy, TemporalRunID: "run_of_" + d.ID, Generation: 1})
		must(b.t, err)
		made = append(made, d)
	}
	_, err = b.Cancel(ctx, root(), made[1].ID, canary)
	must(b.t, err)
	claim, err := b.Claim(ctx, "key_1", canary+tenant, [32]byte{1})
	must(b.t, err)
	must(b.t, b.SaveAnswer(ctx, claim, switchboard.StoredAnswer{Status: 202, Body: []byte(`{"deliveries":[{"tenant":"` + tenant + `"}]}`)}))
	return made[0], made[1]
}

func TestEraseTenant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.withCanary("acme")
	other := b.delivery("globex")
	claim, err := b.Claim(ctx, "key_1", "globex", [32]byte{1})
	must(t, err)
	must(t, b.SaveAnswer(ctx, claim, switchboard.StoredAnswer{Status: 202, Body: []byte(`{"tenant":"globex"}`)}))
	if n := len(b.canaries()); n < 12 {
		t.Fatalf("only %d rows hold the canary before the erasure", n)
	}

	_, err = b.EraseTenant(ctx, of("globex"), "acme", "not mine")
	refused(t, "of another tenant's key", err, switchboard.CodeNotFound, "")
	_, err = b.EraseTenant(ctx, root(), "initech", "who?")
	refused(t, "of an unknown tenant", err, switchboard.CodeNotFound, "")
	event, err := b.EraseEvent(ctx, root(), "acme", canary+"-2", canary)
	must(t, err)
	b.eraseAll(event.ID)
	e, err := b.EraseTenant(ctx, root(), "acme", "asked for by letter 5")
	must(t, err)
	again, err := b.EraseTenant(ctx, root(), "acme", "twice")
	must(t, err)
	equal(t, "asked for again", again.ID, e.ID)
	b.eraseAll(e.ID)
	b.eraseAll(e.ID) // a step that is repeated after everything is done

	equal(t, "rows that hold the canary after the erasure", b.canaries(), []string{})
	done, err := b.Erasure(ctx, root(), e.ID)
	must(t, err)
	equal(t, "finished", done.Finished(), true)
	equal(t, "the audit", []string{done.Tenant, done.Actor, done.Reason}, []string{"acme", "key_root", "asked for by letter 5"})
	equal(t, "erased", done.Erased, switchboard.Erased{Keys: 1, Subscriptions: 1, Cancelled: 1, Deliveries: 3, Attempts: 3, Events: 3})
	listed, err := b.Erasures(ctx, root(), switchboard.PageRequest{})
	must(t, err)
	equal(t, "listed", []any{len(listed.Items), slices.Contains(listed.Items, done)}, []any{2, true})
	listed, err = b.Erasures(ctx, of("globex"), switchboard.PageRequest{})
	must(t, err)
	equal(t, "listed for another tenant", len(listed.Items), 0)
	_, err = b.Erasure(ctx, of("globex"), e.ID)
	refused(t, "another tenant's erasure", err, switchboard.CodeNotFound, "")
	again, err = b.EraseTenant(ctx, root(), "acme", "once more")
	must(t, err)
	equal(t, "asked for when all is done", again.ID, e.ID)

	equal(t, "another tenant's delivery", b.read(other.ID).State, switchboard.StatePending)
	claim, err = b.Claim(ctx, "key_1", "globex", [32]byte{1})
	must(t, err)
	if claim.Answer == nil {
		t.Error("another tenant's stored answer is gone")
	}
	if d := b.delivery("acme"); d.State != switchboard.StatePending {
		t.Errorf("the tenant comes again: %+v", d)
	}
	equal(t, "violations", b.verifyDatabase().Violations, []switchboard.Violation{})
}

func TestEraseEvent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	open, ended := b.withCanary("acme")

	_, err := b.EraseEvent(ctx, of("globex"), "", open.EventID, "not mine")
	refused(t, "of another tenant's key", err, switchboard.CodeNotFound, "")
	for _, d := range []switchboard.Delivery{open, ended} {
		e, err := b.EraseEvent(ctx, of("acme"), "", d.EventID, "a card number")
		must(t, err)
		b.eraseAll(e.ID)
		again, err := b.EraseEvent(ctx, of("acme"), "", d.EventID, "a card number")
		must(t, err)
		equal(t, "asked for again", []any{again.ID, again.Finished()}, []any{e.ID, true})
	}
	after := b.read(open.ID)
	equal(t, "the open one", []any{after.State, after.Reason}, []any{switchboard.StateCancelled, switchboard.ReasonErased})
	equal(t, "what was cancelled before", b.read(ended.ID).Reason, switchboard.ReasonOperator)
	event, _, err := b.Event(ctx, root(), "acme", open.EventID)
	must(t, err)
	if len(event.Data) > 0 || event.Key != "" || event.ErasedAt.IsZero() {
		t.Errorf("the event: %q, key %q, erased at %v", event.Data, event.Key, event.ErasedAt)
	}
	detail, err := b.Delivery(ctx, root(), open.ID)
	must(t, err)
	if attempt := detail.Attempts[0]; strings.Contains(fmt.Sprintf("%+v", attempt), canary) || attempt.Outcome.StatusCode != 503 {
		t.Errorf("its attempt: %+v", attempt)
	}
	for _, d := range []switchboard.Delivery{open, ended} {
		_, _, err = b.Retry(ctx, root(), d.ID, "once more")
		refused(t, "a retry", err, switchboard.CodeConflict, "")
		reset, err := b.Reset(ctx, d.ID, "another run", switchboard.Action{})
		must(t, err)
		equal(t, "after a reset in Temporal", reset.State, switchboard.StateCancelled)
	}
	accepted, err := b.Accept(ctx, root(), []switchboard.Event{{ID: open.EventID, Tenant: "acme", Type: "ticket.created", Key: canary, Data: []byte(`{"a":"` + canary + `"}`)}})
	must(t, err)
	must(t, accepted[0].Err)
	equal(t, "the event posted again is a duplicate", []any{accepted[0].Duplicate, accepted[0].Deliveries[0].ID}, []any{true, open.ID})
	equal(t, "violations", b.verifyDatabase().Violations, []switchboard.Violation{})
}

// Erased data stay erased, also if a partition was staged before.
func TestErasureDropsAStage(t *testing.T) {
	t.Parallel()
	a := setupArchive(t, 4)
	a.fill(4)
	mine := a.add(generated{state: "failed", createdAt: a.first.Add(time.Hour), endedAt: a.first.Add(2 * time.Hour), tenant: "globex"})
	r := switchboard.Retention{Delivered: testDay, Failed: 20 * testDay}
	visits, err := a.PlanVisits(t.Context(), r)
	must(t, err)
	_, err = a.Stage(t.Context(), visits[0])
	must(t, err)
	e, err := a.EraseTenant(t.Context(), root(), "globex", "asked for")
	must(t, err)
	a.eraseAll(e.ID)
	delete(a.rows, mine.id)
	done, _, err := a.Swap(t.Context(), visits[0])
	must(t, err)
	equal(t, "the stage is swapped in", done, false)
	a.retain(r)
	a.check(r)
}

// A delivery that retention will erase is not started again.
func TestRetryAfterRetention(t *testing.T) {
	t.Parallel()
	a := setupArchive(t, 0)
	sub := a.subscribe("acme", "ticket.*")
	accepted, err := a.AcceptFor(t.Context(), root(), sub.ID, event("acme", ""), false)
	must(t, err)
	d := a.record(accepted.Deliveries[0], 1, 410)
	equal(t, "state", d.State, switchboard.StateFailed)
	a.advance(2 * testDay)
	_, _, err = a.Retry(t.Context(), root(), d.ID, "in time")
	must(t, err)
	_, err = a.Cancel(t.Context(), root(), d.ID, "again")
	must(t, err)
	_, err = a.PlanVisits(t.Context(), switchboard.Retention{Delivered: testDay, Failed: 20 * testDay})
	must(t, err)
	_, _, err = a.Retry(t.Context(), root(), d.ID, "too late")
	refused(t, "a retry", err, switchboard.CodeConflict, "")
	if !strings.Contains(err.Error(), "cannot be started again") {
		t.Errorf("it says %v", err)
	}
	_, _, err = a.Retry(t.Context(), root(), a.accept(event("acme", "")).Deliveries[0].ID, "a new one")
	must(t, err)
}
