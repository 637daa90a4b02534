package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestPauseAndResume: the answers show the state, who set it and why, and the release is started.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct{ call, body, state, reason, by string }{
		{"pause", `{"reason":"migration"}`, "paused", "migration", "marta"},
		{"resume", `{"reason":"done"}`, "active", "done", "marta"},
		{"disable", `{"reason":"left"}`, "disabled", "left", "marta"},
		{"enable", ``, "active", "", "marta"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		got := b.call(t, integratorKey, "POST", "/v1/subscriptions/sub_acme/"+c.call, body, "Switchboard-Actor", "marta").want(t, http.StatusOK)
		if diff := cmp.Diff([]any{c.state, c.reason, c.by, 3.0}, []any{got["state"], got["state_reason"], got["state_by"], got["version"]}); diff != "" {
			t.Errorf("%s: %s", c.call, diff)
		}
	}
	started := b.started() // a pause wakes the recovery of the endpoint, and both calls that end one share one release
	if len(started) != 4 || started[0] != "wake sub_acme" || !strings.HasPrefix(started[1], "operate op_") || started[2] != started[0] || started[3] != started[1] {
		t.Errorf("started %v", started)
	}
	listed := b.call(t, viewerKey, "GET", "/v1/operations?subscription=sub_acme&state=running", nil).want(t, http.StatusOK)["data"].([]any)
	if len(listed) != 1 {
		t.Fatalf("%d operations are listed", len(listed))
	}
	one := b.call(t, viewerKey, "GET", "/v1/operations/"+strings.TrimPrefix(started[1], "operate "), nil).want(t, http.StatusOK)
	if diff := cmp.Diff(listed[0], any(one)); diff != "" {
		t.Error(diff)
	}
	for member, want := range map[string]any{"action": "release", "state": "running", "rate": 50.0, "tenant": "acme", "subscription_id": "sub_acme", "person": "marta", "total": 0.0, "done": 0.0, "skipped": 0.0} {
		if one[member] != want {
			t.Errorf("%s is %v; want %v", member, one[member], want)
		}
	}
}

// TestCallsThatDoNotApply: they say the state, and change nothing.
func TestCallsThatDoNotApply(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.inEveryState(t)
	for _, c := range []struct{ call, body, says string }{
		{"subscriptions/sub_acme/resume", `{}`, "the subscription is active"},
		{"subscriptions/sub_acme/enable", `{}`, "the subscription is active"},
		{"subscriptions/sub_paused/pause", `{"reason":"r"}`, "the subscription is paused"},
		{"subscriptions/sub_paused/enable", `{}`, "the subscription is paused"},
		{"subscriptions/sub_disabled/disable", `{"reason":"r"}`, "the subscription is disabled"},
		{"subscriptions/sub_disabled/resume", `{}`, "the subscription is disabled"},
		{"subscriptions/sub_disabled/pause", `{"reason":"r"}`, "the subscription is disabled"},
		{"deliveries/dlv_held/retry", `{}`, "is held (operator) and cannot be retried: it is sent when an operator releases it"},
		{"deliveries/dlv_globex/hold", `{"reason":"r"}`, "is failed already"},
		{"deliveries/dlv_acme/release", `{}`, "is retrying and cannot be released"},
	} {
		got := b.call(t, adminKey, "POST", "/v1/"+c.call, c.body)
		got.wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "")
		if !strings.Contains(string(got.body), c.says) {
			t.Errorf("%s: %s does not say %q", c.call, got.body, c.says)
		}
	}
	if b.stored(t) {
		t.Error("something was stored or started")
	}
}

// TestBadReasons: each call that stops deliveries needs a reason.
func TestBadReasons(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.inEveryState(t)
	for call, required := range map[string]bool{
		"subscriptions/sub_acme/pause": true, "subscriptions/sub_acme/disable": true, "deliveries/dlv_acme/hold": true,
		"subscriptions/sub_paused/resume": false, "subscriptions/sub_disabled/enable": false, "deliveries/dlv_held/release": false,
	} {
		bodies := map[string]string{"too long": `{"reason":"` + strings.Repeat("x", 501) + `"}`, "control characters": `{"reason":"a\u0007"}`, "no text": `{"reason":7}`}
		if required {
			bodies["missing"], bodies["empty"], bodies["blank"] = `{}`, `{"reason":""}`, `{"reason":"  "}`
		}
		for name, body := range bodies {
			got := b.call(t, adminKey, "POST", "/v1/"+call, body)
			if got.status != http.StatusUnprocessableEntity {
				t.Errorf("%s, %s: status %d, %s", call, name, got.status, got.body)
			}
			if !strings.Contains(string(got.body), `"reason"`) {
				t.Errorf("%s, %s: %s does not name the field", call, name, got.body)
			}
		}
		got := b.call(t, adminKey, "POST", "/v1/"+call, `{"reason":"r","state":"active"}`)
		got.wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "state")
	}
	for query, field := range map[string]string{"state=open": "state", "limit=0": "limit", "cursor=x": "cursor", "nonsense=1": "nonsense"} {
		b.call(t, adminKey, "GET", "/v1/operations?"+query, nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, field)
	}
	b.call(t, adminKey, "GET", "/v1/operations/op_none", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	if b.stored(t) {
		t.Error("something was stored or started")
	}
}

// TestHoldAndRelease: the workflow of a held delivery is woken. The relay dispatches a released one
// at once.
func TestHoldAndRelease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	held := b.call(t, supportKey, "POST", "/v1/deliveries/dlv_acme/hold", `{"reason":"wrong price"}`).want(t, http.StatusOK)
	if held["state"] != "held" || held["reason"] != "operator" || held["next_attempt_at"] != nil {
		t.Errorf("held: %v", held)
	}
	released := b.call(t, supportKey, "POST", "/v1/deliveries/dlv_acme/release", nil).want(t, http.StatusOK)
	if released["state"] != "pending" || released["attempts_made"] != 1.0 || released["next_attempt_at"] == nil {
		t.Errorf("released: %v", released)
	}
	if diff := cmp.Diff([]string{"retry dlv_acme"}, b.started()); diff != "" {
		t.Error(diff)
	}
}

// TestPatchKeepsTheState: changing other members leaves a subscription paused or disabled.
func TestPatchKeepsTheState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.inEveryState(t)
	for name, state := range map[string]string{"sub_paused": "paused", "sub_disabled": "disabled"} {
		got := b.call(t, integratorKey, "PATCH", "/v1/subscriptions/"+name, `{"version":1,"name":"other `+name+`","request":{"url":"https://crm.example.com/b"}}`).want(t, http.StatusOK)
		if got["state"] != state || got["state_reason"] != "r" {
			t.Errorf("%s: %v, %v", name, got["state"], got["state_reason"])
		}
		b.call(t, integratorKey, "PATCH", "/v1/subscriptions/"+name, `{"version":2,"state":"active"}`).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "state")
	}
}
