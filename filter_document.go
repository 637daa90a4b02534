package switchboard

import (
	"bytes"
	"encoding/json"
	"sync"
)

// Document is an event as filters see it. Its data are decoded when a filter first
// asks for them, and once. It may be used by several goroutines.
type Document struct {
	event  *Event
	data   func() any
	sample bool // some of the metadata are not known
}

// NewDocument makes the document of an event, which must not change while the
// document is in use.
func NewDocument(e *Event) *Document {
	return &Document{event: e, data: sync.OnceValue(func() any { return decode(e.Data) })}
}

// NewSample makes the document of an event that may be posted: of its metadata, type and
// tenant are known. What a filter asks of the others is [Undecided].
func NewSample(tenant, eventType string, data []byte) *Document {
	d := NewDocument(&Event{Tenant: tenant, Type: eventType, Data: data})
	d.sample = true
	return d
}

// absent stands for a value that is not there, which JSON's null is.
type absent struct{}

// unspecified stands for a value that a sample does not have and an event does.
type unspecified struct{}

// sampleMetadata are the metadata of a sample.
type sampleMetadata struct{ *Event }

// decode reads a JSON value, its numbers as they are written. What is not JSON,
// which no stored event is, has no value.
func decode(data []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return absent{}
	}
	return v
}

// member returns the field of that name of an object; absent{} if there is none.
func member(object any, name string) any {
	switch o := object.(type) {
	case map[string]any:
		if v, ok := o[name]; ok {
			return v
		}
	case *Document:
		if name == "data" {
			return o.data()
		}
		if o.sample {
			return sampleMetadata{o.event}
		}
		return o.event // whose fields are the metadata
	case *Event:
		return o.metadata(name)
	case sampleMetadata:
		if name != "type" && name != "tenant" {
			return unspecified{}
		}
		return o.metadata(name)
	}
	return absent{}
}

// metadata returns one of the event's own fields; the time as a time.Time, so that
// it is compared as one.
func (e *Event) metadata(name string) any {
	switch name {
	case "id":
		return e.ID
	case "type":
		return e.Type
	case "tenant":
		return e.Tenant
	case "occurred_at":
		return e.OccurredAt.UTC()
	case "key":
		if e.Key != "" {
			return e.Key
		}
	}
	return absent{}
}
