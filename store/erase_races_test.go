package store_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// An attempt that runs during the erasure of its event leaves nothing of its request.
func TestEraseEventUnderAttempt(t *testing.T) {
	t.Parallel()
	for _, ended := range []bool{false, true} {
		b := setup(t)
		d := b.delivery("acme")
		b.record(d, 1, 503)
		if ended {
			_, err := b.Cancel(t.Context(), root(), d.ID, "over")
			must(t, err)
		}
		e, err := b.EraseEvent(t.Context(), root(), "acme", d.EventID, "a card number")
		must(t, err)
		b.eraseAll(e.ID)
		late := b.attempt(d, 2, 503)
		late.Outcome.Detail, late.Outcome.Response.Body, late.Outcome.Response.Headers = canary, []byte(canary), map[string]string{"X": canary}
		late.Request.Headers, late.Request.URL = map[string]string{"X-Canary": canary}, "https://receiver.example/"+canary+"?a="+canary
		_, err = b.Record(t.Context(), switchboard.Record{Attempt: late, Decision: switchboard.Decision{State: switchboard.StateRetrying, Wait: time.Hour}, TemporalRunID: "run_1", Generation: 1})
		must(t, err)
		equal(t, "what is left", b.canaries(), []string{})
		detail, err := b.Delivery(t.Context(), root(), d.ID)
		must(t, err)
		equal(t, "attempts", []any{len(detail.Attempts), detail.Attempts[1].Outcome.StatusCode}, []any{2, 503})
		equal(t, "violations", b.verifyDatabase().Violations, []switchboard.Violation{})
	}
}

// After the idempotency window an id may come again: each event with that id is erased.
func TestEraseEventsOfOneID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.subscribe("acme", "ticket.*")
	withCanary := func() switchboard.Delivery {
		e := event("acme", "platform-1")
		e.Data = []byte(`{"a":"` + canary + `"}`)
		return b.accept(e).Deliveries[0]
	}
	erase := func() switchboard.Erasure {
		e, err := b.EraseEvent(ctx, root(), "acme", "platform-1", "asked")
		must(t, err)
		b.eraseAll(e.ID)
		return e
	}
	withCanary()
	b.advance(8 * testDay)
	second := withCanary()
	first := erase()
	equal(t, "what is left of both", b.canaries(), []string{})
	b.advance(8 * testDay)
	third := withCanary()
	if third.ID == second.ID {
		t.Fatal("it is a duplicate")
	}
	if again := erase(); again.ID == first.ID {
		t.Error("the third is not erased")
	}
	equal(t, "what is left of the third", b.canaries(), []string{})
	if again := erase(); again.ID == first.ID {
		t.Error("the last erasure is not found")
	}
}

// Rows of a tenant that a slow process, or one with a late clock, stores during the erasure are
// erased too.
func TestEraseTenantWhileItIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.withCanary("acme")
	began := b.clock().Add(-time.Second)
	e, err := b.EraseTenant(ctx, root(), "acme", "asked")
	must(t, err)
	late := func() { // calls that run at the cut-off
		_, err := b.sql.Exec(`INSERT INTO events (id, tenant, type, created_at, occurred_at, data) VALUES ($1, 'acme', 'other', $2, $2, $3)`,
			switchboard.NewID("late-", time.Now()), began, canary)
		must(t, err)
		_, err = b.sql.Exec(`INSERT INTO event_ids (name, created_at, content) SELECT encode(substring(sha256(convert_to('acme', 'UTF8') || '\x00'::bytea || convert_to(id, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid, created_at, ''
FROM events WHERE tenant = 'acme' AND type = 'other' ON CONFLICT DO NOTHING`)
		must(t, err)
		_, err = b.sql.Exec(`INSERT INTO subscriptions SELECT (jsonb_populate_record(s, jsonb_build_object('id', id || '_late', 'deleted_at', NULL, 'name', id, 'created_at', $1::timestamptz))).* FROM subscriptions s WHERE tenant = 'acme' AND id NOT LIKE '%late' ON CONFLICT DO NOTHING`, began)
		must(t, err)
		_, err = b.sql.Exec(`INSERT INTO keys (id, name, role, tenant, created_at, hash) VALUES ('key_late', $1, 'viewer', 'acme', $2, sha256('late')) ON CONFLICT DO NOTHING`, canary, began)
		must(t, err)
	}
	for range 5 {
		progress, err := b.EraseStep(ctx, e.ID)
		must(t, err)
		if progress.Finished {
			t.Fatal("it has ended within the time in which such may come")
		}
		late()
		b.accept(event("acme", "")) // for the subscription that was being made
		claimed, err := b.ClaimDispatches(ctx, 1000, time.Minute)
		must(t, err)
		must(t, b.MarkDispatched(ctx, claimed))
	}
	b.advance(-time.Second)
	b.eraseAll(e.ID)
	equal(t, "what is left", b.canaries(), []string{})
	for _, v := range b.verifyDatabase().Violations {
		if strings.HasPrefix(v.Check, "erased_") {
			t.Errorf("%+v", v)
		}
	}
}

