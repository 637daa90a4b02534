package api

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// tableCall is a call as it is made.
type tableCall struct {
	call, body string
	status     int
	roles      string
}

// calls has every route once, with a request that succeeds, its status, and the roles that may call
// it in addition to admin: p(ublisher), i(ntegrator), s(upport), v(iewer).
var calls = []tableCall{
	{"POST /v1/events", postedEvent, 202, "p"},
	{"POST /v1/events/batch", `{"events":[` + postedEvent + `]}`, 202, "p"},
	{"GET /v1/events", ``, 200, "pisv"},
	{"GET /v1/events/evt_acme", ``, 200, "pisv"},
	{"GET /v1/events/evt_acme/explain", ``, 200, "isv"},
	{"DELETE /v1/events/evt_acme/data?reason=asked", ``, 202, ""},
	{"POST /v1/subscriptions", `{"tenant":"acme","name":"n","events":["*"],` + okRequest + `}`, 201, "i"},
	{"GET /v1/subscriptions", ``, 200, "isv"},
	{"GET /v1/subscriptions/sub_acme", ``, 200, "isv"},
	{"PATCH /v1/subscriptions/sub_acme", `{"version":3,"name":"x"}`, 200, "i"},
	{"DELETE /v1/subscriptions/sub_acme?reason=asked", ``, 204, "i"},
	{"POST /v1/subscriptions/sub_acme/rotate_secret", ``, 200, "i"},
	{"POST /v1/subscriptions/sub_acme/test", ``, 202, "i"},
	{"POST /v1/subscriptions/sub_acme/verify", ``, 200, "i"},
	{"POST /v1/subscriptions/sub_acme/pause", `{"reason":"r"}`, 200, "is"},
	{"POST /v1/subscriptions/sub_paused/resume", ``, 200, "is"},
	{"POST /v1/subscriptions/sub_paused/disable", `{"reason":"r"}`, 200, "i"},
	{"POST /v1/subscriptions/sub_disabled/enable", ``, 200, "i"},
	{"GET /v1/subscriptions/sub_acme/jwks", ``, 200, "isv"},
	{"POST /v1/subscriptions/sub_acme/trigger", `{"data":1}`, 202, "pi"},
	{"POST /v1/subscriptions/sub_acme/preview", ``, 200, "is"},
	{"POST /v1/subscriptions/sub_acme/match", ``, 200, "is"},
	{"POST /v1/preview", `{"subscription":{` + okRequest + `}}`, 200, "is"},
	{"POST /v1/match", `{"subscription":{"events":["ticket.*"]}}`, 200, "is"},
	{"GET /v1/deliveries", ``, 200, "isv"},
	{"GET /v1/deliveries/facets", ``, 200, "isv"},
	{"GET /v1/search?q=acme", ``, 200, "isv"},
	{"GET /v1/deliveries/dlv_acme", ``, 200, "isv"},
	{"GET /v1/deliveries/dlv_acme/attempts/1/request", ``, 200, "isv"},
	{"POST /v1/deliveries/dlv_acme/retry", ``, 200, "s"},
	{"POST /v1/deliveries/dlv_acme/cancel", `{"reason":"r"}`, 200, "s"},
	{"POST /v1/deliveries/dlv_acme/hold", `{"reason":"r"}`, 200, "s"},
	{"POST /v1/deliveries/dlv_held/release", ``, 200, "s"},
	{"POST /v1/deliveries/dlv_acme/resend", `{"reason":"r"}`, 201, "s"},
	{"POST /v1/deliveries/dlv_acme/preview", ``, 200, "s"},
	{"GET /v1/failures", ``, 200, "sv"},
	{"GET /v1/stats", ``, 200, "isv"},
	{"GET /v1/stats/now", ``, 200, "sv"},
	{"GET /v1/operations", ``, 200, "isv"},
	{"GET /v1/operations/op_acme", ``, 200, "isv"},
	{"POST /v1/operations", `{"action":"cancel","filter":{"tenant":"acme"},"reason":"r"}`, 202, "s"},
	{"GET /v1/operations/op_retry/items", ``, 200, "isv"},
	{"POST /v1/operations/op_retry/pause", `{"reason":"r"}`, 200, "s"},
	{"POST /v1/operations/op_paused/resume", ``, 200, "s"},
	{"POST /v1/operations/op_paused/cancel", `{"reason":"r"}`, 200, "s"},
	{"GET /v1/actions", ``, 200, "s"},
	{"GET /v1/event_types", ``, 200, "pisv"},
	{"GET /v1/event_types/iomnihub/ticket.created", ``, 200, "pisv"},
	{"PUT /v1/event_types/iomnihub/ticket.created", `{}`, 200, ""},
	{"PATCH /v1/event_types/iomnihub/ticket.created", `{"deprecated":true}`, 200, ""},
	{"DELETE /v1/event_types/iomnihub/ticket.created", ``, 204, ""},
	{"GET /v1/platforms", ``, 200, "pisv"},
	{"DELETE /v1/tenants/acme?reason=asked", ``, 202, ""},
	{"GET /v1/erasures", ``, 200, ""},
	{"GET /v1/erasures/era_globex", ``, 200, ""},
	{"GET /v1/me", ``, 200, "pisv"},
	{"GET /v1/keys", ``, 200, ""},
	{"POST /v1/keys", `{"name":"n","role":"viewer"}`, 201, ""},
	{"GET /v1/keys/key_globex", ``, 200, ""},
	{"DELETE /v1/keys/key_globex?reason=asked", ``, 200, ""},
	{"POST /v1/portal_links", `{"tenant":"acme","name":"Bob","role":"viewer"}`, 201, "i"},
	{"GET /v1/portal_links", ``, 200, "i"},
	{"DELETE /v1/portal_links/plk_globex?reason=asked", ``, 204, "i"},
	{"GET /v1/sessions", ``, 200, ""},
	{"DELETE /v1/sessions/ses_globex?reason=asked", ``, 204, ""},
}

