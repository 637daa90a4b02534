package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/seed-49a43567/switchboard"
)

const (
	// facetBudget is how long facets take at most: four facets of ten thousand matches take about
	// 0.2 s.
	facetBudget = time.Second
	// facetsKept is how long facets are kept for callers with the same question, and maxFacetsKept
	// how many are kept.
	facetsKept    = 15 * time.Second
	maxFacetsKept = 128
)

// facetColumns are the columns of the facets.
func facetColumns() map[switchboard.Facet]string {
	return map[switchboard.Facet]string{
		switchboard.FacetState: "state", switchboard.FacetFailure: "last_failure", switchboard.FacetHost: "host",
		switchboard.FacetSubscription: "subscription_id", switchboard.FacetEventType: "event_type", switchboard.FacetTenant: "tenant",
	}
}

// keptFacets are facets with the time when they were counted.
type keptFacets struct {
	at     time.Time
	facets switchboard.Facets
}

// DeliveryFacets counts the values that the newest deliveries of a list have in these columns. It
// reports false if they could not be counted in time. The same question within facetsKept gets the
// same answer.
func (s *Store) DeliveryFacets(ctx context.Context, caller switchboard.Caller, f switchboard.DeliveryFilter, by []switchboard.Facet) (facets switchboard.Facets, known bool, err error) {
	q, err := s.deliveriesQuery(ctx, caller, f)
	if err != nil {
		return facets, false, err
	}
	name := fmt.Sprintf("%q %t %+v %q", caller.Tenant, caller.Sees(switchboard.OperatorTenant), q.filter, by)
	if kept, found := s.facets.Get(name); found && s.now().Sub(kept.at) < facetsKept {
		return kept.facets, true, nil
	}
	query, args := q.facetsQuery(by, switchboard.MaxMatches+1)
	var rows []struct {
		By, Value string
		Count     int
	}
	at := s.now()
	known, err = s.within(ctx, "count facets", filterSettings, max(facetBudget, s.countTime), func(ctx context.Context, tx *sqlx.Tx) error {
		return tx.SelectContext(ctx, &rows, query, args...)
	})
	if err != nil || !known {
		return facets, false, err
	}
	facets.Values = map[switchboard.Facet][]switchboard.FacetValue{}
	for _, facet := range by {
		facets.Values[facet] = []switchboard.FacetValue{}
	}
	for _, r := range rows {
		if facet := switchboard.Facet(r.By); facet == "" {
			facets.Matches = countUpTo(r.Count, switchboard.MaxMatches)
		} else if r.Value != "" { // a delivery without a failure
			facets.Values[facet] = append(facets.Values[facet], switchboard.FacetValue{Value: r.Value, Count: r.Count})
		}
	}
	for facet, values := range maps.All(facets.Values) {
		slices.SortFunc(values, func(a, b switchboard.FacetValue) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Value, b.Value))
		})
		facets.Values[facet] = values[:min(len(values), switchboard.MaxFacetValues)]
	}
	s.facets.Add(name, keptFacets{at, facets})
	return facets, true, nil
}

// facetsQuery counts the values of the newest matches, and under an empty name the matches
// themselves. Both include the one match beyond the bound.
func (q *pageQuery) facetsQuery(by []switchboard.Facet, limit int) (query string, args []any) {
	columns := facetColumns()
	names := []string{"id"}
	parts := []string{"SELECT '' AS by, '' AS value, count(*) AS count FROM matches"}
	for _, facet := range by {
		column := columns[facet]
		names = append(names, column)
		parts = append(parts, fmt.Sprintf("SELECT '%s', %s::text, count(*) FROM matches GROUP BY %[2]s", facet, column))
	}
	c := q.where.with()
	return "WITH matches AS MATERIALIZED (" + c.query(strings.Join(names, ", "), q.table, q.order, limit) + ")\n" + strings.Join(parts, "\nUNION ALL "), c.args
}
