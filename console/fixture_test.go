package console

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api"
	"github.com/seed-49a43567/switchboard/catalogue"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/store/postgres/pgtest"
	"github.com/seed-49a43567/switchboard/webhook"
)

var pg = pgtest.New(func(url string) (err error) {
	s, err := store.Open(store.Config{URL: url})
	if err != nil {
		return err
	}
	defer func() { err = s.Close() }()
	return s.Migrate(context.Background())
})

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// fixture is a console on a real API and a real store, with a fake engine, behind a server.
type fixture struct {
	t       testing.TB
	store   *store.Store
	api     *api.API
	console *Console
	engine  *fakeEngine
	url     string // of the server
	logs    *logBuffer
}

// newFixture makes a console with a separate database; change may change its config.
func newFixture(t testing.TB, change ...func(*Config)) *fixture {
	t.Helper()
	keyring, err := store.ParseKeyring("test:" + strings.Repeat("00", 32))
	must(t, err)
	opened, err := store.Open(store.Config{URL: pg.Database(t), Keyring: keyring, MaxConns: 6, BatchWait: time.Microsecond, CountTime: time.Minute})
	must(t, err)
	t.Cleanup(func() { must(t, opened.Close()) })
	return serve(t, opened, change...)
}

// newFixtureOn is another process with the same database, which has not cached any answers of the
// API yet.
func newFixtureOn(t testing.TB, f *fixture) *fixture {
	t.Helper()
	return serve(t, f.store)
}

