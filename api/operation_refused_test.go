package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestRefusedOperations: the problem names field and code, and nothing is stored or started.
func TestRefusedOperations(t *testing.T) {
	t.Parallel()
	const (
		start     = "POST /v1/operations"
		forbidden = switchboard.CodeForbidden
		invalid   = switchboard.CodeInvalid
		conflict  = switchboard.CodeConflict
		retry     = `"action":"retry","filter":{"tenant":"acme"}`
		nothing   = `"filter":{"tenant":"initech"}`
	)
	b := setup(t)
	b.inEveryState(t)
	plan := b.plan(t, supportKey, `{`+retry+`,"dry_run":true}`)
	none := b.plan(t, supportKey, `{"action":"retry",`+nothing+`,"dry_run":true}`)
	planned := b.db.clock()
	for _, c := range []struct {
		name, key, call, body string
		status                int
		code                  switchboard.Code
		field                 string
	}{
		{"nothing matches", adminKey, start, `{"action":"retry",` + nothing + `,"reason":"r"}`, 422, invalid, "filter"},
		{"nothing to replay", adminKey, start, `{"action":"replay","filter":{"subscription":"sub_acme","key":"none"},"reason":"r"}`, 422, invalid, "filter"},
		{"a plan about nothing", supportKey, start, `{"plan":"` + none + `","reason":"r"}`, 422, invalid, "filter"},
		{"only what the action does not apply to", adminKey, start, `{"action":"retry","filter":{"tenant":"acme","state":["held"]},"reason":"r"}`, 422, invalid, "filter.state"},
		{"an empty filter", adminKey, start, `{"action":"retry","filter":{},"reason":"r"}`, 422, invalid, "filter"},
		{"no filter", adminKey, start, `{"action":"retry","reason":"r"}`, 422, invalid, "filter"},
		{"an unknown member", adminKey, start, `{"action":"retry","filter":{"status":"failed"},"reason":"r"}`, 422, invalid, "filter.status"},
		{"an unknown state", adminKey, start, `{"action":"retry","filter":{"state":["hunter2"]},"reason":"r"}`, 422, invalid, "filter.state"},
		{"an unknown failure", adminKey, start, `{"action":"retry","filter":{"failure":"hunter2"},"reason":"r"}`, 422, invalid, "filter.failure"},
		{"an impossible status", adminKey, start, `{"action":"retry","filter":{"status_code":7},"reason":"r"}`, 422, invalid, "filter.status_code"},
		{"no time between", adminKey, start, `{"action":"retry","filter":{"after":"2026-01-31T12:00:00Z","before":"2026-01-31T12:00:00Z"},"reason":"r"}`, 422, invalid, "filter.before"},
		{"a key of deliveries", adminKey, start, `{"action":"cancel","filter":{"key":"k"},"reason":"r"}`, 422, invalid, "filter.key"},
		{"a replay to nobody", adminKey, start, `{"action":"replay","filter":{"tenant":"acme"},"reason":"r"}`, 422, invalid, "filter.subscription"},
		{"a replay to an unknown one", adminKey, start, `{"action":"replay","filter":{"subscription":"sub_none"},"reason":"r"}`, 422, invalid, "filter.subscription"},
		{"a replay of a state", adminKey, start, `{"action":"replay","filter":{"subscription":"sub_acme","state":["failed"]},"reason":"r"}`, 422, invalid, "filter.state"},
		{"another tenant", acmeAdminKey, start, `{"action":"retry","filter":{"tenant":"globex"},"reason":"r"}`, 403, forbidden, "filter.tenant"},

		{"an unknown action", adminKey, start, `{"action":"hunter2","filter":{"tenant":"acme"},"reason":"r"}`, 422, invalid, "action"},
		{"a resend", adminKey, start, `{"action":"resend","filter":{"tenant":"acme"},"reason":"r"}`, 422, invalid, "action"},
		{"no action", adminKey, start, `{"filter":{"tenant":"acme"},"reason":"r"}`, 422, invalid, "action"},
		{"a rate of 0", adminKey, start, `{` + retry + `,"rate":0,"reason":"r"}`, 422, invalid, "rate"},
		{"a rate below 0", adminKey, start, `{` + retry + `,"rate":-1,"reason":"r"}`, 422, invalid, "rate"},
		{"too high a rate", adminKey, start, `{` + retry + `,"rate":1000.5,"reason":"r"}`, 422, invalid, "rate"},
		{"a rate that is no number", adminKey, start, `{` + retry + `,"rate":"50","reason":"r"}`, 422, invalid, "rate"},
		{"a rate of 0 of a plan", supportKey, start, `{"plan":"` + plan + `","rate":0,"reason":"r"}`, 422, invalid, "rate"},
		{"no reason", adminKey, start, `{` + retry + `}`, 422, invalid, "reason"},
		{"a blank reason", adminKey, start, `{` + retry + `,"reason":" "}`, 422, invalid, "reason"},
		{"too long a reason", adminKey, start, `{` + retry + `,"reason":"` + strings.Repeat("x", 501) + `"}`, 422, invalid, "reason"},

		{"no plan at all", supportKey, start, `{"plan":"hunter2","reason":"r"}`, 422, invalid, "plan"},
		{"a plan that was changed", supportKey, start, `{"plan":"` + plan[:len(plan)-4] + `AAAA","reason":"r"}`, 422, invalid, "plan"},
		{"another key's plan", adminKey, start, `{"plan":"` + plan + `","reason":"r"}`, 403, forbidden, "plan"},
		{"a plan and an action", supportKey, start, `{"plan":"` + plan + `","action":"retry","reason":"r"}`, 422, invalid, "action"},
		{"a plan and a filter", supportKey, start, `{"plan":"` + plan + `","filter":{"tenant":"acme"},"reason":"r"}`, 422, invalid, "filter"},
		{"a plan of a plan", supportKey, start, `{"plan":"` + plan + `","dry_run":true}`, 422, invalid, "dry_run"},
		{"a plan without a reason", supportKey, start, `{"plan":"` + plan + `"}`, 422, invalid, "reason"},

		{"a pause without a reason", adminKey, "POST /v1/operations/op_retry/pause", `{}`, 422, invalid, "reason"},
		{"a cancel without a reason", adminKey, "POST /v1/operations/op_retry/cancel", `{"reason":" "}`, 422, invalid, "reason"},
		{"a pause of what is paused", adminKey, "POST /v1/operations/op_paused/pause", `{"reason":"r"}`, 409, conflict, ""},
		{"a resume of what runs", adminKey, "POST /v1/operations/op_retry/resume", `{}`, 409, conflict, ""},
		{"a cancel of Switchboard's own", adminKey, "POST /v1/operations/op_acme/cancel", `{"reason":"r"}`, 409, conflict, ""},
		{"a pause of none", adminKey, "POST /v1/operations/op_none/pause", `{"reason":"r"}`, 404, switchboard.CodeNotFound, ""},
		{"an unknown outcome", adminKey, "GET /v1/operations/op_retry/items?outcome=hunter2", ``, 422, invalid, "outcome"},
		{"items of none", adminKey, "GET /v1/operations/op_none/items", ``, 404, switchboard.CodeNotFound, ""},
	} {
		method, path, _ := strings.Cut(c.call, " ")
		t.Log(c.name)
		b.db.setClock(planned) // each call takes a minute
		b.call(t, c.key, method, path, c.body).wantProblem(t, c.status, c.code, c.field)
		if b.stored(t) {
			t.Fatalf("%s: something was stored or started", c.name)
		}
	}
	b.db.setClock(planned.Add(switchboard.PlanLifetime))
	b.call(t, supportKey, "POST", "/v1/operations", `{"plan":"`+plan+`","reason":"r"}`).wantProblem(t, http.StatusUnprocessableEntity, invalid, "plan")
	if b.stored(t) {
		t.Error("an expired plan: something was stored or started")
	}
}

