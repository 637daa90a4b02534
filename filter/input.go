package filter

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/seed-49a43567/switchboard"
)

// Input is an event as filters see it. Its data are decoded once, when a filter first needs them.
// Several goroutines may use one Input.
type Input struct {
	event  *switchboard.Event
	data   func() any
	sample bool // only the type and tenant of the metadata are known
}

// NewInput returns the input for an event, which must not change while the input is in
// use.
func NewInput(e *switchboard.Event) *Input {
	return &Input{event: e, data: sync.OnceValue(func() any { return decode(e.Data) })}
}

// NewSample returns the input for an event that may be posted in future. Only the type and tenant
// of its metadata are known. Conditions on other metadata are [VerdictUndecided].
func NewSample(tenant, eventType string, data []byte) *Input {
	in := NewInput(&switchboard.Event{Tenant: tenant, Type: eventType, Data: data})
	in.sample = true
	return in
}

// absent is the value of a field that does not exist. JSON's null does exist.
type absent struct{}

// unknown is the value of a field that events have and samples do not.
type unknown struct{}

// metadata stands for the event's own fields.
type metadata struct{ in *Input }

// decode reads a JSON value and keeps numbers as they are written. Data that are not JSON are
// absent; no stored event has such data.
func decode(data []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return absent{}
	}
	return v
}

// member returns the field of that name of a value, or absent{}.
func member(v any, name string) any {
	switch v := v.(type) {
	case map[string]any:
		if m, ok := v[name]; ok {
			return m
		}
	case *Input:
		if name == "data" {
			return v.data()
		}
		return metadata{v}
	case metadata:
		return v.field(name)
	}
	return absent{}
}

// metadataFields are the names of the event's own fields.
func metadataFields() []string { return []string{"id", "type", "key", "tenant", "occurred_at"} }

// field returns one of the event's own fields. The time is a time.Time, so that it is compared as a
// time.
func (m metadata) field(name string) any {
	e := m.in.event
	switch {
	case name == "type":
		return e.Type
	case name == "tenant":
		return e.Tenant
	case m.in.sample:
		return unknown{}
	case name == "id":
		return e.ID
	case name == "occurred_at":
		return e.OccurredAt.UTC()
	case name == "key" && e.Key != "":
		return e.Key
	}
	return absent{}
}
