package catalogue

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

func TestCheckEventType(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	long := strings.Repeat("x", 3000)
	tests := []struct {
		name  string
		spoil func(*switchboard.EventType)
		field string // empty: the type is valid
	}{
		{"sound", func(*switchboard.EventType) {}, ""},
		{"least", func(e *switchboard.EventType) { *e = switchboard.EventType{Platform: "acme", Name: "x"} }, ""},
		{"deprecated", func(e *switchboard.EventType) { e.Deprecated = true }, ""},
		{"schema assumed", func(e *switchboard.EventType) { e.SchemaState = switchboard.SchemaAssumed }, ""},
		{"no name", func(e *switchboard.EventType) { e.Name = "" }, "name"},
		{"name of words", func(e *switchboard.EventType) { e.Name = "Ticket Create" }, "name"},
		{"name with a star", func(e *switchboard.EventType) { e.Name = "ticket.*" }, "name"},
		{"long name", func(e *switchboard.EventType) { e.Name = long }, "name"},
		{"no platform", func(e *switchboard.EventType) { e.Platform = "" }, "platform"},
		{"platform in capitals", func(e *switchboard.EventType) { e.Platform = "Acme" }, "platform"},
		{"long platform", func(e *switchboard.EventType) { e.Platform = long }, "platform"},
		{"long vendor name", func(e *switchboard.EventType) { e.VendorName = long }, "vendor_name"},
		{"vendor name with a line break", func(e *switchboard.EventType) { e.VendorName = "a\nb" }, "vendor_name"},
		{"entity with a NUL", func(e *switchboard.EventType) { e.Entity = "a\x00" }, "entity"},
		{"long description", func(e *switchboard.EventType) { e.Description = long }, "description"},
		{"unknown use case", func(e *switchboard.EventType) { e.UseCases = []string{"contact", "nobody"} }, "use_cases[1]"},
		{"many use cases", func(e *switchboard.EventType) { e.UseCases = make([]string, 21) }, "use_cases"},
		{"state of no schema", func(e *switchboard.EventType) { e.SchemaState = switchboard.SchemaNone }, "schema_state"},
		{"state without schema", func(e *switchboard.EventType) { e.Schema, e.SchemaState = nil, switchboard.SchemaAssumed }, "schema_state"},
		{"unknown state", func(e *switchboard.EventType) { e.SchemaState = "guessed" }, "schema_state"},
		{"schema that is no JSON", func(e *switchboard.EventType) { e.Schema = json.RawMessage(`{`) }, "schema"},
		{"schema that is a number", func(e *switchboard.EventType) { e.Schema = json.RawMessage(`5`) }, "schema"},
		{"schema that is null", func(e *switchboard.EventType) { e.Schema = json.RawMessage(`null`) }, "schema"},
		{"schema with an unknown type", func(e *switchboard.EventType) {
			e.Schema = json.RawMessage(`{"properties":{"id":{"type":"strng"}}}`)
		}, "schema.properties.id.type"},
		{"sample that is no JSON", func(e *switchboard.EventType) { e.Sample = json.RawMessage(`{`) }, "sample"},
		{"sample against the schema", func(e *switchboard.EventType) { e.Sample = json.RawMessage(`{"id":"x"}`) }, "sample.id"},
		{"sample with a huge number", func(e *switchboard.EventType) { e.Sample = json.RawMessage(`{"id":1e99999}`) }, "sample.id"},
		{"one of several samples", func(e *switchboard.EventType) {
			e.Samples = []switchboard.Sample{{Data: e.Sample}, {Data: json.RawMessage(`{}`)}}
		}, "samples[1].data.id"},
		{"long name of a sample", func(e *switchboard.EventType) { e.Samples = []switchboard.Sample{{Name: long, Data: e.Sample}} }, "samples[0].name"},
		{"many samples", func(e *switchboard.EventType) { e.Samples = make([]switchboard.Sample, 51) }, "samples"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := switchboard.EventType{
				Platform: "acme", Name: "order.paid", VendorName: "Order paid", Entity: "order", Description: "An order was paid.",
				UseCases: []string{"contact"}, Schema: json.RawMessage(`{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}`),
				Sample: json.RawMessage(`{"id":1}`),
			}
			tt.spoil(&e)
			err := c.CheckEventType(e)
			if got := fieldOf(t, err).Field; got != tt.field {
				t.Errorf("field %q (%v); want %q", got, err, tt.field)
			}
			if _, errWith := c.With([]switchboard.EventType{e}); cmp.Diff(fieldOf(t, err), fieldOf(t, errWith)) != "" {
				t.Errorf("With says %v; CheckEventType says %v", errWith, err)
			}
		})
	}
}

