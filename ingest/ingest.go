// Package ingest accepts events: it checks their limits and their data, stores them with their
// deliveries, and dispatches the deliveries. All sources of events use it: posted events and
// batches, tests, and triggers.
package ingest

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
)

// Store stores events with their deliveries.
type Store interface {
	// Accept stores events with their deliveries in one transaction. The results are in the order
	// of the events.
	Accept(ctx context.Context, caller switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error)
	// AcceptFor stores an event with one delivery, to this subscription. responseAwaited means that
	// a caller waits for the receiver's first response.
	AcceptFor(ctx context.Context, caller switchboard.Caller, subscriptionID string, event switchboard.Event, responseAwaited bool) (switchboard.Acceptance, error)
}

// Dispatcher starts the workflows of stored deliveries. It blocks at most for a moment, if too many
// start at once, and never fails: the rows are the outbox, and the relay starts the rest.
type Dispatcher interface {
	Start(ctx context.Context, deliveries []switchboard.Delivery)
}

// Schemas has the schemas of event types.
type Schemas interface {
	// Validate returns an Invalid error for the wrong value, such as "data.ticket.id", if the data
	// do not match the type's schema. Any other code means that they were not checked, because the
	// check is too costly, or too many checks are running.
	Validate(ctx context.Context, eventType string, data []byte) error
}

// Config has the dependencies and settings of an Ingester. All of it is required.
type Config struct {
	Store      Store
	Dispatcher Dispatcher
	Schemas    Schemas
	Validation Validation
	MaxData    int                       // limit of an event's data in bytes
	Classes    switchboard.TenantClasses // of metrics
	Meter      metric.Meter
}

// Ingester accepts events.
type Ingester struct {
	Config
	events     metric.Int64Counter
	mismatches metric.Int64Counter
	undecided  metric.Int64Counter
}

// New makes an Ingester.
func New(config Config) (*Ingester, error) {
	events, err := config.Meter.Int64Counter("switchboard_events",
		metric.WithDescription("Events that were posted, by what became of them, accepted, duplicate or refused, and by the class of the tenant"))
	if err != nil {
		return nil, fmt.Errorf("counter of events: %w", err)
	}
	mismatches, err := config.Meter.Int64Counter("switchboard_events_schema_mismatch",
		metric.WithDescription("Posted events whose data do not match the schema of their type, by what became of them: warn or reject; unchecked: it would have been too costly to check"))
	if err != nil {
		return nil, fmt.Errorf("counter of schema mismatches: %w", err)
	}
	undecided, err := config.Meter.Int64Counter("switchboard_filters_undecided",
		metric.WithDescription("Deliveries that were made because a filter could not be matched against all of the event"))
	if err != nil {
		return nil, fmt.Errorf("counter of undecided filters: %w", err)
	}
	// Each series exists from the start, because an alert on an increase does not see the first
	// step of a new series.
	for _, became := range []string{string(ValidationWarn), string(ValidationReject), unchecked} {
		mismatches.Add(context.Background(), 0, metric.WithAttributes(attribute.String("validation", became)))
	}
	undecided.Add(context.Background(), 0)
	return &Ingester{config, events, mismatches, undecided}, nil
}

// Result is the result for an event. Err says why it was refused; other events of the same call may
// be accepted.
type Result struct {
	switchboard.Acceptance
	Warnings []string // about an event that was accepted
	Mismatch string   // the field of the data that does not match the schema; empty: the data match, or the event is refused
}

// Accept accepts events of the platform. The results are in the order of the events.
func (i *Ingester) Accept(ctx context.Context, caller switchboard.Caller, events []switchboard.Event) ([]Result, error) {
	results, parent := make([]Result, len(events)), traceParent(ctx)
	valid, positions := make([]switchboard.Event, 0, len(events)), make([]int, 0, len(events))
	for n := range events {
		r := &results[n]
		r.Event = events[n]
		if r.Err = events[n].CheckPosted(); r.Err == nil {
			r.Err = i.check(caller, &events[n])
		}
		if r.Err == nil {
			r.Err = i.checkSchema(ctx, r)
		}
		if r.Err == nil {
			valid, positions = append(valid, events[n]), append(positions, n)
			valid[len(valid)-1].TraceParent = parent
		}
	}
	if err := ctx.Err(); err != nil { // events may be unchecked only because of that
		return nil, err
	}
	if len(valid) == 0 {
		i.count(ctx, events, results)
		return results, nil
	}
	accepted, err := i.Store.Accept(ctx, caller, valid)
	if err != nil {
		return nil, err
	}
	for n := range accepted {
		r := &results[positions[n]]
		r.Acceptance = accepted[n]
		r.Warnings = append(r.Warnings, warningsOf(&accepted[n])...)
		i.undecided.Add(ctx, int64(len(accepted[n].Undecided)))
	}
	i.count(ctx, events, results)
	i.dispatch(ctx, accepted)
	return results, nil
}

// The results for an event, as in the metric.
const (
	eventAccepted  = "accepted"
	eventDuplicate = "duplicate"
	eventRefused   = "refused"
)

// count counts the results for events.
func (i *Ingester) count(ctx context.Context, events []switchboard.Event, results []Result) {
	type label struct{ result, class string }
	counts := map[label]int64{}
	for n := range results {
		became := eventAccepted
		switch r := &results[n]; {
		case r.Err != nil:
			became = eventRefused
		case r.Duplicate:
			became = eventDuplicate
		}
		counts[label{became, i.Classes.Of(events[n].Tenant)}]++
	}
	for l, n := range counts {
		i.events.Add(ctx, n, metric.WithAttributes(attribute.String("result", l.result), attribute.String("class", l.class)))
	}
}

// AcceptFor accepts an event for one subscription, whatever its patterns and filter. The event's
// data may be anything. responseAwaited means that the caller waits for the receiver's response.
func (i *Ingester) AcceptFor(ctx context.Context, caller switchboard.Caller, subscriptionID string, e switchboard.Event, responseAwaited bool) (Result, error) {
	if err := i.check(caller, &e); err != nil {
		return Result{}, err
	}
	e.TraceParent = traceParent(ctx)
	accepted, err := i.Store.AcceptFor(ctx, caller, subscriptionID, e, responseAwaited)
	if err == nil {
		err = accepted.Err
	}
	if err != nil {
		return Result{}, err
	}
	i.dispatch(ctx, []switchboard.Acceptance{accepted})
	return Result{Acceptance: accepted, Warnings: warningsOf(&accepted)}, nil
}

// check checks an event's limits, and that the caller may post for its tenant.
func (i *Ingester) check(caller switchboard.Caller, e *switchboard.Event) error {
	if err := e.Validate(i.MaxData); err != nil {
		return err
	}
	return caller.CheckTenant(e.Tenant)
}

// dispatch starts the new deliveries after they are stored. A held or blocked delivery is started
// when it is released, and the relay starts a deferred one at its date.
func (i *Ingester) dispatch(ctx context.Context, accepted []switchboard.Acceptance) {
	var fresh []switchboard.Delivery
	for _, a := range accepted {
		if a.Duplicate || a.Err != nil {
			continue
		}
		for _, d := range a.Deliveries {
			if d.State.HasNextAttempt() && !d.NextAttemptAt.After(d.CreatedAt) {
				fresh = append(fresh, d)
			}
		}
	}
	if len(fresh) > 0 {
		i.Dispatcher.Start(ctx, fresh)
	}
}
