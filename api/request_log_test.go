package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/", "/v1", "/v1/event", "/v1/events/", "/v2/events", "/schemas/Event.json", "/openapi.yaml", "/metrics"} {
		b.call(t, adminKey, "GET", path, nil).wantProblem(t, http.StatusNotFound, switchboard.CodeNotFound, "")
	}
	got := b.call(t, adminKey, "PUT", "/v1/events", postedEvent)
	got.wantProblem(t, http.StatusMethodNotAllowed, switchboard.CodeInvalid, "")
	if allow := got.header.Get("Allow"); !strings.Contains(allow, "POST") || !strings.Contains(allow, "GET") {
		t.Errorf("Allow: %q", allow)
	}
}

// TestStatuses has every code that a store may return.
func TestStatuses(t *testing.T) {
	t.Parallel()
	statuses := map[switchboard.Code]int{
		switchboard.CodeInvalid: 422, switchboard.CodeTooLarge: 413, switchboard.CodeUnauthenticated: 401, switchboard.CodeForbidden: 403, switchboard.CodeNotFound: 404,
		switchboard.CodeConflict: 409, switchboard.CodeKeyReused: 422, switchboard.CodeRateLimited: 429, switchboard.CodeUnavailable: 503, switchboard.CodeInternal: 500, "made_up": 500,
	}
	for code, status := range statuses {
		b := setup(t)
		b.store.fail("Accept", &switchboard.Error{Code: code, Message: "words", Err: errors.New("inner hunter")})
		got := b.call(t, adminKey, "POST", "/v1/events", postedEvent)
		shown := code
		if status == 500 {
			shown = switchboard.CodeInternal
		}
		p := got.wantProblem(t, status, shown, "")
		if strings.Contains(string(got.body), "inner hunter") || (status != 500) != (p.Detail == "words") {
			t.Errorf("%s: %s", code, got.body)
		}
		if retry := got.header.Get("Retry-After") != ""; retry != (status == 503 || status == 429) {
			t.Errorf("%s: Retry-After %q", code, got.header.Get("Retry-After"))
		}
		if logged := strings.Count(b.logs.String(), "inner hunter"); (logged == 1) != (status >= 500) || logged > 1 {
			t.Errorf("%s: logged %d times:\n%s", code, logged, b.logs)
		}
	}
}

// TestForeignErrors: an unknown error reveals nothing.
func TestForeignErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.fail("Accept", errors.New("pq: relation does not exist"))
	got := b.call(t, adminKey, "POST", "/v1/events", postedEvent)
	got.wantProblem(t, http.StatusInternalServerError, switchboard.CodeInternal, "")
	if strings.Contains(string(got.body), "relation") || strings.Count(b.logs.String(), "relation does not exist") != 1 {
		t.Errorf("answer %s, log %s", got.body, b.logs)
	}
}

