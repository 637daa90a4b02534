package render

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// defaultEnvelope is the envelope of requests that do not name their own fields.
var defaultEnvelope = switchboard.EnvelopeFields{ID: "id", Type: "type", Timestamp: "timestamp", Data: "data"}

// envelope wraps the event's data. encoding/json would compact and re-escape the data, but the
// receiver is promised the bytes that the platform posted.
func (p *rendering) envelope() ([]byte, error) {
	fields := &defaultEnvelope
	if p.request.Envelope != nil {
		fields = p.request.Envelope
	}
	if fields.Data == "" {
		return p.flatEnvelope(fields)
	}
	e := p.beginEnvelope(fields, new(document.Object))
	e.member(fields.Data, p.event.Data)
	return append(e.text, '}'), nil
}

// flatEnvelope writes the data's members beside the other fields.
func (p *rendering) flatEnvelope(fields *switchboard.EnvelopeFields) ([]byte, error) {
	decoded, err := document.Decode(p.event.Data)
	if err != nil {
		return nil, inField("data", err)
	}
	data, ok := decoded.(*document.Object)
	if !ok {
		return nil, switchboard.InvalidField("data", "must be an object: its members stand beside the fields of the envelope")
	}
	e := p.beginEnvelope(fields, data)
	if data.Len() > 0 {
		e.comma()
		members := bytes.TrimSpace(p.event.Data)
		e.text = append(e.text, members[1:len(members)-1]...)
	}
	return append(e.text, '}'), nil
}

// beginEnvelope writes the fields that describe the event. A member of the same name in beside
// replaces a field.
func (p *rendering) beginEnvelope(fields *switchboard.EnvelopeFields, beside *document.Object) *objectWriter {
	e := &objectWriter{beside: beside, text: append(make([]byte, 0, len(p.event.Data)+256), '{')}
	e.member(fields.ID, document.Append(nil, p.event.ID))
	e.member(fields.Type, document.Append(nil, p.eventType(fields)))
	e.member(fields.Timestamp, document.Append(nil, timestamp(p.event.OccurredAt, fields.TimeFormat)))
	return e
}

// objectWriter writes a JSON object.
type objectWriter struct {
	text   []byte
	beside *document.Object // its members are written last
}

// member writes a member, unless its name is empty or beside has one of that name.
func (e *objectWriter) member(name string, value []byte) {
	if _, taken := e.beside.Get(name); taken || name == "" {
		return
	}
	e.comma()
	e.text = append(document.Append(e.text, name), ':')
	e.text = append(e.text, value...)
}

func (e *objectWriter) comma() {
	if len(e.text) > 1 {
		e.text = append(e.text, ',')
	}
}

// eventType returns the event's type as the envelope spells it.
func (p *rendering) eventType(fields *switchboard.EnvelopeFields) string {
	if fields.VendorType && p.renderer.platforms != nil {
		if name := p.renderer.platforms.VendorName(p.profile, p.event.Type); name != "" {
			return name
		}
	}
	return p.event.Type
}

// timestamp returns a time in that format, as a JSON value.
func timestamp(at time.Time, format switchboard.TimeFormat) any {
	switch format {
	case switchboard.TimeFormatUnix:
		return json.Number(strconv.FormatInt(at.Unix(), 10))
	case switchboard.TimeFormatUnixMillis:
		return json.Number(strconv.FormatInt(at.UnixMilli(), 10))
	}
	return timeText(at)
}

// timeText writes a time as RFC 3339 does, in UTC and always with microseconds: many
// parsers know one fixed pattern only.
func timeText(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }
