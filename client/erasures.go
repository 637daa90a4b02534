package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/seed-49a43567/switchboard"
)

// EraseTenant begins to erase everything of a tenant. The reason is kept. Poll the erasure until it
// is finished.
func (c *Client) EraseTenant(ctx context.Context, tenant, why string, options ...Option) (switchboard.Erasure, error) {
	return call[switchboard.Erasure](ctx, c, request{method: http.MethodDelete, path: path("tenants", tenant), query: query("reason", why), options: options})
}

// EraseEvent begins to erase the content of an event. The reason is kept. The tenant may be empty
// if only one tenant has an event with the id.
func (c *Client) EraseEvent(ctx context.Context, id, tenant, why string, options ...Option) (switchboard.Erasure, error) {
	return call[switchboard.Erasure](ctx, c, request{method: http.MethodDelete, path: path("events", id, "data"), query: query("tenant", tenant, "reason", why), options: options})
}

// GetErasure returns an erasure.
func (c *Client) GetErasure(ctx context.Context, id string) (switchboard.Erasure, error) {
	return call[switchboard.Erasure](ctx, c, request{method: http.MethodGet, path: path("erasures", id)})
}

// ListErasures returns a page of erasures, newest first, including finished ones.
func (c *Client) ListErasures(ctx context.Context, asked switchboard.PageRequest) (switchboard.Page[switchboard.Erasure], error) {
	return list[switchboard.Erasure](ctx, c, path("erasures"), url.Values{}, asked)
}

// Erasures iterates over all erasures, see [Client.ListErasures].
func (c *Client) Erasures(ctx context.Context) iter.Seq2[switchboard.Erasure, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[switchboard.Erasure], error) {
		return c.ListErasures(ctx, asked)
	})
}
