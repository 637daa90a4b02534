package api

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"switchboard"
)

const oauth2Input = `"auth":{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2"}`

// TestAuthIsChecked when it is new, and not when something else changes.
func TestAuthIsChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,`+oauth2Input)).want(t, http.StatusCreated)
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"name":"x","auth":{"client_secret":"[redacted]"}}`).want(t, http.StatusOK)
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":2,"auth":{"client_secret":"hunter3"}}`).want(t, http.StatusOK)
	asked := b.receivers.authorized
	if len(asked) != 2 || asked[0].Auth.ClientSecret.Reveal() != "hunter2" || asked[1].Auth.ClientSecret.Reveal() != "hunter3" {
		t.Errorf("asked %+v", asked)
	}
}

// TestAuthRefused: nothing is stored where the token endpoint says no.
func TestAuthRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receivers.auth = switchboard.InvalidField("auth.client_secret", "is not accepted")
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,`+oauth2Input)).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.Invalid, "auth.client_secret")
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3,`+oauth2Input+`}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.Invalid, "auth.client_secret")
	b.receivers.auth = errors.New("out of sockets")
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,`+oauth2Input)).
		wantProblem(t, http.StatusInternalServerError, switchboard.Internal, "")
	if b.stored() {
		t.Error("something was stored")
	}
}

// TestWarnings are told where templates are new, and only there.
func TestWarnings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	warnings := func(got map[string]any) int {
		list, _ := got["warnings"].([]any)
		return len(list)
	}
	const create = `{"tenant":"acme","name":"n","profile":"firstline","use_case":"contact","events":["*"],"request":{"url":"https://example.com/","params":`
	if got := b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`{"a":"{{ contact.first_name }}"}}}`).want(t, http.StatusCreated); warnings(got) != 0 {
		t.Errorf("warnings %v", got["warnings"])
	}
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`{"a":{"b":"{{czCol.15}}"}}}}`).want(t, http.StatusCreated)
	if warnings(got) == 0 || !strings.HasPrefix(got["warnings"].([]any)[0].(string), "request.params.a.b: {{ czCol.15 }}") {
		t.Errorf("warnings %v", got["warnings"])
	}
	got = b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(`"request":{"url":"https://unresolved.example.com/"}`)).want(t, http.StatusCreated)
	if warnings(got) != 1 || got["warnings"].([]any)[0] != "request.url: the host has no address now" {
		t.Errorf("warnings %v", got["warnings"])
	}
	b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`{"a":{"b":"{{czCol.15}}"}}}}`).want(t, http.StatusCreated)
	if got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"name":"x"}`).want(t, http.StatusOK); warnings(got) != 0 {
		t.Errorf("of another change: %v", got["warnings"])
	}
	if got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":2,"request":{"method":"PUT"}}`).want(t, http.StatusOK); warnings(got) == 0 {
		t.Error("no warnings of a change of the request")
	}
	if got := b.call(t, integratorKey, "GET", "/v1/subscriptions/sub_new", nil).want(t, http.StatusOK); warnings(got) != 0 {
		t.Errorf("of a read: %v", got["warnings"])
	}
}
