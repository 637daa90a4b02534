package api

import (
	"context"
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
)

// Catalogue knows the platforms and their event types. Names are matched in any
// case, and nobody may write to what it returns.
type Catalogue interface {
	Platforms() []switchboard.Platform
	// Profile returns the members of a subscription that make it this platform's.
	Profile(platform string) (json.RawMessage, bool)
	UseCase(name string) (switchboard.UseCase, bool)

	// EventTypes lists the types of a platform, or of all if it is empty, by platform
	// and name.
	EventTypes(platform string) []switchboard.EventType
	EventType(platform, name string) (switchboard.EventType, bool)
	// CheckEventType returns an error that names the field of the type at fault.
	CheckEventType(t switchboard.EventType) error
	// Validate returns an Invalid error for the value at fault, as "data.ticket.id", if
	// the data are not what the type's schema asks for. Any other code says that they
	// were not checked: that would be too costly, or too much is checked already.
	Validate(ctx context.Context, eventType string, data []byte) error

	// Refresh takes over what was stored since.
	Refresh(ctx context.Context) error
}

// EventTypeStore keeps the event types of the run time, which lie over those that
// Switchboard comes with.
type EventTypeStore interface {
	// SaveEventType adds the type, or replaces the one of its platform and name.
	SaveEventType(ctx context.Context, caller switchboard.Caller, t switchboard.EventType) error
	// ChangeEventType applies the change to what is stored of base's platform and name by
	// now; where nothing is, to base if it is built in. An error of the change is returned
	// and nothing stored. It may be called twice.
	ChangeEventType(ctx context.Context, caller switchboard.Caller, base switchboard.EventType, change func(*switchboard.EventType) error) (switchboard.EventType, error)
	// DeleteEventType removes it, which brings back the one that Switchboard came with.
	DeleteEventType(ctx context.Context, caller switchboard.Caller, platform, name string) error
}
