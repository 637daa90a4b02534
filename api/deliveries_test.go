package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestDeliveryShape fixes the exact JSON of a delivery: consoles and scripts depend on it.
func TestDeliveryShape(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.TemporalUI = "http://127.0.0.1:8233/" })
	b.deliver(t,
		switchboard.Attempt{
			ID: "att_1", At: created, Timeout: 10 * time.Second,
			Request: switchboard.SentRequest{Method: "POST", URL: "https://crm.example.com/hook", Headers: map[string]string{"Authorization": "hunter2", "X-Env": "prod"}, Bytes: 612},
			Outcome: switchboard.Outcome{
				StatusCode: 503, Failure: switchboard.FailureHTTP5xx, Detail: "503 Service Unavailable", Latency: 12400 * time.Microsecond, Requests: 2,
				Response: switchboard.Response{Headers: map[string]string{"Set-Cookie": "hunter2"}, Body: []byte("down é"), Truncated: true},
			},
		},
		switchboard.Attempt{
			ID: "att_2", At: created, Timeout: 5 * time.Second,
			Outcome: switchboard.Outcome{Failure: switchboard.FailureDNS, Detail: "no such host"},
		},
		switchboard.Attempt{
			ID: "att_3", At: created, Timeout: 5 * time.Second,
			Outcome: switchboard.Outcome{StatusCode: 500, Failure: switchboard.FailureHTTP5xx, Response: switchboard.Response{Body: []byte{0xff, 0x00, 0x01}}},
		},
	)
	b.call(t, supportKey, "POST", "/v1/deliveries/dlv_new/retry", `{"reason":"receiver fixed"}`).want(t, http.StatusOK)
	b.db.setClock(created)
	got := b.call(t, supportKey, "GET", "/v1/deliveries/dlv_new", nil)
	got.want(t, http.StatusOK)
	want := `{"id":"dlv_new","tenant":"acme","event_id":"evt_1","event_type":"ticket.created","subscription_id":"sub_acme","host":"crm.example.com",
	 "state":"retrying","reason":"http_500","last_failure":"http_5xx","last_status_code":500,"ending":"","permanent":false,"attempts_made":3,"generation":1,"next_attempt_at":"2026-01-31T11:00:00Z","created_at":"2026-01-31T11:00:00Z","completed_at":null,
	 "workflow_id":"dlv_new","temporal_run_id":"0198-run","temporal_url":"http://127.0.0.1:8233/namespaces/default/workflows/dlv_new/0198-run/history",
	 "available_actions":[{"action":"retry","allowed":true},{"action":"cancel","allowed":true},{"action":"hold","allowed":true},
	  {"action":"release","allowed":false,"why_not":"it is retrying and cannot be released"},{"action":"resend","allowed":true}],
	 "attempts":[
	  {"id":"att_1","number":1,"at":"2026-01-31T11:00:00Z","duration_ms":12,"status_code":503,"failure":"http_5xx","detail":"503 Service Unavailable","permanent":false,"timeout_ms":10000, "load": 0.0, "interval_factor": 1.0, "requests": 2,
	   "request":{"method":"POST","url":"https://crm.example.com/hook","headers":{"Authorization":"[redacted]","X-Env":"prod"},"bytes":612},
	   "response":{"headers":{"Set-Cookie":"[redacted]"},"body":"down é","truncated":true}},
	  {"id":"att_2","number":2,"at":"2026-01-31T11:00:00Z","duration_ms":0,"status_code":null,"failure":"dns","detail":"no such host","permanent":false,"timeout_ms":5000, "load": 0.0, "interval_factor": 1.0, "requests": 0,
	   "request":{"method":"","url":"","headers":{},"bytes":0}},
	  {"id":"att_3","number":3,"at":"2026-01-31T11:00:00Z","duration_ms":0,"status_code":500,"failure":"http_5xx","detail":"","permanent":false,"timeout_ms":5000, "load": 0.0, "interval_factor": 1.0, "requests": 0,
	   "request":{"method":"","url":"","headers":{},"bytes":0},
	   "response":{"headers":{},"body":"/wAB","encoding":"base64","truncated":false}}],
	 "actions":[{"at":"2026-01-31T11:00:00Z","actor":"key_support","actor_name":"support","action":"retry","reason":"receiver fixed"}],
	 "subscription":{"name":"CRM","version":3,"state":"active"},"matched":"ticket.*",
	 "diagnosis":{"why":"Attempt 3 failed at 2026-01-31T11:00:00Z: crm.example.com failed with 500 Internal Server Error.","side":"receiver","advice":"Wait: it is retried. If it lasts, tell the owner of the endpoint",
	  "next":{"text":"Attempt 4 of 38 has been due since 2026-01-31T11:00:00Z: requested by support at 2026-01-31T11:00:00Z (receiver fixed).","at":"2026-01-31T11:00:00Z","number":4,"of":38,
	   "because":[{"code":"operator","text":"requested by support at 2026-01-31T11:00:00Z (receiver fixed)","at":"2026-01-31T11:00:00Z"}]},
	  "alike":{"count":1,"more":false}}}`
	var wantValue, gotValue any
	if err := errors.Join(json.Unmarshal([]byte(want), &wantValue), json.Unmarshal(got.body, &gotValue)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantValue, gotValue); diff != "" {
		t.Error(diff)
	}
}

