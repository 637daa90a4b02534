package api

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

const triggerPath = "/v1/subscriptions/sub_acme/trigger"

func TestTrigger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"data":{"contact": 1},"id":"script-1","key":"k"}`
	got := b.call(t, publisherKey, "POST", triggerPath, body).want(t, http.StatusAccepted)
	want := map[string]any{"id": "script-1", "duplicate": false, "deliveries": []any{map[string]any{"id": "dlv_1", "subscription_id": "sub_acme"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stored := switchboard.Event{ID: "script-1", Tenant: "acme", Type: "script.triggered", Key: "k", Data: []byte(`{"contact": 1}`), OccurredAt: created.UTC(), CreatedAt: created.UTC()}
	if diff := cmp.Diff([]switchboard.Event{stored}, b.events(t)); diff != "" {
		t.Error(diff)
	}
	if b.store.awaited {
		t.Error("nobody waits for it")
	}
	// A repeat sends nothing; other content with the id is a conflict.
	want["duplicate"] = true
	if diff := cmp.Diff(want, b.call(t, publisherKey, "POST", triggerPath, body).want(t, http.StatusAccepted)); diff != "" {
		t.Error(diff)
	}
	b.call(t, publisherKey, "POST", triggerPath, `{"data":2,"id":"script-1"}`).wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "id")
	if diff := cmp.Diff([]string{"start dlv_1"}, b.started()); diff != "" {
		t.Error(diff)
	}
}

// answering is a bundle in which the first awaited delivery has those outcomes, with exactly that
// many attempts allowed, and then the effect of by.
func answering(t *testing.T, attempts int, then func(*bundle, string), outcomes ...switchboard.Outcome) *bundle {
	b := setup(t)
	first := sync.OnceFunc(func() {
		page, err := b.db.Deliveries(t.Context(), anybody(), switchboard.DeliveryFilter{EventType: triggerType}, switchboard.PageRequest{})
		must(t, err)
		d := page.Items[0]
		s := b.subscription(t, "sub_acme")
		limits := s.LimitsUnder(0)
		limits.MaxAttempts = attempts
		for i, o := range outcomes {
			b.db.record(t, d, s.Retry, limits, switchboard.Attempt{Number: i + 1, Outcome: o})
		}
		if then != nil {
			then(b, d.ID)
		}
	})
	b.store.intercept("Answer", func() error {
		first()
		return nil
	})
	return b
}

func TestTriggerAndWait(t *testing.T) {
	t.Parallel()
	b := answering(t, 38, nil, switchboard.Outcome{
		StatusCode: 503, Failure: switchboard.FailureHTTP5xx, Latency: 12 * time.Millisecond,
		Response: switchboard.Response{
			Headers: map[string]string{"Content-Type": "application/json", "Retry-After": "7", "Set-Cookie": "hunter2", "X-Powered-By": "hunter2"},
			Body:    []byte(`{"busy": true, "n": 12345678901234567890}`),
		},
	})
	got := b.call(t, integratorKey, "POST", triggerPath+"?wait=1m", `{"data":1,"id":"script-1"}`)
	want := `{"delivery_id":"dlv_1","event_id":"script-1","duplicate":false,"state":"retrying","status_code":503,` +
		`"headers":{"content-type":"application/json","retry-after":"7"},"body":{"busy":true,"n":12345678901234567890},"truncated":false,"duration_ms":12}` + "\n"
	if got.status != http.StatusOK || string(got.body) != want {
		t.Errorf("status %d, got  %swant %s", got.status, got.body, want)
	}
	if !b.store.awaited {
		t.Error("the store does not know that somebody waits")
	}
	// A repeat with the same id waits for the same delivery.
	again := b.call(t, integratorKey, "POST", triggerPath+"?wait=1m", `{"data":1,"id":"script-1"}`).want(t, http.StatusOK)
	if again["duplicate"] != true || again["delivery_id"] != "dlv_1" {
		t.Errorf("got %v", again)
	}
	if diff := cmp.Diff([]string{"start dlv_1"}, b.started()); diff != "" {
		t.Error(diff)
	}
}

// TestLatestAnswer: a repeat shows the answer that determined the state.
func TestLatestAnswer(t *testing.T) {
	t.Parallel()
	b := answering(t, 38, nil,
		switchboard.Outcome{StatusCode: 500, Failure: switchboard.FailureHTTP5xx}, switchboard.Outcome{Failure: switchboard.FailureReset}, switchboard.Outcome{StatusCode: 204})
	got := b.call(t, publisherKey, "POST", triggerPath+"?wait=1m", `{"data":1}`).want(t, http.StatusOK)
	if got["status_code"] != 204.0 || got["state"] != "delivered" || got["body"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestTriggerWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	cancel := func(b *bundle, id string) {
		_, err := b.db.Cancel(t.Context(), anybody(), id, "")
		must(t, err)
	}
	park := func(state, reason string) func(*bundle, string) {
		return func(b *bundle, id string) {
			_, err := b.db.sql.Exec(`UPDATE deliveries SET state = $1, reason = $2, next_attempt_at = NULL, dispatch_at = NULL, parked_at = now(), held_until = now(),
