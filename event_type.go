package switchboard

import (
	"encoding/json"
	"regexp"
	"slices"
)

// SchemaState says how well the shape of an event type's data is known.
type SchemaState string

// The states of a schema.
const (
	SchemaSeen    SchemaState = "seen"    // the vendor shows it
	SchemaAssumed SchemaState = "assumed" // at least a part is inferred from the vendor's words
	SchemaNone    SchemaState = "none"    // there is no schema
)

// DefaultSchemaState is the state of a schema whose author gave none.
func DefaultSchemaState(schema json.RawMessage) SchemaState {
	if schema == nil {
		return SchemaNone
	}
	return SchemaSeen
}

// EventType is an entry of the catalogue: what a platform posts, and the shape of its data.
// Platform and name together identify it. Its JSON is that of the data files and of the store.
type EventType struct {
	Name        string          `json:"name"`                  // such as "ticket.created"
	VendorName  string          `json:"vendor_name,omitempty"` // the platform's spelling, such as "Ticket Create"
	Platform    string          `json:"platform,omitempty"`    // such as "iomnihub"
	Entity      string          `json:"entity,omitempty"`      // what it is about, such as "ticket"
	Description string          `json:"description,omitempty"` // when it happens
	UseCases    []string        `json:"use_cases,omitempty"`   // of the subscriptions that may render it
	Schema      json.RawMessage `json:"schema,omitempty"`      // JSON Schema of the data; nil: none
	SchemaState SchemaState     `json:"schema_state,omitempty"`
	Sample      json.RawMessage `json:"sample,omitempty"`     // possible data; nil: none
	Samples     []Sample        `json:"samples,omitempty"`    // all samples if the type has several variants, Sample first
	Deprecated  bool            `json:"deprecated,omitempty"` // new subscriptions should not name it
	BuiltIn     bool            `json:"built_in,omitempty"`   // it came with Switchboard, and was not changed at run time
	// Unreadable means that everything except Platform and Name is stored but cannot be read.
	Unreadable bool `json:"-"`
}

// SuitsUseCase reports whether subscriptions with that use case are meant for the type; an empty
// use case suits all.
func (t *EventType) SuitsUseCase(name string) bool {
	return name == "" || len(t.UseCases) == 0 || slices.Contains(t.UseCases, name)
}

// Sample is one variant of an event type's data.
type Sample struct {
	Name string          `json:"name"` // of the variant, such as "operator"
	Data json.RawMessage `json:"data"` // possible data
}

// Platform is a support platform whose webhooks Switchboard can send.
type Platform struct {
	Name     string          // such as "signalzen"
	Title    string          // such as "SignalZen"
	Homepage string          // may be empty
	Profile  json.RawMessage // a partial subscription, as JSON of the API
}

// UseCase says which parts of an event's data the templates of a subscription may read.
type UseCase struct {
	Name      string   `json:"name"`      // such as "contact"
	Entity    string   `json:"entity"`    // the member of the data that custom fields without prefix belong to; empty: the data themselves
	Reads     []string `json:"reads"`     // the members of the data that may be read; empty: all
	Variables string   `json:"variables"` // the member of the data whose own members may be read without prefix, such as {{ has_message }}; empty: none
}

// AllSamples returns the data of all variants of an event type.
func (t *EventType) AllSamples() []json.RawMessage {
	var all []json.RawMessage
	for _, s := range t.Samples {
		all = append(all, s.Data)
	}
	if len(all) == 0 && t.Sample != nil {
		all = append(all, t.Sample)
	}
	return all
}

var eventTypePattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// ValidateEventType checks the name of an event type. An error names the field.
func ValidateEventType(field, eventType string) error {
	switch {
	case eventType == "":
		return InvalidField(field, "is required")
	case LongerThan(eventType, MaxEventType):
		return InvalidField(field, "is longer than %d characters", MaxEventType)
	case !eventTypePattern.MatchString(eventType):
		return InvalidField(field, "must be words joined by dots, as ticket.created")
	}
	return nil
}
