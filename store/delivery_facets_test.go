package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestFacets: the values of the filter's matches, the most frequent first, the same for 15 s.
func TestFacets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	acme := b.subscribe("acme", "ticket.*")
	b.subscribe("globex", "ticket.*")
	for i := range 3 {
		b.record(b.accept(event("acme", "")).Deliveries[0], 1, 500+i/2)
	}
	b.accept(event("acme", ""))
	b.record(b.accept(event("globex", "")).Deliveries[0], 1, 200)
	all := []switchboard.Facet{switchboard.FacetState, switchboard.FacetFailure, switchboard.FacetTenant, switchboard.FacetSubscription}
	facets := func(caller switchboard.Caller, f switchboard.DeliveryFilter, by ...switchboard.Facet) switchboard.Facets {
		t.Helper()
		found, known, err := b.DeliveryFacets(t.Context(), caller, f, by)
		must(t, err)
		equal(t, "known", known, true)
		return found
	}
	type values = map[switchboard.Facet][]switchboard.FacetValue
	own := values{
		switchboard.FacetState: {{Value: "retrying", Count: 3}, {Value: "pending", Count: 1}}, switchboard.FacetFailure: {{Value: "http_5xx", Count: 3}},
		switchboard.FacetTenant: {{Value: "acme", Count: 4}}, switchboard.FacetSubscription: {{Value: acme.ID, Count: 4}},
	}
	equal(t, "of acme", facets(of("acme"), switchboard.DeliveryFilter{}, all...), switchboard.Facets{Matches: switchboard.Count{Value: 4}, Values: own})
	equal(t, "of a tenant", facets(root(), switchboard.DeliveryFilter{Tenant: "acme"}, all...).Values, own)
	equal(t, "two states", facets(root(), switchboard.DeliveryFilter{States: []switchboard.State{"delivered", "pending"}}, switchboard.FacetState).Values,
		values{switchboard.FacetState: {{Value: "delivered", Count: 1}, {Value: "pending", Count: 1}}})
	equal(t, "of nothing", facets(root(), switchboard.DeliveryFilter{Tenant: "nobody"}, switchboard.FacetHost), switchboard.Facets{Values: values{switchboard.FacetHost: {}}})
	equal(t, "of another tenant", facets(of("spy"), switchboard.DeliveryFilter{}, switchboard.FacetHost), switchboard.Facets{Values: values{switchboard.FacetHost: {}}})

	b.accept(event("acme", ""))
	equal(t, "a moment later", facets(of("acme"), switchboard.DeliveryFilter{}, all...).Matches.Value, 4)
	b.advance(16 * time.Second)
	equal(t, "after 16 s", facets(of("acme"), switchboard.DeliveryFilter{}, all...).Matches.Value, 5)
}

// TestCountOfAList: the number of matches, independent of the page, counted up to a bound.
func TestCountOfAList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	b.many(sub, 12_000)
	b.subscribe("globex", "ticket.*")
	b.record(b.accept(event("globex", "")).Deliveries[0], 1, 200)
	for _, c := range []struct {
		filter switchboard.DeliveryFilter
		want   string
	}{
		{switchboard.DeliveryFilter{}, "10000 and more"},
		{switchboard.DeliveryFilter{Tenant: "acme"}, "10000 and more"},
		{switchboard.DeliveryFilter{Tenant: "globex"}, "1"},
		{switchboard.DeliveryFilter{States: []switchboard.State{"delivered", "failed"}}, "1"},
		{switchboard.DeliveryFilter{Host: "no.example", States: []switchboard.State{"failed"}}, "0"},
	} {
		for _, page := range []switchboard.PageRequest{{Count: true}, {Count: true, Limit: 1}, {}} {
			found, err := b.Deliveries(t.Context(), root(), c.filter, page)
			must(t, err)
			got := "not asked for"
			if found.Count != nil {
				if got = fmt.Sprint(found.Count.Value); found.Count.More {
					got += " and more"
				}
			}
			if !page.Count {
				c.want = "not asked for"
			}
			equal(t, fmt.Sprintf("%+v", c.filter), got, c.want)
		}
	}
}
