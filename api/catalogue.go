package api

import (
	"context"
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/ingest"
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
	ingest.Schemas

	// Refresh takes over what was stored since.
	Refresh(ctx context.Context) error
}
