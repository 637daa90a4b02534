package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestResend: the copy and its original name each other, and the copy's workflow is started.
func TestResend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, adminKey, "POST", "/v1/deliveries/dlv_globex/resend", `{"reason":"r","url":"https://other.example.com/","headers":{"X-A":"hunter2"},"body":"hunter2","timeout":"20s"}`).want(t, http.StatusCreated)
	want := map[string]any{"id": "dlv_new", "resend_of": "dlv_globex", "changed": []any{"url", "headers", "body", "timeout"}, "state": "pending"}
	for name, value := range want {
		if diff := cmp.Diff(value, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff([]string{"start dlv_new"}, b.started()); diff != "" {
		t.Error(diff)
	}
	read := b.call(t, adminKey, "GET", "/v1/deliveries/dlv_new", nil).want(t, http.StatusOK)
	original := b.call(t, adminKey, "GET", "/v1/deliveries/dlv_globex", nil).want(t, http.StatusOK)
	if diff := cmp.Diff([]any{"dlv_globex", []any{"dlv_new"}}, []any{read["resend_of"], original["resent_as"]}); diff != "" {
		t.Error(diff)
	}
}

// TestResendRefused: roles limit the changes, the answer names what is wrong, and nothing is done.
func TestResendRefused(t *testing.T) {
	t.Parallel()
	const invalid, forbidden = http.StatusUnprocessableEntity, http.StatusForbidden
	for _, c := range []struct {
		key, body string
		status    int
		field     string
	}{
		{supportKey, `{"reason":"r","headers":{"X-A":"1"},"timeout":"20s"}`, http.StatusCreated, ""},
		{acmeIntegratorKey, `{"reason":"r","url":"https://other.example.com/","body":"x"}`, http.StatusCreated, ""},
		{acmeAdminKey, `{"reason":"r","body":""}`, http.StatusCreated, ""},

		{supportKey, `{"reason":"r","url":"https://other.example.com/"}`, forbidden, "url"},
		{supportKey, `{"reason":"r","body":"x"}`, forbidden, "body"},
		{integratorKey, `{"reason":"r"}`, forbidden, ""},
		{viewerKey, `{"reason":"r"}`, forbidden, ""},
		{adminKey, `{}`, invalid, "reason"},
		{adminKey, `{"reason":"  "}`, invalid, "reason"},
		{adminKey, `{"reason":"r","url":"http://169.254.169.254/latest"}`, invalid, "url"},
		{adminKey, `{"reason":"r","url":"ftp://other.example.com/"}`, invalid, "url"},
		{adminKey, `{"reason":"r","url":"https://{{host}}/"}`, invalid, "url"},
		{adminKey, `{"reason":"r","url":"https://other.example.com/{{"}`, invalid, "url"},
		{adminKey, `{"reason":"r","headers":{"Host":"evil.example.com"}}`, invalid, "headers.Host"},
		{adminKey, `{"reason":"r","headers":{"Webhook-Id":"dlv_1"}}`, invalid, "headers.Webhook-Id"},
		{adminKey, `{"reason":"r","headers":{"X-A":"a\r\nb"}}`, invalid, "headers.X-A"},
		{adminKey, `{"reason":"r","timeout":"31s"}`, invalid, "timeout"},
		{adminKey, `{"reason":"r","timeout":"0s"}`, invalid, "timeout"},
		{adminKey, `{"reason":"r","method":"GET"}`, invalid, "method"},
	} {
		b := setup(t)
		got := b.call(t, c.key, "POST", "/v1/deliveries/dlv_acme/resend", c.body)
		switch c.status {
		case http.StatusCreated:
			got.want(t, c.status)
		case forbidden:
			got.wantProblem(t, c.status, switchboard.CodeForbidden, c.field)
		default:
			got.wantProblem(t, c.status, switchboard.CodeInvalid, c.field)
		}
		if c.status != http.StatusCreated && b.stored(t) {
			t.Errorf("%s: something was stored or started", c.body)
		}
	}
}

// TestResendNeedsReadPayload: an admin whose key may not read payloads may not write them.
func TestResendNeedsReadPayload(t *testing.T) {
	t.Parallel()
	o := &switchboard.Overrides{URL: "https://other.example.com/"}
	for _, c := range []struct {
		caller switchboard.Caller
		may    bool
	}{
		{switchboard.Caller{Role: switchboard.RoleAdmin, ReadPayload: true}, true},
		{switchboard.Caller{Role: switchboard.RoleAdmin}, false},
		{switchboard.Caller{Role: switchboard.RoleIntegrator, Tenant: "acme", ReadPayload: true}, true},
		{switchboard.Caller{Role: switchboard.RoleIntegrator, ReadPayload: true}, false},
		{switchboard.Caller{Role: switchboard.RoleSupport, ReadPayload: true}, false},
	} {
		if err := c.caller.CheckResend(o); (err == nil) != c.may {
			t.Errorf("%+v: %v", c.caller, err)
		}
	}
}

// TestResendOfAQuery: a request without a body stays without one.
func TestResendOfAQuery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) {
		s.Request.Method, s.Request.Body, s.Request.Params = "GET", switchboard.BodyParams, []byte(`{"a":"b"}`)
	})
	got := b.call(t, adminKey, "POST", "/v1/deliveries/dlv_acme/resend", `{"reason":"r","body":"x"}`)
	got.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "body")
	if !strings.Contains(string(got.body), "GET") || b.stored(t) {
		t.Errorf("%s", got.body)
	}
}
