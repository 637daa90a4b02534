package browser

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// signIn gives a visitor a session of a key, like the form, but without showing the form.
func (r *running) signIn(v *visitor, key switchboard.Secret) {
	v.t.Helper()
	form := url.Values{"key": {key.Reveal()}, "name": {"Ana"}}
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, r.url+"/console/sign-in", strings.NewReader(form.Encode()))
	must(v.t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", r.url)
	response, err := http.DefaultTransport.RoundTrip(request) // it follows no redirect
	must(v.t, err)
	must(v.t, response.Body.Close())
	if len(response.Cookies()) != 1 {
		v.t.Fatalf("the sign-in is answered %s", response.Status)
	}
	v.keep(response.Cookies()[0])
}

// signInByForm signs a visitor in with the form.
func (r *running) signInByForm(v *visitor, key switchboard.Secret) {
	v.t.Helper()
	v.visit("/console/sign-in")
	v.fill("[name=key]", key.Reveal())
	v.fill("[name=name]", "Ana")
	v.submit("[name=name]")
	v.await("signed in", `!location.pathname.endsWith("/sign-in")`)
}

// shownPage is a page, and what it must show.
type shownPage struct {
	name  string
	path  string
	shows []string
}

// pagesOf are the pages of the console, with the seeds.
func pagesOf(s *seeds) []shownPage {
	delivery, subscription := "/console/deliveries/"+s.retrying, "/console/subscriptions/"+s.subscriptions["CRM sync"]
	return []shownPage{
		{"overview", "/console", []string{"Failing now", "503"}},
		{"deliveries", "/console/deliveries?tenant=" + acme, []string{"ticket.created", "retrying", "delivered", "failed", "held"}},
		{"deliveries_none", "/console/deliveries?tenant=nobody", []string{"tenant"}},
		{"delivery_retrying", delivery, []string{"503", "CRM sync", "upstream connect error"}},
		{"delivery_delivered", "/console/deliveries/" + s.delivered, []string{"delivered", "archived"}},
		{"delivery_failed", "/console/deliveries/" + s.failed, []string{"failed"}},
		{"delivery_held", "/console/deliveries/" + s.held, []string{"held"}},
		{"delivery_retry", delivery + "/retry", []string{"Reason"}},
		{"delivery_cancel", delivery + "/cancel", []string{"Reason"}},
		{"delivery_hold", delivery + "/hold", []string{"Reason"}},
		{"delivery_resend", delivery + "/resend", []string{"Another URL"}},
		{"events", "/console/events?tenant=" + acme, []string{s.event, s.untaken}},
		{"event", "/console/events/" + s.event + "?tenant=" + acme, []string{"CRM sync", "Urgent alone", "Chats"}},
		{"event_untaken", "/console/events/" + s.untaken + "?tenant=" + acme, []string{"Chats"}},
		{"subscriptions", "/console/subscriptions?tenant=" + acme, []string{"CRM sync", "Paused", "Chats"}},
		{"subscription", subscription, []string{"CRM sync", "ticket.*"}},
		{"subscription_paused", "/console/subscriptions/" + s.subscriptions["Paused"], []string{"paused", "Ana", "their wish"}},
		{"subscription_new", "/console/subscriptions/new", []string{"name (required)"}},
		{"subscription_edit", subscription + "/edit", []string{"name"}},
		{"subscription_test", subscription + "/test", nil},
		{"subscription_preview", subscription + "/preview", nil},
		{"subscription_match", subscription + "/match", nil},
		{"subscription_rotate", subscription + "/rotate", nil},
		{"subscription_pause", subscription + "/pause", []string{"Reason"}},
		{"operations", "/console/operations", nil},
		{"operation_plan", "/console/operations/plan?action=retry&state=failed&tenant=" + acme, []string{"Reason"}},
		{"catalogue", "/console/catalogue", nil},
		{"audit", "/console/audit?verb=pause", []string{"Ana", "their wish"}},
		{"keys", "/console/keys", nil},
		{"search", "/console/search?q=ticket", nil},
		{"try_it", "/console/try", []string{"Read why", "Pause an endpoint"}},
	}
}