// seeded is a bundle in which every call of the table can succeed.
func seeded(t testing.TB, change ...func(*Config)) *bundle {
	b := setup(t, change...)
	b.inEveryState(t)
	must(t, b.db.SaveEventType(t.Context(), anybody(), switchboard.EventType{Platform: "iomnihub", Name: "ticket.created"})) // it was changed
	b.sign(t, "sub_acme", signing.StandardEd25519)                                                                           // it has public keys
	return b
}

// inEveryState makes sub_paused and sub_disabled, the delivery dlv_held, which an operator holds,
// and op_acme, op_retry and op_paused, all of acme.
func (b *bundle) inEveryState(t testing.TB) {
	t.Helper()
	for name, action := range map[string]switchboard.SubscriptionAction{"sub_paused": switchboard.PauseSubscription, "sub_disabled": switchboard.DisableSubscription} {
		s := switchboard.Subscription{Tenant: "acme", Name: name, Events: []string{"none"}, Request: switchboard.Request{URL: "https://crm.example.com/hook"}, Secrets: secretsOf(signing.NewSecret(signing.Standard))}
		s.SetDefaults()
		must(t, b.db.CreateSubscription(t.Context(), anybody(), &s))
		if name == "sub_paused" {
			accepted, err := b.db.AcceptFor(t.Context(), anybody(), s.ID, switchboard.Event{Tenant: "acme", Type: "none", Data: []byte(`1`)}, false)
			must(t, err)
			_, err = b.db.SetAside(t.Context(), anybody(), accepted.Deliveries[0].ID, "r")
			must(t, err)
			b.rename("dlv_held", accepted.Deliveries[0].ID)
			_, _, err = b.db.ChangeSubscriptionState(t.Context(), anybody(), s.ID, action, "r")
			must(t, err)
			_, operation, err := b.db.ChangeSubscriptionState(t.Context(), anybody(), s.ID, switchboard.ResumeSubscription, "")
			must(t, err)
			b.rename("op_acme", operation)
		}
		_, _, err := b.db.ChangeSubscriptionState(t.Context(), anybody(), s.ID, action, "r")
		must(t, err)
		b.rename(name, s.ID)
	}
	for _, name := range []string{"op_retry", "op_paused"} {
		o, err := b.db.StartOperation(t.Context(), anybody(), "", switchboard.OperationRequest{Action: switchboard.ActionRetry, Filter: switchboard.Selection{Tenant: "acme"}, Reason: "r"})
		must(t, err)
		if name == "op_paused" {
			_, err = b.db.ChangeOperation(t.Context(), anybody(), o.ID, switchboard.PauseOperation, "r")
			must(t, err)
		}
		b.rename(name, o.ID)
	}
	b.before = b.db.fingerprint(t)
}

