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

// Patch is a change of a subscription, a JSON merge patch (RFC 7396). A member replaces the
// previous value, and nil removes it. Values are encoded as JSON, so a [switchboard.Secret] among
// them must be revealed.
type Patch map[string]any

// CreateSubscription stores a subscription. Only this answer shows the signing secret.
func (c *Client) CreateSubscription(ctx context.Context, s NewSubscription, options ...Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions"), body: revealed{s}, options: options})
}

// CreateSubscriptionFrom is [Client.CreateSubscription] from a JSON document in the API's form, for
// example from a file. It refuses unknown members.
func (c *Client) CreateSubscriptionFrom(ctx context.Context, document json.RawMessage, options ...Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions"), body: document, options: options})
}

// Include names what an answer has in addition to subscriptions.
type Include string

// IncludeHealth adds the health of each endpoint, and what was recently sent to it.
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

// Subscriptions iterates over all subscriptions that match the filter, see
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

// UpdateSubscription changes a subscription if it still has the version. Otherwise it returns a
// conflict.
func (c *Client) UpdateSubscription(ctx context.Context, id string, version int, patch Patch, options ...Option) (Subscription, error) {
	body := Patch{"version": version}
	maps.Copy(body, patch)
	return call[Subscription](ctx, c, request{method: http.MethodPatch, path: path("subscriptions", id), body: body, options: options})
}

// DeleteSubscription deletes a subscription and cancels its open deliveries. The reason is kept.
func (c *Client) DeleteSubscription(ctx context.Context, id, why string, options ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("subscriptions", id), query: query("reason", why), options: options}, nil)
}

// Rotation says what happens to the signing secrets before the new one.
type Rotation struct {
	Grace          *switchboard.Duration `json:"grace,omitempty"`           // how long the previous one still signs; nil: a day
	RevokePrevious bool                  `json:"revoke_previous,omitempty"` // all previous ones end at once
}

// RotateSecret makes a new signing secret. Only this answer shows it.
func (c *Client) RotateSecret(ctx context.Context, id string, rotation Rotation, options ...Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "rotate_secret"), body: rotation, options: options})
}

// VerifySubscription challenges the address of an unverified subscription.
func (c *Client) VerifySubscription(ctx context.Context, id string, options ...Option) (Subscription, error) {
	return call[Subscription](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "verify"), body: struct{}{}, options: options})
}

// PauseSubscription holds the deliveries of an active subscription until it is resumed.
func (c *Client) PauseSubscription(ctx context.Context, id, why string, options ...Option) (Subscription, error) {
	return c.changeState(ctx, id, switchboard.PauseSubscription, why, options)
}

// ResumeSubscription ends a pause, and releases what was held. The reason may be empty.
func (c *Client) ResumeSubscription(ctx context.Context, id, why string, options ...Option) (Subscription, error) {
	return c.changeState(ctx, id, switchboard.ResumeSubscription, why, options)
}

// DisableSubscription holds the deliveries of a subscription until it is enabled.
func (c *Client) DisableSubscription(ctx context.Context, id, why string, options ...Option) (Subscription, error) {
	return c.changeState(ctx, id, switchboard.DisableSubscription, why, options)
}

// EnableSubscription enables a disabled subscription, and releases what was held. The reason may be
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

// keySet is a list of public keys, as the API sends it.
type keySet struct {
	Keys []PublicKey `json:"keys"`
}

// ListPublicKeys returns the public keys of a subscription, the current one first.
func (c *Client) ListPublicKeys(ctx context.Context, id string) ([]PublicKey, error) {
	answer, err := call[keySet](ctx, c, request{method: http.MethodGet, path: path("subscriptions", id, "jwks")})
	return answer.Keys, err
}
