package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api"
	"github.com/seed-49a43567/switchboard/catalogue"
	"github.com/seed-49a43567/switchboard/client"
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

// fakeOutside is everything that an API needs besides its store. It does nothing.
type fakeOutside struct{ *webhook.Sender }

func (fakeOutside) Check(context.Context, string) (string, error) { return "", nil }
func (fakeOutside) Start(context.Context, []switchboard.Delivery) {}
func (fakeOutside) RetryNow(context.Context, string) error        { return nil }
func (fakeOutside) Erase(context.Context, string) error           { return nil }
func (fakeOutside) Operate(context.Context, string) error         { return nil }

func (fakeOutside) ResumeOperation(context.Context, string) error             { return nil }
func (fakeOutside) WakeRecovery(context.Context, string) error                { return nil }
func (fakeOutside) Cancel(context.Context, switchboard.Delivery) error        { return nil }
func (fakeOutside) Challenge(context.Context, switchboard.Subscription) error { return nil }
func (fakeOutside) CheckAuth(context.Context, switchboard.Subscription) error { return nil }

// realAPI serves an API on a real store, and returns its URL and the key of an admin.
func realAPI(t *testing.T) (url string, key switchboard.Secret) {
	t.Helper()
	keyring, err := store.ParseKeyring("test:" + strings.Repeat("00", 32))
	must(t, err)
	s, err := store.Open(store.Config{URL: pg.Database(t), Keyring: keyring, MaxConns: 6, BatchWait: time.Microsecond, CountTime: time.Minute})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	key = switchboard.NewKeyText()
	_, err = s.CreateKey(t.Context(), switchboard.Caller{Role: switchboard.RoleAdmin}, switchboard.Key{Name: "test", Role: switchboard.RoleAdmin}, key)
	must(t, err)
	base, err := catalogue.Load()
	must(t, err)
	live := catalogue.NewLive(base, s, slog.New(slog.DiscardHandler))
	must(t, live.Refresh(t.Context()))
	outside := fakeOutside{webhook.NewSender(webhook.Config{Platforms: live})}
	handler, err := api.New(api.Config{Store: s, Sender: outside, Catalogue: live, Engine: outside, Guard: outside, Logger: slog.New(slog.DiscardHandler), Version: "v7"})
	must(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, key
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAgainstTheAPI: the API understands what is sent, and the client understands the answers.
func TestAgainstTheAPI(t *testing.T) {
	t.Parallel()
	url, key := realAPI(t)
	c, err := client.New(client.Config{URL: url, Key: key})
	must(t, err)
	ctx := t.Context()

	made, err := c.CreateSubscription(ctx, client.NewSubscription{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Subscription: switchboard.Subscription{
		Tenant: "acme", Name: "CRM", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: "https://crm.example.com/hook"},
		Retry: switchboard.RetryPolicy{InitialInterval: switchboard.Duration(time.Hour)},
		Auth:  switchboard.Auth{Type: switchboard.AuthBasic, Username: "joe", Password: "hunter2"},
	}})
	must(t, err)
	if made.Secret.Reveal() != "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" || made.Retry.InitialInterval != switchboard.Duration(time.Hour) || made.Auth.Password != switchboard.Mask {
		t.Errorf("made %+v, secret %q", made, made.Secret.Reveal())
	}
	changed, err := c.UpdateSubscription(ctx, made.ID, made.Version, client.Patch{"name": "CRM sync", "auth": nil})
	must(t, err)
	if changed.Name != "CRM sync" || changed.Auth.Type != "" || changed.Version != 2 {
		t.Errorf("changed %+v", changed)
	}

	var deliveries []string
	for i := range 3 {
		accepted, err := c.PostEvent(ctx, client.NewEvent{Tenant: "acme", Type: "ticket.created", Data: json.RawMessage(`{"a":1}`), ID: fmt.Sprint("e", i)})
		must(t, err)
		deliveries = append(deliveries, accepted.Deliveries[0].ID)
	}
	again, err := c.PostEvent(ctx, client.NewEvent{Tenant: "acme", Type: "ticket.created", Data: json.RawMessage(`{"a":1}`), ID: "e0"})
	must(t, err)
	if !again.Duplicate || again.Deliveries[0].ID != deliveries[0] {
		t.Errorf("again %+v", again)
	}
	cancelled, err := c.CancelDelivery(ctx, deliveries[0], client.Act{Reason: "not wanted"}, client.Actor("marta"))
	must(t, err)
	if cancelled.State != switchboard.StateCancelled {
		t.Errorf("cancelled %+v", cancelled)
	}
	one, err := c.GetDelivery(ctx, deliveries[0])
	must(t, err)
	if len(one.Actions) != 1 || one.Actions[0].Person != "marta" || one.Actions[0].Reason != "not wanted" {
		t.Errorf("actions %+v", one.Actions)
	}
	open := 0
	for d, err := range c.Deliveries(ctx, switchboard.DeliveryFilter{Subscription: made.ID, States: []switchboard.State{switchboard.StatePending}}) {
		must(t, err)
		if d.EventType == "ticket.created" {
			open++
		}
	}
	if open != 2 {
		t.Errorf("%d deliveries are open", open)
	}
	results, err := c.PostEvents(ctx, []client.NewEvent{{Tenant: "acme", Type: "ticket.created", Data: json.RawMessage(`1`)}, {Tenant: "acme", Type: "no type", Data: json.RawMessage(`1`)}})
	must(t, err)
	if results[0].Status != client.BatchAccepted || results[1].Status != client.BatchError || results[1].Problem.Field != "type" {
		t.Errorf("results %+v", results)
	}
	if version, err := c.Version(ctx); err != nil || version != "v7" {
		t.Errorf("version %q: %v", version, err)
	}
	if health, err := c.Ready(ctx); err != nil || health.Status != "ok" {
		t.Errorf("ready %+v: %v", health, err)
	}
}

// TestPages: an iterator requests only the pages that are read.
func TestPages(t *testing.T) {
	t.Parallel()
	url, key := realAPI(t)
	c, err := client.New(client.Config{URL: url, Key: key})
	must(t, err)
	var batch []client.NewEvent
	for range 2*switchboard.MaxPage + 1 {
		batch = append(batch, client.NewEvent{Tenant: "acme", Type: "t", Data: json.RawMessage(`1`)})
	}
	_, err = c.PostEvents(t.Context(), batch)
	must(t, err)
	for _, most := range []int{1, switchboard.MaxPage, 2*switchboard.MaxPage + 1} {
		seen := map[string]bool{}
		for e, err := range c.Events(t.Context(), switchboard.EventFilter{Tenant: "acme"}) {
			must(t, err)
			if seen[e.ID] = true; len(seen) == most {
				break
			}
		}
		if len(seen) != most {
			t.Errorf("%d events, want %d", len(seen), most)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range c.Events(gone, switchboard.EventFilter{}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended by %v", err)
		}
	}
}

// TestErrors: an answer without success is an error with everything that the API says.
func TestErrors(t *testing.T) {
	t.Parallel()
	url, key := realAPI(t)
	c, err := client.New(client.Config{URL: url, Key: key})
	must(t, err)
	_, err = c.PostEvent(t.Context(), client.NewEvent{Tenant: "acme", Type: "no type", Data: json.RawMessage(`1`)}, client.RequestID("r-1"))
	problem, ok := errors.AsType[*client.Error](err)
	if !ok || problem.Status != 422 || problem.Code != switchboard.CodeInvalid || problem.Field != "type" || problem.RequestID != "r-1" || switchboard.CodeOf(err) != switchboard.CodeInvalid {
		t.Errorf("%+v", err)
	}
	if text := err.Error(); !strings.Contains(text, "422 (invalid): type: ") || !strings.Contains(text, "[r-1]") {
		t.Errorf("says %q", text)
	}
	nobody, err := client.New(client.Config{URL: url, Key: "sbk_hunter2"})
	must(t, err)
	_, err = nobody.GetDelivery(t.Context(), "dlv_1")
	if switchboard.CodeOf(err) != switchboard.CodeUnauthenticated || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("with a wrong key: %v", err)
	}
}

// answers is a server that gives its answers in turn, and counts.
type answers struct {
	list []string // status, Retry-After, body
	sent []string // method and body
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	a.sent = append(a.sent, r.Method+" "+string(body))
	next := strings.SplitN(a.list[min(len(a.sent), len(a.list))-1], " ", 3)
	var status int
	_, _ = fmt.Sscan(next[0], &status)
	if status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {next[1]}}, Body: io.NopCloser(bytes.NewReader([]byte(next[2])))}, nil
}

