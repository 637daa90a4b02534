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
	// stepsAtOnce limits the steps of all concurrent validations in a process, and so their memory,
	// and how long other work waits for a processor.
	stepsAtOnce = 2 * MaxSteps
	// validationWait is how long a validation waits for others, which take at most half a second.
	validationWait = 2 * time.Second
)

// validationLimiter enforces stepsAtOnce.
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
			Message: "could not be checked against the schema of the type: too many events are checked at the same time"}
	}
	defer l.steps.Release(int64(steps))
	return validate()
}

// Validate checks an event's data against the schema of its type. If several platforms have a type
// of that name, one of them must accept the data or have no schema. Data of an unknown type are
// accepted. The error has the code [switchboard.CodeInvalid] and names the path of the value, such
// as "data.ticket.id". Data that would take more than [MaxSteps] are not checked: the code is
// [switchboard.CodeTooLarge]. Data that would wait too long for other validations are
// [switchboard.CodeOverloaded].
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
		return tooExpensive("data")
	}
	return c.limiter.run(ctx, MaxSteps-left, func() error { return validate(entries, value) })
}

// validate checks the value against each schema once.
func validate(entries []*entry, value any) error {
	likely := likeliest(entries, value)
	var violation *switchboard.Error
	for _, e := range entries {
		err := e.schema.Validate(value)
		if err == nil {
			return nil
		}
		if e == likely {
			violation = explain("data", value, err)
		}
	}
	if len(entries) > 1 {
		violation.Message += fmt.Sprintf(" (of the %d platforms with this event type, %s comes nearest)", len(entries), likely.Platform)
	}
	return violation
}

// tooExpensive is the error about a value that is too expensive to check.
func tooExpensive(field string) *switchboard.Error {
	return &switchboard.Error{Code: switchboard.CodeTooLarge, Field: field,
		Message: fmt.Sprintf("is not checked against the schema of the type: with so many values and parts of the schema that takes more than %d steps", MaxSteps)}
}

// checkValue checks a value against a schema, within the limits of every validation.
func checkValue(field string, schema *jsonschema.Schema, value any) error {
	if err := checkNumbers(field, value); err != nil {
		return err
	}
	if costOf(schema, value, MaxSteps) == MaxSteps {
		return tooExpensive(field)
	}
	if err := schema.Validate(value); err != nil {
		return explain(field, value, err)
	}
	return nil
}

// likeliest chooses the type whose schema names most of the data's members: the data probably come
// from its platform.
func likeliest(entries []*entry, value any) *entry {
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