// TestPlanIsStartedOnce: the second start names the operation of the first, and starts nothing.
func TestPlanIsStartedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plan := b.plan(t, supportKey, `{"action":"retry","filter":{"tenant":"acme"},"dry_run":true}`)
	started := b.call(t, supportKey, "POST", "/v1/operations", `{"plan":"`+plan+`","reason":"r"}`).want(t, http.StatusAccepted)
	b.before = b.db.fingerprint(t)
	b.engine.forget()
	again := b.call(t, supportKey, "POST", "/v1/operations", `{"plan":"`+plan+`","reason":"r"}`)
	again.wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "plan")
	if id := started["id"].(string); !strings.Contains(string(again.body), id) || b.stored(t) {
		t.Errorf("%s does not name %s, or something was stored or started", again.body, id)
	}
}

// TestTooManyForSupport: more deliveries than a support key may act on, by a filter and by a plan.
func TestTooManyForSupport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `INSERT INTO deliveries (id, tenant, state, next_attempt_at, attempts_made, event_type, host, method, created_at, event_id, subscription_id)
SELECT left(d.id, 12) || lpad(n::text, 18, '0'), d.tenant, 'retrying', d.created_at, 1, d.event_type, 'many.example.com', 'POST', d.created_at, d.event_id, d.subscription_id
FROM deliveries d, generate_series(1, $2::int) n WHERE d.id = $1`, b.id("dlv_acme"), switchboard.MaxSupportItems+1)
	plan := b.plan(t, supportKey, `{"action":"cancel","filter":{"host":"many.example.com"},"dry_run":true}`)
	for _, body := range []string{`{"action":"cancel","filter":{"host":"many.example.com"},"reason":"r"}`, `{"plan":"` + plan + `","reason":"r"}`} {
		got := b.call(t, supportKey, "POST", "/v1/operations", body)
		got.wantProblem(t, http.StatusForbidden, switchboard.CodeForbidden, "filter")
		if !strings.Contains(string(got.body), "matches 10001, and a key with the role support may act on 10000 at once") || b.stored(t) {
			t.Errorf("%s, or something was stored or started", got.body)
		}
	}
	b.call(t, adminKey, "POST", "/v1/operations", `{"action":"cancel","filter":{"host":"many.example.com"},"reason":"r"}`).want(t, http.StatusAccepted)
}

// plan requests a plan.
func (b *bundle) plan(t testing.TB, key, body string) string {
	t.Helper()
	return b.call(t, key, "POST", "/v1/operations", body).want(t, http.StatusOK)["plan"].(string)
}