// A lost attempt has no URL. Retention and an erasure erase its payload like that of others.
func TestErasePayloadWithoutURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		erase func(a *archive, g *generated)
	}{
		{"retention of payloads", func(a *archive, _ *generated) {
			a.retain(switchboard.Retention{Delivered: 3 * testDay, Failed: 20 * testDay, Payloads: testDay})
		}},
		{"retention of survivors", func(a *archive, g *generated) {
			a.exec("UPDATE deliveries SET state = 'pending', next_attempt_at = created_at, completed_at = NULL, reason = ''")
			r := switchboard.Retention{Delivered: 2 * testDay, Failed: 20 * testDay, Payloads: testDay}
			a.retain(r)
			a.exec("UPDATE deliveries SET state = 'failed', next_attempt_at = NULL, completed_at = $1, reason = 'permanent'", g.endedAt)
			a.at(a.clock().Add(testDay))
			a.retain(r)
		}},
		{"erasure of the event", func(a *archive, g *generated) {
			e, err := a.EraseEvent(a.t.Context(), root(), "acme", g.event, "asked")
			must(a.t, err)
			a.eraseAll(e.ID)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := setupArchive(t, 4)
			g := a.add(generated{state: "failed", createdAt: a.first.Add(time.Hour), endedAt: a.first.Add(2 * time.Hour), attempts: 5})
			for number, url := range []string{"", "{{ url }}", "relative/" + canary, "https://receiver.example?" + canary, "https://receiver.example/" + canary} {
				a.exec("UPDATE attempts SET url = $1, request_headers = '{}', response_headers = '{}', response_body = '' WHERE number = $2", url, number+1)
			}
			c.erase(a, g)
			var urls []string
			must(t, a.sql.Select(&urls, "SELECT url FROM attempts ORDER BY number"))
			equal(t, "URLs", urls, []string{"", "", "", "https://receiver.example", "https://receiver.example"})
		})
	}
}

// TestEraseEventWhileItIsResent: a copy that is made of a delivery while the event is being erased
// is cancelled too, and its overrides are erased.
func TestEraseEventWhileItIsResent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	b.record(d, 1, 410)
	e, err := b.EraseEvent(t.Context(), root(), "acme", d.EventID, "a card number")
	must(t, err)
	held, err := b.sql.Beginx()
	must(t, err)
	must(t, second(held.Exec("SELECT FROM deliveries WHERE id = $1 FOR UPDATE", d.ID)))
	var both sync.WaitGroup
	var resent switchboard.Delivery
	body := canary
	both.Go(func() {
		var err error
		resent, _, err = b.Resend(t.Context(), root(), d.ID, switchboard.Resend{Reason: "r", Overrides: switchboard.Overrides{Body: &body}})
		must(t, err)
	})
	b.awaitLockWaits(1)
	both.Go(func() { _, _ = b.EraseStep(t.Context(), e.ID) }) // the workflow repeats a failed step
	b.awaitLockWaits(2)
	must(t, held.Rollback())
	both.Wait()
	b.eraseAll(e.ID)
	after := b.read(resent.ID)
	equal(t, "the copy", string(after.State)+" "+after.Reason, "cancelled "+switchboard.ReasonErased)
	var kept int
	must(t, b.sql.Get(&kept, "SELECT count(*) FROM resends WHERE ciphertext <> ''"))
	equal(t, "what it was to send", kept, 0)
}
