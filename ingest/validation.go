package ingest

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
)

// Validation says what happens to an event whose data do not match the catalogue's schema of its
// type.
type Validation string

// The kinds of validation.
const (
	ValidationOff    Validation = "off"    // data are not checked
	ValidationWarn   Validation = "warn"   // the event is accepted, and the answer says what is wrong
	ValidationReject Validation = "reject" // the event is refused as bad input
)

// Valid reports whether v is one of the kinds.
func (v Validation) Valid() bool {
	return slices.Contains([]Validation{ValidationOff, ValidationWarn, ValidationReject}, v)
}

// unchecked is the label of data that could not be checked, in the metric of mismatches.
// ValidationReject refuses them too, because it promises that all data match. Otherwise they are
// accepted with a warning.
const unchecked = "unchecked"

// checkSchema checks an event's data against the schema of its type. An error refuses the event.
func (i *Ingester) checkSchema(ctx context.Context, r *Result) error {
	if i.Validation == ValidationOff {
		return nil
	}
	err := i.Schemas.Validate(ctx, r.Event.Type, r.Event.Data)
	mismatch, ok := errors.AsType[*switchboard.Error](err)
	if !ok {
		return err
	}
	became := string(i.Validation)
	if mismatch.Code != switchboard.CodeInvalid {
		became = unchecked
	}
	i.mismatches.Add(ctx, 1, metric.WithAttributes(attribute.String("validation", became)))
	if i.Validation == ValidationReject {
		return err
	}
	r.Mismatch = mismatch.Field
	r.Warnings = append(r.Warnings, mismatch.Field+": "+mismatch.Message)
	return nil
}
