package catalogue

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sync/semaphore"

	"github.com/seed-49a43567/switchboard"
)

const (
	// stepsAtOnce bounds the validations of a process that run at the same time, by their
	// steps: what they take of memory, and how long others wait for a processor.
	stepsAtOnce = 2 * MaxSteps
	// validationWait is how long one waits for others, which take half a second at most.
	validationWait = 2 * time.Second
)

// validationLimiter bounds the steps of the validations that a process runs at the same
// time.
type validationLimiter struct{ steps *semaphore.Weighted }

func newValidationLimiter() *validationLimiter {
	return &validationLimiter{semaphore.NewWeighted(stepsAtOnce)}
}

func (l *validationLimiter) run(ctx context.Context, steps int, validate func() error) error {
	bounded, cancel := context.WithTimeout(ctx, validationWait)
	defer cancel()
	if err := l.steps.Acquire(bounded, int64(steps)); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &switchboard.Error{Code: switchboard.CodeOverloaded, Field: "data",
			Message: "could not be held against the schema of the type: too many events are checked at the same time"}
	}
	defer l.steps.Release(int64(steps))
	return validate()
}

// Validate checks an event's data against the schema of its type. Where several
// platforms have a type of that name, one that accepts the data, or has no schema,
// is enough; a type that the catalogue does not know has nothing to say. The error
// is [switchboard.Invalid], its field the path of the value at fault, as
// "data.ticket.id". Data that would take more than [MaxSteps] are not checked, which is
// [switchboard.TooLarge]; those that would wait too long for others are [switchboard.Overloaded].
func (c *Catalogue) Validate(ctx context.Context, eventType string, data []byte) error {
	entries := c.byName[fold(eventType)]
	if len(entries) == 0 {
		return nil
	}
	for _, e := range entries {
		if e.schema == nil {
			return nil
		}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return switchboard.InvalidField("data", "is not a JSON value")
	}
	if err := checkNumbers("data", value); err != nil {
		return err
	}
	left := MaxSteps
	for _, e := range entries {
		left -= costOf(e.schema, value, left)
	}
	if left == 0 {
		return tooCostly("data")
	}
	return c.limiter.run(ctx, MaxSteps-left, func() error { return validate(entries, value) })
}

// validate holds the value against each schema once.
func validate(entries []*entry, value any) error {
	closest := nearest(entries, value)
	var fault *switchboard.Error
	for _, e := range entries {
		err := e.schema.Validate(value)
		if err == nil {
			return nil
		}
		if e == closest {
			fault = explain("data", value, err)
		}
	}
	if len(entries) > 1 {
		fault.Message += fmt.Sprintf(" (of the %d platforms with this event type, %s comes nearest)", len(entries), closest.Platform)
	}
	return fault
}

// tooCostly is the error about a value that is not checked.
func tooCostly(field string) *switchboard.Error {
	return &switchboard.Error{Code: switchboard.CodeTooLarge, Field: field,
		Message: fmt.Sprintf("is not held against the schema of the type: with so many values and parts of the schema that takes more than %d steps", MaxSteps)}
}

// checkValue holds a value against a schema, within the bounds of every validation.
func checkValue(field string, schema *jsonschema.Schema, value any) error {
	if err := checkNumbers(field, value); err != nil {
		return err
	}
	if costOf(schema, value, MaxSteps) == MaxSteps {
		return tooCostly(field)
	}
	if err := schema.Validate(value); err != nil {
		return explain(field, value, err)
	}
	return nil
}

// nearest picks the type whose schema names most of the data's members: the
// others are likely those of platforms that the data are not from.
func nearest(entries []*entry, value any) *entry {
	object, _ := value.(map[string]any)
	best, most := entries[0], -1
	for _, e := range entries {
		known := 0
		for name := range e.schema.Properties {
			if _, ok := object[name]; ok {
				known++
			}
		}
		if known > most {
			best, most = e, known
		}
	}
	return best
}
