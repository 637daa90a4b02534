package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestFirstPage: staff begin with the overview, others with their subscriptions.
func TestFirstPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct {
		role   switchboard.Role
		status int
		to     string
	}{
		{switchboard.RoleAdmin, http.StatusOK, ""},
		{switchboard.RoleSupport, http.StatusOK, ""},
		{switchboard.RoleViewer, http.StatusOK, ""},
		{switchboard.RoleIntegrator, http.StatusSeeOther, "/console/subscriptions"},
	} {
		got := f.as(c.role, "").get("/console")
		if got.status != c.status || got.header.Get("Location") != c.to {
			t.Errorf("%s: %d to %q: %s", c.role, got.status, got.header.Get("Location"), got.body)
		}
	}
}

// TestStrangers are led to the sign-in, and back afterwards. An automatic update makes the browser
// reload its page.
func TestStrangers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, c := range []struct{ path, to string }{
		{"/console", "/console/sign-in"},
		{"/console/deliveries?state=failed", "/console/sign-in?next=%2Fconsole%2Fdeliveries%3Fstate%3Dfailed"},
	} {
		got := f.nobody().get(c.path)
		if got.status != http.StatusSeeOther || got.header.Get("Location") != c.to {
			t.Errorf("%s: %d to %q", c.path, got.status, got.header.Get("Location"))
		}
	}
	got := f.nobody().get("/console?part=now")
	if got.status != http.StatusUnauthorized || got.header.Get("HX-Refresh") != "true" {
		t.Errorf("poll: %d, %v", got.status, got.header)
	}
}

// TestErrorPages describe the failure in words, with its code and the id of the request.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleSupport, "")
	got := ana.get("/console/nothing").want(t, http.StatusNotFound, "there is no page at /console/nothing", "Code not_found", `data-copy="req_`)
	if !strings.Contains(got.body, got.header.Get("X-Request-Id")) {
		t.Errorf("the id of the request is not shown")
	}
	ana.get("/console?part=nothing").want(t, http.StatusNotFound).without(t, "<html")
	ana.get("/console?part=layout").want(t, http.StatusNotFound)
}

// TestPartsAreOfThePage: a block that is executed with other data than the page's is not a part.
func TestPartsAreOfThePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	own := f.populate("acme")
	ana := f.as(switchboard.RoleAdmin, "")
	for template, path := range map[string]string{
		"deliveries": "/console/deliveries", "delivery": linkDelivery(own["deliveries"]), "operations": "/console/operations", "operation": linkOperation(own["operations"]),
		"event": linkEvent(own["events"], "acme"), "events": "/console/events", "subscription": linkSubscription(own["subscriptions"]), "subscriptions": "/console/subscriptions",
		"audit": "/console/audit", "attempt": linkAttemptRequest(own["deliveries"], 1), "overview": "/console",
	} {
		joined := "?part="
		if strings.Contains(path, "?") {
			joined = "&part="
		}
		for _, block := range f.console.pages[template].Templates() {
			if block.Name() == "" {
				continue // older than the templates
			}
			want := http.StatusNotFound
			if slices.Contains(f.console.pages[template].parts, block.Name()) {
				want = http.StatusOK
			}
			if got := ana.get(path + joined + url.QueryEscape(block.Name())); got.status != want {
				t.Errorf("%s of %s: %d, want %d", block.Name(), template, got.status, want)
			}
		}
	}
	for template, want := range map[string][]string{
		"deliveries": {"deliveryFilters", "facets", "rows"}, "delivery": {"asides", "delivery"}, "operations": {"running"}, "operation": {"progress"}, "events": nil,
		"attempt": {"request", "response"}, "overview": {"failing", "now", "traffic", "work"},
	} {
		if got := slices.Sorted(slices.Values(f.console.pages[template].parts)); !slices.Equal(got, want) {
			t.Errorf("%s has the parts %q", template, got)
		}
	}
}

// away are the sessions of a database that does not answer.
type away struct{ Sessions }

func (away) FindSession(context.Context, switchboard.Secret, bool) (switchboard.Session, error) {
	return switchboard.Session{}, &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "the database is away"}
}

// TestOutage: while Postgres is away, the page says so and reloads itself.
func TestOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Sessions = away{c.Sessions} })
	got := f.as(switchboard.RoleSupport, "").get("/console").want(t, http.StatusServiceUnavailable, "the database is away", "Try again")
	if got.header.Get("Refresh") == "" {
		t.Error("the page does not ask again by itself")
	}
}

// TestPause: updates can be paused if there are any.
func TestPause(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleSupport, "")
	ana.get("/console").want(t, http.StatusOK, `data-do="pause"`, `data-do="copy-link"`)
	ana.get("/console/search").want(t, http.StatusOK, `data-do="copy-link"`).without(t, `data-do="pause"`)
	ana.get("/console/nothing").want(t, http.StatusNotFound).without(t, `data-do="pause"`)
}

// hangUp is an API during whose call the browser disconnects.
type hangUp struct{ leave context.CancelFunc }

func (h hangUp) Transport(switchboard.Caller) http.RoundTripper { return h }

func (h hangUp) RoundTrip(*http.Request) (*http.Response, error) {
	h.leave()
	return nil, context.Canceled
}

// TestNothingTypedIsLogged: the log has the failure, but not what was searched for.
func TestNothingTypedIsLogged(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	f := newFixture(t, func(c *Config) { c.API = hangUp{leave} })
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/console/search?q=bob-at-home", nil)
	r.Header.Set("Cookie", f.as(switchboard.RoleSupport, "").cookie)
	f.console.ServeHTTP(httptest.NewRecorder(), r)
	if log := f.logs.String(); !strings.Contains(log, "context canceled") || strings.Contains(log, "bob-at-home") {
		t.Errorf("the log is %s", log)
	}
}

// TestPolls: an unchanged part is answered 304, and a changed one is answered alone.
func TestPolls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleSupport, "")
	first := ana.get("/console?part=now").want(t, http.StatusOK, "Nothing is overdue", `data-live="5"`).without(t, "<html", "<h1")
	tag := first.header.Get("HX-PTag")
	if tag == "" {
		t.Fatal("a part has no tag")
	}
	if got := ana.get("/console?part=now", "HX-PTag", tag); got.status != http.StatusNotModified || got.body != "" {
		t.Errorf("%d, %s", got.status, got.body)
	}
	ana.get("/console?part=now", "HX-PTag", "another").want(t, http.StatusOK, "Nothing is overdue")
	if strings.Contains(f.logs.String(), `"level":"INFO","msg":"console request","method":"GET","route":"GET /console"`) {
		t.Error("polls are in the log")
	}
}
