package catalogue

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"switchboard"
)

// with returns the catalogue with one type "test.type" that has this schema.
func with(t testing.TB, c *Catalogue, schema string) *Catalogue {
	t.Helper()
	next, err := c.With([]switchboard.EventType{{Platform: "test", Name: "test.type", Schema: json.RawMessage(schema)}})
	if err != nil {
		t.Fatal(err)
	}
	return next
}

type field struct{ Field, Message string }

func fieldOf(t testing.TB, err error) field {
	t.Helper()
	if err == nil {
		return field{}
	}
	e, ok := errors.AsType[*switchboard.Error](err)
	if !ok || e.Code != switchboard.Invalid {
		t.Fatalf("error %#v; want one that is invalid", err)
	}
	return field{e.Field, e.Message}
}

func TestValidateNamesTheValue(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	tests := []struct {
		name, schema, data string
		want               field
	}{
		{"type", `{"properties":{"ticket":{"properties":{"id":{"type":"integer"}}}}}`, `{"ticket":{"id":"x"}}`, field{"data.ticket.id", "must be an integer, not a string"}},
		{"several types", `{"type":["string","null"]}`, `5`, field{"data", "must be null or a string, not a number"}},
		{"integer with a fraction", `{"type":"integer"}`, `1.5`, field{"data", "must be an integer, not a number"}},
		{"required", `{"properties":{"ticket":{"required":["id"]}}}`, `{"ticket":{}}`, field{"data.ticket.id", "is required"}},
		{"in a list", `{"items":{"items":{"required":["id"]}}}`, `[[],[{"id":1},{}]]`, field{"data[1][1].id", "is required"}},
		{"a member that is a number", `{"properties":{"5":{"type":"string"}}}`, `{"5":5}`, field{"data.5", "must be a string, not a number"}},
		{"first of several", `{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["c"]}`, `{"b":1,"a":1}`, field{"data.a", "must be a string, not a number"}},
		{"additional", `{"properties":{"a":{}},"additionalProperties":false}`, `{"a":1,"z":1,"y":2}`, field{"data.y", "is not allowed here"}},
		{"enum", `{"enum":["a",1,null]}`, `"b"`, field{"data", `must be one of ["a",1,null]`}},
		{"const", `{"const":{"a":1}}`, `{"a":2}`, field{"data", `must be {"a":1}`}},
		{"pattern", `{"pattern":"^a+$"}`, `"b"`, field{"data", "must match ^a+$"}},
		{"lengths", `{"minLength":2}`, `"é"`, field{"data", "must have at least 2 characters"}},
		{"minimum", `{"minimum":0.5}`, `0`, field{"data", "must be at least 0.5"}},
		{"maximum beyond 2^53", `{"maximum":9007199254740993}`, `9007199254740994`, field{"data", "must be at most 9007199254740993"}},
		{"exactly 2^53+1", `{"maximum":9007199254740993,"const":9007199254740993}`, `9007199254740993`, field{}},
		{"unique", `{"uniqueItems":true}`, `[1,2,1]`, field{"data", "holds the same element twice, at 0 and 2"}},
		{"names", `{"propertyNames":{"maxLength":1}}`, `{"ab":1}`, field{"data.ab", "has a name that is not allowed here"}},
		{"dependent", `{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, field{"data.b", "is required where a is given"}},
		{"alternatives: the deeper", `{"anyOf":[{"type":"null"},{"type":"object","required":["id"]}]}`, `{}`, field{"data.id", "is required"}},
		{"alternatives: types", `{"anyOf":[{"type":"null"},{"type":"object"}]}`, `1`, field{"data", "must be null or an object, not a number"}},
		{"alternatives: no nearest", `{"oneOf":[{"const":1},{"const":2}]}`, `3`, field{"data", "fits none of the alternatives of the schema"}},
		{"alternatives: both", `{"oneOf":[{"type":"integer"},{"minimum":1}]}`, `3`, field{"data", "fits more than one of the alternatives of the schema"}},
		{"not", `{"not":{"type":"null"}}`, `null`, field{"data", "is what the schema rules out"}},
		{"contains", `{"contains":{"type":"null"}}`, `[1,2]`, field{"data", "does not fit the schema's contains"}},
		{"nothing is allowed", `false`, `1`, field{"data", "is not allowed here"}},
		{"by reference", `{"$defs":{"id/~%":{"type":"string"}},"properties":{"id":{"$ref":"#/$defs/id~1~0%25"}}}`, `{"id":1}`, field{"data.id", "must be a string, not a number"}},
		{"formats are notes", `{"format":"email"}`, `"x"`, field{}},
		{"not JSON", `true`, `{"a":`, field{"data", "is not a JSON value"}},
		{"two values", `true`, `1 2`, field{"data", "is not a JSON value"}},
		{"huge exponent", `{"type":"integer"}`, `{"a":[1,1e999999]}`, field{"data.a[1]", "is a number of more than 1000 digits, or with an exponent beyond 1000"}},
		{"exponent of many digits", `{"minimum":1}`, `1e99999999999999999999`, field{"data", "is a number of more than 1000 digits, or with an exponent beyond 1000"}},
		{"many digits", `{"minimum":1}`, strings.Repeat("1", 1001), field{"data", "is a number of more than 1000 digits, or with an exponent beyond 1000"}},
		{"long path", `{"additionalProperties":false}`, `{"` + strings.Repeat("é", 300) + `":1}`, field{"data." + strings.Repeat("é", 97) + "…", "is not allowed here"}},
		{"valid", `{"type":"object"}`, `{"anything":[1,{"goes":null}]}`, field{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := fieldOf(t, with(t, c, tt.schema).Validate("test.type", []byte(tt.data)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValidateOverPlatforms(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	tests := []struct {
		name, eventType, data string
		want                  field
	}{
		{"unknown type", "no.such_type", `nonsense`, field{}},
		{"accepted by one of two", "user.created", `{"id":1,"created_at":"2025-03-04T08:12:09.000Z"}`, field{}},
		{"accepted by the other", "user.created", `{"Event":{"Subscription":"User","Name":"OnNew","User":{"Id":"1"}}}`, field{}},
		{"the nearer one explains", "user.created", `{"id":1}`, field{"data.created_at", "is required (of the 2 platforms with this event type, signalzen comes nearest)"}},
		{"and so does the other", "user.created", `{"Event":{"User":{"Id":"1"},"Name":"OnNew"}}`, field{"data.Event.Subscription", "is required (of the 2 platforms with this event type, commbox comes nearest)"}},
		{"in any case of letters", "Message.Created", `{}`, field{"data.id", "is required"}},
		{"several elements where XML repeats one", "object.tag_updated", `{"Event":{"Subscription":"Object","Name":"OnUpdateTag","Object":{"Id":"1","Tags":{"Tag":[{"Id":"1"},{"Id":true}]}}}}`,
			field{"data.Event.Object.Tags.Tag[1].Id", "must be null or an integer or a string, not a boolean"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, fieldOf(t, c.Validate(tt.eventType, []byte(tt.data)))); diff != "" {
				t.Error(diff)
			}
		})
	}

	open, err := c.With([]switchboard.EventType{{Platform: "acme", Name: "user.created"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Validate("user.created", []byte(`5`)); err != nil {
		t.Errorf("one of the platforms has no schema: %v", err)
	}
}

// The validator calculates with fractions: without the bound this takes minutes.
func TestValidateManyHugeNumbers(t *testing.T) {
	t.Parallel()
	c := with(t, loaded(t), `{"items":{"type":"integer","minimum":0}}`)
	began := time.Now()
	if err := c.Validate("test.type", []byte("["+strings.Repeat("1e999999,", 20_000)+"1]")); err == nil {
		t.Error("accepted")
	}
	largest := strings.Repeat("9e999,", 20_000)
	if err := c.Validate("test.type", []byte("["+largest+"1]")); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

func FuzzValidate(f *testing.F) {
	c := loaded(f)
	for _, e := range c.Examples("") {
		f.Add(e.EventType, []byte(e.Data))
	}
	f.Add("user.created", []byte(`{"id":1e5,"created_at":9007199254740993}`))
	f.Add("ticket.created", []byte(`[[[[1e999999]]]]`))
	f.Fuzz(func(t *testing.T, eventType string, data []byte) {
		first := fieldOf(t, c.Validate(eventType, data))
		if first == (field{}) {
			return
		}
		if !strings.HasPrefix(first.Field, "data") || first.Message == "" {
			t.Errorf("error %+v names no value", first)
		}
		if again := fieldOf(t, c.Validate(eventType, data)); again != first && !strings.Contains(first.Message, "exponent") {
			t.Errorf("error %+v the first time, %+v the second", first, again)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	c := loaded(b)
	t, _ := c.EventType("commbox", "object.activity_added")
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Validate(t.Name, t.Sample); err != nil {
			b.Fatal(err)
		}
	}
}
