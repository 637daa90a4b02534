package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// SubscriptionHealth is counted, because a list must call it once.
func (f *fakeStore) SubscriptionHealth(ctx context.Context, ids []string) (map[string]switchboard.SubscriptionHealth, error) {
	if err := f.enter("SubscriptionHealth"); err != nil {
		return nil, err
	}
	return f.Store.SubscriptionHealth(ctx, ids)
}

// exec changes rows directly.
func (b *bundle) exec(t testing.TB, query string, args ...any) {
	t.Helper()
	_, err := b.db.sql.Exec(query, args...)
	must(t, err)
	b.before = b.db.fingerprint(t)
}

// TestAnotherAddressReleases: a change that allows deliveries again starts their release at once.
func TestAnotherAddressReleases(t *testing.T) {
	t.Parallel()
	for body, released := range map[string]bool{
		`{"version":3,"name":"n"}`: false,
		`{"version":3,"request":{"url":"https://crm.example.com/elsewhere"}}`: true,
		`{"version":3,"breaker":{"mode":"off"}}`:                              true,
	} {
		b := setup(t)
		b.unhealthy(t, 1)
		b.exec(t, "DELETE FROM operations")
		b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_acme", body).want(t, http.StatusOK)
		started := b.started()
		if !released {
			if len(started) != 0 {
				t.Errorf("%s: started %v", body, started)
			}
			continue
		}
		if len(started) != 2 || !strings.HasPrefix(started[0], "operate op_") || started[1] != "wake sub_acme" {
			t.Errorf("%s: started %v", body, started)
		}
	}
}

// unhealthy gives sub_acme an open breaker and a running release, and holds n deliveries for it.
func (b *bundle) unhealthy(t testing.TB, n int) {
	t.Helper()
	id := b.id("sub_acme")
	b.exec(t, `INSERT INTO subscription_health (subscription_id, breaker, breaker_since, breaker_reason, failing_since, probe_at, probe_delivery_id, deferred_until, queue_reason, slow, window_at, updated_at)
VALUES ($1, 'open', '2026-01-31T10:00:00Z', '10 in a row failed', '2026-01-31T09:00:00Z', '2026-01-31T11:30:00Z', $2, '2026-01-31T12:00:00Z', 'rate_limited', true, now(), now())`, id, b.id("dlv_acme"))
	b.exec(t, `INSERT INTO operations (id, tenant, subscription_id, action, state, rate, reason, actor, total, done, skipped, next_at, created_at, updated_at)
VALUES ('op_1', 'acme', $1, 'release', 'running', 50, 'resumed', 'switchboard', 12, 7, 2, now(), now(), now())`, id)
	b.exec(t, `INSERT INTO deliveries (id, tenant, state, reason, event_type, host, method, created_at, event_id, subscription_id, parked_at, held_until)
SELECT 'dlv_06e170c0439f4yfdx2h' || to_char(i, 'FM0000'), 'acme', 'held', 'breaker_open', 't', 'crm.example.com', 'POST', '2026-01-31T10:00:00Z', 'evt_1', $1,
	timestamptz '2026-01-31T10:30:00Z' + i * interval '1 s', '2026-03-01T00:00:00Z' FROM generate_series(1, $2) AS i`, id, n)
}

