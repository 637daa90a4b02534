package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/seed-49a43567/switchboard"
)

// eventType is an entry of the catalogue in the form of the API.
type eventType struct {
	Name        string                  `json:"name" doc:"As events and subscriptions name it" example:"ticket.created"`
	VendorName  string                  `json:"vendor_name" doc:"As the platform spells it" example:"Ticket Create"`
	Platform    string                  `json:"platform" example:"iomnihub"`
	Entity      string                  `json:"entity" doc:"What it is about" example:"ticket"`
	Description string                  `json:"description" doc:"When it happens" example:"A ticket was opened."`
	UseCases    []string                `json:"use_cases" nullable:"false" doc:"Of the subscriptions that may render it" example:"ticket"`
	Schema      json.RawMessage         `json:"schema" doc:"JSON Schema of the data; null: there is none" example:"{\"type\":\"object\"}"`
	SchemaState switchboard.SchemaState `json:"schema_state" enum:"seen,assumed,none" doc:"seen: the vendor shows it. assumed: at least a part follows from the vendor's words only. none: there is no schema" example:"seen"`
	Sample      json.RawMessage         `json:"sample" doc:"Data as they may be posted; null: there is none" example:"{\"ticket\":{\"id\":4711}}"`
	Samples     []sample                `json:"samples,omitempty" nullable:"false" doc:"All of them, where the type has several variants"`
	Deprecated  bool                    `json:"deprecated" doc:"New subscriptions should not name it"`
	BuiltIn     bool                    `json:"built_in" doc:"As it came with Switchboard: neither added nor changed since"`
}

type sample struct {
	Name string          `json:"name" doc:"What sets this variant apart" example:"operator"`
	Data json.RawMessage `json:"data" doc:"As they may be posted" example:"{\"ticket\":{\"id\":4711}}"`
}

func eventTypeOf(t *switchboard.EventType) eventType {
	out := eventType{
		Name: t.Name, VendorName: t.VendorName, Platform: t.Platform, Entity: t.Entity, Description: t.Description,
		UseCases: append([]string{}, t.UseCases...), Schema: t.Schema, SchemaState: t.SchemaState, Sample: t.Sample,
		Deprecated: t.Deprecated, BuiltIn: t.BuiltIn,
	}
	if len(t.Samples) > 1 {
		for _, s := range t.Samples {
			out.Samples = append(out.Samples, sample(s))
		}
	}
	return out
}

// eventTypeInput is an event type as an admin sends it. Pointers distinguish missing members from
// empty ones.
type eventTypeInput struct {
	VendorName  *string                  `json:"vendor_name,omitempty" doc:"As the platform spells it" example:"Order Paid" maxLength:"200"`
	Entity      *string                  `json:"entity,omitempty" doc:"What it is about" example:"order" maxLength:"200"`
	Description *string                  `json:"description,omitempty" doc:"When it happens" example:"An order was paid." maxLength:"2000"`
	UseCases    *[]string                `json:"use_cases,omitempty" nullable:"false" doc:"Of the subscriptions that may render it" maxItems:"20"`
	Schema      json.RawMessage          `json:"schema,omitempty" doc:"JSON Schema of the data; null: none" example:"{\"type\":\"object\"}"`
	SchemaState *switchboard.SchemaState `json:"schema_state,omitempty" enum:"seen,assumed,none" doc:"Left out: seen where there is a schema"`
	Sample      json.RawMessage          `json:"sample,omitempty" doc:"Data as they may be posted; null: none" example:"{\"order\":{\"id\":4711}}"`
	Samples     *samples                 `json:"samples,omitempty" nullable:"false" doc:"All of them, where the type has several variants; the first is the sample" maxItems:"50"`
	Deprecated  *bool                    `json:"deprecated,omitempty" doc:"New subscriptions should not name it"`
}

// merge applies the given members to the type.
func (in *eventTypeInput) merge(t *switchboard.EventType) {
	set(&t.VendorName, in.VendorName)
	set(&t.Entity, in.Entity)
	set(&t.Description, in.Description)
	set(&t.UseCases, in.UseCases)
	set(&t.Deprecated, in.Deprecated)
	if in.Schema != nil {
		t.Schema, t.SchemaState = orNone(in.Schema), ""
	}
	set(&t.SchemaState, in.SchemaState)
	if t.SchemaState == "" {
		t.SchemaState = switchboard.DefaultSchemaState(t.Schema)
	}
	in.mergeSamples(t)
}

// mergeSamples keeps the member sample equal to the first of the samples.
func (in *eventTypeInput) mergeSamples(t *switchboard.EventType) {
	if in.Samples != nil {
		t.Sample, t.Samples = nil, nil
		for _, s := range *in.Samples {
			t.Samples = append(t.Samples, switchboard.Sample(s))
		}
		if len(t.Samples) > 0 {
			t.Sample = t.Samples[0].Data
		}
	}
	if in.Sample == nil {
		return
	}
	t.Sample = orNone(in.Sample)
	if t.Sample == nil {
		t.Samples = nil
	} else if len(t.Samples) > 0 {
		t.Samples = slices.Clone(t.Samples) // they may belong to the catalogue
		t.Samples[0].Data = t.Sample
	}
}

// orNone turns null into nothing: neither a schema nor a sample is ever null.
func orNone(value json.RawMessage) json.RawMessage {
	if string(value) == "null" {
		return nil
	}
	return value
}

// samples is a list that is decoded as strictly as the rest of a body.
type samples []sample

// UnmarshalJSON refuses unknown members and empty entries.
func (s *samples) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var list []sample
	if err := decoder.Decode(&list); err != nil {
		return err
	}
	for _, one := range list {
		if one.Data == nil {
			return errors.New("a sample needs data")
		}
	}
	*s = list
	return nil
}

func set[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}