// Every page is shown in four views without a complaint of the browser, without a barrier, and
// without exceeding the window.
func TestPages(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	pages := pagesOf(stack.seeded(t))
	stranger := browser.newVisitor(t, stack.url)
	stranger.visit("/console/sign-in")
	stranger.checkPage("sign_in")
	// Two visitors at a time, because CI's machine has two cores.
	for half := range slices.Chunk(pages, (len(pages)+1)/2) {
		t.Run(half[0].name, func(t *testing.T) {
			t.Parallel()
			v := browser.newVisitor(t, stack.url)
			stack.signIn(v, stack.key)
			for _, p := range half {
				v.visit(p.path)
				v.checkShows(p)
				v.checkPage(p.name)
			}
		})
	}
}

// checkShows fails the test unless the page has its content, if necessary after a reload: counts
// come a little later.
func (v *visitor) checkShows(p shownPage) {
	v.t.Helper()
	var missing []string
	defer func() {
		for _, want := range missing {
			v.t.Errorf("%s: %q is not shown", p.name, want)
		}
	}()
	lacks := func() bool {
		text := v.text()
		missing = slices.DeleteFunc(slices.Clone(p.shows), func(want string) bool { return strings.Contains(text, want) })
		return len(missing) > 0
	}
	await(v.t, "showing all of "+p.name, func() bool {
		if !lacks() {
			return true
		}
		v.visit(p.path)
		return false
	})
	if n := evaluate[int](v, `document.querySelectorAll("h1").length`); n != 1 {
		v.t.Errorf("%s has %d headings of the first level", p.name, n)
	}
}

// Without JavaScript each page has its content, and its links lead somewhere.
func TestPagesWithoutScripts(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	pages := pagesOf(stack.seeded(t))
	v := browser.newVisitor(t, stack.url)
	v.withoutScripts()
	stack.signInByForm(v, stack.key)
	cookies, seen := v.cookies(), map[string]bool{}
	for _, p := range pages {
		v.visit(p.path)
		v.checkShows(p)
		for _, link := range evaluate[[]string](v, `[...document.querySelectorAll("a[href]")].map(a => a.href)`) {
			link, _, _ = strings.Cut(link, "#")
			if seen[link] || !strings.HasPrefix(link, stack.url) {
				continue
			}
			seen[link] = true
			if status := stack.get(t, link, cookies); status >= 400 {
				t.Errorf("%s links to %s, which is answered %d", p.name, strings.TrimPrefix(link, stack.url), status)
			}
		}
	}
	if len(seen) < 30 {
		t.Errorf("saw %d links only", len(seen))
	}
}

// get requests a page with those cookies.
func (r *running) get(t *testing.T, address, cookies string) int {
	t.Helper()
	status, _ := r.read(t, address, cookies)
	return status
}

// read requests a page with those cookies, and returns its content.
func (r *running) read(t *testing.T, address, cookies string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	must(t, err)
	request.Header.Set("Cookie", cookies)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	text, err := io.ReadAll(response.Body)
	must(t, errors.Join(err, response.Body.Close()))
	if response.Request.URL.Path == "/console/sign-in" {
		t.Fatalf("%s leads to the sign-in", address)
	}
	return response.StatusCode, string(text)
}

// Without JavaScript people can find and retry a delivery, and filter a list.
func TestFormsWithoutScripts(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	delivery := stack.post(t, stack.seeded(t), "ticket.created", "ticket-20818-created")["One try"]
	stack.awaitState(t, delivery, switchboard.StateFailed)
	v := browser.newVisitor(t, stack.url)
	v.withoutScripts()
	stack.signInByForm(v, stack.key)
	v.find(delivery)
	v.awaitPath("/console/deliveries/" + delivery)
	v.follow("Retry", "/console/deliveries/"+delivery+"/retry")
	v.fill("[name=reason]", "receiver repaired, they say")
	v.submit("[name=reason]")
	v.awaitPath("/console/deliveries/" + delivery)
	v.awaitText("receiver repaired, they say")
	v.visit("/console/deliveries")
	v.fill("main form [name=tenant]", acme)
	v.submit("main form [name=tenant]")
	if query, err := url.ParseQuery(strings.TrimPrefix(v.path(), "/console/deliveries?")); err != nil || query.Get("tenant") != acme {
		t.Errorf("the filter leads to %s", v.path())
	}
}
