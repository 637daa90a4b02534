package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Session is a person who is signed in to the console.
type Session struct {
	ID          string           `json:"id"`
	Person      string           `json:"person"`
	Verified    bool             `json:"verified"` // true: a trusted proxy names the person; false: the person does
	KeyID       string           `json:"key_id"`   // the session ends with this key; empty: a proxy signed the person in
	Role        switchboard.Role `json:"role"`
	Tenant      string           `json:"tenant"` // empty: every tenant
	ReadPayload bool             `json:"read_payload"`
	Portal      bool             `json:"portal"` // it began with a portal link
	CreatedAt   time.Time        `json:"created_at"`
	SeenAt      time.Time        `json:"seen_at"` // to the minute
	EndsAt      time.Time        `json:"ends_at"` // at the latest
	Address     string           `json:"address"`
}

// NewPortalLink is the request for a link that lets one person of a tenant into the console, once.
type NewPortalLink struct {
	Tenant      string               `json:"tenant"`
	Name        string               `json:"name"` // of the person
	Role        switchboard.Role     `json:"role"` // integrator or viewer
	ReadPayload *bool                `json:"read_payload,omitempty"`
	Next        string               `json:"next,omitempty"`      // the first page
	ExpiresIn   switchboard.Duration `json:"expires_in,omitzero"` // zero: 5m
	Session     switchboard.Duration `json:"session,omitzero"`    // zero: 1h
}

// PortalLink is a new portal link.
type PortalLink struct {
	ID        string             `json:"id"`
	URL       switchboard.Secret `json:"url"` // to which to lead the person's browser
	ExpiresAt time.Time          `json:"expires_at"`
}

// CreatePortalLink makes a link for a person of a tenant.
func (c *Client) CreatePortalLink(ctx context.Context, link NewPortalLink, options ...Option) (PortalLink, error) {
	return call[PortalLink](ctx, c, request{method: http.MethodPost, path: path("portal_links"), body: link, options: options})
}

// MadePortalLink is a portal link that was made before, without its token.
type MadePortalLink struct {
	ID          string           `json:"id"`
	KeyID       string           `json:"key_id"` // of the key that made it; it ends with that key
	Tenant      string           `json:"tenant"` // empty: every tenant, only for the link that a development stack prints
	Name        string           `json:"name"`   // of its person
	Role        switchboard.Role `json:"role"`
	ReadPayload bool             `json:"read_payload"`
	CreatedAt   time.Time        `json:"created_at"`
	ExpiresAt   time.Time        `json:"expires_at"`
	UsedAt      *time.Time       `json:"used_at"` // nil: unused
}

// ListPortalLinks returns a page of the portal links, newest first.
func (c *Client) ListPortalLinks(ctx context.Context, asked switchboard.PageRequest) (switchboard.Page[MadePortalLink], error) {
	return list[MadePortalLink](ctx, c, path("portal_links"), query(), asked)
}

// PortalLinks iterates over the portal links, see [Client.ListPortalLinks].
func (c *Client) PortalLinks(ctx context.Context) iter.Seq2[MadePortalLink, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[MadePortalLink], error) {
		return c.ListPortalLinks(ctx, asked)
	})
}

// WithdrawPortalLink makes a link unusable. The reason is kept.
func (c *Client) WithdrawPortalLink(ctx context.Context, id, why string, options ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("portal_links", id), query: query("reason", why), options: options}, nil)
}

// ListSessions returns a page of the people who are signed in to the console, newest first. If a
// key is given, it only lists the sessions of that key.
func (c *Client) ListSessions(ctx context.Context, keyID string, asked switchboard.PageRequest) (switchboard.Page[Session], error) {
	return list[Session](ctx, c, path("sessions"), query("key", keyID), asked)
}

// Sessions iterates over the sessions, see [Client.ListSessions].
func (c *Client) Sessions(ctx context.Context, keyID string) iter.Seq2[Session, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Session], error) {
		return c.ListSessions(ctx, keyID, asked)
	})
}

// EndSession signs somebody out. The reason is kept.
func (c *Client) EndSession(ctx context.Context, id, why string, options ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("sessions", id), query: query("reason", why), options: options}, nil)
}
