package catalogue

import (
	"bytes"
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
)

// file is a platform's data file.
type file struct {
	Platform   string          `json:"platform"`
	Title      string          `json:"title"`
	Homepage   string          `json:"homepage"`
	Profile    json.RawMessage `json:"profile"`
	UseCases   []useCase       `json:"use_cases"`
	EventTypes []eventType     `json:"event_types"`
}

type useCase struct {
	switchboard.UseCase
	Aliases []string `json:"aliases"` // the platform's own names for it, in our style
}

// eventType is an event type whose samples have more fields than those of the API.
type eventType struct {
	switchboard.EventType
	Samples []sample `json:"samples"` // at least one
}

type sample struct {
	Name   string          `json:"name"`
	Data   json.RawMessage `json:"data"`
	Body   json.RawMessage `json:"body"`
	XML    string          `json:"xml"`
	Script *Script         `json:"script"`
}

// profile is what a profile may set. Profiles are stored as they are written; they are decoded only
// to find misspelt members when the file is loaded.
type profile struct {
	Request   switchboard.Request      `json:"request"`
	Signature switchboard.Signature    `json:"signature"`
	Verify    switchboard.Verification `json:"verification"`
	Retry     switchboard.RetryPolicy  `json:"retry"`
	Timeout   switchboard.Duration     `json:"timeout"`
	Adaptive  switchboard.Adaptive     `json:"adaptive"`
}

func (t *eventType) toEventType(platform string) switchboard.EventType {
	e := t.EventType
	e.Platform, e.Schema, e.BuiltIn = platform, compact(t.Schema), true
	for _, s := range t.Samples {
		e.Samples = append(e.Samples, switchboard.Sample{Name: s.Name, Data: compact(s.Data)})
	}
	if len(e.Samples) > 0 {
		e.Sample = e.Samples[0].Data
	}
	return e
}

// compact removes the white space from a part of the file, which is valid JSON.
func compact(part json.RawMessage) json.RawMessage {
	if part == nil {
		return nil
	}
	var b bytes.Buffer
	_ = json.Compact(&b, part)
	return b.Bytes()
}

// decodeStrict decodes one JSON value and refuses unknown members.
func decodeStrict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
