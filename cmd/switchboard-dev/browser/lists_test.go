package browser

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// placesOfRows are the ids of the visible rows, each with its distance from the top.
const placesOfRows = `[...document.querySelectorAll("[data-row]")].map(row => row.dataset.id + " " + row.getBoundingClientRect().top)`

// idsOfRows are the ids alone.
const idsOfRows = `[...document.querySelectorAll("[data-row]")].map(row => row.dataset.id)`

// queue posts that many events of a tenant whose only subscription is paused, so their deliveries
// are held.
func (r *running) queue(t *testing.T, tenant string, n int) {
	t.Helper()
	events := make([]client.NewEvent, n)
	for i := range events {
		events[i] = client.NewEvent{Tenant: tenant, Type: "order.made", Data: json.RawMessage(fmt.Sprint(i))}
	}
	results, err := r.api.PostEvents(t.Context(), events)
	must(t, err)
	if len(results) != n {
		t.Fatalf("%d of %d events were accepted", len(results), n)
	}
}

// New rows do not move an open list; they are counted. While rows are selected, the list makes no
// requests. Its link shows the same next week.
func TestListStays(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	const tenant = "queued"
	made := stack.subscribe(t, tenant, switchboard.Subscription{Name: "Paused", Events: []string{"order.*"}, Request: switchboard.Request{URL: "http://127.0.0.1:9/hook"}})
	_, err := stack.api.PauseSubscription(t.Context(), made["Paused"], "a test")
	must(t, err)
	stack.queue(t, tenant, 5)
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console/deliveries?last=1h&tenant=" + tenant)
	v.await("showing five rows", placesOfRows+`.length === 5`)
	// Facets come after the page, above the rows, so wait for them.
	v.await("showing the facets", `!document.querySelector("#facets[hx-get]")`)
	before := evaluate[[]string](v, placesOfRows)
	stack.queue(t, tenant, 30)
	v.awaitText("30 newer")
	if after := evaluate[[]string](v, placesOfRows); !slices.Equal(after, before) {
		t.Errorf("the rows\n%q became\n%q", before, after)
	}

	// If the page's clock advances, a request is due at once.
	evaluate[bool](v, `(() => {
		const now = Date.now;
		window.ahead = 3600000;
		Date.now = () => now() + ahead;
		window.polls = window.seconds = 0;
		document.addEventListener("htmx:config:request", (event) => { if (event.target.id === "live-rows") polls++; });
		return true;
	})()`)
	v.await("asking for the rows", `polls > 0`)
	evaluate[bool](v, `document.querySelector("[data-tick]").click(), polls = 0, ahead *= 2, setInterval(() => seconds++, 1000), true`)
	v.await("through some seconds", `seconds >= 3`)
	if n := evaluate[int](v, `polls`); n != 0 {
		t.Errorf("%d polls while a row is ticked", n)
	}
	stack.queue(t, tenant, 1)
	evaluate[bool](v, `document.querySelector("[data-tick]").click(), true`)
	v.awaitText("31 newer")

	rows := evaluate[[]string](v, idsOfRows)
	v.visit("/console/deliveries?last=1h&tenant=" + tenant)
	all := evaluate[[]string](v, idsOfRows)
	if len(all) != 36 || !slices.Equal(all[31:], rows) {
		t.Errorf("%d rows, of which the last are not those from before", len(all))
	}
	v.checkCopiedLink(tenant, all)
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// On a phone the filters of a list are folded until somebody opens them.
func TestFiltersFold(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	for _, i := range []int{0, 2} {
		shown := i == 0 // on a desk
		v.look(views[i])
		for _, path := range []string{"/console/deliveries", "/console/subscriptions"} {
			v.visit(path)
			v.await(fmt.Sprintf("showing the filters of %s on a %s: %v", path, views[i].name, shown), fmt.Sprintf(`document.querySelector(".filters").open === %v`, shown))
		}
	}
	v.click("Filters")
	v.await("unfolded", `document.querySelector(".filters [name=text]").checkVisibility()`)
	for _, fault := range v.takeFaults() {
		t.Error(fault)
	}
}

// checkCopiedLink fails the test unless Copy link gives absolute times instead of the last hour,
// and leads another person to the same rows.
func (v *visitor) checkCopiedLink(tenant string, rows []string) {
	v.t.Helper()
	evaluate[bool](v, `Object.defineProperty(navigator, "clipboard", {value: {writeText: async (text) => { window.copied = text; }}}), true`)
	v.click("Copy link")
	v.await("saying what was copied", `document.querySelector("[data-status]").textContent`)
	if said := evaluate[string](v, `document.querySelector("[data-status]").textContent`); said != "The link is copied" {
		v.t.Fatalf("Copy link says %q", said)
	}
	copied, err := url.Parse(evaluate[string](v, `copied`))
	must(v.t, err)
	query := copied.Query()
	after, errAfter := time.Parse(time.RFC3339, query.Get("after"))
	before, errBefore := time.Parse(time.RFC3339, query.Get("before"))
	if errAfter != nil || errBefore != nil || query.Has("last") || query.Get("tenant") != tenant || before.Sub(after).Round(time.Minute) != time.Hour {
		v.t.Errorf("the link is %s", copied)
	}
	other := browser.newVisitor(v.t, v.base)
	shared.signIn(other, shared.key)
	other.visit(copied.RequestURI())
	if got := evaluate[[]string](other, idsOfRows); !slices.Equal(got, rows) {
		v.t.Errorf("%s shows %d rows to somebody else, and not the same %d", copied, len(got), len(rows))
	}
}
