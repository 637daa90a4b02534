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
	Name        string                  `json:"name" doc:"The name in events and subscriptions" example:"ticket.created"`
	VendorName  string                  `json:"vendor_name" doc:"The platform's spelling" example:"Ticket Create"`
	Platform    string                  `json:"platform" example:"iomnihub"`
	Entity      string                  `json:"entity" doc:"The entity" example:"ticket"`
	Description string                  `json:"description" doc:"When the event happens" example:"A ticket was opened."`
	UseCases    []string                `json:"use_cases" nullable:"false" doc:"Use cases of the subscriptions that may render it" example:"ticket"`
	Schema      json.RawMessage         `json:"schema" doc:"JSON Schema of the data; null: there is none" example:"{\"type\":\"object\"}"`
	SchemaState switchboard.SchemaState `json:"schema_state" enum:"seen,assumed,none" doc:"seen: the vendor shows the data. assumed: at least a part is inferred from the vendor's words. none: there is no schema" example:"seen"`
	Sample      json.RawMessage         `json:"sample" doc:"Example data, as a platform may post them; null: there are none" example:"{\"ticket\":{\"id\":4711}}"`
	Samples     []sample                `json:"samples,omitempty" nullable:"false" doc:"All samples, if the type has several variants"`
	Deprecated  bool                    `json:"deprecated" doc:"New subscriptions should not name it"`
	BuiltIn     bool                    `json:"built_in" doc:"Built into Switchboard, and not changed since"`
}

type sample struct {
	Name string          `json:"name" doc:"How this variant differs" example:"operator"`
	Data json.RawMessage `json:"data" doc:"The data, as a platform may post them" example:"{\"ticket\":{\"id\":4711}}"`
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
	VendorName  *string                  `json:"vendor_name,omitempty" doc:"The platform's spelling" example:"Order Paid" maxLength:"200"`
	Entity      *string                  `json:"entity,omitempty" doc:"The entity" example:"order" maxLength:"200"`
	Description *string                  `json:"description,omitempty" doc:"When the event happens" example:"An order was paid." maxLength:"2000"`
	UseCases    *[]string                `json:"use_cases,omitempty" nullable:"false" doc:"Use cases of the subscriptions that may render it" maxItems:"20"`
	Schema      json.RawMessage          `json:"schema,omitempty" doc:"JSON Schema of the data; null: none" example:"{\"type\":\"object\"}"`
	SchemaState *switchboard.SchemaState `json:"schema_state,omitempty" enum:"seen,assumed,none" doc:"Default: seen, if there is a schema"`
	Sample      json.RawMessage          `json:"sample,omitempty" doc:"Example data, as a platform may post them; null: none" example:"{\"order\":{\"id\":4711}}"`
	Samples     *samples                 `json:"samples,omitempty" nullable:"false" doc:"All samples, if the type has several variants; the first one is sample" maxItems:"50"`
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
