package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

const linkPrefix = "https://switchboard.example.com/console/enter#"

// tokenOf returns the token of the link in an answer.
func tokenOf(t *testing.T, body map[string]any) switchboard.Secret {
	t.Helper()
	token, ok := strings.CutPrefix(body["url"].(string), linkPrefix)
	if !ok || len(token) != 43 {
		t.Fatalf("the link is %v", body["url"])
	}
	return switchboard.Secret(token)
}

// TestPortalLink: the link begins a session of the tenant, with exactly the requested rights.
func TestPortalLink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key, body string
		lasts           time.Duration
		want            switchboard.Caller
	}{
		{"an integrator", integratorKey, `{"tenant":"acme","name":"Bob","role":"integrator","expires_in":"15m","session":"8h"}`, 8 * time.Hour,
			switchboard.Caller{KeyID: "key_integrator", Role: integrator, ReadPayload: true}},
		{"a viewer", adminKey, `{"tenant":"acme","name":"Bob","role":"viewer"}`, time.Hour, switchboard.Caller{KeyID: "key_admin", Role: viewer}},
		{"a viewer who reads payloads", acmeIntegratorKey, `{"tenant":"acme","name":"Bob","role":"viewer","read_payload":true}`, time.Hour,
			switchboard.Caller{KeyID: "key_acme-integrator", Role: viewer, ReadPayload: true}},
		{"an integrator who does not", acmeIntegratorKey, `{"tenant":"acme","name":"Bob","role":"integrator","read_payload":false}`, time.Hour,
			switchboard.Caller{KeyID: "key_acme-integrator", Role: integrator}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			got := b.call(t, c.key, "POST", "/v1/portal_links", c.body).want(t, http.StatusCreated)
			in, err := b.db.SpendPortalLink(t.Context(), tokenOf(t, got), switchboard.SignIn{})
			must(t, err)
			c.want.KeyID, c.want.Tenant, c.want.Person = b.id(c.want.KeyID), "acme", "Bob"
			if diff := cmp.Diff(c.want, in.Session.Caller); diff != "" || !in.Session.Portal {
				t.Errorf("portal %v\n%s", in.Session.Portal, diff)
			}
			if got := in.Session.EndsAt.Sub(in.Session.CreatedAt); got != c.lasts {
				t.Errorf("it lasts %s", got)
			}
			listed := asList(b.call(t, adminKey, "GET", "/v1/sessions?key="+c.want.KeyID, nil).want(t, http.StatusOK)["data"])
			if len(listed) != 1 || listed[0].(map[string]any)["person"] != "Bob" {
				t.Errorf("listed: %v", listed)
			}
		})
	}
}

func TestBadPortalLinks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	blind := b.blindIntegrator(t)
	for _, c := range []struct {
		key, body string
		status    int
		code      switchboard.Code
		field     string
	}{
		{adminKey, `{"name":"Bob","role":"viewer"}`, 422, switchboard.CodeInvalid, "tenant"},
		{adminKey, `{"tenant":"","name":"Bob","role":"viewer"}`, 422, switchboard.CodeInvalid, "tenant"},
		{adminKey, `{"tenant":"acme","role":"viewer"}`, 422, switchboard.CodeInvalid, "name"},
		{adminKey, `{"tenant":"acme","name":" ","role":"viewer"}`, 422, switchboard.CodeInvalid, "name"},
		{adminKey, `{"tenant":"acme","name":"a\nb","role":"viewer"}`, 422, switchboard.CodeInvalid, "name"},
		{adminKey, `{"tenant":"acme","name":"Bob","role":"admin"}`, 422, switchboard.CodeInvalid, "role"},
		{adminKey, `{"tenant":"acme","name":"Bob","role":"support"}`, 422, switchboard.CodeInvalid, "role"},
		{adminKey, `{"tenant":"acme","name":"Bob","role":"viewer","next":"//evil.example.com"}`, 422, switchboard.CodeInvalid, "next"},
		{adminKey, `{"tenant":"acme","name":"Bob","role":"viewer","expires_in":"16m"}`, 422, switchboard.CodeInvalid, "expires_in"},
		{adminKey, `{"tenant":"acme","name":"Bob","role":"viewer","expires_in":"0s"}`, 422, switchboard.CodeInvalid, "expires_in"},
		{adminKey, `{"tenant":"acme","name":"Bob","role":"viewer","session":"9h"}`, 422, switchboard.CodeInvalid, "session"},
		{integratorKey, `{"tenant":"_operator","name":"Bob","role":"viewer"}`, 422, switchboard.CodeInvalid, "tenant"},
		{blind, `{"tenant":"acme","name":"Bob","role":"viewer","read_payload":true}`, 403, switchboard.CodeForbidden, "read_payload"},
	} {
		b.call(t, c.key, "POST", "/v1/portal_links", c.body).wantProblem(t, c.status, c.code, c.field)
	}
	made := b.call(t, blind, "POST", "/v1/portal_links", `{"tenant":"acme","name":"Bob","role":"integrator"}`).want(t, http.StatusCreated)
	in, err := b.db.SpendPortalLink(t.Context(), tokenOf(t, made), switchboard.SignIn{})
	must(t, err)
	if in.Session.Caller.ReadPayload {
		t.Error("the session may read what its key may not")
	}
	b = setup(t, func(c *Config) { c.PublicURL = "" })
	b.call(t, adminKey, "POST", "/v1/portal_links", `{"tenant":"acme","name":"Bob","role":"viewer"}`).wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "")
}

