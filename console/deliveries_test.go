package console

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// failing is an outcome of a failing receiver.
func failing() switchboard.Outcome {
	return switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx}
}

// someDeliveries are one of each kind that the filters distinguish.
func someDeliveries(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t)
	acme, globex := f.subscribe("acme", patiently), f.subscribe("globex", patiently)
	pending := f.accept("acme", "pending", `{}`)[0]
	_, _, err := f.store.Retry(t.Context(), operator(), pending.ID, "later", switchboard.ActionOptions{RetryAt: time.Now().Add(time.Hour)}) // so that it is not overdue, however long a test takes
	must(t, err)
	f.attempt(acme, f.accept("acme", "retrying", `{}`)[0], failing())
	f.attempt(acme, f.accept("acme", "delivered", `{}`)[0], switchboard.Outcome{StatusCode: 200})
	f.attempt(globex, f.accept("globex", "failed", `{}`)[0], switchboard.Outcome{StatusCode: 410, Failure: switchboard.FailureHTTP4xx})
	held := f.accept("globex", "held", `{}`)[0]
	_, err = f.store.SetAside(t.Context(), operator(), held.ID, "wait", switchboard.ActionOptions{})
	must(t, err)
	return f
}

// asAPI is the API as that person.
func (p *person) asAPI() *client.Client {
	p.f.t.Helper()
	api, err := client.New(client.Config{URL: "http://switchboard.invalid", HTTP: &http.Client{Transport: p.f.api.Transport(p.session.Caller)}})
	must(p.f.t, err)
	return api
}

var rowIDs = regexp.MustCompile(`data-row data-id="([^"]+)"`)

// rows are the ids of the rows of a page, in order.
func (s shown) rows() []string {
	var ids []string
	for _, found := range rowIDs.FindAllStringSubmatch(s.body, -1) {
		ids = append(ids, html.UnescapeString(found[1]))
	}
	return ids
}

// attribute is the value of the first attribute of that name.
func (s shown) attribute(t *testing.T, name string) string {
	t.Helper()
	_, after, found := strings.Cut(s.body, name+`="`)
	if !found {
		t.Fatalf("there is no %s in:\n%s", name, s.body)
	}
	value, _, _ := strings.Cut(after, `"`)
	return html.UnescapeString(value)
}

// livePath is the address at which the rows of a page are read again.
func (s shown) livePath(t *testing.T) string {
	t.Helper()
	return s.attribute(t, `id="live-rows" data-live="5" data-live-path`)
}

// link is the address of the first link whose tag has that text after its address.
func (s shown) link(t *testing.T, after string) string {
	t.Helper()
	before, _, found := strings.Cut(s.body, after)
	at := strings.LastIndex(before, `href="`)
	if !found || at < 0 {
		t.Fatalf("there is no link with %s in:\n%s", after, s.body)
	}
	address, _, _ := strings.Cut(before[at+len(`href="`):], `"`)
	return html.UnescapeString(address)
}

// TestDeliveryFilters: the page lists what the API lists, for each filter separately and for all
// together.
func TestDeliveryFilters(t *testing.T) {
	t.Parallel()
	f := someDeliveries(t)
	ana := f.as(switchboard.RoleSupport, "")
	all, err := ana.asAPI().ListDeliveries(t.Context(), switchboard.DeliveryFilter{}, switchboard.PageRequest{})
	must(t, err)
	retrying := all.Items[slices.IndexFunc(all.Items, func(d client.Delivery) bool { return d.EventID == "retrying" })]
	at := retrying.CreatedAt.Format(time.RFC3339Nano)
	for _, c := range []struct {
		query string
		rows  int
	}{
		{"", 5}, {"tenant=acme", 3}, {"subscription=" + retrying.SubscriptionID, 3}, {"event=retrying", 1}, {"event_type=Ticket.created", 5}, {"event_type=none", 0},
		{"state=failed", 1}, {"state=failed&state=held", 2}, {"state=failed,pending", 2}, {"failure=http_5xx", 1}, {"status_code=410", 1}, {"host=crm.acme.example.com", 3},
		{"after=" + at, 4}, {"before=" + at, 1}, {"stuck=true", 0}, {"text=globex", 2}, {"id=" + retrying.ID, 1}, {"last=1h", 5}, {"last=all", 5},
		{"id=" + retrying.ID + "&tenant=acme&subscription=" + retrying.SubscriptionID + "&event=retrying&event_type=ticket.created&state=retrying&failure=http_5xx&status_code=503" +
			"&host=crm.acme.example.com&after=" + at + "&before=2100-01-01T00:00&text=ticket", 1},
	} {
		page := ana.get("/console/deliveries?"+c.query).want(t, http.StatusOK)
		q, _ := readDeliveries(t, c.query)
		listed, err := ana.asAPI().ListDeliveries(t.Context(), q.asked(time.Now()), switchboard.PageRequest{})
		must(t, err)
		var ids []string
		for _, d := range listed.Items {
			ids = append(ids, d.ID)
		}
		if got := page.rows(); len(got) != c.rows || !slices.Equal(got, ids) {
			t.Errorf("%s: %d rows, want %d; the API lists %d: %v", c.query, len(got), c.rows, len(ids), got)
		}
		if c.rows > 0 {
			page.want(t, http.StatusOK, fmt.Sprintf("%d match", c.rows))
		}
		// The permanent link shows the same in another browser.
		if c.query != "stuck=true" && c.rows > 0 {
			if got := ana.get(page.link(t, "data-permanent")).want(t, http.StatusOK).rows(); !slices.Equal(got, ids) {
				t.Errorf("%s: the permanent link shows %v", c.query, got)
			}
		}
	}
	if got := f.as(switchboard.RoleViewer, "acme").get("/console/deliveries").want(t, http.StatusOK).without(t, "data-tick", "globex").rows(); len(got) != 3 {
		t.Errorf("a viewer of acme sees %v", got)
	}
}

