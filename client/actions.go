package client

import (
	"context"
	"iter"

	"github.com/seed-49a43567/switchboard"
)

// ListActions returns a page of the audit: every change that somebody made, newest first.
func (c *Client) ListActions(ctx context.Context, filter switchboard.AuditFilter, asked switchboard.PageRequest) (switchboard.Page[switchboard.AuditEntry], error) {
	values := query("tenant", filter.Tenant, "object", filter.Object, "actor", filter.Actor, "person", filter.Person,
		"verb", string(filter.Verb), "kind", string(filter.Kind), "after", instant(filter.After), "before", instant(filter.Before))
	return list[switchboard.AuditEntry](ctx, c, path("actions"), values, asked)
}

// Actions iterates over the audit, see [Client.ListActions].
func (c *Client) Actions(ctx context.Context, filter switchboard.AuditFilter) iter.Seq2[switchboard.AuditEntry, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[switchboard.AuditEntry], error) {
		return c.ListActions(ctx, filter, asked)
	})
}
