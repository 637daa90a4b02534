package switchboard

import "encoding/json"

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
	Schema      json.RawMessage // JSON Schema of the data; nil: none
	SchemaState SchemaState
	Sample      json.RawMessage // data as they may be posted; nil: none
	Deprecated  bool            // new subscriptions should not name it
}

// UseCase says which of an event's data the templates of a subscription may read.
type UseCase struct {
	Name   string   // as "contact"
	Entity string   // the member of the data that custom fields without prefix belong to
	Reads  []string // the members of the data that may be read; empty: all
}
