package store_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// changed are overrides of every kind.
func changed() switchboard.Overrides {
	body := `{"word":"canary-body"}`
	return switchboard.Overrides{
		URL: "https://elsewhere.example/canary-path", Headers: switchboard.Headers{"X-Word": "canary-header", "Authorization": "canary-credential"},
		Body: &body, Timeout: switchboard.Duration(20 * time.Second),
	}
}

// TestResend: the copy has its own life and its overrides, both sides name each other, and the
// overrides cannot be read in the database.
func TestResend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	original := b.record(b.delivery("acme"), 1, 410)
	b.advance(time.Hour)
	asked := switchboard.Resend{Reason: "lost it", Overrides: changed(), Elsewhere: true}
	d, start, err := b.Resend(t.Context(), of("acme"), original.ID, asked)
	must(t, err)
	equal(t, "copy", d, switchboard.Delivery{
		ID: d.ID, Tenant: "acme", EventID: original.EventID, EventType: original.EventType, SubscriptionID: original.SubscriptionID, Method: "POST", Host: "elsewhere.example",
		State: switchboard.StatePending, Generation: 1, CreatedAt: b.clock(), NextAttemptAt: b.clock(), DispatchAt: b.clock().Add(switchboard.DispatchGrace),
	})
	equal(t, "stored", []any{start, b.read(d.ID)}, []any{true, d})
	equal(t, "original", b.read(original.ID), original)
	for id, want := range map[string][]string{original.ID: {"", d.ID, ""}, d.ID: {original.ID, "", "url headers body timeout"}} {
		detail, err := b.Delivery(t.Context(), of("acme"), id)
		must(t, err)
		equal(t, "links", []string{detail.ResendOf, strings.Join(detail.ResentAs, " "), strings.Join(detail.Changed, " ")}, want)
		equal(t, "actions", b.actions(id), []string{"key_acme resend lost it"})
	}
	for range 2 { // a retry of the copy sends the same
		loaded, err := b.LoadForAttempt(t.Context(), d.ID)
		must(t, err)
		equal(t, "overrides", *loaded.Overrides, changed())
		equal(t, "event", []string{loaded.Event.ID, string(loaded.Event.Data)}, []string{original.EventID, `{"b": 1,  "a":2}`})
		b.record(b.read(d.ID), loaded.Delivery.AttemptsMade+1, 410)
		must(t, third(b.Retry(t.Context(), root(), d.ID, "")))
	}
	loaded, err := b.LoadForAttempt(t.Context(), original.ID)
	must(t, err)
	if loaded.Overrides != nil {
		t.Error("the original has the overrides")
	}
	for table, rows := range b.dump() {
		if text := strings.Join(rows, "\n"); strings.Contains(text, "canary-") {
			t.Errorf("%s holds an override in clear", table)
		}
	}
	_, deliveries, err := b.Event(t.Context(), root(), "acme", original.EventID)
	must(t, err)
	equal(t, "deliveries of the event", len(deliveries), 2)
	equal(t, "violations", b.checks(), []string(nil))
}

// TestResendOnce: the same request, made again because its answer was lost, makes no second copy.
func TestResendOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	original := b.delivery("acme")
	claim, err := b.Claim(t.Context(), "key_acme", "k", [32]byte{1})
	must(t, err)
	asked := switchboard.Resend{ID: claim.DeliveryID(), Reason: "r"}
	first, start, err := b.Resend(t.Context(), root(), original.ID, asked)
	must(t, err)
	again, startAgain, err := b.Resend(t.Context(), root(), original.ID, asked)
	must(t, err)
	equal(t, "again", []any{again, start, startAgain}, []any{first, true, false})
	equal(t, "actions", len(b.actions(original.ID)), 1)
}

// TestResendStands: what holds other deliveries also holds the copy, except for the health of an
// endpoint that it does not go to; and a copy that cannot be sent is refused.
func TestResendStands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, c := range map[string]struct {
		prepare   func(d switchboard.Delivery)
		elsewhere bool
		want      string
	}{
		"active":        {func(switchboard.Delivery) {}, false, "pending "},
		"held original": {func(d switchboard.Delivery) { must(t, second(b.SetAside(t.Context(), root(), d.ID, "x"))) }, false, "pending "},
		"paused": {func(d switchboard.Delivery) {
			b.changeState(switchboard.Subscription{ID: d.SubscriptionID}, switchboard.PauseSubscription)
		}, false, "held subscription_paused"},
		"paused, elsewhere": {func(d switchboard.Delivery) {
			b.changeState(switchboard.Subscription{ID: d.SubscriptionID}, switchboard.PauseSubscription)
		}, true, "held subscription_paused"},
		"breaker open":         {func(d switchboard.Delivery) { b.breakerOpen(d.SubscriptionID) }, false, "held breaker_open"},
		"breaker, elsewhere":   {func(d switchboard.Delivery) { b.breakerOpen(d.SubscriptionID) }, true, "pending "},
		"subscription deleted": {func(d switchboard.Delivery) { must(t, b.DeleteSubscription(t.Context(), root(), d.SubscriptionID, "")) }, false, "conflict"},
		"data erased": {func(d switchboard.Delivery) {
			e, err := b.EraseEvent(t.Context(), root(), d.Tenant, d.EventID, "")
			must(t, err)
			b.eraseAll(e.ID)
		}, false, "conflict"},
		"other expectation": {func(d switchboard.Delivery) { b.record(d, 1, 200) }, false, "conflict"},
	} {
		original := b.delivery("acme")
		expect := switchboard.Expectation{}
		if c.prepare(original); name == "other expectation" {
			expect.State = switchboard.StatePending
		}
		d, _, err := b.Resend(t.Context(), root(), original.ID, switchboard.Resend{Reason: "r", Elsewhere: c.elsewhere, Expect: expect})
		got := string(d.State) + " " + d.Reason
		if err != nil {
			got = string(switchboard.CodeOf(err))
		}
		equal(t, name, got, c.want)
	}
	equal(t, "violations", b.checks(), []string(nil))
}

