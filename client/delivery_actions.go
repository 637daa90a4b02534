package client

import (
	"context"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Act is a request to act on one delivery.
type Act struct {
	Reason string       `json:"reason,omitempty"` // required to hold and to resend
	Expect *Expectation `json:"expect,omitempty"` // act only if the delivery is in this state; otherwise the [Error] has the real one as Current
}

// Retry is the request for a retry.
type Retry struct {
	Act
	RetryAt *time.Time `json:"retry_at,omitempty"` // the date of the next attempt; nil: now
}

// Resend is the request for a resend.
type Resend struct {
	Act
	ResendChanges
}

// ResendChanges are the changes of a resend to the request.
type ResendChanges struct {
	URL     string                `json:"url,omitempty"`
	Headers map[string]string     `json:"headers,omitempty"` // added to those of the subscription, or replacing them
	Body    *string               `json:"body,omitempty"`    // its bytes
	Timeout *switchboard.Duration `json:"timeout,omitempty"`
}

// Expectation is the state in which the delivery should be. Missing fields may be anything.
type Expectation struct {
	State      switchboard.State `json:"state,omitempty"`
	Generation int               `json:"generation,omitempty"`
	Attempts   *int              `json:"attempts,omitempty"` // AttemptsMade
}

// Expect expects the state of the delivery at the time when it was read.
func (d *Delivery) Expect() *Expectation {
	return &Expectation{State: d.State, Generation: d.Generation, Attempts: &d.AttemptsMade}
}

func (c *Client) act(ctx context.Context, id, action string, body any, options []Option) (Delivery, error) {
	return call[Delivery](ctx, c, request{method: http.MethodPost, path: path("deliveries", id, action), body: body, options: options})
}

// RetryDelivery makes the next attempt due, now or at RetryAt. A delivery that has ended starts
// again.
func (c *Client) RetryDelivery(ctx context.Context, id string, retry Retry, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "retry", retry, options)
}

// CancelDelivery ends a delivery, and aborts a running request.
func (c *Client) CancelDelivery(ctx context.Context, id string, act Act, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "cancel", act, options)
}

// HoldDelivery holds an open delivery until it is released.
func (c *Client) HoldDelivery(ctx context.Context, id string, act Act, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "hold", act, options)
}

// ReleaseDelivery ends an operator's hold.
func (c *Client) ReleaseDelivery(ctx context.Context, id string, act Act, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "release", act, options)
}

// ResendPreview is the request that a resend would send.
type ResendPreview struct {
	Method       string            `json:"method"`
	URL          string            `json:"url"`
	Headers      map[string]string `json:"headers"`
	Body         string            `json:"body,omitempty"`
	BodyEncoding string            `json:"body_encoding,omitempty"` // "base64": encoding of a body that is not text
	Redacted     *Redacted         `json:"body_redacted,omitempty"` // of the body, for a key without read_payload
	Elsewhere    bool              `json:"elsewhere"`               // it goes to another scheme, host or port than the subscription's
	Warnings     []string          `json:"warnings"`
}

// PreviewResend returns the request that a resend with these changes would send. It sends nothing.
func (c *Client) PreviewResend(ctx context.Context, id string, changes ResendChanges, options ...Option) (ResendPreview, error) {
	return call[ResendPreview](ctx, c, request{method: http.MethodPost, path: path("deliveries", id, "preview"), body: changes, safe: true, options: options})
}

// ResendDelivery makes a copy of a delivery, and returns it.
func (c *Client) ResendDelivery(ctx context.Context, id string, resend Resend, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "resend", resend, options)
}
