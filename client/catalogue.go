package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/seed-49a43567/switchboard"
)

// EventType is an entry of the catalogue.
type EventType struct {
	Name        string                  `json:"name"`
	VendorName  string                  `json:"vendor_name"`
	Platform    string                  `json:"platform"`
	Entity      string                  `json:"entity"`
	Description string                  `json:"description"`
	UseCases    []string                `json:"use_cases"`
	Schema      json.RawMessage         `json:"schema"`
	SchemaState switchboard.SchemaState `json:"schema_state"`
	Sample      json.RawMessage         `json:"sample"`
	Samples     []Sample                `json:"samples,omitempty"`
	Deprecated  bool                    `json:"deprecated"`
	BuiltIn     bool                    `json:"built_in"`
}

// Sample is one variant of an event type's data.
type Sample struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
}

// EventTypeFields are what an event type is given. A field that is nil is left out;
// a schema or sample of null takes it away.
type EventTypeFields struct {
	VendorName  *string                  `json:"vendor_name,omitempty"`
	Entity      *string                  `json:"entity,omitempty"`
	Description *string                  `json:"description,omitempty"`
	UseCases    *[]string                `json:"use_cases,omitempty"`
	Schema      json.RawMessage          `json:"schema,omitempty"`
	SchemaState *switchboard.SchemaState `json:"schema_state,omitempty"`
	Sample      json.RawMessage          `json:"sample,omitempty"`
	Samples     *[]Sample                `json:"samples,omitempty"`
	Deprecated  *bool                    `json:"deprecated,omitempty"`
}

// EventTypeFilter narrows a list of event types. A zero field does not narrow.
type EventTypeFilter struct {
	Platform string
	Entity   string
	UseCase  string
	Text     string
}

// Platform is one whose events Switchboard can send.
type Platform struct {
	Name     string          `json:"name"`
	Title    string          `json:"title"`
	Homepage string          `json:"homepage"`
	Profile  json.RawMessage `json:"profile"` // the members of a subscription that make it this platform's
	UseCases []string        `json:"use_cases"`
}

// ListEventTypes returns a page of event types.
func (c *Client) ListEventTypes(ctx context.Context, filter EventTypeFilter, asked switchboard.PageRequest) (switchboard.Page[EventType], error) {
	values := query("platform", filter.Platform, "entity", filter.Entity, "use_case", filter.UseCase, "text", filter.Text)
	return list[EventType](ctx, c, path("event_types"), values, asked)
}

// EventTypes iterates over all event types that the filter lets through, as
// [Client.ListEventTypes].
func (c *Client) EventTypes(ctx context.Context, filter EventTypeFilter) iter.Seq2[EventType, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[EventType], error) {
		return c.ListEventTypes(ctx, filter, asked)
	})
}

// GetEventType returns an event type.
func (c *Client) GetEventType(ctx context.Context, platform, name string) (EventType, error) {
	return call[EventType](ctx, c, request{method: http.MethodGet, path: path("event_types", platform, name)})
}

// PutEventType adds an event type, or replaces it: what is left out is empty.
func (c *Client) PutEventType(ctx context.Context, platform, name string, fields EventTypeFields, options ...Option) (EventType, error) {
	return call[EventType](ctx, c, request{method: http.MethodPut, path: path("event_types", platform, name), body: fields, options: options})
}

// UpdateEventType changes an event type: what is left out stays.
func (c *Client) UpdateEventType(ctx context.Context, platform, name string, fields EventTypeFields, options ...Option) (EventType, error) {
	return call[EventType](ctx, c, request{method: http.MethodPatch, path: path("event_types", platform, name), body: fields, options: options})
}

// DeleteEventType takes an event type back: one that was added is gone, and one that
// was changed is again as it came with Switchboard.
func (c *Client) DeleteEventType(ctx context.Context, platform, name string, options ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("event_types", platform, name), options: options}, nil)
}

// ListPlatforms returns a page of platforms, by name.
func (c *Client) ListPlatforms(ctx context.Context, asked switchboard.PageRequest) (switchboard.Page[Platform], error) {
	return list[Platform](ctx, c, path("platforms"), query(), asked)
}

// Platforms iterates over all platforms, as [Client.ListPlatforms].
func (c *Client) Platforms(ctx context.Context) iter.Seq2[Platform, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Platform], error) {
		return c.ListPlatforms(ctx, asked)
	})
}
