package catalogue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seed-49a43567/switchboard"
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
	if !ok || e.Code != switchboard.CodeInvalid {
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
			got := fieldOf(t, with(t, c, tt.schema).Validate(t.Context(), "test.type", []byte(tt.data)))
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
			if diff := cmp.Diff(tt.want, fieldOf(t, c.Validate(t.Context(), tt.eventType, []byte(tt.data)))); diff != "" {
				t.Error(diff)
			}
		})
	}

	open, err := c.With([]switchboard.EventType{{Platform: "acme", Name: "user.created"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Validate(t.Context(), "user.created", []byte(`5`)); err != nil {
		t.Errorf("one of the platforms has no schema: %v", err)
	}
}

// The validator calculates with fractions: without the limit this takes minutes.
func TestValidateManyHugeNumbers(t *testing.T) {
	t.Parallel()
	c := with(t, loaded(t), `{"items":{"type":"integer","minimum":0}}`)
	if err := c.Validate(t.Context(), "test.type", []byte("["+strings.Repeat("1e999999,", 20_000)+"1]")); err == nil {
		t.Error("accepted")
	}
	largest := strings.Repeat("9e999,", 20_000)
	if err := c.Validate(t.Context(), "test.type", []byte("["+largest+"1]")); switchboard.CodeOf(err) != switchboard.CodeTooLarge {
		t.Error(err)
	}
	if err := c.Validate(t.Context(), "test.type", []byte("["+strings.Repeat("9e999,", 1_000)+"1]")); err != nil {
		t.Error(err)
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
		first := fieldOf(t, c.Validate(t.Context(), eventType, data))
		if first == (field{}) {
			return
		}
		if !strings.HasPrefix(first.Field, "data") || first.Message == "" {
			t.Errorf("error %+v names no value", first)
		}
		if again := fieldOf(t, c.Validate(t.Context(), eventType, data)); again != first && !strings.Contains(first.Message, "exponent") {
			t.Errorf("error %+v the first time, %+v the second", first, again)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	c := loaded(b)
	t, _ := c.EventType("commbox", "object.activity_added")
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Validate(b.Context(), t.Name, t.Sample); err != nil {
			b.Fatal(err)
		}
	}
}

// branches is a schema of alternatives, none of which accepts a positive number.
func branches(n int) string {
	return `{"anyOf":[` + strings.TrimSuffix(strings.Repeat(`{"const":-1},`, n), ",") + `]}`
}

func list(element string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
}

// TestValidateBudget: validations that would take too much work are not begun, whichever keyword
// multiplies the work. Large and simple data are checked.
func TestValidateBudget(t *testing.T) {
	t.Parallel()
	object := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"p%d":1,`, i)
		}
		return "{" + strings.TrimSuffix(b.String(), ",") + "}"
	}
	long := `"` + strings.Repeat("a", 200_000) + `"`
	const unchecked = "too_large data"
	for _, tt := range []struct{ name, schema, data, want string }{
		{"the fault's own input", `{"items":` + branches(2000) + `}`, list("1", 2000), unchecked},
		{"allOf", `{"items":` + strings.Replace(branches(2000), "anyOf", "allOf", 1) + `}`, list("1", 2000), unchecked},
		{"oneOf", `{"items":` + strings.Replace(branches(2000), "anyOf", "oneOf", 1) + `}`, list("1", 2000), unchecked},
		{"contains", `{"contains":` + branches(2000) + `}`, list("1", 2000), unchecked},
		{"not", `{"items":{"not":` + branches(2000) + `}}`, list("1", 2000), unchecked},
		{"if", `{"items":{"if":` + branches(2000) + `}}`, list("1", 2000), unchecked},
		{"references", `{"$defs":{"a":` + branches(500) + `},"items":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}]}}`, list("1", 2000), unchecked},
		{"enum", `{"items":{"enum":` + list("-1", 4000) + `}}`, list("1", 2000), unchecked},
		{"enum of lists", `{"enum":` + list("[]", 4000) + `}`, list("1", 2000), unchecked},
		{"required", `{"items":{"allOf":` + list(`{"required":["a"]}`, 1000) + `}}`, list("{}", 2000), unchecked},
		{"members", `{"additionalProperties":` + branches(2000) + `}`, object(2000), unchecked},
		{"names", `{"propertyNames":` + branches(2000) + `}`, object(2000), unchecked},
		{"unevaluated members", `{"unevaluatedProperties":` + branches(2000) + `}`, object(2000), unchecked},
		{"a pattern over a long text", `{"pattern":"([a-z]{30}){30}[0-9]"}`, long, unchecked},
		{"numbers with an exponent", `{"items":` + strings.ReplaceAll(branches(100), `{"const":-1}`, `{"minimum":0}`) + `}`, list("9e999", 2000), unchecked},
		{"equal lists", `{"items":{"uniqueItems":true}}`, list(list(list("1", 500), 20), 20), unchecked},

		{"many alternatives, few elements", `{"items":` + branches(2000) + `}`, list("1", 10), "invalid data[0]"},
		{"few alternatives, many elements", `{"items":{"anyOf":[{"type":"number"},{"type":"null"}]}}`, list("1", 20_000), ""},
		{"many equal elements", `{"uniqueItems":true}`, list("1", 20_000), "invalid data"},
		{"a simple pattern over a long text", `{"pattern":"^a+$"}`, long, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			if err := with(t, loaded(t), tt.schema).Validate(t.Context(), "test.type", []byte(tt.data)); err != nil {
				fault, ok := errors.AsType[*switchboard.Error](err)
				if !ok {
					t.Fatal(err)
				}
				got = string(fault.Code) + " " + fault.Field
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestSampleBudget: the budget also applies to samples.
func TestSampleBudget(t *testing.T) {
	t.Parallel()
	err := loaded(t).CheckEventType(switchboard.EventType{
		Platform: "test", Name: "test.type", Schema: json.RawMessage(`{"items":` + branches(2000) + `}`), Sample: json.RawMessage(list("1", 2000)),
	})
	if fault, ok := errors.AsType[*switchboard.Error](err); !ok || fault.Code != switchboard.CodeTooLarge || fault.Field != "sample" {
		t.Errorf("got %v", err)
	}
}

// TestValidateInTurns: a validation waits for earlier ones for as long as its caller does.
func TestValidateInTurns(t *testing.T) {
	t.Parallel()
	base := loaded(t)
	c := with(t, base, `{"items":{"type":"integer"}}`)
	if err := base.limiter.steps.Acquire(t.Context(), stepsAtOnce); err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if err := c.Validate(gone, "test.type", []byte(`[1]`)); !errors.Is(err, context.Canceled) {
		t.Errorf("the caller has gone: %v", err)
	}
	if err := c.Validate(t.Context(), "test.type", []byte(`[1]`)); switchboard.CodeOf(err) != switchboard.CodeOverloaded {
		t.Errorf("there is no room: %v", err)
	}
	waited := make(chan error, 1)
	go func() { waited <- c.Validate(t.Context(), "test.type", []byte(`["a"]`)) }()
	base.limiter.steps.Release(stepsAtOnce)
	if err := <-waited; switchboard.CodeOf(err) != switchboard.CodeInvalid {
		t.Errorf("there is room again: %v", err)
	}
	if !base.limiter.steps.TryAcquire(stepsAtOnce) {
		t.Error("room was not given back")
	}
}

// BenchmarkWorstValidation is the maximum work of one validation.
func BenchmarkWorstValidation(b *testing.B) {
	c := with(b, loaded(b), `{"items":`+branches(450)+`}`)
	data := []byte(list("1", 100))
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Validate(b.Context(), "test.type", data); switchboard.CodeOf(err) != switchboard.CodeInvalid {
			b.Fatal(err)
		}
	}
}

// TestSamplesAreCheap: real data are far below the budget.
func TestSamplesAreCheap(t *testing.T) {
	t.Parallel()
	most := 0
	for _, e := range loaded(t).types {
		for _, sample := range e.Samples {
			value, err := jsonschema.UnmarshalJSON(bytes.NewReader(sample.Data))
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, costOf(e.schema, value, MaxSteps))
		}
	}
	if most < 10 || most > MaxSteps/100 {
		t.Errorf("the dearest sample takes %d steps", most)
	}
	t.Logf("the dearest sample takes %d steps", most)
}