func serve(t testing.TB, opened *store.Store, change ...func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, store: opened, engine: &fakeEngine{}, logs: &logBuffer{}}
	base, err := catalogue.Load()
	must(t, err)
	live := catalogue.NewLive(base, f.store, slog.New(slog.DiscardHandler))
	must(t, live.Refresh(t.Context()))
	f.engine.Sender = webhook.NewSender(webhook.Config{Platforms: live})
	logger := slog.New(slog.NewJSONHandler(f.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.api, err = api.New(api.Config{
		Store: f.store, Sender: f.engine, Catalogue: live, Engine: f.engine, Guard: f.engine, Logger: logger,
		Ready: f.engine.ready, RefusedKeys: 1e6, CostlyCalls: 1e6, TemporalUI: "http://temporal.example.com",
	})
	must(t, err)
	config := Config{API: f.api, Sessions: f.store, Logger: logger}
	for _, c := range change {
		c(&config)
	}
	f.console, err = New(config)
	must(t, err)
	server := httptest.NewServer(f.console)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// operator sees every tenant, and may do everything, without the console.
func operator() switchboard.Caller {
	return switchboard.Caller{KeyID: "key_operator", Role: switchboard.RoleAdmin, ReadPayload: true}
}

// person is a person who is signed in.
type person struct {
	f       *fixture
	cookie  string // empty: nobody
	session switchboard.Session
}

// as signs in a person who has a key with the role, bound to the tenant unless that is empty.
func (f *fixture) as(role switchboard.Role, tenant string, change ...func(*switchboard.Key)) *person {
	f.t.Helper()
	key := switchboard.Key{Name: string(role), Role: role, Tenant: tenant, ReadPayload: role.ReadsPayload()}
	for _, c := range change {
		c(&key)
	}
	made, err := f.store.CreateKey(f.t.Context(), operator(), key, switchboard.NewKeyText())
	must(f.t, err)
	begun, err := f.store.BeginSession(f.t.Context(), switchboard.SignIn{Caller: switchboard.Caller{
		KeyID: made.ID, Role: made.Role, Tenant: made.Tenant, ReadPayload: made.ReadPayload, Person: "Ana",
	}})
	must(f.t, err)
	return &person{f, sessionCookie + "=" + begun.Token.Reveal(), begun.Session}
}

// nobody is a person who is not signed in.
func (f *fixture) nobody() *person { return &person{f: f} }

// readsPayload gives a key that permission.
func readsPayload(k *switchboard.Key) { k.ReadPayload = true }

// shown is the answer. Redirects are not followed.
type shown struct {
	status int
	header http.Header
	body   string
}

func (p *person) get(path string, headers ...string) shown {
	p.f.t.Helper()
	return p.send(http.MethodGet, path, nil, headers...)
}

// post sends a form as a browser does.
func (p *person) post(path string, form url.Values, headers ...string) shown {
	p.f.t.Helper()
	return p.send(http.MethodPost, path, form, headers...)
}

func (p *person) send(method, path string, form url.Values, headers ...string) shown {
	p.f.t.Helper()
	if form != nil {
		headers = append([]string{"Content-Type", "application/x-www-form-urlencoded", "Origin", p.f.url}, headers...)
	}
	return p.sendBody(method, path, strings.NewReader(form.Encode()), headers...)
}

func (p *person) sendBody(method, path string, content io.Reader, headers ...string) shown {
	p.f.t.Helper()
	r, err := http.NewRequestWithContext(p.f.t.Context(), method, p.f.url+path, content)
	must(p.f.t, err)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if p.cookie != "" {
		r.Header.Set("Cookie", p.cookie)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answered, err := client.Do(r)
	must(p.f.t, err)
	defer answered.Body.Close()
	body, err := io.ReadAll(answered.Body)
	must(p.f.t, err)
	return shown{answered.StatusCode, answered.Header, string(body)}
}

// want fails the test unless the answer has the status and each of the texts.
func (s shown) want(t testing.TB, status int, texts ...string) shown {
	t.Helper()
	if s.status != status {
		t.Fatalf("status %d, want %d: %s", s.status, status, s.body)
	}
	for _, text := range texts {
		if !strings.Contains(s.body, text) {
			t.Errorf("%q is not in:\n%s", text, s.body)
		}
	}
	return s
}

// without fails the test if the answer has any of the texts.
func (s shown) without(t testing.TB, texts ...string) shown {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(s.body, text) {
			t.Errorf("%q is in:\n%s", text, s.body)
		}
	}
	return s
}

// subscribe makes an active subscription of the tenant for ticket.* events; change may change it.
func (f *fixture) subscribe(tenant string, change ...func(*switchboard.Subscription)) switchboard.Subscription {
	f.t.Helper()
	s := switchboard.Subscription{
		Tenant: tenant, Name: "CRM of " + tenant, Events: []string{"ticket.*"}, Verification: switchboard.VerificationNone,
		Request: switchboard.Request{URL: "https://crm." + tenant + ".example.com/hook"},
		Secrets: []switchboard.SigningSecret{{Secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}},
	}
	for _, c := range change {
		c(&s)
	}
	s.SetDefaults()
	must(f.t, f.store.CreateSubscription(f.t.Context(), operator(), &s))
	return s
}

// patiently retries for the first time after an hour, so that no attempt is due while a test runs,
// however long it takes.
func patiently(s *switchboard.Subscription) {
	s.Retry.InitialInterval = switchboard.Duration(time.Hour)
}

// accept accepts an event of the type ticket.created, and returns its deliveries.
func (f *fixture) accept(tenant, id, data string) []switchboard.Delivery {
	f.t.Helper()
	accepted, err := f.store.Accept(f.t.Context(), operator(), []switchboard.Event{{ID: id, Tenant: tenant, Type: "ticket.created", Data: []byte(data)}})
	must(f.t, err)
	must(f.t, accepted[0].Err)
	return accepted[0].Deliveries
}

// attempt records the next attempt of a delivery to the subscription, and returns the resulting
// delivery.
func (f *fixture) attempt(s switchboard.Subscription, d switchboard.Delivery, outcome switchboard.Outcome) switchboard.Delivery {
	f.t.Helper()
	now := time.Now()
	number := d.AttemptsMade + 1
	after, err := f.store.Record(f.t.Context(), switchboard.Record{
		Attempt:  switchboard.Attempt{ID: switchboard.NewID(switchboard.AttemptPrefix, now), DeliveryID: d.ID, Number: number, At: now, Outcome: outcome},
		Decision: switchboard.Next(s.Retry, s.LimitsUnder(0), d.ID, number, outcome), TemporalRunID: "0198-run", Generation: d.Generation,
	})
	must(f.t, err)
	return after
}

// fakeEngine records its calls. It is also a sender that renders like the real one, and a guard
// that allows everything.
type fakeEngine struct {
	*webhook.Sender
	away  atomic.Bool // Temporal does not answer
	mu    sync.Mutex
	calls []string
}

func (f *fakeEngine) note(call string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away.Load() {
		return switchboard.Errorf(switchboard.CodeUnavailable, "Temporal does not answer")
	}
	f.calls = append(f.calls, call)
	return nil
}

// ready returns what the process lacks.
func (f *fakeEngine) ready(context.Context) []api.Missing {
	if f.away.Load() {
		return []api.Missing{{Name: "temporal", Message: "does not answer", Optional: true}}
	}
	return nil
}

// all returns the recorded calls.
func (f *fakeEngine) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

func (f *fakeEngine) Start(_ context.Context, deliveries []switchboard.Delivery) {
	for _, d := range deliveries {
		_ = f.note("start " + d.ID)
	}
}

func (f *fakeEngine) RetryNow(_ context.Context, id string) error { return f.note("retry " + id) }
func (f *fakeEngine) Erase(_ context.Context, id string) error    { return f.note("erase " + id) }
func (f *fakeEngine) Operate(_ context.Context, id string) error  { return f.note("operate " + id) }

func (f *fakeEngine) ResumeOperation(_ context.Context, id string) error {
	return f.note("resume " + id)
}
func (f *fakeEngine) WakeRecovery(_ context.Context, id string) error { return f.note("wake " + id) }

func (f *fakeEngine) Cancel(_ context.Context, d switchboard.Delivery) error {
	return f.note("cancel " + d.ID)
}

func (*fakeEngine) Check(context.Context, string) (string, error)             { return "", nil }
func (*fakeEngine) Challenge(context.Context, switchboard.Subscription) error { return nil }
func (*fakeEngine) CheckAuth(context.Context, switchboard.Subscription) error { return nil }

// logBuffer is a log that may be written and read at the same time.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// parsed are all templates.
var parsed = sync.OnceValues(func() (pages, error) {
	files, err := newAssets()
	if err != nil {
		return nil, err
	}
	return parsePages(files)
})

// execute returns a page's template with the data, without the layout.
func execute(t testing.TB, template string, data any) string {
	t.Helper()
	all, err := parsed()
	must(t, err)
	var text strings.Builder
	must(t, all[template].ExecuteTemplate(&text, "content", data))
	return text.String()
}
