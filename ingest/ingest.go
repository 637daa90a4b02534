// Package ingest takes events in: it checks their limits and their data, stores them
// with the deliveries that they cause, and dispatches these. Everything that brings
// events uses it: posted events and batches, tests, and triggers.
package ingest

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
)

// Store keeps events and the deliveries that they cause.
type Store interface {
	// Accept stores events with their deliveries, in one transaction; the answers
	// are in the order of the events.
	Accept(ctx context.Context, caller switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error)
	// AcceptFor stores an event with a delivery to just this subscription. responseAwaited says
	// that a caller waits for the receiver's first answer.
	AcceptFor(ctx context.Context, caller switchboard.Caller, subscriptionID string, event switchboard.Event, responseAwaited bool) (switchboard.Acceptance, error)
}

// Dispatcher starts the workflows of deliveries that are stored. It blocks for a moment
// at most where too many start at once, and never fails: the rows are the outbox, and
// the relay starts what is not started.
type Dispatcher interface {
	Start(ctx context.Context, deliveries []switchboard.Delivery)
}

// Schemas knows the schemas of event types.
type Schemas interface {
	// Validate returns an Invalid error for the value at fault, as "data.ticket.id", if
	// the data do not match the type's schema. Any other code says that they were not
	// checked: that would be too costly, or too much is being checked already.
	Validate(ctx context.Context, eventType string, data []byte) error
}

// Config is what taking events in needs. All of it is required.
type Config struct {
	Store      Store
	Dispatcher Dispatcher
	Schemas    Schemas
	Validation Validation
	MaxData    int                       // limit of an event's data in bytes
	Classes    switchboard.TenantClasses // of metrics
	Meter      metric.Meter
}

// Ingester takes events in.
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
	// Each series exists from the start: an alert on an increase does not see the first
	// step of a series that begins with it.
	for _, became := range []string{string(ValidationWarn), string(ValidationReject), unchecked} {
		mismatches.Add(context.Background(), 0, metric.WithAttributes(attribute.String("validation", became)))
	}
	undecided.Add(context.Background(), 0)
	return &Ingester{config, events, mismatches, undecided}, nil
}

// Result is what became of an event. Err says why it was refused; another event of the
// same call may be accepted all the same.
type Result struct {
	switchboard.Acceptance
	Warnings []string // about an event that was accepted
	Mismatch string   // the field of the data that does not match the schema; empty: they match, or the event is refused
}

// Accept takes in events of the platform. The results are in the order of the events.
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
	if err := ctx.Err(); err != nil { // events may be unchecked for that reason alone
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

// What becomes of an event, as the metric names it.
const (
	eventAccepted  = "accepted"
	eventDuplicate = "duplicate"
	eventRefused   = "refused"
)

// count counts what became of events.
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

// AcceptFor takes in an event for just one subscription, whatever it subscribes to.
// Its data may be anything. responseAwaited says that the caller waits for the receiver's answer.
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

// dispatch starts the new deliveries, once they are stored. What is held or blocked is
// started when it is released, and what is deferred by a relay at its date.
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
