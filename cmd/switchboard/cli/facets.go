package cli

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

type deliveryFacetsCommand struct {
	deliveryFilter
	By []switchboard.Facet `enum:"state,failure,host,subscription,event_type,tenant" placeholder:"FACET" help:"What to count by, at most four: ${enum}. Default: state, failure, host and subscription."`
}

func (deliveryFacetsCommand) Help() string {
	return `Examples:

    switchboard deliveries facets --state failed --last 24h
    switchboard deliveries facets --host crm.example.com --by failure,tenant`
}

// facetRow is a value of a facet.
type facetRow struct {
	facet switchboard.Facet
	switchboard.FacetValue
}

func (c deliveryFacetsCommand) Run(ctx context.Context, s *Session) error {
	filter, err := c.filter(s.Now())
	if err != nil {
		return err
	}
	api, err := s.api()
	if err != nil {
		return err
	}
	found, err := api.CountFacets(ctx, filter, c.By...)
	if err != nil {
		return err
	}
	return s.print(s.answers.last, func() {
		var rows []facetRow
		for _, facet := range switchboard.AllFacets() {
			for _, value := range found.Values[facet] {
				rows = append(rows, facetRow{facet, value})
			}
		}
		switch {
		case found.Matches == nil:
			s.note("They could not be counted in time: narrow the list by --last or by more filters.")
			return
		case found.Matches.More:
			s.note("more match than are counted: this is about the newest %s", thousands(found.Matches.Value))
		}
		if len(rows) == 0 {
			s.note("No delivery matches.")
			return
		}
		printTable(s, []column[facetRow]{
			{title: "by", text: func(r facetRow) string { return string(r.facet) }},
			{title: "value", text: func(r facetRow) string { return r.Value }, least: 20},
			{title: "deliveries", text: func(r facetRow) string { return thousands(r.Count) }},
		}, rows)
	})
}
