package api

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMe(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.call(t, acmeViewerKey, "GET", "/v1/me", nil, "Switchboard-Actor", "marta@platform").want(t, http.StatusOK)
	want := map[string]any{
		"key_id": "key_acme", "name": "acme-viewer", "role": "viewer", "tenant": "acme", "read_payload": true, "expires_at": nil, "person": "marta@platform",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestReadPayloadOfNewKeys: support and viewer have it on request, and a key without it cannot make
// a key with it.
func TestReadPayloadOfNewKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	made := map[string]string{}
	for _, c := range []struct {
		name, by, body string
		want           any // false, true, or the field at fault
	}{
		{"viewer", "", `{"name":"n","role":"viewer"}`, false},
		{"support", "", `{"name":"n","role":"support"}`, false},
		{"publisher", "", `{"name":"n","role":"publisher"}`, true},
		{"integrator", "", `{"name":"n","role":"integrator"}`, true},
		{"admin", "", `{"name":"n","role":"admin"}`, true},
		{"support with it", "", `{"name":"n","role":"support","read_payload":true}`, true},
		{"admin without it", "", `{"name":"n","role":"admin","read_payload":false}`, false},
		{"of an admin without it", "admin without it", `{"name":"n","role":"integrator"}`, false},
		{"of an admin without it, asked for", "admin without it", `{"name":"n","role":"integrator","read_payload":true}`, "read_payload"},
	} {
		key := adminKey
		if c.by != "" {
			key = made[c.by]
		}
		got := b.call(t, key, "POST", "/v1/keys", c.body)
		if field, refused := c.want.(string); refused {
			got.wantProblem(t, http.StatusForbidden, "forbidden", field)
			continue
		}
		answer := got.want(t, http.StatusCreated)
		if answer["read_payload"] != c.want {
			t.Errorf("%s: read_payload is %v", c.name, answer["read_payload"])
		}
		made[c.name] = answer["key"].(string)
		if me := b.call(t, made[c.name], "GET", "/v1/me", nil).want(t, http.StatusOK); me["read_payload"] != c.want {
			t.Errorf("%s: it reads %v of itself", c.name, me["read_payload"])
		}
	}
}