blocked_by = CASE $1 WHEN 'blocked' THEN 'dlv_0' ELSE '' END WHERE id = $3`, state, reason, id)
			must(t, err)
		}
	}
	refused := switchboard.Outcome{Failure: switchboard.FailureConnectRefused, Detail: "nobody listens there"}
	cases := []struct {
		name     string
		attempts int
		then     func(*bundle, string)
		reason   string
		status   int
		code     switchboard.Code
	}{
		{"failed", 1, nil, "connect_refused", http.StatusBadGateway, switchboard.CodeNoAnswer},
		{"cancelled", 2, cancel, "operator", http.StatusBadGateway, switchboard.CodeNoAnswer},
		{"held", 2, park("held", "subscription_paused"), "subscription_paused", http.StatusConflict, switchboard.CodeConflict},
		{"blocked", 2, park("blocked", "earlier_delivery"), "earlier_delivery", http.StatusConflict, switchboard.CodeConflict},
	}
	for _, c := range cases {
		b := answering(t, c.attempts, c.then, refused)
		p := b.call(t, publisherKey, "POST", triggerPath+"?wait=1m", `{"data":1,"id":"script-1"}`).wantProblem(t, c.status, c.code, "")
		if p.DeliveryID != "dlv_1" || p.EventID != "script-1" || p.Reason != c.reason {
			t.Errorf("%s: delivery %q, event %q, reason %q", c.name, p.DeliveryID, p.EventID, p.Reason)
		}
		if level := b.logs.lines(t)[0]["level"]; level != "INFO" {
			t.Errorf("%s: logged as %v, and is no fault of ours", c.name, level)
		}
	}
	// No attempt was made, so the answer mentions none.
	b := answering(t, 1, cancel)
	b.call(t, publisherKey, "POST", triggerPath+"?wait=1m", `{"data":1}`).wantProblem(t, http.StatusBadGateway, switchboard.CodeNoAnswer, "")
}

func TestTriggerTimesOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.call(t, publisherKey, "POST", triggerPath+"?wait=100ms", `{"data":1,"id":"script-1"}`).wantProblem(t, http.StatusGatewayTimeout, switchboard.CodeTimeout, "")
	if p.DeliveryID != "dlv_1" || p.EventID != "script-1" {
		t.Errorf("delivery %q, event %q", p.DeliveryID, p.EventID)
	}
	if diff := cmp.Diff([]string{"start dlv_1"}, b.started()); diff != "" {
		t.Error("the delivery does not go on: " + diff)
	}
}

// TestTriggerOfOneThatStops: a stopping process makes nobody wait, not even new callers. The
// delivery continues, and the answer names it.
func TestTriggerOfOneThatStops(t *testing.T) {
	t.Parallel()
	serving, stop := context.WithCancel(t.Context())
	b := setup(t, func(c *Config) { c.Serving = serving })
	b.store.intercept("Answer", func() error {
		go stop()
		return nil
	})
	server := httptest.NewServer(b.handler)
	t.Cleanup(server.Close)
	for range 2 {
		got := b.callServer(t, server.URL, triggerPath+"?wait=60s", `{"data":1,"id":"script-1"}`)
		p := got.wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeUnavailable, "")
		if p.DeliveryID != "dlv_1" || p.EventID != "script-1" || got.header.Get("Retry-After") == "" {
			t.Errorf("delivery %q, event %q, headers %v", p.DeliveryID, p.EventID, got.header)
		}
	}
	if diff := cmp.Diff([]string{"start dlv_1"}, b.started()); diff != "" {
		t.Error("the delivery does not go on: " + diff)
	}
}

// callServer posts as a publisher, over the network.
func (b *bundle) callServer(t *testing.T, address, path, body string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", address+string(b.unnamed([]byte(path))), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+publisherKey)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, b.named(text)}
}

// TestTriggerOutage: the answer names what was accepted before the outage.
func TestTriggerOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.fail("Answer", switchboard.Errorf(switchboard.CodeUnavailable, "the database is away"))
	p := b.call(t, publisherKey, "POST", triggerPath+"?wait=1m", `{"data":1,"id":"script-1"}`).wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeUnavailable, "")
	if p.DeliveryID != "dlv_1" {
		t.Errorf("delivery %q", p.DeliveryID)
	}
}

// TestTriggerCallerGone: a caller that disconnects only cancels its wait.
func TestTriggerCallerGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, hangUp := context.WithCancel(t.Context())
	b.store.intercept("Answer", func() error {
		go hangUp()
		return nil
	})
	r := httptest.NewRequestWithContext(ctx, "POST", string(b.unnamed([]byte(triggerPath+"?wait=60s"))), bytes.NewReader([]byte(`{"data":1}`)))
	r.Header.Set("Authorization", "Bearer "+publisherKey)
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	if w.Code != rest.StatusClientGone {
		t.Errorf("status %d", w.Code)
	}
	if diff := cmp.Diff([]string{"start dlv_1"}, b.started()); diff != "" {
		t.Error(diff)
	}
}

// TestTriggerOfPaused: a held delivery is not started.
func TestTriggerOfPaused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.change(t, "sub_acme", func(s *switchboard.Subscription) { s.State = switchboard.SubscriptionUnverified })
	b.call(t, publisherKey, "POST", triggerPath+"?wait=1m", `{"data":1}`).wantProblem(t, http.StatusConflict, switchboard.CodeConflict, "")
	if started := b.started(); len(started) > 0 || b.eventCount(t) != 1 {
		t.Errorf("started %v, stored %d", started, b.eventCount(t))
	}
}
