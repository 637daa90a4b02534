package client

import (
	"context"
	"net/http"

	"github.com/seed-49a43567/switchboard"
)

// Search finds what has that name, or begins with it: deliveries, events, subscriptions and
// operations by their ids, events by their key, tenants, hosts, and subscriptions by their names.
func (c *Client) Search(ctx context.Context, text string) ([]switchboard.SearchHit, error) {
	found, err := call[struct {
		Data []switchboard.SearchHit `json:"data"`
	}](ctx, c, request{method: http.MethodGet, path: path("search"), query: query("q", text)})
	return found.Data, err
}

// Facets are the values that occur in the newest deliveries of a list, by [switchboard.Facet].
type Facets struct {
	// Matches is how many deliveries were counted; nil: they could not be found in time.
	Matches *switchboard.Count                             `json:"matches"`
	Values  map[switchboard.Facet][]switchboard.FacetValue `json:"facets"`
}

// CountFacets counts the values that occur in the deliveries that match the filter. Without facets
// it counts the most common ones.
func (c *Client) CountFacets(ctx context.Context, filter switchboard.DeliveryFilter, by ...switchboard.Facet) (Facets, error) {
	values := deliveryQuery(filter)
	for _, facet := range by {
		values.Add("by", string(facet))
	}
	return call[Facets](ctx, c, request{method: http.MethodGet, path: path("deliveries", "facets"), query: values})
}
