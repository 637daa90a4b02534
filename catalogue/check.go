package catalogue

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seed-49a43567/switchboard"
)

// Limits of an event type's fields, in bytes unless noted.
const (
	MaxPlatform    = 64
	MaxLabel       = 200  // of a vendor name, an entity and a sample's name, in characters
	MaxDescription = 2000 // in characters
	MaxUseCases    = 20   // entries
	MaxSchema      = 64 << 10
	MaxSample      = 64 << 10
	MaxSamples     = 50 // entries
)

var platformPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// CheckEventType checks an event type before it is stored. Its error has the code
// [switchboard.CodeInvalid] or [switchboard.CodeTooLarge] and names the field.
func (c *Catalogue) CheckEventType(t switchboard.EventType) error {
	_, err := c.check(t)
	return err
}

// check returns the entry of a valid type.
func (c *Catalogue) check(t switchboard.EventType) (*entry, error) {
	if t.Unreadable {
		return nil, &switchboard.Error{Code: switchboard.CodeConflict, Message: "what is stored of it cannot be read: replace it, or delete it", Err: switchboard.ErrUnreadable}
	}
	if t.SchemaState == "" {
		t.SchemaState = switchboard.DefaultSchemaState(t.Schema)
	}
	if err := c.checkFields(&t); err != nil {
		return nil, err
	}
	e := &entry{EventType: t}
	if t.Schema != nil {
		schema, err := compile(t.Schema)
		if err != nil {
			return nil, err
		}
		e.schema = schema
	}
	return e, checkSamples(e)
}

func (c *Catalogue) checkFields(t *switchboard.EventType) error {
	if err := switchboard.ValidateEventType("name", t.Name); err != nil {
		return err
	}
	switch {
	case len(t.Platform) > MaxPlatform || !platformPattern.MatchString(t.Platform):
		return switchboard.InvalidField("platform", "must be at most %d small letters, digits, _ and -, as signalzen", MaxPlatform)
	case switchboard.LongerThan(t.Description, MaxDescription):
		return switchboard.InvalidField("description", "is longer than %d characters", MaxDescription)
	case len(t.UseCases) > MaxUseCases:
		return switchboard.InvalidField("use_cases", "has more than %d entries", MaxUseCases)
	case t.SchemaState != switchboard.DefaultSchemaState(t.Schema) && (t.Schema == nil || t.SchemaState != switchboard.SchemaAssumed):
		return switchboard.InvalidField("schema_state", "must be seen or assumed where there is a schema, none where there is not")
	}
	for i, name := range t.UseCases {
		if _, known := c.UseCase(name); !known {
			return switchboard.InvalidField(fmt.Sprintf("use_cases[%d]", i), "%q is not a use case", short(name))
		}
	}
	if err := checkLabel("vendor_name", t.VendorName); err != nil {
		return err
	}
	return checkLabel("entity", t.Entity)
}

func checkLabel(field, label string) error {
	switch {
	case switchboard.LongerThan(label, MaxLabel):
		return switchboard.InvalidField(field, "is longer than %d characters", MaxLabel)
	case strings.ContainsFunc(label, switchboard.IsControl):
		return switchboard.InvalidField(field, "may not hold control characters")
	}
	return nil
}

func checkSamples(e *entry) error {
	if e.Sample != nil {
		if err := checkSample("sample", e.Sample, e.schema); err != nil {
			return err
		}
	}
	if len(e.Samples) > MaxSamples {
		return switchboard.InvalidField("samples", "has more than %d entries", MaxSamples)
	}
	for i, s := range e.Samples {
		field := fmt.Sprintf("samples[%d]", i)
		if err := checkLabel(field+".name", s.Name); err != nil {
			return err
		}
		if err := checkSample(field+".data", s.Data, e.schema); err != nil {
			return err
		}
	}
	return nil
}

func checkSample(field string, sample json.RawMessage, schema *jsonschema.Schema) error {
	if len(sample) > MaxSample {
		return tooLarge(field, len(sample), MaxSample)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(sample))
	if err != nil {
		return switchboard.InvalidField(field, "is not a JSON value")
	}
	if schema == nil {
		return nil
	}
	return checkValue(field, schema, value)
}

func tooLarge(field string, size, limit int) error {
	return &switchboard.Error{Code: switchboard.CodeTooLarge, Field: field, Message: fmt.Sprintf("is %d bytes long; the limit is %d", size, limit)}
}
