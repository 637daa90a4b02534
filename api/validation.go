package api

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// Validation says what becomes of an event whose data are not what the catalogue's
// schema of its type asks for.
type Validation string

// The kinds of validation.
const (
	ValidationOff    Validation = "off"    // nobody looks
	ValidationWarn   Validation = "warn"   // it is accepted, and the answer says what is wrong
	ValidationReject Validation = "reject" // it is bad input
)

// Valid reports whether v is one of the kinds.
func (v Validation) Valid() bool {
	return slices.Contains([]Validation{ValidationOff, ValidationWarn, ValidationReject}, v)
}

// unchecked is how the metric of data that do not fit counts those that nobody could
// hold against their schema. Who wants data that do not fit to be refused does not want
// those that may not fit either: they are refused too, and else accepted with a warning.
const unchecked = "unchecked"

// checkData holds an event's data against the catalogue. Its error refuses the
// event; its warnings go into the answer.
func (s *server) checkData(ctx context.Context, e *switchboard.Event, found *schemaMismatch) (warnings []string, err error) {
	if s.Validation == ValidationOff {
		return nil, nil
	}
	err = s.Catalogue.Validate(ctx, e.Type, e.Data)
	if err == nil {
		return nil, nil
	}
	fault, ok := errors.AsType[*switchboard.Error](err)
	if !ok {
		return nil, err
	}
	became := string(s.Validation)
	if fault.Code != switchboard.CodeInvalid {
		became = unchecked
	}
	s.unfit.Add(ctx, 1, metric.WithAttributes(attribute.String("validation", became)))
	if s.Validation == ValidationReject {
		return nil, err
	}
	found.note(e.Type, fault.Field)
	return []string{fault.Field + ": " + fault.Message}, nil
}

// schemaMismatch is what the log line of a request says of the events in it whose data do
// not fit: how many there were, and the first. It holds neither values nor messages,
// which may show a part of the data.
type schemaMismatch struct {
	events    int
	eventType string
	field     string
}

func (u *schemaMismatch) note(eventType, field string) {
	if u.events++; u.events == 1 {
		u.eventType, u.field = eventType, rest.Clip(field)
	}
}

func (u *schemaMismatch) log(ctx context.Context) {
	if u.events > 0 {
		rest.Warn(ctx, slog.Int("schema_mismatch_events", u.events), slog.String("schema_mismatch_type", u.eventType), slog.String("schema_mismatch_field", u.field))
	}
}

// newUnfit makes the counter of events whose data do not fit the catalogue:
// Prometheus shows it as switchboard_events_unfit_total by what became of them.
// Each is shown as 0 from the start, so that an alert on its increase sees the first.
func newUnfit(meter metric.Meter) (metric.Int64Counter, error) {
	counter, err := meter.Int64Counter("switchboard_events_unfit",
		metric.WithDescription("Posted events whose data do not fit the schema of their type, by what became of them: warn or reject; unchecked: it would have been too costly to tell"))
	if err == nil {
		for _, became := range []string{string(ValidationWarn), string(ValidationReject), unchecked} {
			counter.Add(context.Background(), 0, metric.WithAttributes(attribute.String("validation", became)))
		}
	}
	return counter, err
}
