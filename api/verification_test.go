package api

import (
	"errors"
	"net/http"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

const challenged = `"verification":"challenge"`

func (f *fakeReceivers) urls() []string {
	var urls []string
	for _, s := range f.challenged {
		urls = append(urls, s.Request.URL)
	}
	return urls
}

// wantState fails the test unless the answer and the store have the state.
func (b *bundle) wantState(t *testing.T, got map[string]any, id string, state switchboard.SubscriptionState, reason string) {
	t.Helper()
	if got["state"] != string(state) || got["state_reason"] != reason {
		t.Errorf("answered %v, %v; want %s, %s", got["state"], got["state_reason"], state, reason)
	}
	if s := b.subscription(t, id); s.State != state || s.StateReason != reason {
		t.Errorf("stored %s, %s; want %s, %s", s.State, s.StateReason, state, reason)
	}
}

func TestVerification(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,`+challenged)).want(t, http.StatusCreated)
	b.wantState(t, got, "sub_new", switchboard.SubscriptionActive, "")
	if len(b.receivers.challenged) != 1 || current(b.receivers.challenged[0].Secrets).Reveal() != got["secret"] {
		t.Errorf("challenged %+v", b.receivers.challenged)
	}

	b.receivers.challenge = switchboard.InvalidField("request.url", "did not answer the challenge: nobody listens")
	const reason = "request.url did not answer the challenge: nobody listens"
	got = b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"name":"x"}`).want(t, http.StatusOK)
	b.wantState(t, got, "sub_new", switchboard.SubscriptionActive, "")
	got = b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":2,"request":{"url":"https://b.example.com/"}}`).want(t, http.StatusOK)
	b.wantState(t, got, "sub_new", switchboard.SubscriptionUnverified, reason)
	got = b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_new/verify", nil).want(t, http.StatusOK)
	b.wantState(t, got, "sub_new", switchboard.SubscriptionUnverified, reason)

	b.receivers.challenge = nil
	got = b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_new/verify", `{}`).want(t, http.StatusOK)
	b.wantState(t, got, "sub_new", switchboard.SubscriptionActive, "")
	b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_new/verify", nil).want(t, http.StatusOK)
	if urls := b.receivers.urls(); len(urls) != 4 || urls[3] != "https://b.example.com/" {
		t.Errorf("challenged %v", urls)
	}
}

// TestVerificationFails: a failed verification is not an error, and the secret is still shown.
func TestVerificationFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"the receiver's": {switchboard.InvalidField("request.url", "must answer"), "request.url must answer"},
		"our own":        {errors.New("out of sockets"), notChallenged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.receivers.challenge = c.err
			got := b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,`+challenged)).want(t, http.StatusCreated)
			b.wantState(t, got, "sub_new", switchboard.SubscriptionUnverified, c.reason)
			if got["secret"] == nil {
				t.Error("no secret is shown")
			}
		})
	}
}

// TestVerificationChanges: turning it on challenges the address; turning it off does not.
func TestVerificationChanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receivers.challenge = switchboard.InvalidField("request.url", "must answer")
	got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3,`+challenged+`}`).want(t, http.StatusOK)
	b.wantState(t, got, "sub_acme", switchboard.SubscriptionUnverified, "request.url must answer")
	got = b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":4,"verification":"none"}`).want(t, http.StatusOK)
	b.wantState(t, got, "sub_acme", switchboard.SubscriptionActive, "")
	if len(b.receivers.challenged) != 1 {
		t.Errorf("challenged %v", b.receivers.urls())
	}
}

// TestVerificationOfOtherStates: a subscription that an operator paused does not become active by
// itself.
func TestVerificationOfOtherStates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.State = switchboard.SubscriptionPaused })
	b.change(t, "sub_globex", func(s *switchboard.Subscription) { s.State = switchboard.SubscriptionDisabled })
	const patch = `{"version":3,` + challenged + `,"request":{"url":"https://crm.example.com/b"}}`
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", patch).wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "")
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/verify", nil).want(t, http.StatusOK)
	b.wantState(t, got, "sub_acme", switchboard.SubscriptionPaused, "")
	if b.stored(t) || len(b.receivers.challenged) > 0 {
		t.Error("something was stored, or somebody challenged")
	}
	got = b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_globex", patch).want(t, http.StatusOK)
	b.wantState(t, got, "sub_globex", switchboard.SubscriptionActive, "")
}
