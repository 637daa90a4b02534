package api

import (
	"encoding/json"
	"errors"
	"fmt"
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
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`{"a":"{{ contact.first_name }}"}}}`).want(t, http.StatusCreated)
	if warnings(got) != 1 || !strings.Contains(got["warnings"].([]any)[0].(string), "deliveries of script.triggered would fail") {
		t.Errorf("warnings %v", got["warnings"])
	}
	got = b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`{"a":"{{ contact.first_name | default: 'friend' }}"}}}`).want(t, http.StatusCreated)
	if warnings(got) != 0 {
		t.Errorf("warnings %v", got["warnings"])
	}
	got = b.call(t, integratorKey, "POST", "/v1/subscriptions", create+`{"a":{"b":"{{czCol.15}}"}}}}`).want(t, http.StatusCreated)
	if warnings(got) == 0 || !strings.HasPrefix(got["warnings"].([]any)[0].(string), "request.params.a.b: {{ czCol.15 }}") {
		t.Errorf("warnings %v", got["warnings"])
	}
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

// Templates are tried with samples of every event type that the subscription takes, in
// whatever order types and patterns stand.
func TestTemplatesAreTriedWithEveryEventType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const id = "Event.Object.Children.Child" // which only a message of CommBox has
	for _, c := range []struct {
		profile, events, source string
		status                  int
		words                   string // in the answer
	}{
		{"commbox", `["object.message_added"]`, `{{ ` + id + `.CreateDate | date: '%F' }}`, 201, ""},
		{"commbox", `["*"]`, `{{ ` + id + `.CreateDate | date: '%F' }}`, 201, ""},
		{"commbox", `["object.message_added"]`, `{{ 1 | modulo: ` + id + `.CreateDate }}`, 422, "object.message_added: the filter modulo cannot divide by zero"},
		{"commbox", `["Object.*"]`, `{{ 1 | modulo: ` + id + `.CreateDate }}`, 422, "object.message_added: the filter modulo"},
		{"commbox", `["*"]`, `{{ 1 | modulo: ` + id + `.CreateDate }}`, 422, "object.message_added: the filter modulo"},
		{"commbox", `["tag.created","OBJECT.message_added","*"]`, `{% if ` + id + ` %}{{ 1 | modulo: ` + id + `.CreateDate }}{% endif %}`, 422, "object.message_added: the filter modulo"},
		{"commbox", `["*"]`, `{% if ` + id + ` %}{{ 1 | modulo: ` + id + `.CreateDate }}{% endif %}`, 201, "object.message_added, which the subscription takes by a pattern"},
		{"commbox", `["*"]`, `{{ ` + id + `.CreateDate | plus: 1 }}`, 201, "for 0: it is no number, in a sample of object.message_added"},
		{"firstline", `["*"]`, `{% if contact.czCol.15 > 170 %}tall{% endif %}`, 201, ""},
		{"firstline", `["contact.*"]`, `{% if contact.czCol.15 == 172 %}tall{% endif %}`, 201, "compared as text and number"},
		{"firstline", `["*"]`, `{{ contact.never | date: '%-q' }}`, 422, "does not know %-q"},
		{"firstline", `["*"]`, `{{ contact.never | plus: 'x' }}`, 422, "not a number"},
		{"firstline", `["*"]`, `{{ contact.never | divided_by: 0 }}`, 422, "divide by zero"},
		{"firstline", `["*"]`, `{{ contact.never | slice: 'x' }}{{ contact.never | truncate: 5 }}`, 422, "not a whole number"},
	} {
		params, _ := json.Marshal(map[string]string{"a": "= " + c.source})
		body := `{"tenant":"acme","name":"n","profile":"` + c.profile + `","events":` + c.events + `,"request":{"url":"https://example.com/","method":"POST","content_type":"application/json","body":"params","params":` + string(params) + `}}`
		got := b.call(t, integratorKey, "POST", "/v1/subscriptions", body)
		if c.status == 422 {
			problem := got.wantProblem(t, c.status, switchboard.Invalid, "request.params.a")
			if detail := fmt.Sprint(problem); !strings.Contains(detail, c.words) {
				t.Errorf("%s %s: %s; want %q", c.events, c.source, detail, c.words)
			}
			continue
		}
		warnings := fmt.Sprint(got.want(t, c.status)["warnings"])
		if c.words == "" && strings.Contains(warnings, "filter") || !strings.Contains(warnings, c.words) {
			t.Errorf("%s %s: warnings %s; want %q", c.events, c.source, warnings, c.words)
		}
	}
}
