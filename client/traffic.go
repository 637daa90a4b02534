package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/seed-49a43567/switchboard"
)

// GetStats counts attempts over time. What is zero in the query has a default, or does not narrow.
func (c *Client) GetStats(ctx context.Context, q switchboard.TrafficQuery) (switchboard.Traffic, error) {
	values := query("by", string(q.By), "from", instant(q.From), "to", instant(q.To), "tenant", q.Tenant, "subscription", q.Subscription)
	if q.Step != 0 {
		values.Set("step", q.Step.String())
	}
	return call[switchboard.Traffic](ctx, c, request{method: http.MethodGet, path: path("stats"), query: values})
}

// GetStatsNow returns what is open now; an empty tenant: of all that the key sees.
func (c *Client) GetStatsNow(ctx context.Context, tenant string) (switchboard.OpenStatus, error) {
	return call[switchboard.OpenStatus](ctx, c, request{method: http.MethodGet, path: path("stats", "now"), query: query("tenant", tenant)})
}

// GetFailures returns what fails, those with the most open deliveries first, at most so many
// groups; 0: 50. An empty tenant: of all that the key sees.
func (c *Client) GetFailures(ctx context.Context, tenant string, limit int) (switchboard.FailureGroups, error) {
	values := query("tenant", tenant)
	if limit != 0 {
		values.Set("limit", strconv.Itoa(limit))
	}
	return call[switchboard.FailureGroups](ctx, c, request{method: http.MethodGet, path: path("failures"), query: values})
}
