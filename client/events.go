package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// NewEvent is an event to post.
type NewEvent struct {
	Tenant     string          `json:"tenant"`
	Type       string          `json:"type"`
	Data       json.RawMessage `json:"data"`                 // any JSON value
	ID         string          `json:"id,omitempty"`         // your own id, which makes posting idempotent; empty: see [Client.PostEvent]
	Key        string          `json:"key,omitempty"`        // what the event is about, such as a ticket's id
	OccurredAt time.Time       `json:"occurred_at,omitzero"` // zero: the time of acceptance
}

// Acceptance is the answer to an event that was accepted.
type Acceptance struct {
	ID         string             `json:"id"`
	Duplicate  bool               `json:"duplicate"` // it had been accepted before; nothing new was stored
	Deliveries []AcceptedDelivery `json:"deliveries"`
	Warnings   []string           `json:"warnings,omitempty"`
}

// AcceptedDelivery is a delivery that an event leads to.
type AcceptedDelivery struct {
	ID             string `json:"id"`
	SubscriptionID string `json:"subscription_id"`
}

// The results for an event of a batch.
const (
	BatchAccepted  = "accepted"
	BatchDuplicate = "duplicate"
	BatchError     = "error"
)

// BatchResult is the result for one event of a batch.
type BatchResult struct {
	Status     string             `json:"status"`
	ID         string             `json:"id"`
	Duplicate  bool               `json:"duplicate"`
	Deliveries []AcceptedDelivery `json:"deliveries"`
	Warnings   []string           `json:"warnings,omitempty"`
	Problem    *Error             `json:"problem,omitempty"` // why it was not stored
}

// Event is an event in the form of the API.
type Event struct {
	ID         string          `json:"id"`
	Tenant     string          `json:"tenant"`
	Type       string          `json:"type"`
	Key        string          `json:"key"`
	OccurredAt time.Time       `json:"occurred_at"`
	CreatedAt  time.Time       `json:"created_at"`
	ErasedAt   time.Time       `json:"erased_at,omitzero"`      // zero: its data have not been erased
	Data       json.RawMessage `json:"data,omitempty"`          // only for a single event
	Redacted   *Redacted       `json:"data_redacted,omitempty"` // of the data, for a key without read_payload
	Deliveries []Delivery      `json:"deliveries"`
}

// PostEvent posts an event. However often the post is repeated, the event is accepted once, because
// of its id. If it has none, a client that repeats calls makes one.
func (c *Client) PostEvent(ctx context.Context, event NewEvent, options ...Option) (Acceptance, error) {
	event.ID = c.eventID(event.ID)
	return call[Acceptance](ctx, c, request{method: http.MethodPost, path: path("events"), body: event, safe: true, options: options})
}

// eventID returns the id with which an event is posted. A generated id has no prefix, because an id
// that looks like one of Switchboard's own costs it an additional lookup. A client that never
// repeats calls generates none, because Switchboard keeps given ids in a separate table.
func (c *Client) eventID(given string) string {
	if given != "" || c.retries == 0 {
		return given
	}
	return switchboard.NewID("", time.Now())
}

// batch is the request with several events.
type batch struct {
	Events []NewEvent `json:"events"`
}

// batchResults is the answer to a batch.
type batchResults struct {
	Results []BatchResult `json:"results"`
}

// PostEvents posts up to 1,000 events, and returns the results in their order. If no event was
// accepted, the error's Results say why for each.
func (c *Client) PostEvents(ctx context.Context, events []NewEvent, options ...Option) ([]BatchResult, error) {
	events = slices.Clone(events)
	for i := range events {
		events[i].ID = c.eventID(events[i].ID)
	}
	answer, err := call[batchResults](ctx, c, request{method: http.MethodPost, path: path("events", "batch"), body: batch{events}, safe: true, options: options})
	return answer.Results, err
}

// GetEvent returns an event with its data and deliveries. The tenant may be empty
// unless several tenants use the same id.
func (c *Client) GetEvent(ctx context.Context, id, tenant string) (Event, error) {
	return call[Event](ctx, c, request{method: http.MethodGet, path: path("events", id), query: query("tenant", tenant)})
}

// ListEvents returns a page of events, newest first, without their data.
func (c *Client) ListEvents(ctx context.Context, filter switchboard.EventFilter, asked switchboard.PageRequest) (switchboard.Page[Event], error) {
	values := query("tenant", filter.Tenant, "type", filter.Type, "key", filter.Key, "after", instant(filter.After), "before", instant(filter.Before))
	return list[Event](ctx, c, path("events"), values, asked)
}

// Events iterates over all events that match the filter, see [Client.ListEvents].
func (c *Client) Events(ctx context.Context, filter switchboard.EventFilter) iter.Seq2[Event, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Event], error) {
		return c.ListEvents(ctx, filter, asked)
	})
}
