package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

func TestCreateKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, adminKey, "POST", "/v1/keys", `{"name":"CRM","role":"publisher","tenant":"acme","expires_at":"2999-01-01T01:00:00+01:00"}`).want(t, http.StatusCreated)
	text, _ := got["key"].(string)
	if len(text) < 40 || !strings.HasPrefix(text, switchboard.KeyTextPrefix) {
		t.Errorf("key %q", text)
	}
	delete(got, "key")
	want := map[string]any{
		"id": "key_new", "name": "CRM", "role": "publisher", "tenant": "acme",
		"created_at": "2026-01-31T11:00:00Z", "expires_at": "2999-01-01T00:00:00Z", "revoked_at": nil, "read_payload": true, "last_used_at": nil,
		"sessions": 0.0, "portal_links": 0.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stored := asList(b.call(t, adminKey, "GET", "/v1/keys", nil).want(t, http.StatusOK)["data"])[0]
	if diff := cmp.Diff(want, stored); diff != "" {
		t.Error(diff)
	}
	b.call(t, text, "POST", "/v1/events", postedEvent).want(t, http.StatusAccepted)
	if b.call(t, adminKey, "POST", "/v1/keys", `{"name":"CRM","role":"publisher"}`).want(t, http.StatusCreated)["key"] == text {
		t.Error("two keys are the same")
	}
}

// TestTenantAdmin: a key that is bound to a tenant cannot make a more powerful key.
func TestTenantAdmin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, body := range []string{`{"name":"n","role":"viewer"}`, `{"name":"n","role":"viewer","tenant":""}`, `{"name":"n","role":"viewer","tenant":"globex"}`} {
		b.call(t, acmeAdminKey, "POST", "/v1/keys", body).wantProblem(t, http.StatusForbidden, switchboard.CodeForbidden, "tenant")
	}
	if b.stored(t) {
		t.Error("a key was made")
	}
	b.call(t, acmeAdminKey, "POST", "/v1/keys", `{"name":"n","role":"admin","tenant":"acme"}`).want(t, http.StatusCreated)
}

func TestListAndRevokeKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list := b.call(t, adminKey, "GET", "/v1/keys", nil)
	if item := list.want(t, http.StatusOK)["data"].([]any)[0].(map[string]any); item["id"] != "key_globex" || item["key"] != nil || item["expires_at"] != nil {
		t.Errorf("got %s", list.body)
	}
	if got := b.call(t, adminKey, "DELETE", "/v1/keys/key_globex?reason=r", nil).want(t, http.StatusOK); got["revoked_at"] != "2026-01-31T11:01:00Z" {
		t.Errorf("got %v", got)
	}
}
