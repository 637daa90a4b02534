package api

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestStatsProblems: an invalid query is refused, and the problem names the parameter.
func TestStatsProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	from := func(d time.Duration) string { return "from=" + created.UTC().Add(-d).Format(time.RFC3339) }
	const day = 24 * time.Hour
	for _, c := range []struct{ path, field string }{
		{"stats?by=tenant", "by"},
		{"stats?by=Outcome", "by"},
		{"stats?by=", "by"},
		{"stats?step=1", "step"},
		{"stats?step=0s", "step"},
		{"stats?step=-1h", "step"},
		{"stats?step=2m30s", "step"},
		{"stats?step=1m", "step"},
		{"stats?step=1m&by=host", "step"},
		{"stats?step=1m&tenant=acme&" + from(time.Hour), "step"},
		{"stats?step=1h&" + from(60*day), "step"},
		{"stats?" + from(500*day), "from"},
		{"stats?by=host&" + from(40*day), "from"},
		{"stats?from=yesterday", "from"},
		{"stats?" + from(0) + "&to=" + created.UTC().Add(-time.Hour).Format(time.RFC3339), "from"},
		{"stats?to=2999-01-01T00:00:00Z", "to"},
		{"stats?from=" + strings.Repeat("9", 30), "from"},
		{"stats?nonsense=1", "nonsense"},
		{"failures?limit=0", "limit"},
		{"failures?limit=251", "limit"},
		{"stats/now?limit=1", "limit"},
	} {
		b.call(t, viewerKey, "GET", "/v1/"+c.path, nil).wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, c.field)
	}
}

// TestFailuresOfTwoTenants: nobody gets what was counted for another scope, whoever asks first.
func TestFailuresOfTwoTenants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.exec(t, "UPDATE deliveries SET host = tenant || '.example.com', state = 'retrying', attempts_made = 1, last_failure = 'http_5xx', last_status_code = 503, completed_at = NULL, next_attempt_at = $1", created)
	for range 2 {
		for _, c := range []struct{ key, query, hosts string }{
			{viewerKey, "", "acme globex"},
			{acmeViewerKey, "", "acme"},
			{globexKey, "", "globex"},
			{viewerKey, "?tenant=acme", "acme"},
			{viewerKey, "?tenant=globex", "globex"},
			{adminKey, "", "acme globex"},
			{adminKey, "?limit=1", "acme"},
			{acmeViewerKey, "?tenant=acme", "acme"},
		} {
			got := b.call(t, c.key, "GET", "/v1/failures"+c.query, nil).want(t, http.StatusOK)
			var hosts []string
			for _, g := range got["groups"].([]any) {
				hosts = append(hosts, strings.TrimSuffix(g.(map[string]any)["host"].(string), ".example.com"))
			}
			if found := strings.Join(hosts, " "); found != c.hosts || got["more"] != (c.query == "?limit=1") {
				t.Errorf("%s%s: %s, more %v; want %s", c.key, c.query, found, got["more"], c.hosts)
			}
			open := b.call(t, c.key, "GET", "/v1/stats/now"+strings.ReplaceAll(c.query, "?limit=1", ""), nil).want(t, http.StatusOK)
			if n := open["open"].(map[string]any)["retrying"]; c.query != "?limit=1" && n != float64(len(hosts)) {
				t.Errorf("%s%s: %v retrying, want %d", c.key, c.query, n, len(hosts))
			}
		}
	}
}

// TestStats: the exact answer.
func TestStats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rollUp(t)
	b.deliver(t, switchboard.Attempt{Outcome: switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx, Latency: 75 * time.Millisecond}})
	b.db.step()
	b.rollUp(t)
	got := b.call(t, viewerKey, "GET", "/v1/stats?by=status_code&step=1h&from=2026-01-31T11:00:00Z", nil).want(t, http.StatusOK)
	count := map[string]any{"attempts": 1.0, "succeeded": 0.0, "failed": 1.0, "p50_ms": 75.0, "p95_ms": 98.0}
	point, group := maps.Clone(count), maps.Clone(count)
	point["at"], group["value"], group["points"] = "2026-01-31T11:00:00Z", "503", []any{point}
	want := map[string]any{
		"by": "status_code", "from": "2026-01-31T11:00:00Z", "to": "2026-01-31T12:00:00Z", "step": "1h", "counted_to": "2026-01-31T11:01:00Z",
		"more": false, "groups": []any{group},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// rollUp counts attempts directly in the store.
func (b *bundle) rollUp(t *testing.T) {
	t.Helper()
	_, err := b.db.RollUp(t.Context())
	must(t, err)
	b.before = b.db.fingerprint(t)
}