// TestSubscriptionHealth: the answer for one subscription has it, unless there is nothing to say.
func TestSubscriptionHealth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	get := func() map[string]any {
		return b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_acme", nil).want(t, http.StatusOK)
	}
	if health, there := get()["health"]; there {
		t.Errorf("a healthy one has %v", health)
	}
	b.unhealthy(t, 3)
	want := map[string]any{
		"breaker": "open", "reason": "10 in a row failed", "breaker_since": "2026-01-31T10:00:00Z", "failing_since": "2026-01-31T09:00:00Z",
		"next_probe_at": "2026-01-31T11:30:00Z", "probe_delivery_id": "dlv_acme", "deferred_until": "2026-01-31T12:00:00Z", "queue": "rate_limited", "slow": true,
		"held":    map[string]any{"count": 3.0, "more": false, "oldest_since": "2026-01-31T10:30:01Z"},
		"release": map[string]any{"operation_id": "op_1", "done": 7.0, "skipped": 2.0, "total": 12.0},
	}
	if diff := cmp.Diff(want, get()["health"]); diff != "" {
		t.Error(diff)
	}
	// Held deliveries alone are also shown.
	b.exec(t, "DELETE FROM subscription_health")
	b.exec(t, "DELETE FROM operations")
	want = map[string]any{"breaker": "closed", "reason": "", "slow": false, "held": want["held"]}
	if diff := cmp.Diff(want, get()["health"]); diff != "" {
		t.Error(diff)
	}
	b.store.fail("SubscriptionHealth", &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "away"})
	b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_acme", nil).wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeUnavailable, "")
}

// TestHeldIsCountedUpToABound: nobody waits for a count of a million.
func TestHeldIsCountedUpToABound(t *testing.T) {
	t.Parallel()
	for n, more := range map[int]bool{switchboard.MaxCounted: false, switchboard.MaxCounted + 1: true} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.unhealthy(t, n)
			got := b.call(t, viewerKey, "GET", "/v1/subscriptions/sub_acme", nil).want(t, http.StatusOK)
			held := got["health"].(map[string]any)["held"].(map[string]any)
			if held["count"] != float64(switchboard.MaxCounted) || held["more"] != more {
				t.Errorf("held %v", held)
			}
		})
	}
}

// TestHealthInLists: only on request, and read once for the page.
func TestHealthInLists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.unhealthy(t, 2)
	list := func(query string) []any {
		return asList(b.call(t, viewerKey, "GET", "/v1/subscriptions"+query, nil).want(t, http.StatusOK)["data"])
	}
	for _, item := range list("") {
		if _, there := item.(map[string]any)["health"]; there {
			t.Errorf("nobody asked for the health of %v", item)
		}
	}
	if n := b.store.count("SubscriptionHealth"); n != 0 {
		t.Errorf("health was read %d times", n)
	}
	healths := map[any]any{}
	for _, item := range list("?include=health") {
		s := item.(map[string]any)
		healths[s["id"]] = nil
		if health, there := s["health"].(map[string]any); there {
			healths[s["id"]] = health["held"].(map[string]any)["count"]
		}
	}
	if diff := cmp.Diff(map[any]any{"sub_acme": 2.0, "sub_globex": nil}, healths); diff != "" {
		t.Error(diff)
	}
	if n := b.store.count("SubscriptionHealth"); n != 1 {
		t.Errorf("health was read %d times", n)
	}
	b.call(t, viewerKey, "GET", "/v1/subscriptions?failing=1", nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "failing")
	b.call(t, viewerKey, "GET", "/v1/subscriptions?include=secrets", nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "include")
	b.call(t, globexKey, "GET", "/v1/subscriptions/sub_acme", nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
}

// TestActivity: answers have it on request.
func TestActivity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, `INSERT INTO traffic_subscription SELECT date_trunc('hour', $2::timestamptz) - h * interval '1 hour', 'acme', $1, 'crm.example.com', failure, 0, 10, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0
FROM (VALUES (1, ''), (2, ''), (2, 'timeout'), (30, '')) AS t(h, failure)`, b.id("sub_acme"), created)
	shown := func(path string) map[string]any {
		got := b.call(t, viewerKey, "GET", path, nil).want(t, http.StatusOK)
		if data, list := got["data"]; list {
			got = asList(data)[0].(map[string]any)
		}
		activity, _ := got["activity"].(map[string]any)
		return activity
	}
	for _, path := range []string{"/v1/subscriptions/sub_acme", "/v1/subscriptions?tenant=acme"} {
		if got := shown(path); got != nil {
			t.Errorf("%s: nobody asked for %v", path, got)
		}
	}
	for _, path := range []string{"/v1/subscriptions/sub_acme?include=health", "/v1/subscriptions?tenant=acme&include=health"} {
		got := shown(path)
		want := map[string]any{"attempts": 30.0, "succeeded": 20.0, "failed": 10.0, "p50_ms": 175.0, "p95_ms": 243.0}
		if diff := cmp.Diff(want, got["attempts"]); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
		if n := len(asList(got["hours"])); n != 2 || got["last_delivered_hour"] == nil || got["open"].(map[string]any)["value"] != 1.0 {
			t.Errorf("%s: %v", path, got)
		}
	}
	b.store.fail("SubscriptionActivity", &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "away"})
	b.call(t, viewerKey, "GET", "/v1/subscriptions?include=health", nil).wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeUnavailable, "")
}

