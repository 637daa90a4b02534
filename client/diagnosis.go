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

// Diagnosis says in words why a delivery stands where it does, what follows, and what to do.
type Diagnosis struct {
	Why          string           `json:"why"`
	ReceiverSaid string           `json:"receiver_said,omitempty"` // for keys with read_payload
	Next         NextStep         `json:"next"`
	Side         switchboard.Side `json:"side"`
	Advice       string           `json:"advice"` // empty: nothing is to be done
	Alike        *Alike           `json:"alike"`  // nil: they were not counted
}

// NextStep is what follows for a delivery.
type NextStep struct {
	Text    string     `json:"text"` // all of it in words
	At      *time.Time `json:"at"`   // nil: the next attempt has no date
	Number  int        `json:"number"`
	Of      int        `json:"of"`
	Because []Cause    `json:"because"`
}

// Cause is a part of why the next attempt is made then, or is not made.
type Cause struct {
	Code switchboard.CauseCode `json:"code"`
	Text string                `json:"text"`
	At   *time.Time            `json:"at,omitempty"`
}

// Alike counts the other deliveries to a host that are in the same state after the same failure.
type Alike struct {
	Count int  `json:"count"`
	More  bool `json:"more"` // not all were looked at
}

// AttemptRequest is what an attempt sent, with its body rendered anew.
type AttemptRequest struct {
	Number              int         `json:"number"`
	At                  time.Time   `json:"at"`
	Request             SentRequest `json:"request"`
	RemoteIP            string      `json:"remote_ip,omitempty"`
	SubscriptionVersion int         `json:"subscription_version,omitempty"`
	CurrentVersion      int         `json:"current_version,omitempty"`
	Same                string      `json:"same"` // whether the body are the bytes that were sent: true, false or unknown
	Why                 string      `json:"why"`
	SHA256              string      `json:"sha256,omitempty"`
	Body                string      `json:"body,omitempty"`
	BodyEncoding        string      `json:"body_encoding,omitempty"` // "base64": of the body, which is not text
	Redacted            *Redacted   `json:"body_redacted,omitempty"` // of the body, which a key without read_payload does not get
}

// Explanation says of an event which subscriptions of its tenant get it, and why the others do not.
type Explanation struct {
	EventID       string                  `json:"event_id"`
	Tenant        string                  `json:"tenant"`
	EventType     string                  `json:"event_type"`
	CreatedAt     time.Time               `json:"created_at"`
	Text          string                  `json:"text"`
	Subscriptions []ExplainedSubscription `json:"subscriptions"`
	More          bool                    `json:"more"` // the tenant has more subscriptions than were looked at
}

// ExplainedSubscription is a subscription that was held against an event.
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

// Note is what was otherwise with a subscription when an event came.
type Note struct {
	Code string    `json:"code"`
	Text string    `json:"text"`
	At   time.Time `json:"at,omitzero"` // zero: it is not known
}

// EventDelivery is a delivery of an event, in short.
type EventDelivery struct {
	ID     string            `json:"id"`
	State  switchboard.State `json:"state"`
	Reason string            `json:"reason"`
}

// GetAttemptRequest returns what an attempt sent, and whether its body, rendered anew, are the bytes
// that were sent. To see the body leaves a row in the audit.
func (c *Client) GetAttemptRequest(ctx context.Context, deliveryID string, number int, options ...Option) (AttemptRequest, error) {
	return call[AttemptRequest](ctx, c, request{method: http.MethodGet, path: path("deliveries", deliveryID, "attempts", strconv.Itoa(number), "request"), options: options})
}

// ExplainEvent says of each subscription of the event's tenant whether it takes the event, and why.
// The tenant may be empty unless several tenants use the same id.
func (c *Client) ExplainEvent(ctx context.Context, id, tenant string) (Explanation, error) {
	return call[Explanation](ctx, c, request{method: http.MethodGet, path: path("events", id, "explain"), query: query("tenant", tenant)})
}
