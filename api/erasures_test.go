package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

func TestErasures(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 501)
	for _, c := range []struct {
		call   string
		status int
		field  string // of the problem
	}{
		{"DELETE /v1/tenants/acme?reason=asked", 202, ""},
		{"DELETE /v1/tenants/acme", 422, "reason"},
		{"DELETE /v1/tenants/acme?reason=", 422, "reason"},
		{"DELETE /v1/tenants/acme?reason=%20", 422, "reason"},
		{"DELETE /v1/tenants/acme?reason=" + long, 422, "reason"},
		{"DELETE /v1/tenants/acme?reason=a%00b", 422, "reason"},
		{"DELETE /v1/tenants/acme?reason=asked&force=true", 422, "force"},
		{"DELETE /v1/tenants/%20?reason=asked", 422, "tenant"},
		{"DELETE /v1/tenants/a%27b?reason=asked", 422, "tenant"},
		{"DELETE /v1/tenants/initech?reason=asked", 404, ""},
		{"DELETE /v1/events/evt_acme/data?reason=asked", 202, ""},
		{"DELETE /v1/events/evt_acme/data?tenant=globex&reason=asked", 404, ""},
		{"DELETE /v1/events/evt_none/data?reason=asked", 404, ""},
		{"DELETE /v1/events/evt_acme/data", 422, "reason"},
		{"GET /v1/erasures/era_globex", 200, ""},
		{"GET /v1/erasures/era_none", 404, ""},
	} {
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			b := seeded(t)
			method, path, _ := strings.Cut(c.call, " ")
			got := b.call(t, adminKey, method, path, nil)
			if c.status < http.StatusBadRequest {
				got.want(t, c.status)
				for _, part := range []string{`"id":"era_`, `"reason":"asked"`, `"erased":{`} {
					if !strings.Contains(string(got.body), part) {
						t.Errorf("no %s in %s", part, got.body)
					}
				}
				return
			}
			code := switchboard.CodeInvalid
			if c.status == http.StatusNotFound {
				code = switchboard.CodeNotFound
			}
			got.wantProblem(t, c.status, code, c.field)
			if calls := b.engine.all(); len(calls) > 0 {
				t.Errorf("Temporal was asked for %v", calls)
			}
		})
	}
}

// Every request for an erasure starts its workflow. If Temporal is away, the next call starts it.
func TestErasureStartsItsWorkflow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const call = "/v1/tenants/acme?reason=asked"
	b.engine.err = &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "ask for it again"}
	b.call(t, adminKey, http.MethodDelete, call, nil).wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeUnavailable, "")
	b.engine.err = nil
	b.call(t, adminKey, http.MethodDelete, call, nil).want(t, http.StatusAccepted)
	if calls := b.engine.all(); len(calls) != 2 || calls[0] != calls[1] || !strings.HasPrefix(calls[0], "erase era_") {
		t.Errorf("Temporal was asked for %v", calls)
	}
}

// A key that is bound to a tenant cannot erase anything of another.
func TestErasureOfAnotherTenant(t *testing.T) {
	t.Parallel()
	b := seeded(t)
	b.call(t, acmeAdminKey, http.MethodDelete, "/v1/tenants/globex?reason=asked", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	b.call(t, acmeAdminKey, http.MethodDelete, "/v1/events/evt_globex/data?reason=asked", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	b.call(t, acmeAdminKey, http.MethodGet, "/v1/erasures/era_globex", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	b.call(t, acmeAdminKey, http.MethodDelete, "/v1/events/evt_acme/data?reason=asked", nil).want(t, http.StatusAccepted)
}