// rename gives the object with that id a name.
func (b *bundle) rename(name, id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ids[name], b.names[id] = id, name
}

// TestRoles calls every route with every role.
func TestRoles(t *testing.T) {
	t.Parallel()
	keys := map[string]string{"a": adminKey, "p": publisherKey, "i": integratorKey, "s": supportKey, "v": viewerKey}
	for _, c := range calls {
		method, path, _ := strings.Cut(c.call, " ")
		for role, key := range keys {
			t.Run(c.call+" "+key, func(t *testing.T) {
				t.Parallel()
				b := seeded(t)
				got := b.call(t, key, method, path, c.body)
				if role == "a" || strings.Contains(c.roles, role) {
					got.want(t, c.status)
					return
				}
				got.wantProblem(t, http.StatusForbidden, switchboard.CodeForbidden, "")
				if b.stored(t) {
					t.Error("something was stored")
				}
			})
		}
	}
}

// TestWithoutKey calls every route with invalid keys, and with invalid bodies and parameters: a
// stranger learns nothing about those.
func TestWithoutKey(t *testing.T) {
	t.Parallel()
	headers := map[string]string{
		"none": "", "empty": "Bearer ", "another scheme": "Basic aHVudGVyMg==", "no scheme": adminKey,
		"expired": "Bearer " + expiredKey, "revoked": "Bearer " + revokedKey, "unknown": "bearer " + unknownKey,
		"huge": "Bearer " + strings.Repeat("x", 10_000),
	}
	b := seeded(t)
	for _, c := range calls {
		method, path, _ := strings.Cut(c.call, " ")
		for name, header := range headers {
			got := b.call(t, "", method, path+"?nonsense=1", `nonsense`, "Authorization", header)
			got.wantProblem(t, http.StatusUnauthorized, switchboard.CodeUnauthenticated, "")
			if got.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s, %s: no WWW-Authenticate", c.call, name)
			}
			if b.stored(t) {
				t.Errorf("%s, %s: something was stored", c.call, name)
			}
		}
	}
}

// routeOf is the route of a call of the table.
func routeOf(call string) string {
	route, _, _ := strings.Cut(call, "?")
	route = namePattern.ReplaceAllString(route, "{id}")
	return strings.NewReplacer("tenants/acme", "tenants/{tenant}", "attempts/1/", "attempts/{n}/", "iomnihub/ticket.created", "{platform}/{name}").Replace(route)
}

// TestCallsAreComplete: the table has every route of the API.
func TestCallsAreComplete(t *testing.T) {
	t.Parallel()
	doc := setup(t).call(t, "", "GET", "/openapi.json", nil).want(t, http.StatusOK)
	known := map[string]bool{}
	for _, c := range calls {
		known[routeOf(c.call)] = true
	}
	n := 0
	for path, item := range doc["paths"].(map[string]any) {
		for method := range item.(map[string]any) {
			n++
			if call := strings.ToUpper(method) + " " + path; !known[call] {
				t.Errorf("%s is not in the table", call)
			}
		}
	}
	if n != len(calls) {
		t.Errorf("%d routes, %d calls", n, len(calls))
	}
}

