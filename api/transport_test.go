package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// inProcess calls the API as the caller, without the network.
func (b *bundle) inProcess(t *testing.T, caller switchboard.Caller, method, path, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://switchboard.invalid"+string(b.unnamed([]byte(path))), strings.NewReader(body))
	must(t, err)
	got, err := b.api.Transport(caller).RoundTrip(r)
	must(t, err)
	text, err := io.ReadAll(got.Body)
	must(t, err)
	return answer{got.StatusCode, got.Header, b.named(text)}
}

// TestTransport: the caller is the given one, with its role and tenant, and the audit names the
// console.
func TestTransport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	support := switchboard.Caller{KeyID: b.id("key_support"), Role: switchboard.RoleSupport, Person: "Ana", RequestID: "r7", Address: "192.0.2.7"}
	b.inProcess(t, support, "GET", "/v1/deliveries/dlv_acme", "").want(t, http.StatusOK)
	globex := support
	globex.Tenant = "globex"
	b.inProcess(t, globex, "GET", "/v1/deliveries/dlv_acme", "").wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	b.inProcess(t, support, "GET", "/v1/keys", "").wantProblem(t, http.StatusForbidden, switchboard.CodeForbidden, "")
	b.inProcess(t, support, "POST", "/v1/deliveries/dlv_acme/cancel", `{"reason":"asked"}`).want(t, http.StatusOK)
	found, err := b.db.Audit(t.Context(), anybody(), switchboard.AuditFilter{Object: b.id("dlv_acme")}, switchboard.PageRequest{})
	must(t, err)
	if len(found.Items) != 1 {
		t.Fatalf("%d entries in the audit", len(found.Items))
	}
	if got := found.Items[0]; got.Origin != switchboard.OriginConsole || got.Person != "Ana" || got.Actor != support.KeyID || got.RequestID != "r7" || got.Address != "192.0.2.7" {
		t.Errorf("%+v", got)
	}
	for _, line := range b.logs.lines(t) {
		if line["level"] != "DEBUG" {
			t.Errorf("a call of the console is logged as %v", line)
		}
	}
}

// TestTransportFromTheNetwork: every request from the network needs a key.
func TestTransportFromTheNetwork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	caller := switchboard.Caller{KeyID: b.id("key_admin"), Role: switchboard.RoleAdmin}
	b.inProcess(t, caller, "GET", "/v1/deliveries", "").want(t, http.StatusOK)
	encoded, err := json.Marshal(caller)
	must(t, err)
	for _, headers := range [][]string{
		{"Cookie", "__Host-switchboard=abc; session=abc"},
		{"Switchboard-Caller", string(encoded)},
		{"Switchboard-Actor", "Ana"},
		{"X-Request-Id", "r7", "Origin", "console", "Host", "switchboard.invalid"},
		{"X-Forwarded-User", "ana", "X-Remote-User", "ana"},
	} {
		b.call(t, "", "GET", "/v1/deliveries", nil, headers...).wantProblem(t, http.StatusUnauthorized, switchboard.CodeUnauthenticated, "")
	}
	// A caller in the context under another key than the package's own does not count.
	type key struct{}
	r := httptest.NewRequest("GET", "/v1/deliveries", nil)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, caller)))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("status %d", w.Code)
	}
}

// TestTransportOfWhomHasGone: a caller who disconnects gets no answer.
func TestTransportOfWhomHasGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(gone, "GET", "http://switchboard.invalid/v1/deliveries", bytes.NewReader(nil))
	must(t, err)
	got, err := b.api.Transport(switchboard.Caller{Role: switchboard.RoleAdmin}).RoundTrip(r)
	if got != nil {
		got.Body.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
