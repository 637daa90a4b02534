package client

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Patch is a change of a subscription, a JSON merge patch (RFC 7396): what it names
// takes the place of what was, and nil takes it away. Its values are encoded as JSON, so
// that a [switchboard.Secret] among them has to be revealed.
type Patch map[string]any

// CreateSubscription stores a subscription. The answer has the signing secret, which is
// not shown again.
func (c *Client) CreateSubscription(ctx context.Context, s NewSubscription, options ...Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions"), body: revealed{s}, options: options})
}

// CreateSubscriptionFrom is [Client.CreateSubscription] from a JSON document of the API's own
// form, as out of a file: a member that the API does not know is refused.
func (c *Client) CreateSubscriptionFrom(ctx context.Context, document json.RawMessage, options ...Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions"), body: document, options: options})
}

// Include names what an answer has beside subscriptions.
type Include string

// IncludeHealth adds the health of each endpoint, and what was sent to it lately.
const IncludeHealth Include = "health"

// ListSubscriptions returns a page of subscriptions, newest first.
func (c *Client) ListSubscriptions(ctx context.Context, filter switchboard.SubscriptionFilter, asked switchboard.PageRequest, include ...Include) (switchboard.Page[Subscription], error) {
	values := including(query("tenant", filter.Tenant, "state", string(filter.State), "event_type", filter.EventType, "text", filter.Text), include)
	if filter.Failing != nil {
		values.Set("failing", strconv.FormatBool(*filter.Failing))
	}
	return list[Subscription](ctx, c, path("subscriptions"), values, asked)
}

func including(values url.Values, include []Include) url.Values {
	for _, what := range include {
		values.Add("include", string(what))
	}
	return values
}

// Subscriptions iterates over all subscriptions that the filter lets through, as
// [Client.ListSubscriptions].
func (c *Client) Subscriptions(ctx context.Context, filter switchboard.SubscriptionFilter, include ...Include) iter.Seq2[Subscription, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Subscription], error) {
		return c.ListSubscriptions(ctx, filter, asked, include...)
	})
}

// GetSubscription returns a subscription, with the health of its endpoint.
func (c *Client) GetSubscription(ctx context.Context, id string, include ...Include) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodGet, path: path("subscriptions", id), query: including(query(), include)})
}

// UpdateSubscription changes a subscription that still has the version; of another one
// the answer is a conflict.
func (c *Client) UpdateSubscription(ctx context.Context, id string, version int, patch Patch, options ...Option) (Subscription, error) {
	body := Patch{"version": version}
	maps.Copy(body, patch)
	return call[Subscription](ctx, c, request{method: http.MethodPatch, path: path("subscriptions", id), body: body, options: options})
}

// DeleteSubscription deletes a subscription for that reason; its open deliveries are cancelled.
func (c *Client) DeleteSubscription(ctx context.Context, id, why string, options ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("subscriptions", id), query: query("reason", why), options: options}, nil)
}

// Rotation says what becomes of the signing secrets before the new one.
type Rotation struct {
	Grace          *switchboard.Duration `json:"grace,omitempty"`           // how long the one before still signs; nil: a day
	RevokePrevious bool                  `json:"revoke_previous,omitempty"` // all before end at once
}

// RotateSecret makes a new signing secret, which the answer shows this once.
func (c *Client) RotateSecret(ctx context.Context, id string, rotation Rotation, options ...Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "rotate_secret"), body: rotation, options: options})
}

// VerifySubscription challenges the address of a subscription that is unverified.
func (c *Client) VerifySubscription(ctx context.Context, id string, options ...Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "verify"), body: struct{}{}, options: options})
}

// PauseSubscription has the deliveries of an active subscription held until it is resumed.
func (c *Client) PauseSubscription(ctx context.Context, id, why string, options ...Option) (Subscription, error) {
	return c.changeState(ctx, id, switchboard.PauseSubscription, why, options)
}

// ResumeSubscription ends a pause, and has what was held released. The reason may be empty.
func (c *Client) ResumeSubscription(ctx context.Context, id, why string, options ...Option) (Subscription, error) {
	return c.changeState(ctx, id, switchboard.ResumeSubscription, why, options)
}

// DisableSubscription has the deliveries of a subscription held until it is enabled.
func (c *Client) DisableSubscription(ctx context.Context, id, why string, options ...Option) (Subscription, error) {
	return c.changeState(ctx, id, switchboard.DisableSubscription, why, options)
}

// EnableSubscription has what was held for a disabled subscription released. The reason may be
// empty.
func (c *Client) EnableSubscription(ctx context.Context, id, why string, options ...Option) (Subscription, error) {
	return c.changeState(ctx, id, switchboard.EnableSubscription, why, options)
}

func (c *Client) changeState(ctx context.Context, id string, action switchboard.SubscriptionAction, why string, options []Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, string(action)), body: reason{why}, options: options})
}

// PublicKey is a key that verifies signatures of the scheme standard-ed25519 (RFC 7517).
type PublicKey struct {
	KeyType   string     `json:"kty"`
	Curve     string     `json:"crv"`
	X         string     `json:"x"`
	ID        string     `json:"kid"`
	Use       string     `json:"use"`
	Algorithm string     `json:"alg"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// keySet is a list of public keys on the wire.
type keySet struct {
	Keys []PublicKey `json:"keys"`
}

// ListPublicKeys returns the public keys of a subscription, the current one first.
func (c *Client) ListPublicKeys(ctx context.Context, id string) ([]PublicKey, error) {
	answer, err := call[keySet](ctx, c, request{method: http.MethodGet, path: path("subscriptions", id, "jwks")})
	return answer.Keys, err
}
