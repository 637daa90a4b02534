package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// TestEventFilters: the page lists what the API lists.
func TestEventFilters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.subscribe("acme")
	accepted, err := f.store.Accept(t.Context(), operator(), []switchboard.Event{
		{ID: "one", Tenant: "acme", Type: "ticket.created", Key: "ticket-1", Data: []byte(`{}`)},
		{ID: "two", Tenant: "acme", Type: "call.ended", Data: []byte(`{}`)},
		{ID: "three", Tenant: "globex", Type: "ticket.created", Key: "ticket-1", Data: []byte(`{}`)},
	})
	must(t, err)
	for _, a := range accepted {
		must(t, a.Err)
	}
	ana := f.as(switchboard.RoleSupport, "")
	for query, want := range map[string][]string{
		"": {"one", "three", "two"}, "tenant=acme": {"one", "two"}, "event_type=Ticket.created": {"one", "three"}, "key=ticket-1": {"one", "three"}, "last=1h": {"one", "three", "two"},
		"tenant=acme&event_type=ticket.created&key=ticket-1&after=2020-01-01T00:00&before=2100-01-01T00:00": {"one"},
		"before=2020-01-01T00:00": nil,
	} {
		page := ana.get("/console/events?"+query).want(t, http.StatusOK)
		if got := slices.Sorted(slices.Values(page.rows())); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
		if len(want) > 0 {
			if got := slices.Sorted(slices.Values(ana.get(page.link(t, "data-permanent")).rows())); !slices.Equal(got, want) {
				t.Errorf("%q: the permanent link shows %v", query, got)
			}
		}
	}
	ana.get("/console/events?type=ticket.created").want(t, http.StatusUnprocessableEntity, "event_type")
	ana.get("/console/events?after=monday&tenant=acme").want(t, http.StatusUnprocessableEntity, "RFC 3339", `value="acme"`)
	ana.get("/console/events?tenant=nobody").want(t, http.StatusOK, "No event matches", "tenant: nobody")
	newFixture(t).as(switchboard.RoleViewer, "").get("/console/events").want(t, http.StatusOK, "No event was accepted yet")
}

// TestEventOfManySubscriptions: those that receive it are all shown, the others on request.
func TestEventOfManySubscriptions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.subscribe("acme", func(s *switchboard.Subscription) { s.Name = "takes it" })
	for i := range shownUntaken + 3 {
		f.subscribe("acme", func(s *switchboard.Subscription) {
			s.Name, s.Events = fmt.Sprint("other ", i), []string{"call.*"}
		})
	}
	f.accept("acme", "ticket-1", `{}`)
	ana := f.as(switchboard.RoleSupport, "")
	page := ana.get("/console/events/ticket-1?tenant=acme").want(t, http.StatusOK, "takes it", "Show 3 more")
	if n := len(page.rows()); n != shownUntaken+1 {
		t.Errorf("%d subscriptions are shown", n)
	}
	if n := len(ana.get(page.link(t, ">Show 3 more")).want(t, http.StatusOK, "takes it").rows()); n != shownUntaken+4 {
		t.Errorf("%d subscriptions are shown of all", n)
	}
}

