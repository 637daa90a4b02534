package client

import (
	"context"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Act is what is asked of one delivery.
type Act struct {
	Reason string       `json:"reason,omitempty"` // why; required to hold and to resend
	Expect *Expectation `json:"expect,omitempty"` // act only if the delivery stands so; else the [Error] has it as Current
}

// Retry is what is asked with a retry.
type Retry struct {
	Act
	RetryAt *time.Time `json:"retry_at,omitempty"` // the date of the next attempt; nil: now
}

// Resend is what is asked with a resend.
type Resend struct {
	Act
	ResendChanges
}

// ResendChanges are what a resend changes of the request.
type ResendChanges struct {
	URL     string                `json:"url,omitempty"`
	Headers map[string]string     `json:"headers,omitempty"` // added to those of the subscription, or in their place
	Body    *string               `json:"body,omitempty"`    // its bytes
	Timeout *switchboard.Duration `json:"timeout,omitempty"`
}

// Expectation is how a delivery is believed to stand. What is left out may be anything.
type Expectation struct {
	State      switchboard.State `json:"state,omitempty"`
	Generation int               `json:"generation,omitempty"`
	Attempts   *int              `json:"attempts,omitempty"` // AttemptsMade
}

// Expect expects the delivery as it was read.
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

// CancelDelivery ends a delivery, and aborts a request that is under way.
func (c *Client) CancelDelivery(ctx context.Context, id string, act Act, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "cancel", act, options)
}

// HoldDelivery holds an open delivery until it is released.
func (c *Client) HoldDelivery(ctx context.Context, id string, act Act, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "hold", act, options)
}

// ReleaseDelivery ends the hold of an operator.
func (c *Client) ReleaseDelivery(ctx context.Context, id string, act Act, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "release", act, options)
}

// ResendPreview is the request that a resend would send.
type ResendPreview struct {
	Method       string            `json:"method"`
	URL          string            `json:"url"`
	Headers      map[string]string `json:"headers"`
	Body         string            `json:"body,omitempty"`
	BodyEncoding string            `json:"body_encoding,omitempty"` // "base64": of a body that is not text
	Redacted     *Redacted         `json:"body_redacted,omitempty"` // of the body, which a key without read_payload does not get
	Elsewhere    bool              `json:"elsewhere"`               // it goes to another scheme, host or port than the subscription's
	Warnings     []string          `json:"warnings"`
}

// PreviewResend returns the request that a resend with these changes would send, and sends nothing.
func (c *Client) PreviewResend(ctx context.Context, id string, changes ResendChanges, options ...Option) (ResendPreview, error) {
	return call[ResendPreview](ctx, c, request{method: http.MethodPost, path: path("deliveries", id, "preview"), body: changes, safe: true, options: options})
}

// ResendDelivery makes a copy of a delivery, and returns it.
func (c *Client) ResendDelivery(ctx context.Context, id string, resend Resend, options ...Option) (Delivery, error) {
	return c.act(ctx, id, "resend", resend, options)
}