// SubscriptionActivity fails if a test wants it to.
func (f *fakeStore) SubscriptionActivity(ctx context.Context, ids []string) (map[string]switchboard.SubscriptionActivity, error) {
	if err := f.enter("SubscriptionActivity"); err != nil {
		return nil, err
	}
	return f.Store.SubscriptionActivity(ctx, ids)
}

// TestParkedDelivery: since when, until when, and what releases it.
func TestParkedDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	members := []string{"held_since", "held_until", "released_by", "blocked_by", "expires_at", "ordering_key"}
	shown := func(call string) map[string]any {
		got := b.call(t, viewerKey, "GET", call, nil).want(t, http.StatusOK)
		if data := asList(got["data"]); len(data) == 1 {
			got = data[0].(map[string]any)
		}
		found := map[string]any{}
		for _, name := range members {
			if value, there := got[name]; there {
				found[name] = value
			}
		}
		return found
	}
	const one, list = "/v1/deliveries/dlv_acme", "/v1/deliveries?tenant=acme"
	for _, call := range []string{one, list} {
		if diff := cmp.Diff(map[string]any{}, shown(call)); diff != "" {
			t.Errorf("%s, retrying: %s", call, diff)
		}
	}
	b.exec(t, `UPDATE deliveries SET state = 'blocked', reason = 'earlier_delivery_open', blocked_by = 'dlv_0', key = 'ticket-1', ordered = true, next_attempt_at = NULL, dispatch_at = NULL,
parked_at = '2026-01-31T11:00:00Z', held_until = '2026-02-28T11:00:00Z', expires_at = '2026-03-01T00:00:00Z' WHERE id = $1`, b.id("dlv_acme"))
	want := map[string]any{
		"held_since": "2026-01-31T11:00:00Z", "held_until": "2026-02-28T11:00:00Z", "blocked_by": "dlv_0", "ordering_key": "ticket-1", "expires_at": "2026-03-01T00:00:00Z",
		"released_by": "when dlv_0, an earlier delivery of the same key, has ended or is held by an operator",
	}
	for _, call := range []string{one, list} {
		if diff := cmp.Diff(want, shown(call)); diff != "" {
			t.Errorf("%s, blocked: %s", call, diff)
		}
	}
	b.exec(t, "UPDATE deliveries SET state = 'held', reason = 'breaker_open', blocked_by = '', expires_at = NULL, key = '', ordered = false WHERE id = $1", b.id("dlv_acme"))
	b.unhealthy(t, 0)
	b.exec(t, "UPDATE subscription_health SET probe_delivery_id = ''")
	for call, released := range map[string]string{
		one: "when the endpoint has answered a probe, the next is at 2026-01-31T11:30:00Z", list: "when the endpoint has answered a probe",
	} {
		want := map[string]any{"held_since": "2026-01-31T11:00:00Z", "held_until": "2026-02-28T11:00:00Z", "released_by": released}
		if diff := cmp.Diff(want, shown(call)); diff != "" {
			t.Errorf("%s, held: %s", call, diff)
		}
	}
}
