package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/store"
)

// scripted is a subscription that uses every field.
func scripted(t *testing.T) switchboard.Subscription {
	t.Helper()
	return switchboard.Subscription{
		Tenant: "acme", Name: "script", Profile: "firstline", UseCase: "contact", Events: []string{"Contact.*"}, Filter: json.RawMessage(`{"data":{"b":{"$gte":1}}}`),
		Request: switchboard.Request{
			Method: "PUT", URL: "https://receiver.example/users/{{ contact.id }}", Body: switchboard.BodyParams,
			Params:      json.RawMessage(`{"omega":"{{ contact.first_name }}","alpha":"{{czCol.15}}"}`),
			Missing:     switchboard.MissingEmpty,
			Envelope:    &switchboard.EnvelopeFields{Type: "event_type", Data: "data", TimeFormat: switchboard.TimeFormatUnixMillis},
			XML:         &switchboard.XMLStyle{Root: "Event", Attributes: true, Elements: []string{"Message"}},
			SOAP:        &switchboard.SOAP{Version: "1.2", Action: "urn:push", Parameters: map[string]string{"token": "soap-hunter2"}},
			Headers:     map[string]string{"X-Ticket": "{{ ticket.id }}"},
			ContentType: "application/xml",
			HTTPVersion: switchboard.HTTPVersion1,
		},
		Signature: switchboard.Signature{Scheme: signing.HMACHex, Header: "X-Signalzen-Signature", Prefix: "sha256="},
		Secrets:   []switchboard.SigningSecret{{Secret: "signing-hunter2-signing-hunter2"}},
		Auth: switchboard.Auth{
			Type: switchboard.AuthOAuth2, TokenURL: "https://auth.example/token", ClientID: "us", ClientSecret: "oauth-hunter2", Scopes: []string{"hooks"},
			Parameters: map[string]switchboard.Secret{"audience": "parameter-hunter2"},
		},
		Verification: switchboard.VerificationChallenge,
		State:        switchboard.SubscriptionUnverified,
		Adaptive:     switchboard.Adaptive{Enabled: true, MinimumTimeout: switchboard.Duration(5 * time.Second), MaxIntervalFactor: 2, MinimumAttempts: 3},
	}
}

func TestSubscriptionKeepsEveryField(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := scripted(t)
	sub.SetDefaults()
	must(t, b.CreateSubscription(t.Context(), root(), &sub))

	got, err := b.SubscriptionWithSecrets(t.Context(), of("acme"), sub.ID)
	must(t, err)
	equal(t, "endpoint", got, sub)
	if string(got.Request.Params) != string(sub.Request.Params) || got.Auth.ClientSecret.Reveal() != "oauth-hunter2" {
		t.Errorf("params %s and client secret of %d bytes came back", got.Request.Params, len(got.Auth.ClientSecret.Reveal()))
	}
	_, err = b.SubscriptionWithSecrets(t.Context(), of("other"), sub.ID)
	refused(t, "another tenant's", err, switchboard.CodeNotFound, "")

	changed, err := b.UpdateSubscription(t.Context(), root(), sub.ID, 1, func(s *switchboard.Subscription) error {
		s.UseCase, s.Auth, s.Filter = "ticket", switchboard.Auth{}, nil
		s.Secrets = []switchboard.SigningSecret{{Secret: "another-hunter2-another-hunter2"}}
		return nil
	})
	must(t, err)
	if changed.UseCase != "contact" {
		t.Errorf("the use case became %s", changed.UseCase)
	}
	got, err = b.SubscriptionWithSecrets(t.Context(), root(), sub.ID)
	must(t, err)
	equal(t, "changed", got, changed)
	if len(got.Secrets) != 1 || got.Secrets[0].Secret.Reveal() != "another-hunter2-another-hunter2" {
		t.Errorf("%d secrets sign after one was set", len(got.Secrets))
	}
}

func TestCredentialsAreStoredEncrypted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := scripted(t)
	sub.SetDefaults()
	must(t, b.CreateSubscription(t.Context(), root(), &sub))
	var stored string
	must(t, b.sql.Get(&stored, "SELECT row_to_json(s)::text || (SELECT row_to_json(k)::text FROM subscription_secrets k) FROM subscriptions s"))
	for _, secret := range []string{"hunter2", "omega", switchboard.Mask} {
		if strings.Contains(stored, secret) {
			t.Errorf("%s stands in %s", secret, stored)
		}
	}
}