// TestDeliveryFiltersRefused: the error names an unknown name. A wrong value is reported next to
// the form, which keeps the typed values.
func TestDeliveryFiltersRefused(t *testing.T) {
	t.Parallel()
	ana := newFixture(t).as(switchboard.RoleSupport, "")
	ana.get("/console/deliveries?statuscode=503").want(t, http.StatusUnprocessableEntity, "statuscode", "status_code")
	for query, text := range map[string]string{
		"status_code=abc&tenant=acme": "not a whole number", "status_code=99&tenant=acme": "#field-status_code", "failure=bad_luck&tenant=acme": "#field-failure",
		"state=open&tenant=acme": "unknown state", "cursor=x&tenant=acme": "cursor", "after=yesterday&tenant=acme": "#field-after", "last=2y&tenant=acme": "#field-last",
	} {
		ana.get("/console/deliveries?"+query).want(t, http.StatusUnprocessableEntity, text, `value="acme"`)
	}
	got := ana.get("/console/deliveries?tenant=acme&host=&text=&after=")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/console/deliveries?tenant=acme" {
		t.Errorf("fields that were left empty: %d to %s", got.status, got.header.Get("Location"))
	}
}

// TestRowsStayWhereTheyAre: shown rows are updated in place, and new ones are only counted.
func TestRowsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	f := someDeliveries(t)
	ana := f.as(switchboard.RoleSupport, "")
	first := ana.get("/console/deliveries?state=pending,retrying").want(t, http.StatusOK, "retrying")
	before, live := first.rows(), first.livePath(t)
	poll := func(headers ...string) shown { return ana.get(live+"&part=rows", headers...) }
	unchanged := poll().want(t, http.StatusOK).without(t, "newer</a>")
	if got := poll("HX-PTag", unchanged.header.Get("HX-PTag")); got.status != http.StatusNotModified {
		t.Errorf("a poll without news is answered %d", got.status)
	}
	for i := range 30 {
		f.accept("acme", fmt.Sprint("new-", i), `{}`)
	}
	d, err := f.store.Delivery(t.Context(), operator(), before[0])
	must(t, err)
	f.attempt(d.Subscription, d.Delivery, switchboard.Outcome{StatusCode: 200})
	after := poll().want(t, http.StatusOK, "30 newer", `data-live-path="`, "delivered").without(t, "<html", "new-")
	if got := after.rows(); !slices.Equal(got, before) {
		t.Errorf("the rows %v became %v", before, got)
	}
	if got := after.livePath(t); got != live {
		t.Errorf("the address of the rows became %s", got)
	}
	if got := ana.get(after.link(t, ">30 newer")).want(t, http.StatusOK).rows(); len(got) != 31 {
		t.Errorf("the link to what is newer shows %d rows", len(got))
	}
}

