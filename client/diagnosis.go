package client

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// DeliverySubscription is the subscription of a delivery, in short.
type DeliverySubscription struct {
	Name    string                        `json:"name"`
	Version int                           `json:"version"`
	State   switchboard.SubscriptionState `json:"state"`
	Deleted bool                          `json:"deleted,omitempty"`
}

// Diagnosis explains in words the state of a delivery, what follows, and what to do.
type Diagnosis struct {
	Why          string           `json:"why"`
	ReceiverSaid string           `json:"receiver_said,omitempty"` // for keys with read_payload
	Next         NextStep         `json:"next"`
	Side         switchboard.Side `json:"side"`
	Advice       string           `json:"advice"` // empty: nothing to do
	Alike        *Alike           `json:"alike"`  // nil: not counted
}

// NextStep is what follows for a delivery.
type NextStep struct {
	Text    string     `json:"text"` // the whole step in words
	At      *time.Time `json:"at"`   // nil: the next attempt has no date
	Number  int        `json:"number"`
	Of      int        `json:"of"`
	Because []Cause    `json:"because"`
}

// Cause is one reason for the time of the next attempt, or for its absence.
type Cause struct {
	Code switchboard.CauseCode `json:"code"`
	Text string                `json:"text"`
	At   *time.Time            `json:"at,omitempty"`
}

// Alike counts the other deliveries to a host that are in the same state after the same failure.
type Alike struct {
	Count int  `json:"count"`
	More  bool `json:"more"` // not all were counted
}

// AttemptRequest is what an attempt sent, with its body rendered again.
type AttemptRequest struct {
	Number              int         `json:"number"`
	At                  time.Time   `json:"at"`
	Request             SentRequest `json:"request"`
	RemoteIP            string      `json:"remote_ip,omitempty"`
	SubscriptionVersion int         `json:"subscription_version,omitempty"`
	CurrentVersion      int         `json:"current_version,omitempty"`
	Same                string      `json:"same"` // whether the body has the bytes that were sent: true, false or unknown
	Why                 string      `json:"why"`
	SHA256              string      `json:"sha256,omitempty"`
	Body                string      `json:"body,omitempty"`
	BodyEncoding        string      `json:"body_encoding,omitempty"` // "base64": encoding of a body that is not text
	Redacted            *Redacted   `json:"body_redacted,omitempty"` // of the body, for a key without read_payload
}

// Explanation says which subscriptions of the event's tenant receive it, and why the others do not.
type Explanation struct {
	EventID       string                  `json:"event_id"`
	Tenant        string                  `json:"tenant"`
	EventType     string                  `json:"event_type"`
	CreatedAt     time.Time               `json:"created_at"`
	Text          string                  `json:"text"`
	Subscriptions []ExplainedSubscription `json:"subscriptions"`
	More          bool                    `json:"more"` // the tenant has more subscriptions than were tested
}

// ExplainedSubscription is a subscription that was matched against an event.
type ExplainedSubscription struct {
	SubscriptionID string                        `json:"subscription_id"`
	Name           string                        `json:"name"`
	State          switchboard.SubscriptionState `json:"state"`
	Deleted        bool                          `json:"deleted,omitempty"`
	Matches        bool                          `json:"matches"`
	Undecided      bool                          `json:"undecided,omitempty"`
	Unmet          *Reason                       `json:"unmet,omitempty"` // the first condition that does not hold
	Notes          []Note                        `json:"notes"`
	Deliveries     []EventDelivery               `json:"deliveries"`
	Text           string                        `json:"text"`
}

// Note is a difference of a subscription between now and the time of an event.
type Note struct {
	Code string    `json:"code"`
	Text string    `json:"text"`
	At   time.Time `json:"at,omitzero"` // zero: unknown
}

// EventDelivery is a delivery of an event, in short.
type EventDelivery struct {
	ID     string            `json:"id"`
	State  switchboard.State `json:"state"`
	Reason string            `json:"reason"`
}

// GetAttemptRequest returns what an attempt sent. It renders the body again, and says whether the
// bytes are the same. Reading the body adds a row to the audit.
func (c *Client) GetAttemptRequest(ctx context.Context, deliveryID string, number int, options ...Option) (AttemptRequest, error) {
	return call[AttemptRequest](ctx, c, request{method: http.MethodGet, path: path("deliveries", deliveryID, "attempts", strconv.Itoa(number), "request"), options: options})
}

// ExplainEvent says for each subscription of the event's tenant whether it receives the event, and
// why. The tenant may be empty unless several tenants use the same id.
func (c *Client) ExplainEvent(ctx context.Context, id, tenant string) (Explanation, error) {
	return call[Explanation](ctx, c, request{method: http.MethodGet, path: path("events", id, "explain"), query: query("tenant", tenant)})
}