func TestCheckBoundsSizes(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	blank := json.RawMessage(`true` + strings.Repeat(" ", MaxSchema))
	for field, e := range map[string]switchboard.EventType{
		"schema":          {Schema: blank},
		"sample":          {Sample: blank},
		"samples[0].data": {Samples: []switchboard.Sample{{Data: blank}}},
	} {
		e.Platform, e.Name = "acme", "order.paid"
		got, ok := errors.AsType[*switchboard.Error](c.CheckEventType(e))
		if !ok || got.Code != switchboard.CodeTooLarge || got.Field != field {
			t.Errorf("%s: %v; want that it is too large", field, got)
		}
	}
}

// A schema comes from a stranger: it may read nothing and must not cost more than its limits.
func TestHostileSchema(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"type":"string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	// Each level refers to the next one twice: 2^40 paths to the last.
	var laughs strings.Builder
	for i := range 40 {
		fmt.Fprintf(&laughs, `"l%d":{"allOf":[{"$ref":"#/$defs/l%d"},{"$ref":"#/$defs/l%d"}]},`, i, i+1, i+1)
	}
	tests := []struct{ name, schema, want string }{
		{"file", `{"$ref":"file://` + secret + `"}`, "is not a part of the schema"},
		{"path", `{"$ref":"` + secret + `"}`, "is not a part of the schema"},
		{"URL", `{"$ref":"http://127.0.0.1:1/schema"}`, "is not a part of the schema"},
		{"metaschema", `{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, "is not a part of the schema"},
		{"URL as dialect", `{"$schema":"http://127.0.0.1:1/meta"}`, "must be https://json-schema.org/draft/2020-12/schema"},
		{"file as dialect", `{"$schema":"file://` + secret + `"}`, "must be https://json-schema.org/draft/2020-12/schema"},
		{"older dialect", `{"$schema":"http://json-schema.org/draft-07/schema#"}`, "must be https://json-schema.org/draft/2020-12/schema"},
		{"base of references", `{"properties":{"a":{"$id":"file:///etc/","$ref":"passwd"}}}`, "$"},
		{"base of references below", `{"properties":{"a":{"$id":"file:///etc/"}}}`, "$id may stand at the top only"},
		{"missing part", `{"$ref":"#/$defs/nothing"}`, "is not a part of the schema"},
		{"missing element", `{"allOf":[true],"$ref":"#/allOf/1"}`, "is not a part of the schema"},
		{"part of a word", `{"title":"x","$ref":"#/title/0"}`, "is not a part of the schema"},
		{"part that is no schema", `{"title":"x","$ref":"#/title"}`, "must be a boolean or an object"},
		{"bad escape", `{"$ref":"#/%zz"}`, "is not a part of the schema"},
		{"itself", `{"properties":{"child":{"$ref":"#"}}}`, "refers to a part that holds it"},
		{"itself by a detour", `{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"items":{"$ref":"#/$defs/a"}}}}`, "refers to a part that holds it"},
		{"anchor", `{"$defs":{"a":{"$anchor":"x"}},"$ref":"#x"}`, "$"},
		{"dynamic", `{"$dynamicAnchor":"x","properties":{"child":{"$dynamicRef":"#x"}}}`, "may not be used"},
		{"billion laughs", `{"$defs":{` + laughs.String() + `"l40":true},"$ref":"#/$defs/l0"}`, "has more than 5000 parts"},
		{"many parts", `{"enum":[` + strings.Repeat("1,", 6000) + `2]}`, "has more than 5000 parts"},
		{"deep", strings.Repeat(`{"not":`, 5000) + `true` + strings.Repeat(`}`, 5000), "is nested more than 100 deep"},
		{"deep lists", `{"const":` + strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000) + `}`, "is nested more than 100 deep"},
		{"huge pattern", `{"pattern":"` + strings.Repeat("(a{1,500}){2}", 100) + `"}`, "cannot be used"},
		{"pattern that looks ahead", `{"pattern":"(?=a)b"}`, "cannot be used"},
		{"pattern that refers back", `{"patternProperties":{"(a)\\1":true}}`, "has a name that is not allowed here"},
		{"pattern that is none", `{"pattern":"("}`, "cannot be used"},
		{"huge number", `{"maximum":1e999999}`, "is a number of more than"},
		{"division by nothing", `{"multipleOf":0}`, "must be more than 0"},
	}
	c := loaded(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			err := c.CheckEventType(switchboard.EventType{Platform: "acme", Name: "x", Schema: json.RawMessage(tt.schema)})
			got := fieldOf(t, err)
			if !strings.HasPrefix(got.Field, "schema") || !strings.Contains(got.Message, tt.want) || len(got.Message) > 600 {
				t.Errorf("error %v; want one about the schema that says %q", err, tt.want)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("took %s", took)
			}
		})
	}
}

// What the limits must not forbid.
func TestHarmlessSchema(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	var chain strings.Builder
	for i := range 30 {
		fmt.Fprintf(&chain, `"l%d":{"properties":{"next":{"$ref":"#/$defs/l%d"}}},`, i, i+1)
	}
	for _, schema := range []string{
		`true`, `{}`,
		`{"$id":"https://acme.example/order.json","$schema":"https://json-schema.org/draft/2020-12/schema#","$defs":{"id":{"type":"string"}},"properties":{"a":{"$ref":"#/$defs/id"},"b":{"$ref":"#/$defs/id"}}}`,
		`{"properties":{"$ref":{"type":"string"},"$id":{},"$anchor":false}}`,
		`{"properties":{"a":{"type":"string"},"b":{"$ref":"#/properties/a"}}}`,
		`{"pattern":"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}`,
		`{"$defs":{` + chain.String() + `"l30":true},"$ref":"#/$defs/l0"}`,
		`{"x-ours":{"anything":1},"format":"no-such-format"}`,
	} {
		if err := c.CheckEventType(switchboard.EventType{Platform: "acme", Name: "x", Schema: json.RawMessage(schema)}); err != nil {
			t.Errorf("%s: %v", short(schema), err)
		}
	}
}