// TestNewest: newer deliveries are newer than each row of the list. The first row by id need not be
// the newest within a millisecond.
func TestNewest(t *testing.T) {
	t.Parallel()
	var p deliveriesPage
	p.fill(&deliveryQuery{}, &switchboard.Page[client.Delivery]{Items: []client.Delivery{{ID: "dlv_2", CreatedAt: noon}, {ID: "dlv_1", CreatedAt: noon.Add(300 * time.Microsecond)}}}, noon, false)
	if want := url.QueryEscape(instant(noon.Add(301 * time.Microsecond))); !strings.Contains(p.Live, "newer="+want) {
		t.Errorf("the rows are read again at %s, want newer=%s", p.Live, want)
	}
}

// TestPagesOfDeliveries: the list continues, and leads back to its beginning.
func TestPagesOfDeliveries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.subscribe("acme")
	for i := range 60 {
		f.accept("acme", fmt.Sprint("evt-", i), `{}`)
	}
	ana := f.as(switchboard.RoleSupport, "")
	first := ana.get("/console/deliveries").want(t, http.StatusOK, "60 match").without(t, `rel="prev"`)
	next := first.link(t, `rel="next"`)
	second := ana.get(next).want(t, http.StatusOK, "60 match", `rel="prev"`).without(t, `rel="next"`)
	if len(first.rows()) != 50 || len(second.rows()) != 10 {
		t.Errorf("%d and %d rows", len(first.rows()), len(second.rows()))
	}
	if got := ana.get(second.link(t, `rel="prev"`)).rows(); !slices.Equal(got, first.rows()) {
		t.Errorf("back shows %v", got)
	}
}

// TestNothingIsSaidInThreeWays: none yet, none match, not everything searched.
func TestNothingIsSaidInThreeWays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ana := f.as(switchboard.RoleSupport, "")
	ana.get("/console/deliveries").want(t, http.StatusOK, "No event was accepted yet", "curl").without(t, "No delivery matches")
	f.subscribe("acme")
	f.accept("acme", "one", `{}`)
	ana.get("/console/deliveries?host=none.example.com").want(t, http.StatusOK, "No delivery matches", "host: none.example.com", "last 7 days").without(t, "curl")
	q, _ := readDeliveries(t, "text=x")
	var p deliveriesPage
	p.fill(&q, &switchboard.Page[client.Delivery]{SearchedTo: noon, NextCursor: "c"}, noon, false)
	if p.Nothing.Kind != kindSearched || !strings.Contains(p.Nothing.More.Address, "cursor=c") || p.Pager.SearchedTo != noon {
		t.Errorf("got %+v", p.Nothing)
	}
}

// TestManyMatches: above the maximum count the page says 10,000+.
func TestManyMatches(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	q := deliveryQuery{}
	p := deliveriesPage{Form: deliveryFormOf(nil, &q), Count: &switchboard.Count{Value: switchboard.MaxMatches, More: true}, ActOnAll: "/plan", Rows: []deliveryRow{{ID: "dlv_1", State: switchboard.StatePending}}}
	if got := html.UnescapeString(f.render(t, "deliveries", &p)); !strings.Contains(got, "10,000+ match") || !strings.Contains(got, "act on all 10,000+ that match") {
		t.Errorf("got %s", got)
	}
}

// render executes the content of a page.
func (f *fixture) render(t *testing.T, name string, data any) string {
	t.Helper()
	var text strings.Builder
	must(t, f.console.pages[name].ExecuteTemplate(&text, "content", data))
	return text.String()
}

// TestFacets are links that narrow the list. They come after the page, or with it if there is no
// script.
func TestFacets(t *testing.T) {
	t.Parallel()
	f := someDeliveries(t)
	ana := f.as(switchboard.RoleSupport, "")
	page := ana.get("/console/deliveries?last=7d").want(t, http.StatusOK, "Count the values")
	part := ana.get(page.attribute(t, `class="facets" hx-get`)).want(t, http.StatusOK, "Among all 5", "globex").without(t, "<html", "hx-get")
	whole := ana.get("/console/deliveries?last=7d&facets=true").want(t, http.StatusOK, "Among all 5", "<html")
	for _, s := range []shown{part, whole} {
		link := s.link(t, ">globex")
		if got := ana.get(link).want(t, http.StatusOK).rows(); len(got) != 2 || !strings.Contains(link, "last=7d") {
			t.Errorf("%s shows %v", link, got)
		}
	}
}

