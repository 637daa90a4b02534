package webhook

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"switchboard"
	"switchboard/webhook/document"
)

// ourEnvelope is the envelope of requests that name no fields of their own.
var ourEnvelope = switchboard.EnvelopeFields{ID: "id", Type: "type", Timestamp: "timestamp", Data: "data"}

// envelope wraps the event's data. It is put together by hand because encoding/json
// would compact and re-escape the data, and the receiver is promised the very bytes
// that the platform posted.
func (p *rendering) envelope() ([]byte, error) {
	fields := &ourEnvelope
	if p.request.Envelope != nil {
		fields = p.request.Envelope
	}
	var flat *document.Object
	if fields.Data == "" {
		decoded, err := document.Decode(p.event.Data)
		if err != nil {
			return nil, at("data", err)
		}
		object, ok := decoded.(*document.Object)
		if !ok {
			return nil, switchboard.InvalidField("data", "must be an object: its members stand beside the fields of the envelope")
		}
		flat = object
	}
	b := append(make([]byte, 0, len(p.event.Data)+256), '{')
	add := func(name string, value []byte) {
		if name == "" {
			return
		}
		if flat != nil { // the data's own member of that name stays the only one
			if _, taken := flat.Get(name); taken {
				return
			}
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(document.Append(b, name), ':')
		b = append(b, value...)
	}
	add(fields.ID, document.Append(nil, p.event.ID))
	add(fields.Type, document.Append(nil, p.eventType(fields)))
	add(fields.Timestamp, document.Append(nil, timestamp(p.event.OccurredAt, fields.TimeFormat)))
	switch {
	case flat == nil:
		add(fields.Data, p.event.Data)
	case flat.Len() > 0:
		if len(b) > 1 {
			b = append(b, ',')
		}
		members := bytes.TrimSpace(p.event.Data)
		b = append(b, members[1:len(members)-1]...)
	}
	return append(b, '}'), nil
}

// eventType is the event's type as the envelope spells it.
func (p *rendering) eventType(fields *switchboard.EnvelopeFields) string {
	if fields.VendorType && p.renderer.platforms != nil {
		if name := p.renderer.platforms.VendorName(p.profile, p.event.Type); name != "" {
			return name
		}
	}
	return p.event.Type
}

// timestamp is a time in that format, as a JSON value.
func timestamp(at time.Time, format switchboard.TimeFormat) any {
	switch format {
	case switchboard.UnixTime:
		return json.Number(strconv.FormatInt(at.Unix(), 10))
	case switchboard.UnixMillis:
		return json.Number(strconv.FormatInt(at.UnixMilli(), 10))
	}
	return at.UTC().Format(time.RFC3339Nano)
}