// The classic pattern that takes a backtracking engine practically forever.
func TestPatternsTakeLinearTime(t *testing.T) {
	t.Parallel()
	c := with(t, loaded(t), `{"pattern":"^(a+)+$"}`)
	began := time.Now()
	if err := c.Validate(t.Context(), "test.type", []byte(`"`+strings.Repeat("a", 100_000)+`b"`)); err == nil {
		t.Error("accepted")
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %s", took)
	}
}

func FuzzCheckEventType(f *testing.F) {
	c := loaded(f)
	for _, e := range c.EventTypes("") {
		f.Add([]byte(e.Schema), []byte(e.Sample))
	}
	f.Add([]byte(`{"$ref":"#/$defs/a~1b","$defs":{"a/b":{"multipleOf":0.1,"not":{"contains":{"minimum":1e3}}}}}`), []byte(`[1,[2]]`))
	f.Add([]byte(`{"unevaluatedItems":{"if":true,"then":false},"prefixItems":[true],"dependentSchemas":{"a":false}}`), []byte(`[1]`))
	f.Fuzz(func(t *testing.T, schema, sample []byte) {
		err := c.CheckEventType(switchboard.EventType{Platform: "acme", Name: "x", Schema: schema, Sample: sample})
		if err == nil {
			return
		}
		e, ok := errors.AsType[*switchboard.Error](err)
		if !ok || e.Message == "" || !strings.HasPrefix(e.Field, "schema") && !strings.HasPrefix(e.Field, "sample") {
			t.Errorf("error %#v names neither schema nor sample", err)
		}
	})
}