// TestStoredHTMLIsText wherever a customer or a receiver writes it.
func TestStoredHTMLIsText(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	d := client.Delivery{ID: evil, EventType: evil, Tenant: evil, Host: evil, Reason: evil, State: switchboard.StateFailed, Ending: evil}
	q := deliveryQuery{filter: switchboard.DeliveryFilter{
		IDs: []string{evil}, Tenant: evil, Subscription: evil, Event: evil, EventType: evil, States: []switchboard.State{evil}, Failure: evil, Host: evil, Text: evil,
	}}
	list := deliveriesPage{
		Form: deliveryFormOf(q.values(), &q), Chips: q.chips(), Faults: []fieldFault{{evil, evil}},
	}
	rows := deliveriesPage{Form: list.Form}
	rows.fill(&q, &switchboard.Page[client.Delivery]{Items: []client.Delivery{d}, NextCursor: evil}, noon, true)
	rows.Facets = facetsOf(&q, &client.Facets{Matches: &switchboard.Count{Value: 2}, Values: map[switchboard.Facet][]switchboard.FacetValue{"host": {{Value: evil, Count: 1}, {Value: "h", Count: 1}}}}, []switchboard.Facet{"host"})
	e := client.Event{ID: evil, Tenant: evil, Type: evil, Key: evil, CreatedAt: noon, Data: []byte(`"</pre><script>alert(1)</script>"`)}
	sub := client.ExplainedSubscription{
		SubscriptionID: evil, Name: evil, State: "paused", Text: evil, Unmet: &client.Reason{Text: evil}, Notes: []client.Note{{Text: evil}}, Deliveries: []client.EventDelivery{{ID: evil, State: "failed"}},
	}
	one := eventPage{
		Event: e, Data: bodyOf(string(e.Data), "", nil, linkEventData(evil, evil)), Text: evil, Key: linkEventList(eventQuery{filter: switchboard.EventFilter{Key: evil}}),
		Rows: []explainedRow{{ExplainedSubscription: sub, Reasons: []client.Reason{{Text: evil}}}},
	}
	selection := selectionOf(q.filter)
	o := client.Operation{Operation: switchboard.Operation{ID: evil, Tenant: evil, Action: "retry", State: "running", Filter: &selection, Reason: evil, Actor: evil, Person: evil, BoundID: evil}}
	progress := operationPageOf(&o, noon)
	progress.Items = []switchboard.OperationItem{{DeliveryID: evil, EventID: evil, Outcome: "skipped", Why: evil}}
	plan := planPageOf(&planQuery{action: "retry", selection: selection})
	plan.fill(&client.OperationPlan{
		Action: "retry", Filter: selection, Rate: 1, Count: switchboard.PlanCount{Value: 2000}, Sample: []client.Delivery{d}, SampleEvents: []client.Event{e},
		ByTenant: []switchboard.PlanPart{{Value: evil, Count: 1}}, Excluded: []switchboard.PlanExclusion{{Why: evil}}, Plan: evil,
	})
	plan.Reason = reasonField{Value: evil, Last: []string{evil}, Error: evil}
	plan.Number, plan.Rate = evil, evil
	for name, data := range map[string][]any{
		"deliveries": {&list, &rows},
		"events":     {&eventsPage{Form: map[string]string{"tenant": evil, "event_type": evil, "key": evil, "after": evil, "before": evil}, Rows: eventRows([]client.Event{e})}},
		"event":      {&one},
		"event_send": {&eventSendPage{Event: e, Back: linkEvent(evil, evil)}},
		"search":     {&searchPage{Text: evil}, &searchPage{Groups: hitGroups([]switchboard.SearchHit{{Kind: switchboard.HitEvent, ID: evil, Text: evil, Tenant: evil}}, true)}},
		"operations": {&operationsPage{Running: []operationLine{operationLineOf(o)}, Ended: []operationLine{operationLineOf(o)}}},
		"operation":  {progress}, "operation_change": {&operationChangePage{Operation: operationLineOf(o), Title: evil, Reason: reasonField{Value: evil}}},
		"operation_plan":   {plan},
		"operation_replay": {&replayPage{Form: map[string]string{"tenant": evil, "subscription": evil, "event": evil, "event_type": evil, "key": evil, "after": evil, "before": evil}}, &replayPage{Form: map[string]string{"tenant": evil, "event": evil, "event_type": evil, "key": evil, "after": evil, "before": evil}, Subscriptions: []option{{evil, evil, true}}}},
	} {
		for _, each := range data {
			got := f.render(t, name, each)
			if strings.Contains(got, "<script") || strings.Contains(got, "<img") {
				t.Errorf("%s shows stored HTML:\n%s", name, got)
			}
			if !strings.Contains(got, "alert(1)") && !strings.Contains(got, url.QueryEscape("alert(1)")) {
				t.Errorf("%s does not show what is stored", name)
			}
		}
	}
}