func TestAcceptGoesByTheFilter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, document := range map[string]string{"high": `{"data":{"b":{"$gte":1}}}`, "higher": `{"data":{"b":{"$gt":1}}}`, "typed": `{"metadata":{"type":"ticket.created"}}`} {
		sub := switchboard.Subscription{
			Tenant: "acme", Name: name, Events: []string{"TICKET.*"}, Filter: json.RawMessage(document), Request: switchboard.Request{URL: "https://receiver.example"},
			Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
		}
		sub.SetDefaults()
		must(t, b.CreateSubscription(t.Context(), root(), &sub))
		if name == "higher" { // an event for one subscription is delivered whatever its filter
			a, err := b.AcceptFor(t.Context(), root(), sub.ID, event("acme", ""), false)
			must(t, err)
			equal(t, "deliveries of a call for one", len(a.Deliveries), 1)
		}
	}
	equal(t, "deliveries", len(b.accept(event("acme", "")).Deliveries), 2)
}

// The filters of a tenant share the budget for an event: if two each look at more than half as many
// elements as all may, the second does not reach the end of the list. It gets the event, and the
// acceptance says so. Conditions that are not about a list are still decided.
func TestAcceptSharesTheEffort(t *testing.T) {
	t.Parallel()
	b := setup(t)
	names := map[string]string{}
	filters := map[string]string{"plain": `{"data":{"b":"x"}}`, "other": `{"data":{"a":5,"b":"y"}}`}
	for i := range 20 {
		filters[fmt.Sprintf("long %d", i)] = `{"data":{"a":5}}`
	}
	for name, document := range filters {
		sub := switchboard.Subscription{
			Tenant: "acme", Name: name, Events: []string{"*"}, Filter: json.RawMessage(document), Request: switchboard.Request{URL: "https://receiver.example"},
			Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
		}
		sub.SetDefaults()
		must(t, b.CreateSubscription(t.Context(), root(), &sub))
		names[sub.ID], _, _ = strings.Cut(name, " ")
	}
	e := event("acme", "")
	e.Data = []byte(`{"a":[` + strings.Repeat("1,", 60_000) + `5],"b":"x"}`)
	for range 2 { // the budget for one event is not taken from the next
		got, undecided := map[string]int{}, map[string]int{}
		accepted := b.accept(e)
		for _, d := range accepted.Deliveries {
			got[names[d.SubscriptionID]]++
		}
		for _, id := range accepted.Undecided {
			undecided[names[id]]++
		}
		equal(t, "names", got, map[string]int{"long": 20, "plain": 1})
		equal(t, "undecided", undecided["plain"]+undecided["other"], 0)
		// 16 times 60,001 looks are within a million. The one that takes no event may look too.
		if n := undecided["long"]; n != 4 && n != 5 {
			t.Errorf("%d filters are undecided; want the last 4 or 5", n)
		}
	}
}

func TestUnverifiedSubscriptionHoldsUntilItIsVerified(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	before := b.accept(event("acme", "")).Deliveries[0]
	sub, err := b.UpdateSubscription(t.Context(), root(), sub.ID, 1, func(s *switchboard.Subscription) error {
		s.State, s.Request.URL = switchboard.SubscriptionUnverified, "https://new.example"
		return nil
	})
	must(t, err)

	b.advance(time.Millisecond)
	held := b.accept(event("acme", "")).Deliveries[0]
	equal(t, "state", held.State, switchboard.StateHeld)
	equal(t, "reason", held.Reason, switchboard.ReasonSubscriptionUnverified)
	equal(t, "start due", b.startDue(held.ID), time.Time{})
	// A delivery from before is held when its attempt is due.
	after, err := b.HoldDelivery(t.Context(), before, switchboard.Conditions{})
	must(t, err)
	equal(t, "held", after.State, switchboard.StateHeld)

	_, err = b.RecordVerification(t.Context(), root(), sub.ID, 1, "")
	refused(t, "an old version", err, switchboard.CodeConflict, "version")
	still, err := b.RecordVerification(t.Context(), root(), sub.ID, 2, "it answered 404")
	must(t, err)
	equal(t, "state", still.State, switchboard.SubscriptionUnverified)
	equal(t, "state reason", still.StateReason, "it answered 404")
	equal(t, "held", b.read(held.ID).State, switchboard.StateHeld)

	b.advance(time.Second)
	verified, err := b.RecordVerification(t.Context(), of("acme"), sub.ID, 2, "")
	must(t, err)
	equal(t, "state", verified.State, switchboard.SubscriptionActive)
	equal(t, "state reason", verified.StateReason, "")
	for i, d := range []switchboard.Delivery{before, held} {
		released, date := b.read(d.ID), b.clock().Add(time.Duration(i)*20*time.Millisecond)
		equal(t, "released", released.State, switchboard.StatePending)
		equal(t, "run", released.Generation, 2)
		equal(t, "start due", b.startDue(d.ID), date)
		equal(t, "next attempt", released.NextAttemptAt, date)
		done := b.actions(d.ID)
		equal(t, "last action", done[len(done)-1], "switchboard release what it was held for is over")
	}
	equal(t, "held", b.count(sub, switchboard.StateHeld), 0)
}

func TestEventTypesAreKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	added := switchboard.EventType{Name: "ticket.escalated", Platform: "own", VendorName: "Escalated", Schema: json.RawMessage(`{"type":"object"}`), SchemaState: switchboard.SchemaSeen}
	must(t, b.SaveEventType(t.Context(), root(), added))
	added.Deprecated = true
	must(t, b.SaveEventType(t.Context(), root(), added))
	types, err := b.EventTypes(t.Context())
	must(t, err)
	equal(t, "types", types, []switchboard.EventType{added})
	refused(t, "a tenant's key", b.SaveEventType(t.Context(), of("acme"), added), switchboard.CodeForbidden, "")
	must(t, b.DeleteEventType(t.Context(), root(), "own", "ticket.escalated"))
	refused(t, "deleted", b.DeleteEventType(t.Context(), root(), "own", "ticket.escalated"), switchboard.CodeNotFound, "")
}

// TestDocumentsDoNotGrow: their limits are checked again on the stored document.
func TestDocumentsDoNotGrow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	html := json.RawMessage(`{"html":"` + strings.Repeat("<p>&", 14<<10) + `"}`)
	added := switchboard.EventType{Name: "html.one", Platform: "own", Sample: html, Samples: []switchboard.Sample{{Name: "a", Data: html}}, SchemaState: switchboard.SchemaNone}
	must(t, b.SaveEventType(t.Context(), root(), added))
	types, err := b.EventTypes(t.Context())
	must(t, err)
	equal(t, "types", types, []switchboard.EventType{added})

	sub := switchboard.Subscription{
		Tenant: "acme", Name: "html", Events: []string{"*"},
		Request: switchboard.Request{URL: "https://receiver.example/", Body: switchboard.BodyParams, Params: html},
		Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
	}
	sub.SetDefaults()
	must(t, b.CreateSubscription(t.Context(), root(), &sub))
	stored, err := b.Subscription(t.Context(), root(), sub.ID)
	must(t, err)
	must(t, stored.Validate())
	equal(t, "params", stored.Request.Params, html)
}

func TestChangeEventType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	builtIn := switchboard.EventType{Name: "ticket.created", Platform: "own", VendorName: "Created", BuiltIn: true}
	change := func(base switchboard.EventType, with func(*switchboard.EventType) error) error {
		_, err := b.ChangeEventType(t.Context(), root(), base, with)
		return err
	}
	deprecate := func(t *switchboard.EventType) error { t.Deprecated = true; return nil }

	failed := switchboard.InvalidField("sample", "is wrong")
	refused(t, "a change that fails", change(builtIn, func(*switchboard.EventType) error { return failed }), switchboard.CodeInvalid, "sample")
	types, err := b.EventTypes(t.Context())
	must(t, err)
	equal(t, "types after a change that failed", types, []switchboard.EventType{})

	must(t, change(builtIn, deprecate))
	stale := builtIn
	stale.Description, stale.BuiltIn = "as it was long ago", false
	got, err := b.ChangeEventType(t.Context(), root(), stale, func(t *switchboard.EventType) error { t.Entity, t.Name = "ticket", "other"; return nil })
	must(t, err)
	want := switchboard.EventType{Name: "ticket.created", Platform: "own", VendorName: "Created", Entity: "ticket", Deprecated: true}
	equal(t, "changed twice", got, want)
	types, err = b.EventTypes(t.Context())
	must(t, err)
	equal(t, "types", types, []switchboard.EventType{want})

	must(t, b.DeleteEventType(t.Context(), root(), "own", "ticket.created"))
	refused(t, "deleted meanwhile", change(stale, deprecate), switchboard.CodeNotFound, "")
	refused(t, "a tenant's key", second(b.ChangeEventType(t.Context(), of("acme"), builtIn, deprecate)), switchboard.CodeForbidden, "")
}

