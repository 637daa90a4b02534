package api

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// EventStore keeps events and the deliveries that they cause.
type EventStore interface {
	// Accept stores events with their deliveries, in one transaction; the answers
	// are in the order of the events.
	Accept(ctx context.Context, caller switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error)
	// AcceptFor stores an event with a delivery to just this subscription. awaited says
	// that somebody waits for the first answer.
	AcceptFor(ctx context.Context, caller switchboard.Caller, subscriptionID string, event switchboard.Event, awaited bool) (switchboard.Acceptance, error)
	// Event returns an event with its deliveries.
	Event(ctx context.Context, caller switchboard.Caller, tenant, id string) (switchboard.Event, []switchboard.Delivery, error)
	Events(ctx context.Context, caller switchboard.Caller, filter switchboard.EventFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.EventDetail], error)
	// TenantUsage says whether the tenant is named anywhere, and the types of its last events.
	TenantUsage(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.TenantUsage, error)
}

// Engine is the one way into Temporal.
type Engine interface {
	// Start starts the workflows of deliveries that are stored. It blocks for a
	// moment at most where too many start at once, and never fails: the rows are the
	// outbox, and the relay starts what is not started.
	Start(ctx context.Context, deliveries []switchboard.Delivery)
	// RetryNow ends a delivery's wait for its next attempt.
	RetryNow(ctx context.Context, deliveryID string) error
	// Cancel ends the workflow run that has the delivery.
	Cancel(ctx context.Context, d switchboard.Delivery) error
}

// eventInput is an event as it is posted.
type eventInput struct {
	Tenant     string          `json:"tenant" doc:"The tenant whose subscriptions get the event" example:"acme" maxLength:"128"`
	Type       string          `json:"type" doc:"Words joined by dots" example:"ticket.created" maxLength:"128"`
	Data       json.RawMessage `json:"data" verbatim:"true" doc:"Any JSON value. Its bytes are kept exactly as sent, and delivered so where the subscription asks for them" example:"{\"ticket\":{\"id\":4711,\"subject\":\"Printer on fire\"}}"`
	ID         string          `json:"id,omitempty" doc:"Your own id, which makes posting idempotent: the same id with the same type, key and value of data is answered like the first time and delivered once. Left out, one is made" example:"ticket-4711-created" maxLength:"128"`
	Key        string          `json:"key,omitempty" doc:"What the event is about, as a ticket's id: it can be listed by that, and filters and templates can read it. It orders nothing yet" example:"ticket-4711" maxLength:"255"`
	OccurredAt *time.Time      `json:"occurred_at,omitempty" doc:"When it happened; left out, the time of acceptance" example:"2026-01-31T12:00:00Z"`
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
	Deliveries []acceptedPart `json:"deliveries" nullable:"false" doc:"One for each subscription of the tenant that takes this event"`
	Warnings   []string       `json:"warnings,omitempty" nullable:"false" doc:"What was accepted all the same: data that do not fit the schema of their type, a filter that could not be held against all of the event, which is then delivered, or a repeat that is not quite what was posted the first time" example:"data.ticket.id: must be an integer, not a string"`
}

type acceptedPart struct {
	ID             string `json:"id" example:"dlv_01k0000000000000000000000"`
	SubscriptionID string `json:"subscription_id" example:"sub_01k0000000000000000000000"`
}

func acceptanceOf(a *switchboard.Acceptance) acceptance {
	out := acceptance{ID: a.Event.ID, Duplicate: a.Duplicate, Deliveries: make([]acceptedPart, 0, len(a.Deliveries)), Warnings: warningsOf(a)}
	for _, d := range a.Deliveries {
		out.Deliveries = append(out.Deliveries, acceptedPart{d.ID, d.SubscriptionID})
	}
	return out
}

// warningsOf says what the data hold that not all can read, which filters could not be held
// against all of the event, and what a repeat has otherwise than the event that is stored.
func warningsOf(a *switchboard.Acceptance) []string {
	warnings := append(dataWarnings(a.Event.Data), undecidedWarnings(a.Undecided)...)
	for _, field := range a.Differs {
		switch field {
		case "data":
			warnings = append(warnings, "data: have the same value as the first time in other bytes; receivers get the first ones")
		default:
			warnings = append(warnings, field+": is not what was given the first time, which stays")
		}
	}
	return warnings
}

// dataWarnings says what an event's data hold that not every receiver can read. Such data
// are accepted: RFC 8259, 8.2, lets JSON hold half of a pair, programs that cut a text in
// the middle of an emoji write one, and to refuse the event would lose it.
func dataWarnings(data []byte) []string {
	if !switchboard.LoneSurrogate(data) {
		return nil
	}
	return []string{"data: " + switchboard.LoneSurrogateFound + "; filters and templates read U+FFFD in its place"}
}