// TestTruncatedInALetter: a text that was cut inside a character is still text.
func TestTruncatedInALetter(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{"aé": "aé", "a\xc3": "a", "a\xf0\x9f\x98": "a", "": "", "\xf0\x9f\x98\x80": "😀"} {
		got := responseOf(anybody(), &switchboard.Response{Body: []byte(body), Truncated: true})
		if got.Body != want || got.Encoding != "" {
			t.Errorf("%q: %q, encoding %q", body, got.Body, got.Encoding)
		}
	}
	for _, body := range []string{"a\xff", "\x80\x80\x80\x80"} {
		if got := responseOf(anybody(), &switchboard.Response{Body: []byte(body), Truncated: true}); got.Encoding != "base64" {
			t.Errorf("%q: %q is shown as text", body, got.Body)
		}
	}
}

func TestTemporalURL(t *testing.T) {
	t.Parallel()
	s := &server{Config: Config{TemporalUI: "https://ui.example.com", TemporalNamespace: "a b"}}
	for d, want := range map[*switchboard.Delivery]string{
		{ID: "dlv_1"}:                     "https://ui.example.com/namespaces/a%20b/workflows/dlv_1",
		{ID: "dlv_1", TemporalRunID: "r"}: "https://ui.example.com/namespaces/a%20b/workflows/dlv_1/r/history",
	} {
		if got := s.temporalURL(d); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := (&server{}).temporalURL(&switchboard.Delivery{ID: "dlv_1"}); got != "" {
		t.Errorf("without a UI: %s", got)
	}
}

func TestListDeliveries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	query := "id=dlv_1,dlv_2&id=dlv_acme&tenant=acme&subscription=sub_acme&event=evt_acme&event_type=ticket.created&state=pending,retrying&state=held&failure=http_5xx" +
		"&status_code=503&host=CRM.example.com&after=2026-01-01T00:00:00Z&before=2026-02-01T00:00:00Z&stuck=true&text=crm&limit=250"
	b.db.setClock(created.Add(time.Hour)) // its next attempt is overdue
	got := b.call(t, viewerKey, "GET", "/v1/deliveries?"+query, nil).want(t, http.StatusOK)
	item := got["data"].([]any)[0].(map[string]any)
	if item["id"] != "dlv_acme" || item["attempts"] != nil || item["actions"] != nil || item["temporal_url"] != "" {
		t.Errorf("got %v", item)
	}
	if next, ok := got["next_cursor"]; !ok || next != nil {
		t.Errorf("next_cursor %v", next)
	}
	want := switchboard.DeliveryFilter{
		IDs: []string{"dlv_1", "dlv_2", b.id("dlv_acme")}, Tenant: "acme", Subscription: b.id("sub_acme"), Event: "evt_acme", EventType: "ticket.created",
		States:  []switchboard.State{switchboard.StatePending, switchboard.StateRetrying, switchboard.StateHeld},
		Failure: switchboard.FailureHTTP5xx, StatusCode: 503, Host: "crm.example.com",
		After: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Before: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Stuck: true, Text: "crm",
	}
	if diff := cmp.Diff(want, b.store.deliveries); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(switchboard.PageRequest{Limit: switchboard.MaxPage}, b.store.page); diff != "" {
		t.Error(diff)
	}
	b.call(t, viewerKey, "GET", "/v1/deliveries", nil).want(t, http.StatusOK)
	if diff := cmp.Diff(switchboard.DeliveryFilter{}, b.store.deliveries); diff != "" {
		t.Error(diff)
	}
}

