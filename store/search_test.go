package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// called makes a subscription with that name and address.
func (b *bundle) called(tenant, name, url string) switchboard.Subscription {
	b.t.Helper()
	s := switchboard.Subscription{
		Tenant: tenant, Name: name, Events: []string{"none"}, Request: switchboard.Request{URL: url},
		Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
	}
	s.SetDefaults()
	must(b.t, b.CreateSubscription(b.t.Context(), root(), &s))
	return s
}

// hits writes each hit as a line, without the id.
func (b *bundle) hits(caller switchboard.Caller, text string) string {
	b.t.Helper()
	found, err := b.Search(b.t.Context(), caller, text)
	must(b.t, err)
	var lines []string
	for _, h := range found {
		line := fmt.Sprint(h.Kind, " ", h.Tenant, " ", h.Text)
		if h.Exact {
			line += " exactly"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// TestSearch: each kind is found by its name, and by the beginning of its name, within the tenants
// that the caller sees.
func TestSearch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	crm := b.called("acme", "Ärger CRM", "https://crm.acme.example:8443/hook/{{ id }}")
	gone := b.called("acme", "gone", "https://gone.example/")
	must(t, b.DeleteSubscription(t.Context(), root(), gone.ID, ""))
	b.called("globex", "CRM", "http://CRM.acme.example/")
	b.called("_operator", "pager", "https://pager.example/")
	b.subscribe("acme", "ticket.*")
	d := b.accept(keyed("acme", "order-4711", "ticket-4711")).Deliveries[0]
	b.accept(keyed("globex", "order-47", "ticket-4711"))
	operation := b.pausedAndResumed(crm.ID)
	for _, c := range []struct {
		caller switchboard.Caller
		text   string
		want   string
	}{
		{root(), d.ID, "delivery acme ticket.created exactly"},
		{root(), d.ID[:20], "delivery acme ticket.created"},
		{of("globex"), d.ID, ""},
		{root(), crm.ID, "subscription acme Ärger CRM exactly"},
		{root(), gone.ID, ""},
		{of("globex"), crm.ID, ""},
		{root(), operation, "operation acme release exactly"},
		{of("globex"), operation, ""},
		{root(), "order-4711", "event acme ticket.created exactly"},
		{root(), "order-47", "event globex ticket.created exactly\nevent acme ticket.created"},
		{of("acme"), "order-47", "event acme ticket.created"},
		{root(), "ticket-4711", "event_key acme ticket-4711 exactly\nevent_key globex ticket-4711 exactly"},
		{of("globex"), "ticket-4711", "event_key globex ticket-4711 exactly"},
		{root(), "ticket-47", ""}, // keys are whole
		{root(), "acme", "tenant acme acme exactly"},
		{root(), "ac", "tenant acme acme"},
		{of("globex"), "acme", ""},
		{of("globex"), "globex", "tenant globex globex exactly"},
		{root(), "CRM.ACME.example", "host globex crm.acme.example exactly\nhost acme crm.acme.example:8443"},
		{of("acme"), "crm.", "host acme crm.acme.example:8443"},
		{root(), "gone", ""},
		{root(), "Ärger crm", "subscription acme Ärger CRM exactly"},
		{root(), "crm", "subscription globex CRM exactly\nhost acme crm.acme.example:8443\nhost globex crm.acme.example"},
		{of("acme"), "Ärg", "subscription acme Ärger CRM"},
		{root(), "pager", "subscription _operator pager exactly\nhost _operator pager.example"},
		{switchboard.Caller{KeyID: "key_1", Role: switchboard.RoleIntegrator}, "pager", ""},
		{root(), "%", ""},
		{root(), "nothing is called so", ""},
	} {
		got := strings.Split(b.hits(c.caller, c.text), "\n")
		want := strings.Split(c.want, "\n")
		equal(t, c.text, len(got), len(want))
		for _, line := range want {
			if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+line+"\n") {
				t.Errorf("%s of %q: %q is not among %q", c.text, c.caller.Tenant, line, got)
			}
		}
		if strings.Contains(c.want, "exactly") && !strings.HasSuffix(got[0], "exactly") {
			t.Errorf("%s: the first is %q", c.text, got[0])
		}
	}
}

// TestSearchIsBounded: a name that very many have is found, at most ten times.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 12 {
		b.called("acme", fmt.Sprintf("many-%02d", i), "https://many.example/")
	}
	found, err := b.Search(t.Context(), root(), "many")
	must(t, err)
	equal(t, "hits", len(found), switchboard.MaxHits)
	equal(t, "the host", b.hits(root(), "many.example"), "host acme many.example exactly")
}