// TestWhyAnEventHasNoDelivery: the page names each cause.
func TestWhyAnEventHasNoDelivery(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.subscribe("acme", func(s *switchboard.Subscription) { s.Name = "takes it" })
	f.subscribe("acme", func(s *switchboard.Subscription) { s.Name, s.Events = "wrong type", []string{"call.*"} })
	f.subscribe("acme", func(s *switchboard.Subscription) {
		s.Name, s.Filter = "filtered", json.RawMessage(`{"data":{"priority":{"$gte":3}}}`)
	})
	f.accept("acme", "ticket-1", `{"priority":2}`)
	made := f.subscribe("acme", func(s *switchboard.Subscription) { s.Name = "made after" })
	ana := f.as(switchboard.RoleIntegrator, "acme")
	page := ana.get("/console/events/ticket-1?tenant=acme").want(t, http.StatusOK, "takes it", "pending", "wrong type", "filtered", "must be", "made after the event", "&#34;priority&#34;: 2")
	ana.get(page.link(t, ">All conditions")).want(t, http.StatusOK, `class="conditions"`)
	f.accept("globex", "other", `{}`)
	f.as(switchboard.RoleSupport, "").get("/console/events/other").want(t, http.StatusOK, "globex has 0 subscriptions")
	f.as(switchboard.RoleViewer, "acme").get("/console/events/other").want(t, http.StatusNotFound)
	viewer := f.as(switchboard.RoleViewer, "")
	viewer.get("/console/events/ticket-1").want(t, http.StatusOK, "read_payload").without(t, "&#34;priority&#34;: 2", "is 2", "All conditions", "Send to this")
	viewer.get("/console/events/ticket-1/data").want(t, http.StatusForbidden)
	file := ana.get("/console/events/ticket-1/data").want(t, http.StatusOK, `{"priority":2}`)
	if got := file.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") {
		t.Errorf("the data come as %q", got)
	}
	send := "/console/events/ticket-1/send?tenant=acme&subscription=" + made.ID
	page.want(t, http.StatusOK, strings.ReplaceAll(linkEventSend("ticket-1", "acme", made.ID), "&", "&amp;"))
	ana.get(send).want(t, http.StatusOK, "made after", "ticket.created")
	sent := ana.post(send, url.Values{})
	if to := sent.header.Get("Location"); sent.status != http.StatusSeeOther || !strings.HasPrefix(to, "/console/deliveries/dlv_") {
		t.Errorf("%d to %s: %s", sent.status, to, sent.body)
	}
	for _, p := range []*person{viewer, f.as(switchboard.RoleSupport, "")} {
		p.post(send, url.Values{}).want(t, http.StatusForbidden)
	}
}

// TestSearch leads to the only result, or lists the results by kind.
func TestSearch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	sub := f.subscribe("acme")
	d := f.accept("acme", "ticket-4711-created", `{}`)[0]
	f.accept("acme", "ticket-4712-created", `{}`)
	_, err := f.store.Accept(t.Context(), operator(), []switchboard.Event{{ID: "keyed", Tenant: "acme", Type: "ticket.created", Key: "key-1", Data: []byte(`{}`)}})
	must(t, err)
	ana := f.as(switchboard.RoleSupport, "")
	for text, to := range map[string]string{
		d.ID: "/console/deliveries/" + d.ID, "ticket-4711-created": "/console/events/ticket-4711-created?tenant=acme", sub.ID: "/console/subscriptions/" + sub.ID,
		"key-1": "/console/events?key=key-1&tenant=acme", "acme": "/console/deliveries?tenant=acme", "crm.acme.example.com": "/console/deliveries?host=crm.acme.example.com&tenant=acme",
	} {
		got := ana.get("/console/search?q=" + url.QueryEscape(text))
		if got.status != http.StatusSeeOther || got.header.Get("Location") != to {
			t.Errorf("%s: %d to %q, want %q: %s", text, got.status, got.header.Get("Location"), to, fmt.Sprintf("%.300s", got.body))
		}
	}
	ana.get("/console/search?q=ticket-").want(t, http.StatusOK, "<h2>Events</h2>", "ticket-4711-created", "ticket-4712-created", "begins so")
	ana.get("/console/search?q=nowhere").want(t, http.StatusOK, "Nothing is called “nowhere”")
	ana.get("/console/search?q=x").want(t, http.StatusUnprocessableEntity, "#field-q")
	ana.get("/console/search").want(t, http.StatusOK, "Search")
	f.as(switchboard.RoleViewer, "globex").get("/console/search?q="+d.ID).want(t, http.StatusOK, "Nothing is called")
}