// blindIntegrator makes the key of an integrator who may not read payloads.
func (b *bundle) blindIntegrator(t *testing.T) string {
	t.Helper()
	return b.call(t, adminKey, "POST", "/v1/keys", `{"name":"n","role":"integrator","read_payload":false}`).want(t, http.StatusCreated)["key"].(string)
}

// TestPortalLinksAreListed with who made them, for whom, and whether they were used. An unused one
// can be withdrawn, once.
func TestPortalLinksAreListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list := func(key string) []any {
		return asList(b.call(t, key, "GET", "/v1/portal_links", nil).want(t, http.StatusOK)["data"])
	}
	want := map[string]any{
		"id": "plk_globex", "key_id": "key_integrator", "tenant": "globex", "name": "Gea", "role": "viewer", "read_payload": false,
		"created_at": "2026-01-31T10:12:00Z", "expires_at": "2026-02-01T10:12:00Z", "used_at": nil,
	}
	if diff := cmp.Diff([]any{want}, list(integratorKey)); diff != "" {
		t.Error(diff)
	}
	if got := list(acmeAdminKey); len(got) != 0 {
		t.Errorf("of another tenant: %v", got)
	}
	made := b.call(t, acmeIntegratorKey, "POST", "/v1/portal_links", `{"tenant":"acme","name":"Bob","role":"viewer"}`).want(t, http.StatusCreated)
	_, err := b.db.SpendPortalLink(t.Context(), tokenOf(t, made), switchboard.SignIn{})
	must(t, err)
	if got := list(acmeIntegratorKey); len(got) != 1 || got[0].(map[string]any)["used_at"] == nil {
		t.Errorf("the used one: %v", got)
	}
	used, _ := made["id"].(string)
	for _, path := range []string{"/v1/portal_links/" + used + "?reason=r", "/v1/portal_links/plk_none?reason=r"} {
		b.call(t, adminKey, "DELETE", path, nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	}
	b.call(t, integratorKey, "DELETE", "/v1/portal_links/plk_globex?reason=r", nil).want(t, http.StatusNoContent)
	b.call(t, integratorKey, "DELETE", "/v1/portal_links/plk_globex?reason=r", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	if got := list(adminKey); len(got) != 1 {
		t.Errorf("after that: %v", got)
	}
}

// TestSessions: sessions are listed, and can be ended.
func TestSessions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list := b.call(t, adminKey, "GET", "/v1/sessions", nil).want(t, http.StatusOK)
	want := []any{map[string]any{
		"id": "ses_globex", "person": "Gus", "verified": false, "key_id": "key_globex", "role": "viewer", "tenant": "globex", "read_payload": true,
		"portal": false, "created_at": "2026-01-31T10:12:00Z", "seen_at": "2026-01-31T10:12:00Z", "ends_at": "2026-01-31T22:12:00Z", "address": "198.51.100.7",
	}}
	if diff := cmp.Diff(want, list["data"]); diff != "" {
		t.Error(diff)
	}
	if got := b.call(t, adminKey, "GET", "/v1/keys/key_globex", nil).want(t, http.StatusOK); got["sessions"] != 1.0 {
		t.Errorf("key: %v", got)
	}
	if got := asList(b.call(t, adminKey, "GET", "/v1/sessions?key=key_acme", nil).want(t, http.StatusOK)["data"]); len(got) != 0 {
		t.Errorf("of another key: %v", got)
	}
	if got := asList(b.call(t, acmeAdminKey, "GET", "/v1/sessions", nil).want(t, http.StatusOK)["data"]); len(got) != 0 {
		t.Errorf("of another tenant: %v", got)
	}
	b.call(t, adminKey, "DELETE", "/v1/sessions/ses_globex?reason=r", nil).want(t, http.StatusNoContent)
	b.call(t, adminKey, "DELETE", "/v1/sessions/ses_globex?reason=r", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	if got := asList(b.call(t, adminKey, "GET", "/v1/sessions", nil).want(t, http.StatusOK)["data"]); len(got) != 0 {
		t.Errorf("after its end: %v", got)
	}
}
