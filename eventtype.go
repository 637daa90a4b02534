package switchboard

import (
	"encoding/json"
	"regexp"
)

// SchemaState says how much is known of the shape of an event type's data.
type SchemaState string

// The states of a schema.
const (
	SchemaSeen    SchemaState = "seen"    // the vendor shows it
	SchemaAssumed SchemaState = "assumed" // at least a part follows from the vendor's words only
	SchemaNone    SchemaState = "none"    // there is no schema
)

// EventType is an entry of the catalogue: what a platform posts, and what its data
// look like. Platform and name together name it.
type EventType struct {
	Name        string          // as "ticket.created"
	VendorName  string          // as the platform spells it, "Ticket Create"
	Platform    string          // as "iomnihub"
	Entity      string          // what it is about, "ticket"
	Description string          // when it happens
	UseCases    []string        // those of subscriptions that may render it
	Schema      json.RawMessage `json:",omitempty"` // JSON Schema of the data; nil: none, and null when it is read again would be one
	SchemaState SchemaState
	Sample      json.RawMessage `json:",omitempty"` // data as they may be posted; nil: none
	Samples     []Sample        // all of them where the type has several variants, Sample first
	Deprecated  bool            // new subscriptions should not name it
	BuiltIn     bool            // as it came with Switchboard, neither added nor changed at run time
	// Unreadable says that what is stored of it cannot be read, beyond Platform and Name.
	Unreadable bool `json:"-"`
}

// Sample is one variant of an event type's data.
type Sample struct {
	Name string          // what sets it apart, as "operator"
	Data json.RawMessage // as it may be posted
}

// Platform is one whose events Switchboard can send.
type Platform struct {
	Name     string          // as "signalzen"
	Title    string          // as "SignalZen"
	Homepage string          // may be empty
	Profile  json.RawMessage // the members of a subscription that make it this platform's
}

// UseCase says which of an event's data the templates of a subscription may read.
type UseCase struct {
	Name      string   // as "contact"
	Entity    string   // the member of the data that custom fields without prefix belong to; empty: the data themselves
	Reads     []string // the members of the data that may be read; empty: all
	Variables string   // the member of the data whose own members may be read without prefix, as {{ has_message }}; empty: none
}

// AllSamples are the data of all variants of an event type.
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

// ValidateEventType checks the name of an event type; field is what an error names.
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
