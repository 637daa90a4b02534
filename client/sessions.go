package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Session is somebody who is signed in to the console.
type Session struct {
	ID          string           `json:"id"`
	Person      string           `json:"person"`
	Verified    bool             `json:"verified"` // a trusted proxy says who the person is; else the person does
	KeyID       string           `json:"key_id"`   // the session ends with this key; empty: a proxy signed the person in
	Role        switchboard.Role `json:"role"`
	Tenant      string           `json:"tenant"` // empty: every tenant
	ReadPayload bool             `json:"read_payload"`
	Portal      bool             `json:"portal"` // a portal link began it
	CreatedAt   time.Time        `json:"created_at"`
	SeenAt      time.Time        `json:"seen_at"` // to the minute
	EndsAt      time.Time        `json:"ends_at"` // at the latest
	Address     string           `json:"address"`
}

// NewPortalLink is a link that lets one person of a tenant into the console, once.
type NewPortalLink struct {
	Tenant      string               `json:"tenant"`
	Name        string               `json:"name"` // of the person
	Role        switchboard.Role     `json:"role"` // integrator or viewer
	ReadPayload *bool                `json:"read_payload,omitempty"`
	Next        string               `json:"next,omitempty"`      // the page to begin with
	ExpiresIn   switchboard.Duration `json:"expires_in,omitzero"` // zero: 5m
	Session     switchboard.Duration `json:"session,omitzero"`    // zero: 1h
}

// PortalLink is such a link.
type PortalLink struct {
	ID        string             `json:"id"`
	URL       switchboard.Secret `json:"url"` // lead the person's browser there
	ExpiresAt time.Time          `json:"expires_at"`
}

// CreatePortalLink makes a link for a person of a tenant.
func (c *Client) CreatePortalLink(ctx context.Context, link NewPortalLink, options ...Option) (PortalLink, error) {
	return call[PortalLink](ctx, c, request{method: http.MethodPost, path: path("portal_links"), body: link, options: options})
}

// MadePortalLink is a portal link that was made, without what opens it.
type MadePortalLink struct {
	ID          string           `json:"id"`
	KeyID       string           `json:"key_id"` // of the key that made it, and with which it ends
	Tenant      string           `json:"tenant"` // empty: every tenant, of the link that a development stack prints
	Name        string           `json:"name"`   // of the person whom it is for
	Role        switchboard.Role `json:"role"`
	ReadPayload bool             `json:"read_payload"`
	CreatedAt   time.Time        `json:"created_at"`
	ExpiresAt   time.Time        `json:"expires_at"`
	UsedAt      *time.Time       `json:"used_at"` // nil: nobody has used it
}

// ListPortalLinks returns a page of the portal links, newest first.
func (c *Client) ListPortalLinks(ctx context.Context, asked switchboard.PageRequest) (switchboard.Page[MadePortalLink], error) {
	return list[MadePortalLink](ctx, c, path("portal_links"), query(), asked)
}

// PortalLinks iterates over them, as [Client.ListPortalLinks].
func (c *Client) PortalLinks(ctx context.Context) iter.Seq2[MadePortalLink, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[MadePortalLink], error) {
		return c.ListPortalLinks(ctx, asked)
	})
}

// WithdrawPortalLink keeps a link from being used, for that reason.
func (c *Client) WithdrawPortalLink(ctx context.Context, id, why string, options ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("portal_links", id), query: query("reason", why), options: options}, nil)
}

// ListSessions returns a page of those who are signed in to the console, newest first; of one key, if
// one is given.
func (c *Client) ListSessions(ctx context.Context, keyID string, asked switchboard.PageRequest) (switchboard.Page[Session], error) {
	return list[Session](ctx, c, path("sessions"), query("key", keyID), asked)
}

// Sessions iterates over them, as [Client.ListSessions].
func (c *Client) Sessions(ctx context.Context, keyID string) iter.Seq2[Session, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Session], error) {
		return c.ListSessions(ctx, keyID, asked)
	})
}

// EndSession signs somebody out, for that reason.
func (c *Client) EndSession(ctx context.Context, id, why string, options ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("sessions", id), query: query("reason", why), options: options}, nil)
}
