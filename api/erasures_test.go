package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// fakeErasures begins erasures of the tenant acme alone.
type fakeErasures struct{}

func (fakeErasures) EraseTenant(_ context.Context, caller switchboard.Caller, tenant, reason string) (switchboard.Erasure, error) {
	if !caller.Sees(tenant) {
		return switchboard.Erasure{}, switchboard.Errorf(switchboard.CodeForbidden, "the tenant is outside this key's scope")
	}
	if tenant != "acme" {
		return switchboard.Erasure{}, notFound()
	}
	return switchboard.Erasure{ID: "era_acme", Scope: switchboard.ErasureTenant, Tenant: tenant, Reason: reason, RequestedAt: created, Actor: caller.KeyID, Person: caller.Person}, nil
}

func (f fakeErasures) EraseEvent(ctx context.Context, caller switchboard.Caller, _, id, reason string) (switchboard.Erasure, error) {
	e, err := f.EraseTenant(ctx, caller, "acme", reason)
	e.Scope, e.EventID, e.FinishedAt = switchboard.ErasureEvent, id, created
	return e, err
}

func (f fakeErasures) Erasure(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Erasure, error) {
	if id != "era_acme" || !caller.Sees("acme") {
		return switchboard.Erasure{}, notFound()
	}
	return f.EraseTenant(ctx, caller, "acme", "")
}

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
		{"DELETE /v1/events/evt_1/data?reason=asked", 202, ""},
		{"DELETE /v1/events/evt_1/data", 422, "reason"},
		{"GET /v1/erasures/era_acme", 200, ""},
		{"GET /v1/erasures/era_none", 404, ""},
	} {
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			method, path, _ := strings.Cut(c.call, " ")
			got := b.call(t, adminKey, method, path, nil)
			if c.status >= http.StatusBadRequest {
				code := switchboard.CodeInvalid
				if c.status == http.StatusNotFound {
					code = switchboard.CodeNotFound
				}
				got.wantProblem(t, c.status, code, c.field)
				if calls := b.engine.all(); len(calls) > 0 {
					t.Errorf("Temporal was told %v", calls)
				}
				return
			}
			got.want(t, c.status)
			for _, part := range []string{`"id":"era_acme"`, `"tenant":"acme"`, `"erased":{`} {
				if !strings.Contains(string(got.body), part) {
					t.Errorf("no %s in %s", part, got.body)
				}
			}
		})
	}
}

// The workflow of an erasure is started, unless it is finished.
func TestErasureStartsItsWorkflow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, adminKey, http.MethodDelete, "/v1/tenants/acme?reason=asked", nil).want(t, 202)
	b.call(t, adminKey, http.MethodDelete, "/v1/events/evt_1/data?reason=asked", nil).want(t, 202)
	if got := b.engine.all(); len(got) != 1 || got[0] != "erase era_acme" {
		t.Errorf("Temporal was told %v", got)
	}
}
