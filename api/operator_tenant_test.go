package api

import (
	"net/http"
	"strings"
	"testing"
)

// TestOperatorTenant: the operators' subscriptions are made by admins for all tenants, read by
// operators, and invisible to the platform's keys.
func TestOperatorTenant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const body = `{"tenant":"_operator","name":"pager","events":["switchboard.*"],` + okRequest + `}`
	for _, key := range []string{integratorKey, acmeAdminKey} {
		b.call(t, key, "POST", "/v1/subscriptions", body).wantProblem(t, http.StatusForbidden, "forbidden", "tenant")
	}
	created := b.call(t, adminKey, "POST", "/v1/subscriptions", body).want(t, http.StatusCreated)
	if warnings := asList(created["warnings"]); len(warnings) > 0 {
		t.Errorf("warnings: %v", warnings)
	}
	id := "/v1/subscriptions/" + created["id"].(string)
	for _, c := range []struct {
		key, call, body string
		status          int
	}{
		{adminKey, "GET " + id, ``, 200},
		{supportKey, "GET " + id, ``, 200},
		{viewerKey, "GET " + id, ``, 200},
		{integratorKey, "GET " + id, ``, 404},
		{acmeAdminKey, "GET " + id, ``, 404},
		{integratorKey, "PATCH " + id, `{"version":1,"name":"x"}`, 404},
		{integratorKey, "DELETE " + id + "?reason=r", ``, 404},
		{integratorKey, "POST " + id + "/rotate_secret", ``, 404},
		{integratorKey, "POST " + id + "/test", ``, 404},
		{publisherKey, "POST " + id + "/trigger", `{"data":1}`, 404},
		{adminKey, "POST " + id + "/trigger", `{"data":1}`, 422},
		{adminKey, "POST " + id + "/test", ``, 202},
		{adminKey, "PATCH " + id, `{"version":1,"name":"x"}`, 200},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		if got := b.call(t, c.key, method, path, c.body); got.status != c.status {
			t.Errorf("%s by %s: %d; want %d", c.call, c.key, got.status, c.status)
		}
	}
	tested := asList(b.call(t, adminKey, "GET", "/v1/events?tenant=_operator", nil).want(t, http.StatusOK)["data"])
	if len(tested) != 1 || tested[0].(map[string]any)["type"] != "switchboard.breaker.closed" {
		t.Errorf("the test sent %v; want the catalogue's sample of a type that the subscription takes", tested)
	}
}
