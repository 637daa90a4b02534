package api

import (
	"context"
	"sync"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// Endpoint returns what [fakeSubscriptions.Subscription] does, with its secrets.
func (f *fakeSubscriptions) SubscriptionWithSecrets(_ context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	s, ok := f.byID[id]
	if !ok || !caller.Sees(s.Tenant) {
		return switchboard.Subscription{}, notFound()
	}
	return s, nil
}

func (f *fakeSubscriptions) RecordVerification(ctx context.Context, caller switchboard.Caller, id string, version int, reason string) (switchboard.Subscription, error) {
	s, err := f.SubscriptionWithSecrets(ctx, caller, id)
	switch {
	case err != nil:
		return s, err
	case s.Version != version:
		return s, &switchboard.Error{Code: switchboard.CodeConflict, Field: "version", Message: "is old"}
	case s.State == switchboard.SubscriptionUnverified:
		s.StateReason = reason
		if reason == "" {
			s.State = switchboard.SubscriptionActive
		}
		f.byID[id] = s
		f.writes++
	}
	s.Secrets = nil
	return s, nil
}

// fakeReceivers notes who was asked, and answers as it was told.
type fakeReceivers struct {
	mu         sync.Mutex
	challenged []switchboard.Subscription
	authorized []switchboard.Subscription
	challenge  error
	auth       error
}

func (f *fakeReceivers) Challenge(_ context.Context, s switchboard.Subscription) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.challenged = append(f.challenged, s)
	return f.challenge
}

func (f *fakeReceivers) CheckAuth(_ context.Context, s switchboard.Subscription) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.authorized = append(f.authorized, s)
	return f.auth
}

// sign gives a subscription the scheme, and a secret that fits it.
func (f *fakeSubscriptions) sign(id string, scheme switchboard.Scheme) {
	s := f.byID[id]
	s.Signature = switchboard.Signature{Scheme: scheme}
	s.Secrets = secretsOf(signing.NewSecret(scheme))
	s.SetDefaults()
	f.byID[id] = s
}

// change changes a subscription behind the API's back, and checks that it may be so.
func (f *fakeSubscriptions) change(t testing.TB, id string, change func(*switchboard.Subscription)) {
	t.Helper()
	s := f.byID[id]
	change(&s)
	s.SetDefaults()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	f.byID[id] = s
}