// event is an event as it is shown.
type event struct {
	ID         string          `json:"id" example:"evt_01k0000000000000000000000"`
	Tenant     string          `json:"tenant" example:"acme"`
	Type       string          `json:"type" example:"ticket.created"`
	Key        string          `json:"key" doc:"Empty: it has none" example:"ticket-4711"`
	OccurredAt time.Time       `json:"occurred_at"`
	CreatedAt  time.Time       `json:"created_at" doc:"When it was accepted"`
	Data       json.RawMessage `json:"data,omitempty" doc:"Only in the answer for one event; white space between its tokens may be missing here" example:"{\"ticket\":{\"id\":4711}}"`
	Deliveries []delivery      `json:"deliveries" nullable:"false" doc:"One for each subscription that wanted it, without attempts and actions"`
}

// eventOf shows an event without its data.
func (s *server) eventOf(detail *switchboard.EventDetail) event {
	e := detail.Event
	out := event{
		ID: e.ID, Tenant: e.Tenant, Type: e.Type, Key: e.Key, OccurredAt: e.OccurredAt.UTC(), CreatedAt: e.CreatedAt.UTC(),
		Deliveries: make([]delivery, 0, len(detail.Deliveries)),
	}
	for i := range detail.Deliveries {
		out.Deliveries = append(out.Deliveries, s.deliveryOf(&detail.Deliveries[i]))
	}
	return out
}

type postEventInput struct{ payload[eventInput] }

func (s *server) postEvent(ctx context.Context, caller switchboard.Caller, in *postEventInput) (*reply[acceptance], error) {
	e := in.JSON.event()
	e.ID = cmp.Or(e.ID, rest.EventID(ctx, 0))
	var found schemaMismatch
	warnings, err := s.checkPosted(ctx, caller, &e, &found)
	found.log(ctx)
	if err != nil {
		return nil, err
	}
	accepted, err := s.Store.Accept(ctx, caller, []switchboard.Event{e})
	if err != nil {
		return nil, err
	}
	if err := accepted[0].Err; err != nil {
		return nil, err
	}
	s.start(ctx, accepted)
	s.noteUndecided(ctx, accepted)
	answer := acceptanceOf(&accepted[0])
	answer.Warnings = append(warnings, answer.Warnings...)
	return &reply[acceptance]{Body: answer}, nil
}

// checkPosted checks an event of the platform, its data included.
func (s *server) checkPosted(ctx context.Context, caller switchboard.Caller, e *switchboard.Event, found *schemaMismatch) (warnings []string, err error) {
	if err := s.checkEvent(caller, e); err != nil {
		return nil, err
	}
	return s.checkData(ctx, e, found)
}

// checkEvent checks an event, and that the caller may post for its tenant.
func (s *server) checkEvent(caller switchboard.Caller, e *switchboard.Event) error {
	if err := e.Validate(s.MaxData); err != nil {
		return err
	}
	return caller.CheckTenant(e.Tenant)
}

// start hands the new deliveries to the engine, once they are stored. What is held
// or blocked has its turn later.
func (s *server) start(ctx context.Context, accepted []switchboard.Acceptance) {
	var fresh []switchboard.Delivery
	for _, a := range accepted {
		if a.Duplicate || a.Err != nil {
			continue
		}
		for _, d := range a.Deliveries {
			if d.State.HasNextAttempt() {
				fresh = append(fresh, d)
			}
		}
	}
	if len(fresh) > 0 {
		s.Engine.Start(ctx, fresh)
	}
}

type oneEventInput struct {
	ID     string `path:"id" doc:"Id of the event" example:"evt_01k0000000000000000000000"`
	Tenant string `query:"tenant" doc:"Whose event; needed where several tenants use the same id of their own"`
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
	out := s.eventOf(&switchboard.EventDetail{Event: e, Deliveries: deliveries})
	out.Data = e.Data
	return &reply[event]{Body: out}, nil
}

type eventsInput struct {
	Tenant string         `query:"tenant" doc:"Only this tenant's"`
	Type   string         `query:"type" doc:"Only this event type, in any case"`
	Key    string         `query:"key" doc:"Only events with this key"`
	After  rest.TimeParam `query:"after" doc:"Only what was accepted at that time or later"`
	Before rest.TimeParam `query:"before" doc:"Only what was accepted before that time"`
	Limit  int            `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Entries in a page"`
	Cursor string         `query:"cursor" doc:"next_cursor of the page before"`
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
	return rest.PageOf(found, s.eventOf), nil
}
