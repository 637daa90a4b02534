package api

import (
	"context"
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/ingest"
)

// Catalogue knows the platforms and their event types. The case of names does not matter. Do not
// change what it returns.
type Catalogue interface {
	Platforms() []switchboard.Platform
	// Profile returns the members that a subscription of this platform starts from.
	Profile(platform string) (json.RawMessage, bool)
	UseCase(name string) (switchboard.UseCase, bool)

	// EventTypes returns the types of a platform, or of all platforms if it is empty, sorted by
	// platform and name.
	EventTypes(platform string) []switchboard.EventType
	EventType(platform, name string) (switchboard.EventType, bool)
	// CheckEventType returns an error that names the field at fault.
	CheckEventType(t switchboard.EventType) error
	ingest.Schemas

	// Refresh reads what was stored since the last refresh.
	Refresh(ctx context.Context) error
}