// TestRetries: a call is repeated if that is safe, after the time in the answer.
func TestRetries(t *testing.T) {
	t.Parallel()
	const soon = -1 // within the client's own pauses
	const busy, good = `503 2 {"code":"unavailable"}`, `202 - {"id":"e"}`
	withID := client.NewEvent{ID: "mine"}
	post := func(e client.NewEvent, options ...client.Option) func(context.Context, *client.Client) error {
		return func(ctx context.Context, c *client.Client) error { return second(c.PostEvent(ctx, e, options...)) }
	}
	for _, c := range []struct {
		name    string
		answers []string
		call    func(context.Context, *client.Client) error
		sent    int
		took    time.Duration
		fails   bool
	}{
		{"an event without an id", []string{busy, good}, post(client.NewEvent{}), 2, 2 * time.Second, false},
		{"an event with an id", []string{busy, good}, post(withID), 2, 2 * time.Second, false},
		{"with an idempotency key", []string{busy, good}, post(client.NewEvent{}, client.IdempotencyKey("k")), 2, 2 * time.Second, false},
		{"twice", []string{busy, busy, good}, post(withID), 3, 4 * time.Second, false},
		{"no more often", []string{busy}, post(withID), 3, 4 * time.Second, true},
		{"rate limited", []string{`429 7 {"code":"rate_limited"}`, good}, post(withID), 2, 7 * time.Second, false},
		{"for too long", []string{`429 3600 {"code":"rate_limited"}`, good}, post(withID), 1, 0, true},
		{"without a time", []string{`503 - {"code":"unavailable"}`, good}, post(withID), 2, soon, false},
		{"no answer", []string{`0 - `, good}, post(withID), 2, soon, false},
		{"no answer to a change", []string{`0 - `, good}, func(ctx context.Context, c *client.Client) error {
			return second(c.RetryDelivery(ctx, "d", client.Retry{}))
		}, 1, 0, true},
		{"a batch", []string{busy, `200 - {"results":[]}`}, func(ctx context.Context, c *client.Client) error {
			return second(c.PostEvents(ctx, []client.NewEvent{{}, {}}))
		}, 2, 2 * time.Second, false},
		{"a trigger", []string{busy, good}, func(ctx context.Context, c *client.Client) error {
			return second(c.TriggerSubscription(ctx, "s", client.Trigger{}))
		}, 2, 2 * time.Second, false},
		{"another status", []string{`500 2 {"code":"internal"}`, good}, post(withID), 1, 0, true},
		{"a read", []string{busy, good}, func(ctx context.Context, c *client.Client) error { return second(c.GetDelivery(ctx, "d")) }, 2, 2 * time.Second, false},
		{"a change", []string{busy, good}, func(ctx context.Context, c *client.Client) error {
			return second(c.UpdateSubscription(ctx, "s", 1, nil))
		}, 1, 0, true},
		{"of a proxy", []string{`503 2 <html>`, good}, post(withID), 2, 2 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				server := &answers{list: c.answers}
				caller, err := client.New(client.Config{URL: "http://api.example.com", HTTP: &http.Client{Transport: server}, Retries: 2})
				must(t, err)
				start := time.Now()
				if err := c.call(t.Context(), caller); (err != nil) != c.fails {
					t.Errorf("ends with %v", err)
				}
				took := time.Since(start)
				right := took == c.took || c.took == soon && took > 0 && took <= 5*time.Second
				if len(server.sent) != c.sent || !right {
					t.Errorf("sent %d times in %s", len(server.sent), time.Since(start))
				}
				for _, sent := range server.sent {
					if sent != server.sent[0] {
						t.Errorf("sent %q, then %q", server.sent[0], sent)
					}
				}
			})
		})
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []client.Config{{}, {URL: "api.example.com"}, {URL: "ftp://api.example.com"}, {URL: "http://a b"}, {URL: "http://a/?b=c"}, {URL: "http://a", Retries: -1}} {
		if _, err := client.New(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// TestExamples runs the examples against a real API, one after the other, and compares their output
// with their last comment.
func TestExamples(t *testing.T) {
	url, key := realAPI(t)
	t.Setenv("SWITCHBOARD_URL", url)
	t.Setenv("SWITCHBOARD_API_KEY", key.Reveal())
	source, err := os.ReadFile("example_test.go")
	must(t, err)
	Example()
	for _, example := range []struct {
		name string
		run  func()
	}{
		{"ExampleError", ExampleError},
		{"ExampleClient_PostEvent", ExampleClient_PostEvent},
		{"ExampleClient_PostEvents", ExampleClient_PostEvents},
		{"ExampleClient_Events", ExampleClient_Events},
		{"ExampleClient_UpdateSubscription", ExampleClient_UpdateSubscription},
		{"ExampleClient_PauseSubscription", ExampleClient_PauseSubscription},
		{"ExampleClient_RetryDelivery", ExampleClient_RetryDelivery},
		{"ExampleClient_PlanOperation", ExampleClient_PlanOperation},
		{"ExampleClient_Search", ExampleClient_Search},
		{"ExampleClient_CountFacets", ExampleClient_CountFacets},
		{"ExampleClient_GetStats", ExampleClient_GetStats},
		{"ExampleClient_CreateKey", ExampleClient_CreateKey},
		{"ExampleClient_Actions", ExampleClient_Actions},
		{"ExampleClient_EraseEvent", ExampleClient_EraseEvent},
	} {
		_, body, found := strings.Cut(string(source), "func "+example.name+"() {\n")
		body, _, _ = strings.Cut(body, "\n}\n")
		_, want, says := strings.Cut(body, "\t// Prints:\n")
		if !found || !says {
			t.Fatalf("%s does not say what it prints", example.name)
		}
		want = strings.ReplaceAll(want, "\t// ", "") + "\n"
		if got := printed(t, example.run); got != want {
			t.Errorf("%s prints\n%s\nwant\n%s", example.name, got, want)
		}
	}
}

// printed is what a function prints.
func printed(t *testing.T, run func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer file.Close()
	stdout := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = stdout }()
	run()
	text, err := os.ReadFile(file.Name())
	must(t, err)
	return string(text)
}