func TestOperate(t *testing.T) {
	t.Parallel()
	cases := []struct {
		call, body, state, engine string
	}{
		{"dlv_acme/retry", ``, "retrying", "retry dlv_acme"},
		{"dlv_globex/retry", `{"reason":"receiver fixed"}`, "pending", "start dlv_globex"},
		{"dlv_acme/cancel", `{"reason":"not wanted"}`, "cancelled", "cancel dlv_acme"},
	}
	for _, c := range cases {
		for _, engineErr := range []error{nil, errors.New("temporal is away")} {
			b := setup(t)
			b.engine.err = engineErr
			got := b.call(t, supportKey, "POST", "/v1/deliveries/"+c.call, c.body).want(t, http.StatusOK)
			if got["state"] != c.state {
				t.Errorf("%s: state %v", c.call, got["state"])
			}
			if diff := cmp.Diff([]string{c.engine}, b.started()); diff != "" {
				t.Error(diff)
			}
			logged := strings.Contains(b.logs.String(), "temporal is away")
			if signalled := !strings.HasPrefix(c.engine, "start"); logged != (engineErr != nil && signalled) {
				t.Errorf("%s, %v: log:\n%s", c.call, engineErr, b.logs)
			}
		}
	}
	b := setup(t)
	b.call(t, supportKey, "POST", "/v1/deliveries/dlv_globex/cancel", `{"reason":"r"}`).wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "")
	if b.stored(t) {
		t.Error("something was stored or started")
	}
}

// TestExpect: an action with a wrong expectation of the delivery is refused with the real state,
// and one with the right expectation is done.
func TestExpect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ call, expect, right string }{
		{"dlv_acme/retry", `{"state":"pending"}`, `{"state":"retrying","generation":1,"attempts":1}`},
		{"dlv_acme/retry", `{"generation":2}`, `{"generation":1}`},
		{"dlv_acme/cancel", `{"attempts":0}`, `{"attempts":1}`},
		{"dlv_acme/hold", `{"state":"retrying","attempts":3}`, `{}`},
		{"dlv_held/release", `{"state":"retrying"}`, `{"state":"held"}`},
	} {
		b := seeded(t)
		got := b.call(t, supportKey, "POST", "/v1/deliveries/"+c.call, `{"reason":"r","expect":`+c.expect+`}`)
		p := got.wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "expect")
		if p.Current == nil || p.Current.Generation != 1 || p.Current.State == "" || p.Current.Reason == "" {
			t.Errorf("%s %s: %s", c.call, c.expect, got.body)
		}
		if b.stored(t) {
			t.Errorf("%s %s: something was stored or started", c.call, c.expect)
		}
		b.call(t, supportKey, "POST", "/v1/deliveries/"+c.call, `{"reason":"r","expect":`+c.right+`}`).want(t, http.StatusOK)
	}
}

