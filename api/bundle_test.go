package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/ingest"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/webhook"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// Keys of the tests: one for each role for all tenants, and some for the tenant acme.
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

	globexKey = "sbk_globex-viewer-1f4c"

	expiredKey = "sbk_expired-1f4c"
	revokedKey = "sbk_revoked-1f4c"
	unknownKey = "sbk_unknown-1f4c"
	outageKey  = "sbk_outage" // fails as if the database were away
)

// secretMarks must never be in a log: the prefixes of keys and signing secrets, and what the tests
// put into bodies, headers and query strings.
var secretMarks = []string{"sbk_", "whsec_", "whsk_", "hunter2"}

// bundle is an API on a real store, with a fake engine and fake receivers.
type bundle struct {
	handler   http.Handler
	api       *API
	db        *database
	store     *fakeStore
	engine    *fakeEngine
	receivers *fakeReceivers
	logs      *logBuffer
	before    string // fingerprint of the rows at the beginning of the test

	mu    sync.Mutex
	count int               // number of numbered subscriptions
	ids   map[string]string // by the names that the test uses
	names map[string]string // and the other way round
}

// setup makes an API; change may change its config. When the test ends, its log is searched for
// secrets.
func setup(t testing.TB, change ...func(*Config)) *bundle {
	t.Helper()
	db := takeDatabase(t)
	b := &bundle{
		db: db, store: &fakeStore{Store: db.Store, before: map[string]func() error{}, calls: map[string]int{}},
		engine: &fakeEngine{}, receivers: &fakeReceivers{}, logs: &logBuffer{}, before: db.seed,
		ids: map[string]string{}, names: map[string]string{},
	}
	for name, id := range db.ids {
		b.ids[name], b.names[id] = id, name
	}
	config := Config{
		Store: b.store, Engine: b.engine, Guard: fakeGuard{}, Catalogue: realCatalogue(t, db.Store), Validation: ingest.ValidationOff,
		RefusedKeys: 1e6, CostlyCalls: 1e6, // except in tests of limits
		PublicURL: "https://switchboard.example.com/",
		Logger:    slog.New(slog.NewJSONHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	config.Sender = &fakeSender{webhook.NewSender(webhook.Config{Platforms: config.Catalogue.(render.Platforms)}), b.receivers}
	for _, c := range change {
		c(&config)
	}
	handler, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	b.handler, b.api = handler, handler
	t.Cleanup(func() {
		for _, mark := range secretMarks {
			if strings.Contains(b.logs.String(), mark) {
				t.Errorf("the log holds %q:\n%s", mark, b.logs)
			}
		}
		b.handler, b.api = nil, nil // package testing keeps the cleanups of parallel tests until all have run: some 5 GB of APIs
	})
	return b
}

// problem is the body of an error.
type problem struct {
	rest.Problem
	problemMembers
}

// stored reports whether any row was written or workflow started since the test began or since it
// last changed a row directly.
func (b *bundle) stored(t testing.TB) bool {
	t.Helper()
	return b.db.fingerprint(t) != b.before || len(b.engine.all()) > 0
}

// events returns the events that were stored since the test began, in the order of time.
func (b *bundle) events(t testing.TB) []switchboard.Event {
	t.Helper()
	var found []switchboard.Event
	for asked := (switchboard.PageRequest{Limit: switchboard.MaxPage}); ; {
		page, err := b.db.Events(t.Context(), anybody(), switchboard.EventFilter{}, asked)
		must(t, err)
		for _, item := range page.Items {
			if item.Event.ID == "evt_acme" || item.Event.ID == "evt_globex" {
				continue
			}
			e, _, err := b.db.Event(t.Context(), anybody(), item.Event.Tenant, item.Event.ID)
			must(t, err)
			found = append(found, e)
		}
		if asked.Cursor = page.NextCursor; asked.Cursor == "" {
			slices.Reverse(found)
			return found
		}
	}
}

// eventCount is the number of events stored since the test began.
func (b *bundle) eventCount(t testing.TB) int {
	t.Helper()
	var n int
	must(t, b.db.sql.Get(&n, "SELECT count(*) FROM events WHERE id NOT IN ('evt_acme', 'evt_globex')"))
	return n
}

// lastEvent is the event that was stored last.
func (b *bundle) lastEvent(t testing.TB) switchboard.Event {
	t.Helper()
	page, err := b.db.Events(t.Context(), anybody(), switchboard.EventFilter{}, switchboard.PageRequest{Limit: 1})
	must(t, err)
	e, _, err := b.db.Event(t.Context(), anybody(), page.Items[0].Event.Tenant, page.Items[0].Event.ID)
	must(t, err)
	return e
}

// subscription returns the stored subscription with that name.
func (b *bundle) subscription(t testing.TB, name string) switchboard.Subscription {
	t.Helper()
	s, err := b.db.SubscriptionWithSecrets(t.Context(), anybody(), b.id(name))
	must(t, err)
	return s
}

// change changes a subscription directly in the store, without a new version.
func (b *bundle) change(t testing.TB, name string, change func(*switchboard.Subscription)) {
	t.Helper()
	before := b.subscription(t, name)
	_, _, err := b.db.UpdateSubscription(t.Context(), anybody(), before.ID, before.Version, func(s *switchboard.Subscription) error {
		change(s)
		s.SetDefaults()
		return s.Validate()
	})
	must(t, err)
	b.db.setVersion(t, before.ID, before.Version)
	b.before = b.db.fingerprint(t)
	b.db.step()
}

// sign gives a subscription the scheme and a suitable secret.
func (b *bundle) sign(t testing.TB, name string, scheme switchboard.Scheme) {
	t.Helper()
	b.change(t, name, func(s *switchboard.Subscription) {
		s.Signature = switchboard.Signature{Scheme: scheme}
		s.Secrets = secretsOf(signing.NewSecret(scheme))
	})
}

// damage changes what is read of a subscription, as if that were stored.
func (b *bundle) damage(name string, change func(*switchboard.Subscription)) {
	id := b.id(name)
	b.store.damage = func(s *switchboard.Subscription) {
		if s.ID == id {
			change(s)
		}
	}
}

// numbered makes the name of a subscription called n unique, because the names of a tenant's
// subscriptions differ.
func (b *bundle) numbered(body string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	return strings.Replace(body, `"name":"n"`, fmt.Sprintf(`"name":"n%d"`, b.count), 1)
}

// deliver makes the delivery dlv_new to sub_acme with those attempts directly in the store.
func (b *bundle) deliver(t testing.TB, attempts ...switchboard.Attempt) {
	t.Helper()
	s := b.subscription(t, "sub_acme")
	accepted, err := b.db.AcceptFor(t.Context(), anybody(), s.ID, switchboard.Event{Tenant: "acme", Type: "ticket.created", Data: []byte(`1`)}, false)
	must(t, err)
	d := accepted.Deliveries[0]
	b.ids["dlv_new"], b.names[d.ID] = d.ID, "dlv_new"
	for i, a := range attempts {
		a.Number = i + 1
		d = b.db.record(t, d, s.Retry, s.LimitsUnder(0), a)
	}
	b.before = b.db.fingerprint(t)
}

// post stores events directly.
func (b *bundle) post(t testing.TB, events ...switchboard.Event) {
	t.Helper()
	accepted, err := b.db.Accept(t.Context(), anybody(), events)
	must(t, err)
	for _, a := range accepted {
		must(t, a.Err)
	}
	b.before = b.db.fingerprint(t)
}

// started lists the calls of the engine.
func (b *bundle) started() []string {
	calls := b.engine.all()
	for i, call := range calls {
		calls[i] = string(b.named([]byte(call)))
	}
	return calls
}

// The names that tests use, and the ids that the store makes.
var (
	namePattern = regexp.MustCompile(`\b(sub|dlv|evt|key|att|era|op|ses|plk)_[a-z0-9]+\b`)
	idPattern   = regexp.MustCompile(`\b(sub|dlv|evt|key|att|era|op|ses|plk)_[0-9a-z]{26}\b`)
)

// id returns the id for a name of the test, or else the name itself.
func (b *bundle) id(name string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id, ok := b.ids[name]; ok {
		return id
	}
	return name
}

// unnamed replaces names by ids in what is sent.
func (b *bundle) unnamed(text []byte) []byte {
	if text == nil {
		return nil
	}
	return namePattern.ReplaceAllFunc(text, func(name []byte) []byte { return []byte(b.id(string(name))) })
}

// named replaces ids by names in what came back. New ids are called evt_1, dlv_1 and so on, by
// their kind.
func (b *bundle) named(text []byte) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return idPattern.ReplaceAllFunc(text, func(id []byte) []byte {
		name, known := b.names[string(id)]
		for n := 1; !known; n++ {
			name = fmt.Sprintf("%s_%d", bytes.SplitN(id, []byte("_"), 2)[0], n)
			if _, taken := b.ids[name]; !taken {
				b.ids[name], b.names[string(id)], known = string(id), name, true
			}
		}
		return []byte(name)
	})
}

// call sends a request, a minute after the last one. A body that is not a string, []byte or nil is
// sent as JSON. The object that was created last is called sub_new or key_new.
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
	r := httptest.NewRequest(method, string(b.unnamed([]byte(path))), bytes.NewReader(b.unnamed(raw)))
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	if b.db != nil {
		b.db.step()
	}
	if w.Code == http.StatusCreated {
		b.nameCreated(w.Body.Bytes())
	}
	return answer{w.Code, w.Header(), b.named(w.Body.Bytes())}
}

// nameCreated names the object that an answer created.
func (b *bundle) nameCreated(body []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var made struct{ ID string }
	if json.Unmarshal(body, &made) == nil && len(made.ID) > len("sub_") {
		name := made.ID[:len("sub_")] + "new"
		delete(b.names, b.ids[name])
		b.ids[name], b.names[made.ID] = made.ID, name
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// want fails the test unless the answer has the status, and returns the answer's body.
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
