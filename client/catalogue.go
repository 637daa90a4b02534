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

// EventTypeFields are the members of an event type that callers set. nil means missing. A schema or
// sample of null removes it.
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

// EventTypeFilter narrows a list of event types. Zero fields do not narrow it.
type EventTypeFilter struct {
	Platform string
	Entity   string
	UseCase  string
	Text     string
}

// Platform is a product whose events Switchboard can send.
type Platform struct {
	Name     string          `json:"name"`
	Title    string          `json:"title"`
	Homepage string          `json:"homepage"`
	Profile  json.RawMessage `json:"profile"` // the members that its subscriptions start from
	UseCases []string        `json:"use_cases"`
}

// ListEventTypes returns a page of event types.
func (c *Client) ListEventTypes(ctx context.Context, filter EventTypeFilter, asked switchboard.PageRequest) (switchboard.Page[EventType], error) {
	values := query("platform", filter.Platform, "entity", filter.Entity, "use_case", filter.UseCase, "text", filter.Text)
	return list[EventType](ctx, c, path("event_types"), values, asked)
}

// EventTypes iterates over all event types that match the filter, see [Client.ListEventTypes].
func (c *Client) EventTypes(ctx context.Context, filter EventTypeFilter) iter.Seq2[EventType, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[EventType], error) {
		return c.ListEventTypes(ctx, filter, asked)
	})
}

// GetEventType returns an event type.
func (c *Client) GetEventType(ctx context.Context, platform, name string) (EventType, error) {
	return call[EventType](ctx, c, request{method: http.MethodGet, path: path("event_types", platform, name)})
}

// PutEventType adds an event type, or replaces it. Missing members become empty.
func (c *Client) PutEventType(ctx context.Context, platform, name string, fields EventTypeFields, options ...Option) (EventType, error) {
	return call[EventType](ctx, c, request{method: http.MethodPut, path: path("event_types", platform, name), body: fields, options: options})
}

// UpdateEventType changes an event type. Missing members do not change.
func (c *Client) UpdateEventType(ctx context.Context, platform, name string, fields EventTypeFields, options ...Option) (EventType, error) {
	return call[EventType](ctx, c, request{method: http.MethodPatch, path: path("event_types", platform, name), body: fields, options: options})
}

// DeleteEventType deletes an event type that was added. If it was a change of a built-in one, the
// built-in one comes back.
func (c *Client) DeleteEventType(ctx context.Context, platform, name string, options ...Option) error {
	return c.call(ctx, request{method: http.MethodDelete, path: path("event_types", platform, name), options: options}, nil)
}

// ListPlatforms returns a page of platforms, by name.
func (c *Client) ListPlatforms(ctx context.Context, asked switchboard.PageRequest) (switchboard.Page[Platform], error) {
	return list[Platform](ctx, c, path("platforms"), query(), asked)
}

// Platforms iterates over all platforms, see [Client.ListPlatforms].
func (c *Client) Platforms(ctx context.Context) iter.Seq2[Platform, error] {
	return all(func(asked switchboard.PageRequest) (switchboard.Page[Platform], error) {
		return c.ListPlatforms(ctx, asked)
	})
}