// TestActionsBadInput: the answer names what is wrong, and nothing is done.
func TestActionsBadInput(t *testing.T) {
	t.Parallel()
	b := seeded(t)
	for _, c := range []struct{ call, body, field string }{
		{"dlv_acme/retry", `{"expect":{"state":"gone"}}`, "expect.state"},
		{"dlv_acme/cancel", `{"reason":"r","expect":{"generation":0}}`, "expect.generation"},
		{"dlv_acme/cancel", `{"reason":"r","expect":{"attempts":-1}}`, "expect.attempts"},
		{"dlv_acme/hold", `{"reason":"r","expect":{"run":1}}`, "expect.run"},
		{"dlv_acme/hold", `{"reason":"r","retry_at":"2100-01-01T00:00:00Z"}`, "retry_at"},
		{"dlv_acme/retry", `{"retry_at":"2100-01-01T00:00:00Z"}`, "retry_at"},
		{"dlv_acme/retry", `{"retry_at":"2025-01-01T00:00:00Z"}`, "retry_at"},
		{"dlv_acme/retry", `{"retry_at":"tonight"}`, "retry_at"},
	} {
		b.call(t, supportKey, "POST", "/v1/deliveries/"+c.call, c.body).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
		if b.stored(t) {
			t.Fatalf("%s %s: something was stored or started", c.call, c.body)
		}
	}
}

// TestRetryAt: the next attempt gets the date, and no workflow starts earlier.
func TestRetryAt(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for id, engine := range map[string]string{"dlv_acme": "retry dlv_acme", "dlv_globex": "retry dlv_globex"} {
		b := setup(t)
		got := b.call(t, supportKey, "POST", "/v1/deliveries/"+id+"/retry", `{"retry_at":"`+at+`"}`).want(t, http.StatusOK)
		if diff := cmp.Diff([]string{engine}, b.started()); got["next_attempt_at"] != at || diff != "" {
			t.Errorf("%s: %v, %s", id, got["next_attempt_at"], diff)
		}
	}
}

// TestIntegratorsActions: integrators of one tenant may only retry its deliveries.
func TestIntegratorsActions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key, call string
		status    int
	}{
		{acmeIntegratorKey, "dlv_acme/retry", http.StatusOK},
		{acmeIntegratorKey, "dlv_globex/retry", http.StatusNotFound},
		{acmeIntegratorKey, "dlv_acme/cancel", http.StatusForbidden},
		{acmeIntegratorKey, "dlv_acme/hold", http.StatusForbidden},
		{integratorKey, "dlv_acme/retry", http.StatusForbidden},
	} {
		b := setup(t)
		if got := b.call(t, c.key, "POST", "/v1/deliveries/"+c.call, `{"reason":"r"}`); got.status != c.status {
			t.Errorf("%s by %s: %d %s", c.call, c.key, got.status, got.body)
		}
	}
}

// TestAvailableActionsInEveryAnswer: in one delivery, a list, an event, a list of events, and an
// action.
func TestAvailableActionsInEveryAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := func(v any) map[string]any { return v.([]any)[0].(map[string]any) }
	get := func(path string) map[string]any { return b.call(t, viewerKey, "GET", path, nil).want(t, http.StatusOK) }
	for name, d := range map[string]map[string]any{
		"delivery":   get("/v1/deliveries/dlv_acme"),
		"deliveries": first(get("/v1/deliveries?tenant=acme")["data"]),
		"event":      first(get("/v1/events/evt_acme?tenant=acme")["deliveries"]),
		"events":     first(first(get("/v1/events?tenant=acme")["data"])["deliveries"]),
		"retry":      b.call(t, supportKey, "POST", "/v1/deliveries/dlv_acme/retry", nil).want(t, http.StatusOK),
	} {
		available := d["available_actions"].([]any)
		if allowed := available[0].(map[string]any)["allowed"]; len(available) != 5 || allowed != (name == "retry") {
			t.Errorf("%s: %v", name, available)
		}
	}
}
