package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// full is a subscription that uses every field.
func full() switchboard.Subscription {
	return switchboard.Subscription{
		Tenant: "acme", Name: "CRM, \"sync\" {é}", Events: []string{"ticket.*", "call.rang"},
		Request: switchboard.Request{
			Method: "PUT", URL: "https://crm.example/hook?a=b", Body: switchboard.BodyData, ContentType: "text/json", HTTPVersion: switchboard.HTTPVersionAuto,
			Headers: map[string]string{"Authorization": "Bearer hunter2", "X-Env": "é"},
		},
		Signature: switchboard.Signature{Scheme: signing.Standard}, Verification: switchboard.VerificationNone,
		Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
		Retry: switchboard.RetryPolicy{
			InitialInterval: switchboard.Duration(1500 * time.Microsecond), BackoffCoefficient: 1.7,
			MaximumInterval: switchboard.Duration(90 * time.Minute), MaxAttempts: 3,
		},
		Timeout: switchboard.Duration(2500 * time.Millisecond), MaxInFlight: 3,
		RateLimit: switchboard.RateLimit{PerSecond: 2.5, Burst: 4}, Ordering: switchboard.OrderingKey, DeliverWithin: switchboard.Duration(time.Hour), Supersede: true,
		HoldFor: switchboard.Duration(48 * time.Hour), ReleaseRate: 7,
		Breaker: switchboard.Breaker{
			Mode: switchboard.BreakerOff, MinimumAttempts: 3, FailurePercent: 50, Window: switchboard.Duration(time.Minute), FailuresInARow: 4,
			DisableAfter: switchboard.Duration(2 * time.Hour),
		},
		State: switchboard.SubscriptionDisabled, StateReason: "410 Gone",
	}
}

// withoutSecrets returns the subscription as reads return it.
func withoutSecrets(s switchboard.Subscription) switchboard.Subscription {
	s.Secrets = nil
	return s
}

func TestSubscriptionIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := full()
	must(t, b.CreateSubscription(t.Context(), of("acme"), &s))
	want := full()
	want.ID, want.Version, want.CreatedAt, want.UpdatedAt, want.Secrets = s.ID, 1, begin(), begin(), s.Secrets
	want.StateSince, want.StateBy = begin(), "key_acme"
	equal(t, "created", s, want)
	got, err := b.Subscription(t.Context(), of("acme"), s.ID)
	must(t, err)
	equal(t, "read", got, withoutSecrets(s))
	page, err := b.Subscriptions(t.Context(), of("acme"), switchboard.SubscriptionFilter{}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "list", page.Items, []switchboard.Subscription{withoutSecrets(s)})

	a, err := b.AcceptFor(t.Context(), root(), s.ID, event("acme", ""), false)
	must(t, err)
	work, err := b.LoadForAttempt(t.Context(), a.Deliveries[0].ID)
	must(t, err)
	equal(t, "work", work, switchboard.LoadedDelivery{Delivery: a.Deliveries[0], Event: a.Event, Subscription: s})

	foreign := full()
	refused(t, "of another tenant", b.CreateSubscription(t.Context(), of("other"), &foreign), switchboard.CodeForbidden, "tenant")
}

func TestSubscriptionNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, same, elsewhere := full(), full(), full()
	elsewhere.Tenant = "other"
	must(t, b.CreateSubscription(t.Context(), root(), &first))
	refused(t, "taken", b.CreateSubscription(t.Context(), root(), &same), switchboard.CodeConflict, "name")
	must(t, b.CreateSubscription(t.Context(), root(), &elsewhere))
	second := b.subscribe("acme", "*")
	_, err := b.UpdateSubscription(t.Context(), root(), second.ID, 1, func(s *switchboard.Subscription) error {
		s.Name = first.Name
		return nil
	})
	refused(t, "taken, by an update", err, switchboard.CodeConflict, "name")
	must(t, b.DeleteSubscription(t.Context(), root(), first.ID, ""))
	must(t, b.CreateSubscription(t.Context(), root(), &same)) // the name is free again
}

func TestUpdateSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.subscribe("acme", "*")
	b.advance(time.Hour)
	got, err := b.UpdateSubscription(t.Context(), of("acme"), s.ID, 1, func(s *switchboard.Subscription) error {
		other := full()
		other.ID, other.Tenant, other.Secrets = "sub_other", "other", nil
		*s = other
		return nil
	})
	must(t, err)
	want := full()
	want.ID, want.Tenant, want.Version, want.CreatedAt, want.UpdatedAt, want.Secrets = s.ID, "acme", 2, begin(), b.clock(), nil
	want.StateSince, want.StateBy = b.clock(), "key_acme"
	equal(t, "updated", got, want)
	stored, err := b.Subscription(t.Context(), root(), s.ID)
	must(t, err)
	equal(t, "stored", stored, want)

	_, err = b.UpdateSubscription(t.Context(), root(), s.ID, 1, func(*switchboard.Subscription) error { return nil })
	refused(t, "old version", err, switchboard.CodeConflict, "version")
	wrong := switchboard.InvalidField("request.url", "is wrong")
	_, err = b.UpdateSubscription(t.Context(), root(), s.ID, 2, func(s *switchboard.Subscription) error {
		s.Name = "half done"
		return wrong
	})
	if !errors.Is(err, wrong) {
		t.Errorf("the change's own error: %v", err)
	}
	stored, err = b.Subscription(t.Context(), root(), s.ID)
	must(t, err)
	equal(t, "after refused changes", stored, want)

	// The signing secret stays after changes.
	a, err := b.AcceptFor(t.Context(), root(), s.ID, event("acme", ""), false)
	must(t, err)
	work, err := b.LoadForAttempt(t.Context(), a.Deliveries[0].ID)
	must(t, err)
	equal(t, "secrets", work.Subscription.Secrets, s.Secrets)
}

func TestDeleteSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.subscribe("acme", "*")
	open := b.accept(event("acme", "")).Deliveries[0]
	done := b.record(b.accept(event("acme", "")).Deliveries[0], 1, 200)
	b.advance(time.Minute)
	must(t, b.DeleteSubscription(t.Context(), of("acme"), s.ID, "leaving"))

	want := open
	want.State, want.Reason, want.NextAttemptAt, want.CompletedAt = switchboard.StateCancelled, switchboard.ReasonSubscriptionDeleted, time.Time{}, b.clock()
	want.DispatchAt = b.clock() // its workflow is to end
	equal(t, "open delivery", b.read(open.ID), want)
	equal(t, "its actions", b.actions(open.ID), []string{"key_acme cancel leaving"})
	equal(t, "finished delivery", b.read(done.ID), done)
	_, err := b.Subscription(t.Context(), root(), s.ID)
	refused(t, "read", err, switchboard.CodeNotFound, "")
	refused(t, "delete again", b.DeleteSubscription(t.Context(), root(), s.ID, ""), switchboard.CodeNotFound, "")
	equal(t, "new deliveries", len(b.accept(event("acme", "")).Deliveries), 0)
	work, err := b.LoadForAttempt(t.Context(), open.ID)
	must(t, err)
	equal(t, "work still knows it", work.Subscription.ID, s.ID)
}

func TestRotateSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.subscribe("acme", "*")
	d := b.accept(event("acme", "")).Deliveries[0]
	valid := func() []switchboard.SigningSecret {
		work, err := b.LoadForAttempt(t.Context(), d.ID)
		must(t, err)
		return signing.Valid(signing.Standard, work.Subscription.Secrets, b.clock())
	}
	version := 1
	rotate := func(rotation switchboard.Rotation) switchboard.SigningSecret {
		version++
		next := switchboard.SigningSecret{Secret: signing.NewSecret(signing.Standard), CreatedAt: b.clock()}
		got, err := b.RotateSecret(t.Context(), of("acme"), s.ID, next.Secret, rotation)
		must(t, err)
		equal(t, "returned", []any{got.Secrets, got.Version, got.UpdatedAt}, []any{[]switchboard.SigningSecret{next}, version, b.clock()})
		stored, err := b.Subscription(t.Context(), of("acme"), s.ID)
		must(t, err)
		equal(t, "version", stored.Version, version)
		return next
	}
	// until is the secret with its end, that long from now.
	until := func(secret switchboard.SigningSecret, grace time.Duration) switchboard.SigningSecret {
		secret.ExpiresAt = b.clock().Add(grace)
		return secret
	}
	first := s.Secrets[0]
	equal(t, "since", first.CreatedAt, begin())
	b.advance(time.Minute)
	second := rotate(switchboard.Rotation{Grace: time.Hour})
	first = until(first, time.Hour)
	equal(t, "two are valid", valid(), []switchboard.SigningSecret{second, first})
	b.advance(time.Minute)
	third := rotate(switchboard.Rotation{Grace: 2 * time.Hour})
	second = until(second, 2*time.Hour)
	equal(t, "each keeps its time", valid(), []switchboard.SigningSecret{third, second, first})
	fourth := rotate(switchboard.Rotation{Grace: time.Minute})
	third = until(third, time.Minute)
	equal(t, "a shorter grace shortens no other", valid(), []switchboard.SigningSecret{fourth, second, first, third})
	b.advance(time.Minute)
	equal(t, "the shortest is over", valid(), []switchboard.SigningSecret{fourth, second, first})
	b.advance(time.Hour)
	equal(t, "the first one's hour is over", valid(), []switchboard.SigningSecret{fourth, second})
	fifth := rotate(switchboard.Rotation{})
	equal(t, "without a grace", valid(), []switchboard.SigningSecret{fifth, second})
	sixth := rotate(switchboard.Rotation{RevokePrevious: true})
	equal(t, "all are revoked", valid(), []switchboard.SigningSecret{sixth})
}

// TestTooManySecrets: a rotation too many is refused and has no effect, and there is always one
// that is allowed.
func TestTooManySecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.subscribe("acme", "*")
	rotate := func(rotation switchboard.Rotation) error {
		return second(b.RotateSecret(t.Context(), of("acme"), s.ID, signing.NewSecret(signing.Standard), rotation))
	}
	valid := func() int {
		whole, err := b.SubscriptionWithSecrets(t.Context(), root(), s.ID)
		must(t, err)
		return len(signing.Valid(signing.Standard, whole.Secrets, b.clock()))
	}
	for range signing.MaxSecrets(signing.Standard) - 1 {
		must(t, rotate(switchboard.Rotation{Grace: time.Hour}))
	}
	equal(t, "sign", valid(), signing.MaxSecrets(signing.Standard))
	refused(t, "one more", rotate(switchboard.Rotation{Grace: time.Second}), switchboard.CodeConflict, "")
	whole, err := b.SubscriptionWithSecrets(t.Context(), root(), s.ID)
	must(t, err)
	equal(t, "version", whole.Version, signing.MaxSecrets(signing.Standard))
	equal(t, "the current one", whole.Secrets[0].ExpiresAt.IsZero(), true)
	must(t, rotate(switchboard.Rotation{}))
	equal(t, "without a grace", valid(), signing.MaxSecrets(signing.Standard))
	b.advance(time.Hour)
	equal(t, "an hour later", valid(), 1)
	must(t, rotate(switchboard.Rotation{Grace: time.Hour}))
	must(t, rotate(switchboard.Rotation{RevokePrevious: true}))
	equal(t, "revoked", valid(), 1)

	hex := switchboard.Signature{Scheme: signing.HMACHex, Header: "X-Webhook-Signature"}
	must(t, second(b.UpdateSubscription(t.Context(), root(), s.ID, whole.Version+3, func(s *switchboard.Subscription) error {
		s.Signature = hex
		return nil
	})))
	for range signing.MaxSecrets(signing.Standard) + 2 {
		must(t, rotate(switchboard.Rotation{Grace: time.Hour}))
	}
}
