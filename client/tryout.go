package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestEvent is the event of a test. Missing members come from the catalogue.
type TestEvent struct {
	Type string          `json:"type,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
}

// TestSubscription sends a test event to this subscription only.
func (c *Client) TestSubscription(ctx context.Context, id string, event TestEvent, options ...Option) (Acceptance, error) {
	return call[Acceptance](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "test"), body: event, options: options})
}

// Trigger is what a script sends to one subscription.
type Trigger struct {
	Data json.RawMessage `json:"data"`
	ID   string          `json:"id,omitempty"` // your own id, which makes triggering idempotent; empty: as with [Client.PostEvent]
	Key  string          `json:"key,omitempty"`
}

// ReceiverResponse is the receiver's answer to a trigger, whatever its status.
type ReceiverResponse struct {
	DeliveryID   string            `json:"delivery_id"`
	EventID      string            `json:"event_id"`
	Duplicate    bool              `json:"duplicate"`
	State        switchboard.State `json:"state"` // of the delivery
	StatusCode   int               `json:"status_code"`
	Headers      map[string]string `json:"headers"`
	Body         json.RawMessage   `json:"body"`                    // parsed if it is JSON, otherwise a string; null: none
	BodyEncoding string            `json:"body_encoding,omitempty"` // "base64": encoding of a body that is neither JSON nor text
	Redacted     *Redacted         `json:"body_redacted,omitempty"` // of the body, for a key without read_payload
	Truncated    bool              `json:"truncated"`
	DurationMS   int64             `json:"duration_ms"`
	Warnings     []string          `json:"warnings,omitempty"`
}

// TriggerSubscription sends data to this subscription only, and returns after they are stored.
func (c *Client) TriggerSubscription(ctx context.Context, id string, trigger Trigger, options ...Option) (Acceptance, error) {
	trigger.ID = c.eventID(trigger.ID)
	return call[Acceptance](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "trigger"), body: trigger, safe: true, options: options})
}

// TriggerAndWait is [Client.TriggerSubscription], and waits for the receiver's answer, up to 60
// seconds. An [*Error] with a DeliveryID says that the delivery is stored despite the error. To
// wait for it again, call with the same id.
func (c *Client) TriggerAndWait(ctx context.Context, id string, trigger Trigger, wait time.Duration, options ...Option) (ReceiverResponse, error) {
	trigger.ID = c.eventID(trigger.ID)
	return call[ReceiverResponse](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "trigger"), query: query("wait", wait.String()),
		body: trigger, safe: true, options: options})
}

// SampleEvent is the event for a preview or match: a stored one, one made from the given members,
// or the catalogue's sample.
type SampleEvent struct {
	EventID string          `json:"event_id,omitempty"` // of a stored event; the other members are then empty
	Type    string          `json:"type,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	ID      string          `json:"id,omitempty"`
	Key     string          `json:"key,omitempty"`
}

// tryout is a request with a subscription that is not stored, and an event.
type tryout struct {
	Subscription any `json:"subscription"`
	SampleEvent
}

// Preview is a request as it would be sent.
type Preview struct {
	Method       string            `json:"method"`
	URL          string            `json:"url"`
	Headers      map[string]string `json:"headers"`
	Body         string            `json:"body"`
	BodyEncoding string            `json:"body_encoding,omitempty"` // "base64": encoding of a body that is not text
	Warnings     []string          `json:"warnings"`
}

// PreviewSubscription renders and signs a subscription's request for an event. It sends nothing.
func (c *Client) PreviewSubscription(ctx context.Context, id string, event SampleEvent, options ...Option) (Preview, error) {
	return call[Preview](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "preview"), body: event, options: options})
}

// Preview is [Client.PreviewSubscription] for a subscription that is not stored.
func (c *Client) Preview(ctx context.Context, s NewSubscription, event SampleEvent, options ...Option) (Preview, error) {
	return call[Preview](ctx, c, request{method: http.MethodPost, path: path("preview"), body: tryout{revealed{s}, event}, options: options})
}

// PreviewFrom is [Client.Preview] with a JSON document, as in [Client.CreateSubscriptionFrom].
func (c *Client) PreviewFrom(ctx context.Context, document json.RawMessage, event SampleEvent, options ...Option) (Preview, error) {
	return call[Preview](ctx, c, request{method: http.MethodPost, path: path("preview"), body: tryout{document, event}, options: options})
}

// Match says whether a subscription would receive an event, and why.
type Match struct {
	Matches   bool     `json:"matches"`
	Undecided bool     `json:"undecided,omitempty"` // the filter could not be matched against the whole event; it is delivered
	Reasons   []Reason `json:"reasons"`
}

// Reason is one condition of a match.
type Reason struct {
	Condition string `json:"condition"`
	Path      string `json:"path"`
	Operator  string `json:"operator,omitempty"`
	Wanted    string `json:"wanted,omitempty"`
	Found     string `json:"found,omitempty"`
	Holds     bool   `json:"holds"`
	Text      string `json:"text"`
	Undecided bool   `json:"undecided,omitempty"`
}

// MatchSubscription explains whether a subscription would receive an event.
func (c *Client) MatchSubscription(ctx context.Context, id string, event SampleEvent, options ...Option) (Match, error) {
	return call[Match](ctx, c, request{method: http.MethodPost, path: path("subscriptions", id, "match"), body: event, options: options})
}

// Match is [Client.MatchSubscription] for a subscription that is not stored.
func (c *Client) Match(ctx context.Context, s NewSubscription, event SampleEvent, options ...Option) (Match, error) {
	return call[Match](ctx, c, request{method: http.MethodPost, path: path("match"), body: tryout{revealed{s}, event}, options: options})
}

// MatchFrom is [Client.Match] with a JSON document, as in [Client.CreateSubscriptionFrom].
func (c *Client) MatchFrom(ctx context.Context, document json.RawMessage, event SampleEvent, options ...Option) (Match, error) {
	return call[Match](ctx, c, request{method: http.MethodPost, path: path("match"), body: tryout{document, event}, options: options})
}
