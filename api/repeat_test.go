package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestRepeatSaysWhatDiffers: a repeat that differs from the first gets a warning, whichever
// way it comes.
func TestRepeatSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const event = `{"tenant":"acme","type":"t","data":1,"id":"one"}`
	const trigger = "/v1/subscriptions/sub_acme/trigger"
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
	b.call(t, adminKey, "POST", "/v1/events", event).want(t, http.StatusAccepted)
	for _, differs := range [][]string{nil, {"data"}, {"occurred_at"}, {"data", "occurred_at"}} {
		b.events.differs = differs
		want := ""
		if len(differs) > 0 {
			want = strings.Join(differs, ": ") + ":"
		}
		batch := b.call(t, adminKey, "POST", "/v1/events/batch", `{"events":[`+event+`]}`).want(t, http.StatusAccepted)
		got := []string{
			warnings(b.call(t, adminKey, "POST", "/v1/events", event).want(t, http.StatusAccepted)),
			warnings(batch["results"].([]any)[0].(map[string]any)),
			warnings(b.call(t, adminKey, "POST", trigger, `{"data":1,"id":"one"}`).want(t, http.StatusAccepted)),
		}
		if diff := cmp.Diff([]string{want, want, want}, got); diff != "" {
			t.Error(diff)
		}
	}
}

// TestBatchOfErrors: a batch of which nothing was accepted is an error, with the results.
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

// TestPersonWhoActs: a key that many share does not say who it was.
func TestPersonWhoActs(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{"marta@platform": "marta@platform", "Márta Kovács": "Márta Kovács", "票": "票", strings.Repeat("é", 128): strings.Repeat("é", 128)} {
		b := setup(t)
		for _, call := range []string{"retry", "cancel"} {
			b.call(t, supportKey, "POST", "/v1/deliveries/dlv_acme/"+call, nil, "Switchboard-Actor", header).want(t, http.StatusOK)
			if got := b.deliveries.caller; got.Person != want || got.KeyID != "key_support" {
				t.Errorf("%s: %+v", call, got)
			}
		}
	}
	for _, header := range []string{"", " ", "a\nb", "a\x00", "a\tb", "\xff", strings.Repeat("é", 129)} {
		b := setup(t)
		for _, call := range []string{"POST /v1/deliveries/dlv_acme/retry", "DELETE /v1/subscriptions/sub_acme", "GET /v1/events"} {
			method, path, _ := strings.Cut(call, " ")
			b.call(t, adminKey, method, path, nil, "Switchboard-Actor", header).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "Switchboard-Actor")
		}
		if b.stored() {
			t.Errorf("%q: something was stored", header)
		}
	}
	b := setup(t)
	detail := b.deliveries.byID["dlv_acme"]
	detail.Actions = []switchboard.Action{
		{At: created, Actor: "key_1", KeyName: "support desk", Person: "marta@platform", Kind: switchboard.ActionRetry, Reason: "r"},
		{At: created, Actor: switchboard.ActorTemporal, Kind: switchboard.ActionCancel},
	}
	b.deliveries.byID["dlv_acme"] = detail
	got := b.call(t, viewerKey, "GET", "/v1/deliveries/dlv_acme", nil).want(t, http.StatusOK)["actions"]
	want := []any{
		map[string]any{"at": "2026-01-31T11:00:00Z", "actor": "key_1", "actor_name": "support desk", "person": "marta@platform", "action": "retry", "reason": "r"},
		map[string]any{"at": "2026-01-31T11:00:00Z", "actor": "temporal", "action": "cancel", "reason": ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
