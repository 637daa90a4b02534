package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// NewKey is the request to make an API key.
type NewKey struct {
	Name      string           `json:"name"`
	Role      switchboard.Role `json:"role"`
	Tenant    string           `json:"tenant,omitempty"`    // binds the key to one tenant
	ExpiresAt time.Time        `json:"expires_at,omitzero"` // zero: it does not expire

	ReadPayload *bool `json:"read_payload,omitempty"` // whether it may read payloads; nil: yes, except for the roles support and viewer
}

// Key is an API key in the form of the API.
type Key struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	Role      switchboard.Role `json:"role"`
	Tenant    string           `json:"tenant"`
	CreatedAt time.Time        `json:"created_at"`
	ExpiresAt *time.Time       `json:"expires_at"`
	RevokedAt *time.Time       `json:"revoked_at"`

	ReadPayload bool       `json:"read_payload"` // it may read event data, bodies, paths and queries of URLs, and all headers
	LastUsedAt  *time.Time `json:"last_used_at"` // to the minute; nil: never used
	Sessions    int        `json:"sessions"`     // of the console, which end with it
	PortalLinks int        `json:"portal_links"` // unused ones, which end with it

	Key switchboard.Secret `json:"key,omitempty"` // the key itself, only in the answer to [Client.CreateKey]
}

// Me is the API key that a client uses.
type Me struct {
	KeyID       string           `json:"key_id"`
	Name        string           `json:"name"`
	Role        switchboard.Role `json:"role"`
	Tenant      string           `json:"tenant"` // empty: every tenant
	ReadPayload bool             `json:"read_payload"`
	ExpiresAt   *time.Time       `json:"expires_at"`
	Person      string           `json:"person,omitempty"` // from [Actor]
}

// GetMe describes the client's own key.
func (c *Client) GetMe(ctx context.Context, options ...Option) (Me, error) {
	return call[Me](ctx, c, request{method: http.MethodGet, path: path("me"), options: options})
}

// CreateKey makes an API key.
func (c *Client) CreateKey(ctx context.Context, key NewKey, options ...Option) (Key, error) {
	return call[Key](ctx, c, request{method: http.MethodPost, path: path("keys"), body: key, options: options})
}

// GetKey returns an API key.
func (c *Client) GetKey(ctx context.Context, id string) (Key, error) {
	return call[Key](ctx, c, request{method: http.MethodGet, path: path("keys", id)})
}

// ListKeys returns a page of API keys, newest first, including revoked and expired ones.
func (c *Client) ListKeys(ctx context.Context, asked switchboard.PageRequest) (switchboard.Page[Key], error) {
	return list[Key](ctx, c, path("keys"), url.Values{}, asked)
}

// Keys iterates over all API keys, see [Client.ListKeys].
func (c *Client) Keys(ctx context.Context) iter.Seq2[Key, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Key], error) { return c.ListKeys(ctx, asked) })
}

// RevokeKey revokes an API key. The reason is kept.
func (c *Client) RevokeKey(ctx context.Context, id, why string, options ...Option) (Key, error) {
	return call[Key](ctx, c, request{method: http.MethodDelete, path: path("keys", id), query: query("reason", why), options: options})
}
