package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/webhook"
)

// Keys of the tests: one of each role for every tenant, and some of tenant acme.
const (
	adminKey      = "sbk_admin-1f4c"
	publisherKey  = "sbk_publisher-1f4c"
	integratorKey = "sbk_integrator-1f4c"
	supportKey    = "sbk_support-1f4c"
	viewerKey     = "sbk_viewer-1f4c"

	acmeAdminKey      = "sbk_acme-admin-1f4c"
	acmePublisherKey  = "sbk_acme-publisher-1f4c"
	acmeIntegratorKey = "sbk_acme-integrator-1f4c"
	acmeViewerKey     = "sbk_acme-viewer-1f4c"

	expiredKey = "sbk_expired-1f4c"
	revokedKey = "sbk_revoked-1f4c"
	unknownKey = "sbk_unknown-1f4c"
)

// secretMarks may never be in a log: the beginnings of keys and signing secrets,
// and what the tests put into bodies, headers and query strings.
var secretMarks = []string{"sbk_", "whsec_", "whsk_", "hunter2"}

// bundle is an API with stores in memory.
type bundle struct {
	handler       http.Handler
	events        *fakeEvents
	subscriptions *fakeSubscriptions
	deliveries    *fakeDeliveries
	keys          *fakeKeys
	engine        *fakeEngine
	receivers     *fakeReceivers
	eventTypes    *fakeEventTypes
	answers       *fakeAnswers
	idempotency   *fakeIdempotency
	logs          *logBuffer
}

// setup makes an API; change may alter its config. When the test ends, its log is
// searched for secrets.
func setup(t testing.TB, change ...func(*Config)) *bundle {
	t.Helper()
	b := &bundle{
		events: &fakeEvents{}, subscriptions: newFakeSubscriptions(), deliveries: newFakeDeliveries(),
		keys: &fakeKeys{}, engine: &fakeEngine{}, receivers: &fakeReceivers{}, eventTypes: &fakeEventTypes{}, answers: &fakeAnswers{}, idempotency: &fakeIdempotency{}, logs: &logBuffer{},
	}
	config := Config{
		Store: &fakeStore{
			b.events, b.eventTypes, b.subscriptions, b.subscriptions, b.subscriptions, b.subscriptions,
			b.deliveries, b.answers, b.keys, b.idempotency, fakeAuth{},
		},
		Engine: b.engine, Guard: fakeGuard{}, Catalogue: realCatalogue(t, b.eventTypes), Validation: ValidationOff,
		RefusedKeys: 1e6, CostlyCalls: 1e6, // but where limits are tested
		Logger: slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	config.Sender = &fakeSender{webhook.NewSender(webhook.Config{Platforms: config.Catalogue.(webhook.Platforms)}), b.receivers}
	for _, c := range change {
		c(&config)
	}
	handler, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	b.handler = handler
	t.Cleanup(func() {
		for _, mark := range secretMarks {
			if strings.Contains(b.logs.String(), mark) {
				t.Errorf("the log holds %q:\n%s", mark, b.logs)
			}
		}
	})
	return b
}

// stored says whether anything was written or started.
func (b *bundle) stored() bool {
	return b.events.writes()+b.subscriptions.writes+b.keys.writes+b.deliveries.writes+b.eventTypes.writes+len(b.engine.all()) > 0
}

// problem is the body of an error.
type problem struct {
	rest.Problem
	problemMembers
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call sends a request. A body that is no string, []byte or nil is sent as JSON.
func (b *bundle) call(t testing.TB, key, method, path string, body any, headers ...string) answer {
	t.Helper()
	var raw []byte
	switch v := body.(type) {
	case nil:
	case string:
		raw = []byte(v)
	case []byte:
		raw = v
	default:
		var err error
		if raw, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(raw))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

// want fails the test unless the answer has the status, and returns its body.
func (a answer) want(t testing.TB, status int) map[string]any {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	var body map[string]any
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &body); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
	}
	return body
}

// wantProblem fails the test unless the answer is a complete problem.
func (a answer) wantProblem(t testing.TB, status int, code switchboard.Code, field string) problem {
	t.Helper()
	a.want(t, status)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatal(err)
	}
	if p.Status != status || p.Code != code || p.Field != field {
		t.Errorf("status %d, code %q, field %q; want %d, %q, %q: %s", p.Status, p.Code, p.Field, status, code, field, a.body)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("incomplete: %s", a.body)
	}
	if p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("request id %q, header %q", p.RequestID, a.header.Get("X-Request-Id"))
	}
	if strings.Contains(string(a.body), "hunter2") {
		t.Errorf("the problem repeats what was sent: %s", a.body)
	}
	return p
}

// logBuffer is a log that may be written and read at the same time.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// lines returns the log's entries.
func (l *logBuffer) lines(t testing.TB) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(l.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		out = append(out, entry)
	}
	return out
}

// fakeAuth knows the keys of the tests by their words: sbk_[acme-]ROLE-….
type fakeAuth struct{}

func (fakeAuth) Authenticate(_ context.Context, text switchboard.Secret) (switchboard.Caller, error) {
	switch text.Reveal() {
	case expiredKey, revokedKey, unknownKey:
		return switchboard.Caller{}, switchboard.Errorf(switchboard.CodeUnauthenticated, "this key is unknown, expired or revoked")
	case "sbk_outage":
		return switchboard.Caller{}, &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "the database is away", Err: errors.New("dial tcp: refused")}
	}
	words := strings.TrimSuffix(strings.TrimPrefix(text.Reveal(), "sbk_"), "-1f4c")
	role, bound := strings.CutPrefix(words, "acme-")
	c := switchboard.Caller{KeyID: "key_" + words, Role: switchboard.Role(role)}
	if bound {
		c.Tenant = "acme"
	}
	return c, nil
}

// fakeGuard forbids what a real one would, by its name.
type fakeGuard struct{}

func (fakeGuard) Check(_ context.Context, rawURL string) (warning string, err error) {
	if err := switchboard.ValidateURL("request.url", rawURL); err != nil {
		return "", err
	}
	switch {
	case strings.Contains(rawURL, "169.254.169.254"):
		return "", switchboard.InvalidField("request.url", "points at a link-local address")
	case strings.Contains(rawURL, "unresolved."):
		return "the host has no address now", nil
	}
	return "", nil
}

// fakeEngine notes what it is told.
type fakeEngine struct {
	mu    sync.Mutex
	calls []string
	err   error

	respectsContext bool // fails where its context has ended
}

func (f *fakeEngine) note(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
}

func (f *fakeEngine) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

func (f *fakeEngine) Start(_ context.Context, deliveries []switchboard.Delivery) {
	for _, d := range deliveries {
		f.note("start " + d.ID)
	}
}

func (f *fakeEngine) RetryNow(_ context.Context, id string) error {
	f.note("retry " + id)
	return f.err
}

func (f *fakeEngine) Cancel(ctx context.Context, d switchboard.Delivery) error {
	f.note("cancel " + d.ID)
	if f.respectsContext {
		return ctx.Err()
	}
	return f.err
}