// TestScope: a key of acme can neither see nor change globex's objects, and gets the same answer
// whether they exist or not.
func TestScope(t *testing.T) {
	t.Parallel()
	pairs := []struct{ key, call, body string }{
		{acmePublisherKey, "POST /v1/events", `{"tenant":"TENANT","type":"t","data":1}`},
		{acmeIntegratorKey, "POST /v1/subscriptions", `{"tenant":"TENANT","name":"n","events":["*"],` + okRequest + `}`},
		{acmeAdminKey, "POST /v1/keys", `{"tenant":"TENANT","name":"n","role":"viewer"}`},
		{acmeViewerKey, "GET /v1/events?tenant=TENANT", ``},
		{acmeViewerKey, "GET /v1/events/evt_acme?tenant=TENANT", ``},
		{acmeViewerKey, "GET /v1/subscriptions?tenant=TENANT", ``},
		{acmeViewerKey, "GET /v1/deliveries?tenant=TENANT", ``},
		{acmeViewerKey, "GET /v1/subscriptions/sub_TENANT", ``},
		{acmeViewerKey, "GET /v1/deliveries/dlv_TENANT", ``},
		{acmeIntegratorKey, "PATCH /v1/subscriptions/sub_TENANT", `{"version":3,"name":"x"}`},
		{acmeIntegratorKey, "PATCH /v1/subscriptions/sub_TENANT", `{"version":3,"name":""}`},
		{acmeIntegratorKey, "DELETE /v1/subscriptions/sub_TENANT?reason=r", ``},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/rotate_secret", ``},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/test", ``},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/verify", ``},
		{acmeViewerKey, "GET /v1/subscriptions/sub_TENANT/jwks", ``},
		{acmePublisherKey, "POST /v1/subscriptions/sub_TENANT/trigger", `{"data":1}`},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/preview", ``},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/match", ``},
		{acmeIntegratorKey, "POST /v1/preview", `{"subscription":{"tenant":"TENANT",` + okRequest + `}}`},
		{acmeIntegratorKey, "POST /v1/match", `{"subscription":{"tenant":"TENANT"}}`},
		{acmeAdminKey, "POST /v1/deliveries/dlv_TENANT/retry", ``},
		{acmeAdminKey, "POST /v1/deliveries/dlv_TENANT/cancel", `{"reason":"r"}`},
		{acmeAdminKey, "POST /v1/deliveries/dlv_TENANT/hold", `{"reason":"r"}`},
		{acmeAdminKey, "POST /v1/deliveries/dlv_TENANT/release", ``},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/pause", `{"reason":"r"}`},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/resume", ``},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/disable", `{"reason":"r"}`},
		{acmeIntegratorKey, "POST /v1/subscriptions/sub_TENANT/enable", ``},
		{acmeViewerKey, "GET /v1/operations?tenant=TENANT", ``},
		{acmeViewerKey, "GET /v1/failures?tenant=TENANT", ``},
		{acmeViewerKey, "GET /v1/stats?tenant=TENANT", ``},
		{acmeViewerKey, "GET /v1/stats/now?tenant=TENANT", ``},
		{acmeAdminKey, "GET /v1/actions?tenant=TENANT", ``},
		{acmeAdminKey, "GET /v1/keys/key_TENANT", ``},
		{acmeAdminKey, "DELETE /v1/keys/key_TENANT?reason=r", ``},
		{acmeIntegratorKey, "POST /v1/portal_links", `{"tenant":"TENANT","name":"Bob","role":"viewer"}`},
		{acmeIntegratorKey, "DELETE /v1/portal_links/plk_TENANT?reason=r", ``},
		{acmeAdminKey, "DELETE /v1/sessions/ses_TENANT?reason=r", ``},
	}
	for _, p := range pairs {
		b := setup(t)
		ask := func(tenant string) answer {
			method, path, _ := strings.Cut(strings.ReplaceAll(p.call, "TENANT", tenant), " ")
			got := b.call(t, p.key, method, path, strings.ReplaceAll(p.body, "TENANT", tenant), "X-Request-Id", "same")
			got.body = bytes.ReplaceAll(got.body, []byte("_"+tenant), []byte("_TENANT")) // in the requested id
			return got
		}
		exists, not := ask("globex"), ask("nobody")
		if exists.status != http.StatusForbidden && exists.status != http.StatusNotFound {
			t.Errorf("%s: status %d", p.call, exists.status)
		}
		if exists.status != not.status || string(exists.body) != string(not.body) {
			t.Errorf("%s: the answers differ:\n%s%s", p.call, exists.body, not.body)
		}
		if exists.status == http.StatusForbidden {
			field := "tenant"
			if strings.Contains(p.body, `"subscription"`) {
				field = "subscription.tenant"
			}
			exists.wantProblem(t, http.StatusForbidden, switchboard.CodeForbidden, field)
		}
		if b.stored(t) {
			t.Errorf("%s: something was stored or started", p.call)
		}
	}
}

// TestScopeOfLists: without a requested tenant, a list is of the key's own tenant.
func TestScopeOfLists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for key, want := range map[string]string{acmeViewerKey: "acme", viewerKey: ""} {
		b.call(t, key, "GET", "/v1/events", nil).want(t, http.StatusOK)
		b.call(t, key, "GET", "/v1/subscriptions", nil).want(t, http.StatusOK)
		b.call(t, key, "GET", "/v1/deliveries", nil).want(t, http.StatusOK)
		for _, got := range []string{b.store.events.Tenant, b.store.subscriptions.Tenant, b.store.deliveries.Tenant} {
			if got != want {
				t.Errorf("%s: looked into %q, want %q", key, got, want)
			}
		}
	}
}
