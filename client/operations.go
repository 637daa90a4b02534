package client

import (
	"context"
	"iter"
	"net/http"

	"github.com/seed-49a43567/switchboard"
)

// Operation is an action on many deliveries of a subscription, as the API shows it.
type Operation struct {
	switchboard.Operation
	TemporalURL string `json:"temporal_url"`
}

// ListOperations returns a page of operations, newest first.
func (c *Client) ListOperations(ctx context.Context, filter switchboard.OperationFilter, asked switchboard.PageRequest) (switchboard.Page[Operation], error) {
	values := query("tenant", filter.Tenant, "subscription", filter.Subscription, "state", string(filter.State))
	return list[Operation](ctx, c, path("operations"), values, asked)
}

// Operations iterates over all operations that the filter lets through, as [Client.ListOperations].
func (c *Client) Operations(ctx context.Context, filter switchboard.OperationFilter) iter.Seq2[Operation, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Operation], error) {
		return c.ListOperations(ctx, filter, asked)
	})
}

// GetOperation returns an operation.
func (c *Client) GetOperation(ctx context.Context, id string) (Operation, error) {
	return call[Operation](ctx, c, request{method: http.MethodGet, path: path("operations", id)})
}