func (b *bundle) breakerOpen(subscriptionID string) {
	b.t.Helper()
	_, err := b.sql.Exec(`INSERT INTO subscription_health (subscription_id, breaker, breaker_since, breaker_reason, failing_since, probe_at, window_at, updated_at) VALUES ($1, 'open', $2, 'r', $2, $2, $2, $2)`,
		subscriptionID, b.clock())
	must(b.t, err)
}

// TestResendInOrder: the copy of an ordered delivery is the last of its key.
func TestResendInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ordering("acme", byKey)
	first, second := b.acceptKeyed("acme", "k")[0], b.acceptKeyed("acme", "k")[0]
	d, start, err := b.Resend(t.Context(), root(), first.ID, switchboard.Resend{Reason: "r"})
	must(t, err)
	equal(t, "copy", []any{d.State, d.BlockedBy, start}, []any{switchboard.StateBlocked, second.ID, false})
	b.record(first, 1, 200)
	b.record(b.read(second.ID), 1, 200)
	equal(t, "when those before it have ended", b.read(d.ID).State, switchboard.StatePending)
	equal(t, "violations", b.checks(), []string(nil))
}

// TestOverridesAreErased: with the event's data, with the tenant, and after their retention.
func TestOverridesAreErased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ciphertexts := func() (n int) {
		must(t, b.sql.Get(&n, "SELECT count(*) FROM resends WHERE ciphertext <> ''"))
		return n
	}
	resend := func() switchboard.Delivery {
		d, _, err := b.Resend(t.Context(), root(), b.delivery("acme").ID, switchboard.Resend{Reason: "r", Overrides: changed()})
		must(t, err)
		return d
	}
	d := resend()
	equal(t, "before", ciphertexts(), 1)
	e, err := b.EraseEvent(t.Context(), root(), "acme", d.EventID, "")
	must(t, err)
	b.eraseAll(e.ID)
	equal(t, "after the event's erasure", ciphertexts(), 0)

	d = resend()
	prune := func() { must(t, third(b.PruneRecords(t.Context(), switchboard.Retention{Failed: 90 * testDay}))) }
	must(t, second(b.sql.Exec("UPDATE retention SET payloads_until = $1", b.clock().Add(time.Hour))))
	prune()
	equal(t, "while the delivery is open", ciphertexts(), 1)
	b.record(d, 1, 200)
	prune()
	equal(t, "after their retention", ciphertexts(), 0)
	must(t, second(b.sql.Exec("UPDATE retention SET payloads_until = '1970-01-01'")))

	resend()
	erasure, err := b.EraseTenant(t.Context(), root(), "acme", "")
	must(t, err)
	b.eraseAll(erasure.ID)
	var left int
	must(t, b.sql.Get(&left, "SELECT count(*) FROM resends"))
	equal(t, "after the tenant's erasure", left, 0)
}

// TestRaceOnOneDelivery: two processes make a thousand calls of retry, cancel, hold and release on
// one delivery at once, while attempts are recorded: each accepted call is in its history, and the
// delivery satisfies the schema and the checks.
func TestRaceOnOneDelivery(t *testing.T) {
	t.Parallel()
	const calls, callers = 1000, 20
	b := setup(t)
	other := b.open(ring)
	d := b.delivery("acme")
	var mu sync.Mutex
	accepted := map[switchboard.ActionKind]int{}
	actions := []struct {
		kind switchboard.ActionKind
		call func(n int) error
	}{
		{switchboard.ActionRetry, func(n int) error {
			_, _, err := b.Retry(t.Context(), root(), d.ID, "r")
			return err
		}},
		{switchboard.ActionCancel, func(int) error { return second(other.Cancel(t.Context(), root(), d.ID, "r")) }},
		{switchboard.ActionHold, func(int) error { return second(b.SetAside(t.Context(), root(), d.ID, "r")) }},
		{switchboard.ActionRelease, func(int) error { return second(other.ReleaseDelivery(t.Context(), root(), d.ID, "r")) }},
	}
	var calling sync.WaitGroup
	for caller := range callers {
		calling.Go(func() {
			for n := caller; n < calls; n += callers {
				a := actions[(n/callers+caller)%len(actions)]
				switch err := a.call(n); {
				case err == nil:
					mu.Lock()
					accepted[a.kind]++
					mu.Unlock()
				case switchboard.CodeOf(err) != switchboard.CodeConflict:
					t.Errorf("%s: %v", a.kind, err)
				}
			}
		})
	}
	calling.Wait()
	detail, err := b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	recorded := map[switchboard.ActionKind]int{}
	for _, a := range detail.Actions {
		recorded[a.Kind]++
	}
	equal(t, "actions", recorded, accepted)
	if accepted[switchboard.ActionRetry] == 0 || accepted[switchboard.ActionHold] == 0 || accepted[switchboard.ActionCancel] == 0 {
		t.Errorf("accepted %v", accepted)
	}
	// Each start of a generation comes from an accepted retry of a cancelled one, or from a
	// release.
	if most := 1 + accepted[switchboard.ActionRetry] + accepted[switchboard.ActionRelease]; detail.Delivery.Generation > most {
		t.Errorf("generation %d after %v", detail.Delivery.Generation, accepted)
	}
	b.noDeadlocks()
	equal(t, "violations", b.checks(), []string(nil))
}
