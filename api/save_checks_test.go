package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

const oauth2Input = `"auth":{"type":"oauth2","token_url":"https://id.example.com/token","client_id":"me","client_secret":"hunter2"}`

// TestAuthIsChecked when it is new, but not when something else changes.
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

// TestAuthRefused: nothing is stored if the token endpoint refuses.
func TestAuthRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.receivers.auth = switchboard.InvalidField("auth.client_secret", "is not accepted")
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,`+oauth2Input)).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "auth.client_secret")
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", `{"version":3,`+oauth2Input+`}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "auth.client_secret")
	b.receivers.auth = errors.New("out of sockets")
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,`+oauth2Input)).
		wantProblem(t, http.StatusInternalServerError, switchboard.CodeInternal, "")
	if b.stored(t) {
		t.Error("something was stored")
	}
}

// TestWarnings: only new templates cause warnings.
func TestWarnings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	warnings := func(got map[string]any) int {
		list, _ := got["warnings"].([]any)
		return len(list)
	}
	const create = `{"tenant":"acme","name":"n","profile":"firstline","use_case":"contact","events":["*"],"request":{"url":"https://example.com/","params":`
	got := b.call(t, integratorKey, "POST", "/v1/subscriptions", b.numbered(create)+`{"a":"{{ contact.first_name }}"}}}`).want(t, http.StatusCreated)
	if warnings(got) != 1 || !strings.Contains(got["warnings"].([]any)[0].(string), "deliveries of script.triggered would fail") {
		t.Errorf("warnings %v", got["warnings"])
	}
	got = b.call(t, integratorKey, "POST", "/v1/subscriptions", b.numbered(create)+`{"a":"{{ contact.first_name | default: 'friend' }}"}}}`).want(t, http.StatusCreated)
	if warnings(got) != 0 {
		t.Errorf("warnings %v", got["warnings"])
	}
	got = b.call(t, integratorKey, "POST", "/v1/subscriptions", b.numbered(create)+`{"a":{"b":"{{czCol.15}}"}}}}`).want(t, http.StatusCreated)
	if warnings(got) == 0 || !strings.HasPrefix(got["warnings"].([]any)[0].(string), "request.params.a.b: {{ czCol.15 }}") {
		t.Errorf("warnings %v", got["warnings"])
	}
	got = b.call(t, integratorKey, "POST", "/v1/subscriptions", b.numbered(newSubscriptionWith(`"request":{"url":"https://unresolved.example.com/"}`))).want(t, http.StatusCreated)
	if warnings(got) != 1 || got["warnings"].([]any)[0] != "request.url: the host has no address now" {
		t.Errorf("warnings %v", got["warnings"])
	}
	b.call(t, integratorKey, "POST", "/v1/subscriptions", b.numbered(create)+`{"a":{"b":"{{czCol.15}}"}}}}`).want(t, http.StatusCreated)
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

// TestSignatureOfNothing: a signature that is the same for every request is refused. One that
// covers less than people may believe causes a warning.
func TestSignatureOfNothing(t *testing.T) {
	t.Parallel()
	const params = `"params":{"a":"{{ event.id }}"}`
	create := func(method, body, signature string) string {
		return `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"https://example.com/","method":"` + method + `",` + body + `},"signature":{"scheme":"` + signature + `"}}`
	}
	inQuery, inBody := `"body":"params",`+params, `"body":"data"`
	for _, c := range []struct{ method, body, scheme, want string }{
		{"GET", inQuery, "hmac-sha256-hex", "refused"},
		{"HEAD", inQuery, "hmac-sha256-hex", "refused"},
		{"DELETE", inQuery, "hmac-sha256-hex", "refused"},
		{"get", inQuery, "hmac-sha256-hex", "refused"},
		{"POST", inQuery, "hmac-sha256-hex", "taken"},
		{"PATCH", inQuery, "hmac-sha256-hex", "taken"},
		{"GET", inBody, "hmac-sha256-hex", "taken"}, // it has a body
		{"DELETE", `"body":"envelope"`, "hmac-sha256-hex", "taken"},
		{"GET", inQuery, "standard", "warned"},
		{"HEAD", inQuery, "standard-ed25519", "warned"},
		{"DELETE", inQuery, "standard", "warned"},
		{"GET", inQuery, "none", "taken"},
		{"GET", inBody, "standard", "taken"},
		{"POST", inQuery, "standard", "taken"},
	} {
		t.Run(c.method+" "+c.body+" "+c.scheme, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			asked := create(c.method, c.body, c.scheme)
			made := b.call(t, integratorKey, "POST", "/v1/subscriptions", asked)
			tried := b.call(t, integratorKey, "POST", "/v1/preview", `{"subscription":`+asked+`,"data":{"x":1}}`)
			matched := b.call(t, integratorKey, "POST", "/v1/match", `{"subscription":`+asked+`,"data":{"x":1}}`)
			if c.want == "refused" {
				made.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "signature.scheme")
				tried.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "subscription.signature.scheme")
				matched.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "subscription.signature.scheme")
				return
			}
			matched.want(t, http.StatusOK)
			for _, got := range []map[string]any{made.want(t, http.StatusCreated), tried.want(t, http.StatusOK)} {
				if warned(got) != (c.want == "warned") {
					t.Errorf("warnings %v", got["warnings"])
				}
			}
		})
	}
}

// warned reports whether a warning is about the signature.
func warned(got map[string]any) bool {
	list, _ := got["warnings"].([]any)
	return len(list) > 0 && strings.HasPrefix(list[0].(string), "signature.scheme: ")
}

// TestSignatureOfNothingAfterAChange: of only the method, of only the scheme, or by a profile.
func TestSignatureOfNothingAfterAChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const create = `{"tenant":"acme","name":"n","events":["*"],"request":{"url":"https://example.com/","body":"params","params":{"a":1}},"signature":{"scheme":"hmac-sha256-hex"}}`
	b.call(t, integratorKey, "POST", "/v1/subscriptions", create).want(t, http.StatusCreated)
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"request":{"method":"GET"}}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "signature.scheme")
	if got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"request":{"method":"GET"},"signature":{"scheme":"standard"}}`).want(t, http.StatusOK); !warned(got) {
		t.Errorf("warnings %v", got["warnings"])
	}
	if got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":2,"name":"m"}`).want(t, http.StatusOK); warned(got) {
		t.Errorf("of another change: %v", got["warnings"])
	}
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":3,"signature":{"scheme":"hmac-sha256-hex"}}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "signature.scheme")
	if got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":3,"signature":{"scheme":"standard-ed25519"}}`).want(t, http.StatusOK); !warned(got) {
		t.Errorf("warnings %v", got["warnings"])
	}

	const of = `{"tenant":"acme","name":"o","events":["*"],"profile":"%s","request":{"url":"https://example.com/","body":"params","params":{"a":1},"method":"GET"}}`
	b.call(t, integratorKey, "POST", "/v1/subscriptions", strings.Replace(of, "%s", "signalzen", 1)).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "signature.scheme")
	if got := b.call(t, integratorKey, "POST", "/v1/subscriptions", strings.Replace(of, "%s", "firstline", 1)).want(t, http.StatusCreated); !warned(got) {
		t.Errorf("warnings %v", got["warnings"])
	}
}

// Templates are tried with samples of every event type that the subscription receives, for any
// order of types and patterns.
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
		got := b.call(t, integratorKey, "POST", "/v1/subscriptions", b.numbered(body))
		if c.status == 422 {
			problem := got.wantProblem(t, c.status, switchboard.CodeInvalid, "request.params.a")
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
