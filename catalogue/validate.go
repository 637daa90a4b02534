package catalogue

import (
	"bytes"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"switchboard"
)

// Validate checks an event's data against the schema of its type. Where several
// platforms have a type of that name, one that accepts the data, or has no schema,
// is enough; a type that the catalogue does not know has nothing to say. The error
// is [switchboard.Invalid], its field the path of the value at fault, as
// "data.ticket.id".
func (c *Catalogue) Validate(eventType string, data []byte) error {
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
	for _, e := range entries {
		if e.schema.Validate(value) == nil {
			return nil
		}
	}
	e := nearest(entries, value)
	fault := explain("data", value, e.schema.Validate(value))
	if len(entries) > 1 {
		fault.Message += fmt.Sprintf(" (of the %d platforms with this event type, %s comes nearest)", len(entries), e.Platform)
	}
	return fault
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