// TestEventTypesAreChangedInTurn: of changes that two processes make at the same time none is lost,
// including the first one of a built-in type.
func TestEventTypesAreChangedInTurn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	builtIn := switchboard.EventType{Name: "ticket.created", Platform: "own", BuiltIn: true}
	stores := []*store.Store{b.Store, b.open(ring)}
	const changes = 12
	var all sync.WaitGroup
	for i := range changes {
		all.Go(func() {
			_, err := stores[i%2].ChangeEventType(t.Context(), root(), builtIn, func(t *switchboard.EventType) error {
				t.UseCases = append(t.UseCases, fmt.Sprint(i))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	types, err := b.EventTypes(t.Context())
	must(t, err)
	if len(types) != 1 || len(types[0].UseCases) != changes {
		t.Errorf("%+v; want %d use cases", types, changes)
	}
}

func TestAttemptKeepsTheLimitsItWasMadeUnder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	a := b.attempt(d, 1, 503)
	a.Load, a.MaxAttempts, a.IntervalFactor = 0.5, 9, 1.5
	_, err := b.Record(t.Context(), switchboard.Record{Attempt: a, Decision: switchboard.Decision{State: switchboard.StateFailed, Reason: "http_503"}, TemporalRunID: "run_1", Generation: 1})
	must(t, err)
	detail, err := b.Delivery(t.Context(), root(), d.ID)
	must(t, err)
	equal(t, "attempts", detail.Attempts, []switchboard.Attempt{a})
}

func TestAnswerIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	awaited := func() switchboard.Delivery {
		a, err := b.AcceptFor(t.Context(), root(), sub.ID, event("acme", ""), true)
		must(t, err)
		return a.Deliveries[0]
	}
	// Another process records it.
	other := b.open(ring)
	for what, end := range map[string]func(d switchboard.Delivery) error{
		"an answer": func(d switchboard.Delivery) error {
			_, err := other.Record(t.Context(), switchboard.Record{Attempt: b.attempt(d, 1, 503), Decision: switchboard.Decision{State: switchboard.StateRetrying, Reason: "http_503"}, TemporalRunID: "run_1", Generation: 1})
			return err
		},
		"its end": func(d switchboard.Delivery) error {
			_, err := other.Cancel(t.Context(), root(), d.ID, "")
			return err
		},
	} {
		d := awaited()
		ended := make(chan error, 1)
		go func() { ended <- end(d) }()
		detail, err := b.Answer(t.Context(), of("acme"), d.ID)
		must(t, err)
		must(t, <-ended)
		if len(detail.Attempts) == 0 && !detail.Delivery.State.Final() {
			t.Errorf("%s: the wait ended with %+v", what, detail.Delivery)
		}
	}

	// It ends with its subscription too.
	deleted := b.subscribe("acme", "*")
	a, err := b.AcceptFor(t.Context(), root(), deleted.ID, event("acme", ""), true)
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := b.Answer(t.Context(), root(), a.Deliveries[0].ID)
		ended <- err
	}()
	must(t, b.DeleteSubscription(t.Context(), root(), deleted.ID, ""))
	must(t, <-ended)

	// It ends with its time, which on a slow machine may be over before it has begun.
	unanswered := awaited().ID
	waitFor := func(wait time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		return second(b.Answer(ctx, root(), unanswered))
	}
	wait := 50 * time.Millisecond
	for err = waitFor(wait); switchboard.CodeOf(err) == switchboard.CodeUnavailable && wait < longest; err = waitFor(wait) {
		wait *= 2
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the wait for nothing ended with %v", err)
	}
	_, err = b.Answer(t.Context(), of("other"), awaited().ID)
	refused(t, "another tenant's", err, switchboard.CodeNotFound, "")
}
