package client

import (
	"context"
	"net/http"
	"strconv"

	"github.com/seed-49a43567/switchboard"
)

// GetStats counts attempts over time. Zero fields of the query have a default, or do not narrow it.
func (c *Client) GetStats(ctx context.Context, q switchboard.TrafficQuery) (switchboard.Traffic, error) {
	values := query("by", string(q.By), "from", instant(q.From), "to", instant(q.To), "tenant", q.Tenant, "subscription", q.Subscription)
	if q.Step != 0 {
		values.Set("step", q.Step.String())
	}
	return call[switchboard.Traffic](ctx, c, request{method: http.MethodGet, path: path("stats"), query: values})
}

// GetStatsNow returns what is open now. An empty tenant means everything that the key sees.
func (c *Client) GetStatsNow(ctx context.Context, tenant string) (switchboard.OpenStatus, error) {
	return call[switchboard.OpenStatus](ctx, c, request{method: http.MethodGet, path: path("stats", "now"), query: query("tenant", tenant)})
}

// GetFailures returns groups of failures, those with the most open deliveries first, and at most
// that many; 0: 50. An empty tenant means everything that the key sees.
func (c *Client) GetFailures(ctx context.Context, tenant string, limit int) (switchboard.FailureGroups, error) {
	values := query("tenant", tenant)
	if limit != 0 {
		values.Set("limit", strconv.Itoa(limit))
	}
	return call[switchboard.FailureGroups](ctx, c, request{method: http.MethodGet, path: path("failures"), query: values})
}
