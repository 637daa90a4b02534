package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestRepeatSaysWhatDiffers: a repeat that differs from the first gets a warning, for every way of
// posting.
func TestRepeatSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const trigger, later = "/v1/subscriptions/sub_acme/trigger", `,"occurred_at":"2026-01-01T00:00:00Z"`
	event := func(data, rest string) string {
		return `{"tenant":"acme","type":"t","id":"one","data":` + data + rest + `}`
	}
	warnings := func(got map[string]any) string {
		if got["duplicate"] != true {
			t.Errorf("got %v", got)
		}
		var words []string
		for _, w := range asList(got["warnings"]) {
			words = append(words, strings.Fields(w.(string))[0])
		}
		return strings.Join(words, " ")
	}
	b.call(t, adminKey, "POST", "/v1/events", event("1", "")).want(t, http.StatusAccepted)
	b.call(t, adminKey, "POST", trigger, `{"data":1,"id":"two"}`).want(t, http.StatusAccepted)
	for _, c := range []struct{ data, rest, want, triggered string }{
		{"1", "", "", ""},
		{"1.0", "", "data:", "data:"},
		{"1", later, "occurred_at:", ""},
		{"1.0", later, "data: occurred_at:", "data:"},
	} {
		again := event(c.data, c.rest)
		batch := b.call(t, adminKey, "POST", "/v1/events/batch", `{"events":[`+again+`]}`).want(t, http.StatusAccepted)
		got := []string{
			warnings(b.call(t, adminKey, "POST", "/v1/events", again).want(t, http.StatusAccepted)),
			warnings(batch["results"].([]any)[0].(map[string]any)),
			warnings(b.call(t, adminKey, "POST", trigger, `{"data":`+c.data+`,"id":"two"}`).want(t, http.StatusAccepted)),
		}
		if diff := cmp.Diff([]string{c.want, c.want, c.triggered}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// TestBatchOfErrors: a batch without an accepted event is an error, with the results.
func TestBatchOfErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, adminKey, "POST", "/v1/events", `{"tenant":"acme","type":"t","data":1,"id":"one"}`).want(t, http.StatusAccepted)
	const good, bad, conflict = `{"tenant":"acme","type":"t","data":1,"id":"two"}`, `{"tenant":"acme","type":"a b","data":1,"id":"three"}`, `{"tenant":"acme","type":"t","data":2,"id":"one"}`
	for name, c := range map[string]struct {
		events string
		status int
		codes  []string
	}{
		"one that is bad":   {bad, 422, []string{"invalid"}},
		"malformed ones":    {`17,[],{"x":1}`, 422, []string{"invalid", "invalid", "invalid"}},
		"a conflict":        {conflict, 422, []string{"conflict"}},
		"bad and conflict":  {bad + "," + conflict, 422, []string{"invalid", "conflict"}},
		"one that is good":  {bad + "," + good + "," + conflict, 202, []string{"invalid", "", "conflict"}},
		"only a duplicate":  {`{"tenant":"acme","type":"t","data":1,"id":"one"}`, 202, []string{""}},
		"of another tenant": {`{"tenant":"globex","type":"t","data":1}`, 422, []string{"forbidden"}},
	} {
		got := b.call(t, acmePublisherKey, "POST", "/v1/events/batch", `{"events":[`+c.events+`]}`)
		var codes []string
		for _, r := range asList(got.want(t, c.status)["results"]) {
			problem, _ := r.(map[string]any)["problem"].(map[string]any)
			code, _ := problem["code"].(string)
			codes = append(codes, code)
		}
		if diff := cmp.Diff(c.codes, codes); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if c.status != 202 {
			got.wantProblem(t, c.status, switchboard.CodeInvalid, "")
		}
	}
}

// TestPersonWhoActs: a shared key does not say who used it.
func TestPersonWhoActs(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{"marta@platform": "marta@platform", "Márta Kovács": "Márta Kovács", "票": "票", strings.Repeat("é", 128): strings.Repeat("é", 128)} {
		b := setup(t)
		for _, call := range []string{"retry", "cancel"} {
			b.call(t, supportKey, "POST", "/v1/deliveries/dlv_acme/"+call, `{"reason":"r"}`, "Switchboard-Actor", header).want(t, http.StatusOK)
			actions := asList(b.call(t, viewerKey, "GET", "/v1/deliveries/dlv_acme", nil).want(t, http.StatusOK)["actions"])
			if got := actions[len(actions)-1].(map[string]any); got["person"] != want || got["actor"] != "key_support" || got["action"] != call {
				t.Errorf("%s: %+v", call, got)
			}
		}
	}
	for _, header := range []string{"", " ", "a\nb", "a\x00", "a\tb", "\xff", strings.Repeat("é", 129)} {
		b := setup(t)
		for _, call := range []string{"POST /v1/deliveries/dlv_acme/retry", "DELETE /v1/subscriptions/sub_acme?reason=r", "GET /v1/events"} {
			method, path, _ := strings.Cut(call, " ")
			b.call(t, adminKey, method, path, nil, "Switchboard-Actor", header).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "Switchboard-Actor")
		}
		if b.stored(t) {
			t.Errorf("%q: something was stored", header)
		}
	}
	b := setup(t)
	b.call(t, supportKey, "POST", "/v1/deliveries/dlv_acme/retry", `{"reason":"r"}`, "Switchboard-Actor", "marta@platform").want(t, http.StatusOK)
	b.call(t, adminKey, "POST", "/v1/deliveries/dlv_acme/cancel", `{"reason":"r"}`).want(t, http.StatusOK)
	got := b.call(t, viewerKey, "GET", "/v1/deliveries/dlv_acme", nil).want(t, http.StatusOK)["actions"]
	want := []any{
		map[string]any{"at": "2026-01-31T11:00:00Z", "actor": "key_support", "actor_name": "support", "person": "marta@platform", "action": "retry", "reason": "r"},
		map[string]any{"at": "2026-01-31T11:01:00Z", "actor": "key_admin", "actor_name": "admin", "action": "cancel", "reason": "r"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
