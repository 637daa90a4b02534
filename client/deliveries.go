package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Delivery is a delivery in the form of the API.
type Delivery struct {
	ID             string                        `json:"id"`
	Tenant         string                        `json:"tenant"`
	EventID        string                        `json:"event_id"`
	EventType      string                        `json:"event_type"`
	SubscriptionID string                        `json:"subscription_id"`
	Host           string                        `json:"host"`
	State          switchboard.State             `json:"state"`
	Reason         string                        `json:"reason"`
	Ending         string                        `json:"ending"`
	Permanent      bool                          `json:"permanent"`
	LastFailure    switchboard.Failure           `json:"last_failure,omitempty"`
	LastStatusCode int                           `json:"last_status_code,omitempty"` // 0: there was no answer
	AttemptsMade   int                           `json:"attempts_made"`
	Generation     int                           `json:"generation"`
	NextAttemptAt  *time.Time                    `json:"next_attempt_at"`
	CreatedAt      time.Time                     `json:"created_at"`
	CompletedAt    *time.Time                    `json:"completed_at"`
	ParkedAt       *time.Time                    `json:"held_since,omitempty"` // nil: neither held nor blocked
	HeldUntil      *time.Time                    `json:"held_until,omitempty"`
	ReleasedBy     string                        `json:"released_by,omitempty"` // in words
	BlockedBy      string                        `json:"blocked_by,omitempty"`
	ExpiresAt      *time.Time                    `json:"expires_at,omitempty"` // nil: it has no deadline
	Key            string                        `json:"ordering_key,omitempty"`
	WorkflowID     string                        `json:"workflow_id"`
	TemporalRunID  string                        `json:"temporal_run_id"`
	TemporalURL    string                        `json:"temporal_url"`
	Available      []switchboard.AvailableAction `json:"available_actions"`
	ResendOf       string                        `json:"resend_of,omitempty"` // like the next two fields, only for a single delivery
	Changed        []string                      `json:"changed,omitempty"`
	ResentAs       []string                      `json:"resent_as,omitempty"`
	Attempts       []Attempt                     `json:"attempts,omitempty"` // only for a single delivery
	Actions        []Action                      `json:"actions,omitempty"`  // only for a single delivery

	// Only for a single delivery.
	Subscription *DeliverySubscription `json:"subscription,omitempty"` // its current state
	EventKey     string                `json:"event_key,omitempty"`
	Matched      string                `json:"matched,omitempty"` // the pattern that matches the event's type; empty: no current one does
	Diagnosis    *Diagnosis            `json:"diagnosis,omitempty"`
}

// Attempt is one request of a delivery.
type Attempt struct {
	ID             string              `json:"id"`
	Number         int                 `json:"number"`
	At             time.Time           `json:"at"`
	DurationMS     int64               `json:"duration_ms"`
	StatusCode     *int                `json:"status_code"` // nil: there was no answer
	Failure        switchboard.Failure `json:"failure"`     // empty: it succeeded
	Detail         string              `json:"detail"`
	Permanent      bool                `json:"permanent"`
	TimeoutMS      int64               `json:"timeout_ms"`
	Load           float64             `json:"load"`
	MaxAttempts    int                 `json:"maximum_attempts,omitempty"`
	IntervalFactor float64             `json:"interval_factor"`
	Request        SentRequest         `json:"request"`
	Requests       int                 `json:"requests"`
	Response       *Response           `json:"response,omitempty"`

	SubscriptionVersion int    `json:"subscription_version,omitempty"` // 0: unknown
	RemoteIP            string `json:"remote_ip,omitempty"`            // the address that was dialled; empty: none, or an egress proxy's
}

// SentRequest is what an attempt sent, with secrets masked.
type SentRequest struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Bytes   int               `json:"bytes"`
	SHA256  string            `json:"sha256,omitempty"` // of the body, in hex
}

// Response is the head of the receiver's answer.
type Response struct {
	Headers   map[string]string `json:"headers"`
	Body      string            `json:"body"`
	Encoding  string            `json:"encoding,omitempty"`      // "base64": encoding of a body that is not text
	Redacted  *Redacted         `json:"body_redacted,omitempty"` // of the body, for a key without read_payload
	Truncated bool              `json:"truncated"`
}

// Redacted describes content for a key without the permission read_payload.
type Redacted struct {
	Bytes  int         `json:"bytes"`
	Type   string      `json:"type,omitempty"` // its media type, if known
	SHA256 string      `json:"sha256"`         // of its bytes, in hex
	Shape  []ShapePart `json:"shape,omitempty"`
}

// ShapePart is the type of one value in JSON that is not shown.
type ShapePart struct {
	Path   string `json:"path"`             // names that are not in the catalogue are …
	Type   string `json:"type"`             // as in JSON Schema
	Length *int   `json:"length,omitempty"` // of a string in characters, of an array in elements, of an object in members
}

// Action is what an operator, or Switchboard itself, did to a delivery.
type Action struct {
	At     time.Time              `json:"at"`
	Actor  string                 `json:"actor"`
	Name   string                 `json:"actor_name,omitempty"`
	Person string                 `json:"person,omitempty"`
	Action switchboard.ActionKind `json:"action"`
	Reason string                 `json:"reason"`
}

// ListDeliveries returns a page of deliveries, newest first, without attempts and actions. On
// request it also counts the matches.
func (c *Client) ListDeliveries(ctx context.Context, filter switchboard.DeliveryFilter, asked switchboard.PageRequest) (switchboard.Page[Delivery], error) {
	return list[Delivery](ctx, c, path("deliveries"), deliveryQuery(filter), asked)
}

// deliveryQuery writes a filter of deliveries as a query.
func deliveryQuery(filter switchboard.DeliveryFilter) url.Values {
	values := query("tenant", filter.Tenant, "subscription", filter.Subscription, "event", filter.Event, "event_type", filter.EventType,
		"failure", string(filter.Failure), "host", filter.Host, "after", instant(filter.After), "before", instant(filter.Before), "text", filter.Text)
	for _, id := range filter.IDs {
		values.Add("id", id)
	}
	for _, state := range filter.States {
		values.Add("state", string(state))
	}
	if filter.StatusCode != 0 {
		values.Set("status_code", strconv.Itoa(filter.StatusCode))
	}
	if filter.Stuck {
		values.Set("stuck", "true")
	}
	return values
}

// Deliveries iterates over all deliveries that match the filter, see [Client.ListDeliveries].
func (c *Client) Deliveries(ctx context.Context, filter switchboard.DeliveryFilter) iter.Seq2[Delivery, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Delivery], error) {
		return c.ListDeliveries(ctx, filter, asked)
	})
}

// GetDelivery returns a delivery with its attempts and actions.
func (c *Client) GetDelivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, request{method: http.MethodGet, path: path("deliveries", id)})
}
