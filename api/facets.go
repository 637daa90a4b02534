package api

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

type facetsInput struct {
	DeliveriesFilter
	By []string `query:"by,explode" doc:"What to count by, up to 4 of: state, failure, host, subscription, event_type, tenant. Repeat the parameter, or separate values by commas. Default: state, failure, host and subscription" example:"failure"`
}

// facets holds the values that occur in deliveries.
type facets struct {
	Matches *switchboard.Count                  `json:"matches" doc:"Number of deliveries that were counted, newest first. null: they could not be found within a second; narrow the filter"`
	Facets  map[string][]switchboard.FacetValue `json:"facets" doc:"The values of each facet, most frequent first, at most 20. Deliveries without a failure are not counted by failure. null if matches is null"`
}

// by checks and converts the requested facets.
func (in *facetsInput) by() ([]switchboard.Facet, error) {
	var by []switchboard.Facet
	for _, list := range in.By {
		for name := range strings.SplitSeq(list, ",") {
			facet := switchboard.Facet(name)
			if !slices.Contains(switchboard.AllFacets(), facet) {
				return nil, switchboard.InvalidField("by", "has an unknown facet; known: %s", switchboard.JoinWords(switchboard.AllFacets()))
			}
			if !slices.Contains(by, facet) {
				by = append(by, facet)
			}
		}
	}
	if len(by) > switchboard.MaxFacets {
		return nil, switchboard.InvalidField("by", "has %d facets: ask for %d at a time", len(by), switchboard.MaxFacets)
	}
	if len(by) == 0 {
		by = switchboard.AllFacets()[:switchboard.MaxFacets]
	}
	return by, nil
}

func (s *server) countFacets(ctx context.Context, caller switchboard.Caller, in *facetsInput) (*reply[facets], error) {
	filter, err := in.filter(caller)
	if err != nil {
		return nil, err
	}
	by, err := in.by()
	if err != nil {
		return nil, err
	}
	found, known, err := s.Store.DeliveryFacets(ctx, caller, filter, by)
	if err != nil || !known {
		return &reply[facets]{}, err
	}
	out := facets{Matches: &found.Matches, Facets: map[string][]switchboard.FacetValue{}}
	for facet, values := range found.Values {
		out.Facets[string(facet)] = values
	}
	return &reply[facets]{Body: out}, nil
}
