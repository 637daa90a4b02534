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
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases"` // what the platform calls it, in our style
	Entity    string   `json:"entity"`
	Reads     []string `json:"reads"`
	Variables string   `json:"variables"`
}

type eventType struct {
	Name        string                  `json:"name"`
	VendorName  string                  `json:"vendor_name"`
	Entity      string                  `json:"entity"`
	Description string                  `json:"description"`
	UseCases    []string                `json:"use_cases"`
	Schema      json.RawMessage         `json:"schema"`
	SchemaState switchboard.SchemaState `json:"schema_state"`
	Samples     []sample                `json:"samples"` // at least one
}

type sample struct {
	Name   string          `json:"name"`
	Data   json.RawMessage `json:"data"`
	Body   json.RawMessage `json:"body"`
	XML    string          `json:"xml"`
	Script *Script         `json:"script"`
}

// profile is what a profile may set: it is kept as it is written, and read here
// only so that a misspelt member is found when the file is loaded.
type profile struct {
	Request   switchboard.Request      `json:"request"`
	Signature switchboard.Signature    `json:"signature"`
	Verify    switchboard.Verification `json:"verification"`
	Retry     switchboard.RetryPolicy  `json:"retry"`
	Timeout   switchboard.Duration     `json:"timeout"`
	Adaptive  switchboard.Adaptive     `json:"adaptive"`
}

func (t *eventType) toEventType(platform string) switchboard.EventType {
	e := switchboard.EventType{
		Name: t.Name, VendorName: t.VendorName, Platform: platform, Entity: t.Entity, Description: t.Description,
		UseCases: t.UseCases, Schema: compact(t.Schema), SchemaState: t.SchemaState, BuiltIn: true,
	}
	for _, s := range t.Samples {
		e.Samples = append(e.Samples, switchboard.Sample{Name: s.Name, Data: compact(s.Data)})
	}
	if len(e.Samples) > 0 {
		e.Sample = e.Samples[0].Data
	}
	return e
}

// compact takes the indentation of the file out of a part of it, which is valid JSON.
func compact(part json.RawMessage) json.RawMessage {
	if part == nil {
		return nil
	}
	var b bytes.Buffer
	_ = json.Compact(&b, part)
	return b.Bytes()
}

// decodeStrict reads one JSON value and refuses unknown members.
func decodeStrict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
