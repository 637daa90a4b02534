package api

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/ingest"
)

// Engine is the only connection to Temporal.
type Engine interface {
	ingest.Dispatcher
	// RetryNow ends a delivery's wait for its next attempt.
	RetryNow(ctx context.Context, deliveryID string) error
	// Cancel ends the workflow run of the delivery.
	Cancel(ctx context.Context, d switchboard.Delivery) error
	// Erase starts the workflow of an erasure, unless it runs or has run.
	Erase(ctx context.Context, erasureID string) error
	// Operate starts the workflow of an operation, unless it runs.
	Operate(ctx context.Context, operationID string) error
	// ResumeOperation starts the workflow of an operation that was paused. If the workflow was
	// about to end, it continues instead.
	ResumeOperation(ctx context.Context, operationID string) error
	// WakeRecovery wakes the workflow that recovers the endpoint of a subscription, if one runs.
	WakeRecovery(ctx context.Context, subscriptionID string) error
}

// eventInput is an event as a platform posts it.
type eventInput struct {
	Tenant     string          `json:"tenant" doc:"The tenant whose subscriptions get the event" example:"acme" maxLength:"128"`
	Type       string          `json:"type" doc:"Words separated by dots" example:"ticket.created" maxLength:"128"`
	Data       json.RawMessage `json:"data" verbatim:"true" doc:"Any JSON value. Its bytes are stored exactly as sent, and delivered unchanged if the subscription's body is data" example:"{\"ticket\":{\"id\":4711,\"subject\":\"Printer on fire\"}}"`
	ID         string          `json:"id,omitempty" doc:"Your own id, which makes posting idempotent: the same id with the same type, key and value of data gets the same answer and is delivered once. Default: a generated id" example:"ticket-4711-created" maxLength:"128"`
	Key        string          `json:"key,omitempty" doc:"What the event is about, such as a ticket's id: lists, filters and templates can use it. Subscriptions with ordering or supersede use it" example:"ticket-4711" maxLength:"255"`
	OccurredAt *time.Time      `json:"occurred_at,omitempty" doc:"When it happened. Default: the time of acceptance" example:"2026-01-31T12:00:00Z"`
}

func (in *eventInput) event() switchboard.Event {
	e := switchboard.Event{Tenant: in.Tenant, Type: in.Type, Data: in.Data, ID: in.ID, Key: in.Key}
	if in.OccurredAt != nil {
		e.OccurredAt = in.OccurredAt.UTC()
	}
	return e
}

// acceptance is the answer to a posted event.
type acceptance struct {
	ID         string         `json:"id" doc:"The event's id" example:"evt_01k0000000000000000000000"`
	Duplicate  bool           `json:"duplicate" doc:"The same event was accepted before; nothing new was stored"`
	Deliveries []acceptedPart `json:"deliveries" nullable:"false" doc:"One delivery for each subscription of the tenant that takes this event"`
	Warnings   []string       `json:"warnings,omitempty" nullable:"false" doc:"Warnings about an accepted event: data that do not match the schema of their type; a filter with too small a budget for the whole event, which is then delivered; or a repeat that differs from the first post" example:"data.ticket.id: must be an integer, not a string"`
}

type acceptedPart struct {
	ID             string `json:"id" example:"dlv_01k0000000000000000000000"`
	SubscriptionID string `json:"subscription_id" example:"sub_01k0000000000000000000000"`
}

func acceptanceOf(r *ingest.Result) acceptance {
	out := acceptance{ID: r.Event.ID, Duplicate: r.Duplicate, Deliveries: make([]acceptedPart, 0, len(r.Deliveries)), Warnings: r.Warnings}
	for _, d := range r.Deliveries {
		out.Deliveries = append(out.Deliveries, acceptedPart{d.ID, d.SubscriptionID})
	}
	return out
}

// event is an event in the form of the API.
type event struct {
	ID         string          `json:"id" example:"evt_01k0000000000000000000000"`
	Tenant     string          `json:"tenant" example:"acme"`
	Type       string          `json:"type" example:"ticket.created"`
	Key        string          `json:"key" doc:"Empty: the event has none" example:"ticket-4711"`
	OccurredAt time.Time       `json:"occurred_at"`
	CreatedAt  time.Time       `json:"created_at" doc:"When the event was accepted"`
	ErasedAt   *time.Time      `json:"erased_at,omitempty" doc:"When its data were erased, or removed by retention; absent: they were not"`
	Data       json.RawMessage `json:"data,omitempty" doc:"The data; only in the answer for one event. White space between JSON tokens may be missing" example:"{\"ticket\":{\"id\":4711}}"`
	Redacted   *redacted       `json:"data_redacted,omitempty" doc:"For keys without read_payload: a description of the data instead of the data"`
	Deliveries []delivery      `json:"deliveries" nullable:"false" doc:"One delivery for each subscription that took the event, without attempts and actions"`
}