// TestCallerGone: a caller that disconnects is not our error. What was stored before still reaches
// the engine.
func TestCallerGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	send := func(ctx context.Context, path, body string) int {
		r := httptest.NewRequestWithContext(ctx, "POST", string(b.unnamed([]byte(path))), strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+adminKey)
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		return w.Code
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if status := send(gone, "/v1/events", postedEvent); status != rest.StatusClientGone {
		t.Errorf("status %d", status)
	}
	if line := b.logs.lines(t)[0]; line["level"] != "INFO" || line["error"] != nil {
		t.Errorf("log: %v", line)
	}
	b.engine.respectsContext = true
	going, cancel := context.WithCancel(t.Context())
	b.store.intercept("Cancel", func() error {
		cancel()
		return nil
	})
	send(going, "/v1/deliveries/dlv_acme/cancel", `{"reason":"r"}`)
	if diff := cmp.Diff([]string{"cancel dlv_acme"}, b.started()); diff != "" {
		t.Error(diff)
	}
	if lines := b.logs.lines(t); len(lines) != 2 {
		t.Errorf("the engine did not hear of it: %v", lines)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.intercept("Accept", func() error { panic("the store has a bug") })
	got := b.call(t, adminKey, "POST", "/v1/events", postedEvent)
	got.wantProblem(t, http.StatusInternalServerError, switchboard.CodeInternal, "")
	if strings.Contains(string(got.body), "bug") || !strings.Contains(b.logs.String(), "the store has a bug") {
		t.Errorf("answer %s, log %s", got.body, b.logs)
	}
}

func TestOutageAtTheDoor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, outageKey, "POST", "/v1/events", postedEvent).wantProblem(t, http.StatusServiceUnavailable, switchboard.CodeUnavailable, "")
	if b.stored(t) {
		t.Error("something was stored")
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for sent, kept := range map[string]bool{"abc-1._Z": true, "": false, "a b": false, "a\tb": false, "é": false, strings.Repeat("x", 65): false, strings.Repeat("x", 64): true} {
		got := b.call(t, adminKey, "GET", "/v1/events", nil, "X-Request-Id", sent).header.Get("X-Request-Id")
		if (got == sent) != kept || got == "" {
			t.Errorf("sent %q, got %q", sent, got)
		}
	}
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, acmeViewerKey, "GET", "/v1/deliveries/dlv_1?text=hunter2", nil, "X-Request-Id", "r1")
	b.call(t, "", "BREW", "/hunter2", nil, "X-Request-Id", "r2")
	b.call(t, "", "GET", "/healthz", nil, "X-Request-Id", "r3")
	got := b.logs.lines(t)
	for _, line := range got {
		if ms, ok := line["ms"].(float64); !ok || ms < 0 {
			t.Errorf("ms: %v", line["ms"])
		}
		delete(line, "ms")
		delete(line, "time")
	}
	want := []map[string]any{
		{"level": "INFO", "msg": "request", "method": "GET", "route": "/v1/deliveries/:id", "status": 422.0, "request_id": "r1", "key": b.id("key_acme"), "tenant": "acme", "code": "invalid"},
		{"level": "INFO", "msg": "request", "method": "other", "route": "unmatched", "status": 404.0, "request_id": "r2", "key": "", "tenant": "", "code": "not_found"},
		{"level": "DEBUG", "msg": "request", "method": "GET", "route": "/healthz", "status": 200.0, "request_id": "r3", "key": "", "tenant": ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNoSecretInLog sends secrets in every possible place; setup searches the log for them.
func TestNoSecretInLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range calls {
		method, path, _ := strings.Cut(c.call, " ")
		for _, body := range []string{c.body, `{"hunter2":"hunter2"}`, `hunter2`, `{"tenant":"hunter2"}`, `{"secret":"whsec_hunter2","name":"hunter2"}`} {
			b.call(t, adminKey, method, path, body)
			b.call(t, adminKey, method, path+"?hunter2=hunter2", body, "X-Secret", "hunter2", "Cookie", "hunter2")
			b.call(t, outageKey, method, path, body)
		}
	}
	if got := len(b.logs.lines(t)); got < len(calls)*15 {
		t.Errorf("only %d lines in the log", got)
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/v1/events", "/docs", "/nothing", "/healthz"} {
		h := b.call(t, adminKey, "GET", path, nil).header
		if h.Get("X-Content-Type-Options") != "nosniff" || (h.Get("Cache-Control") == "no-store") != strings.HasPrefix(path, "/v1") {
			t.Errorf("%s: %v", path, h)
		}
	}
}

// deadlines records the read deadlines of a connection.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

// TestBodyDeadline: reading a body has a deadline, but the wait for the store after it has none.
func TestBodyDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	r := httptest.NewRequest("POST", "/v1/events", strings.NewReader(postedEvent))
	r.Header.Set("Authorization", "Bearer "+adminKey)
	before := time.Now()
	b.handler.ServeHTTP(w, r)
	if w.Code != http.StatusAccepted || len(w.set) != 2 || !w.set[0].After(before) || !w.set[1].IsZero() {
		t.Errorf("status %d, deadlines %v", w.Code, w.set)
	}

	r = httptest.NewRequest("POST", "/v1/events", iotest.ErrReader(os.ErrDeadlineExceeded))
	r.Header.Set("Authorization", "Bearer "+adminKey)
	late := httptest.NewRecorder()
	b.handler.ServeHTTP(late, r)
	answer{late.Code, late.Header(), late.Body.Bytes()}.wantProblem(t, http.StatusRequestTimeout, switchboard.CodeInvalid, "")
}

// TestMetrics reads what Prometheus would.
func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t, func(c *Config) {
		c.Meter = metric.NewMeterProvider(metric.WithReader(exporter)).Meter("switchboard")
		c.Metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	})
	b.call(t, viewerKey, "GET", "/v1/events/evt_1", nil)
	b.call(t, viewerKey, "GET", "/v1/events/evt_2", nil)
	b.call(t, viewerKey, "HUNT", "/nothing", nil)
	got := b.call(t, "", "GET", "/metrics", nil)
	for _, line := range []string{
		`switchboard_http_request_duration_seconds_count{class="platform",method="GET",`,
		`route="/v1/events/:id",status="404"} 2`,
		`{class="none",method="other",`,
		`route="unmatched",status="404"} 1`,
	} {
		if got.status != http.StatusOK || !strings.Contains(string(got.body), line) {
			t.Errorf("no %s in status %d:\n%s", line, got.status, got.body)
		}
	}
}