// eventOf shows an event without its data. show shows its deliveries.
func eventOf(detail *switchboard.EventDetail, show func(*switchboard.Delivery) delivery) event {
	e := detail.Event
	out := event{
		ID: e.ID, Tenant: e.Tenant, Type: e.Type, Key: e.Key, OccurredAt: e.OccurredAt.UTC(), CreatedAt: e.CreatedAt.UTC(), ErasedAt: date(e.ErasedAt),
		Deliveries: make([]delivery, 0, len(detail.Deliveries)),
	}
	for i := range detail.Deliveries {
		out.Deliveries = append(out.Deliveries, show(&detail.Deliveries[i]))
	}
	return out
}

type postEventInput struct{ payload[eventInput] }

func (s *server) postEvent(ctx context.Context, caller switchboard.Caller, in *postEventInput) (*reply[acceptance], error) {
	e := in.JSON.event()
	e.ID = cmp.Or(e.ID, rest.EventID(ctx, 0))
	results, err := s.ingest.Accept(ctx, caller, []switchboard.Event{e})
	if err != nil {
		return nil, err
	}
	logWarnings(ctx, results)
	if err := results[0].Err; err != nil {
		return nil, err
	}
	return &reply[acceptance]{Body: acceptanceOf(&results[0])}, nil
}

// logWarnings turns the log line of the request into a warning if data do not match their schema,
// or if filters were not matched against the whole event. It names the first of each, but no
// values, which may be personal.
func logWarnings(ctx context.Context, results []ingest.Result) {
	var mismatches, undecided []*ingest.Result
	for i := range results {
		r := &results[i]
		if r.Mismatch != "" {
			mismatches = append(mismatches, r)
		}
		if len(r.Undecided) > 0 {
			undecided = append(undecided, r)
		}
	}
	if len(mismatches) > 0 {
		first := mismatches[0]
		rest.Warn(ctx, slog.Int("schema_mismatch_events", len(mismatches)), slog.String("schema_mismatch_type", first.Event.Type), slog.String("schema_mismatch_field", rest.Clip(first.Mismatch)))
	}
	if len(undecided) > 0 {
		first := undecided[0]
		rest.Warn(ctx, slog.Int("undecided_filter_events", len(undecided)), slog.String("undecided_filter_event", first.Event.ID), slog.String("undecided_filter_subscription", first.Undecided[0]))
	}
}

type oneEventInput struct {
	ID     string `path:"id" doc:"Id of the event" example:"evt_01k0000000000000000000000"`
	Tenant string `query:"tenant" doc:"Tenant of the event; required if several tenants use the same id"`
}

func (s *server) getEvent(ctx context.Context, caller switchboard.Caller, in *oneEventInput) (*reply[event], error) {
	tenant, err := tenantFilter(caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	e, deliveries, err := s.Store.Event(ctx, caller, tenant, in.ID)
	if err != nil {
		return nil, err
	}
	show, err := s.shown(ctx, caller, idsOf(deliveries))
	if err != nil {
		return nil, err
	}
	out := eventOf(&switchboard.EventDetail{Event: e, Deliveries: deliveries}, show)
	if caller.ReadPayload {
		out.Data = e.Data
	} else {
		out.Redacted = redact(e.Data, "application/json", s.namesOf(e.Type))
	}
	return &reply[event]{Body: out}, nil
}

type eventsInput struct {
	Tenant string         `query:"tenant" doc:"Only this tenant"`
	Type   string         `query:"type" doc:"Only this event type; case does not matter"`
	Key    string         `query:"key" doc:"Only events with this key"`
	After  rest.TimeParam `query:"after" doc:"Only accepted at or after this time"`
	Before rest.TimeParam `query:"before" doc:"Only accepted before this time"`
	Limit  int            `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor string         `query:"cursor" doc:"next_cursor of the previous page"`
}

func (s *server) listEvents(ctx context.Context, caller switchboard.Caller, in *eventsInput) (*reply[page[event]], error) {
	tenant, err := tenantFilter(caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	filter := switchboard.EventFilter{Tenant: tenant, Type: in.Type, Key: in.Key, After: in.After.Time, Before: in.Before.Time}
	found, err := s.Store.Events(ctx, caller, filter, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	var ids []string
	for i := range found.Items {
		ids = append(ids, idsOf(found.Items[i].Deliveries)...)
	}
	show, err := s.shown(ctx, caller, ids)
	if err != nil {
		return nil, err
	}
	return rest.PageOf(found, func(detail *switchboard.EventDetail) event { return eventOf(detail, show) }), nil
}
