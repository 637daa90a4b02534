package catalogue

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

func loaded(t testing.TB) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The counts come from the vendors' lists: 65 variants of 47 events.
func TestLoad(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	type count struct{ Types, Examples int }
	want := map[string]count{
		"commbox":     {12, 29},
		"firstline":   {14, 14},
		"iomnihub":    {5, 5},
		"signalzen":   {10, 11},
		"switchboard": {5, 6},
		"ziwo":        {6, 6},
		"":            {52, 71},
	}
	got := map[string]count{"": {len(c.EventTypes("")), len(c.Examples(""))}}
	for _, p := range c.Platforms() {
		got[p.Name] = count{len(c.EventTypes(p.Name)), len(c.Examples(p.Name))}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if types := c.EventTypes("unheard of"); types == nil || len(types) > 0 {
		t.Errorf("types of an unknown platform: %v; want an empty list", types)
	}
}

func TestEveryEventType(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	for _, e := range c.EventTypes("") {
		t.Run(e.Platform+"/"+e.Name, func(t *testing.T) {
			t.Parallel()
			if e.VendorName == "" || e.Entity == "" || e.Description == "" || (len(e.UseCases) == 0) != (e.Platform == switchboard.OperationalPlatform) || e.Schema == nil || !e.BuiltIn {
				t.Errorf("incomplete: %+v", e)
			}
			if err := c.CheckEventType(e); err != nil {
				t.Error(err)
			}
			if !bytes.Equal(e.Sample, e.Samples[0].Data) {
				t.Error("the sample is not the first of the samples")
			}
			for _, s := range e.Samples {
				if err := c.Validate(t.Context(), e.Name, s.Data); err != nil {
					t.Errorf("sample %s: %v", s.Name, err)
				}
			}
			assumed := bytes.Contains(e.Schema, []byte(`"x-assumed":true`)) || bytes.Contains(e.Schema, []byte(`"$comment"`))
			if e.SchemaState == switchboard.SchemaAssumed && !assumed {
				t.Error("the schema is assumed, and does not say what of it")
			}
			if got := c.VendorName(e.Platform, e.Name); got != e.VendorName {
				t.Errorf("vendor name %q; want %q", got, e.VendorName)
			}
		})
	}
}

// A schema that accepts everything would pass the test above.
func TestEverySchemaRefuses(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	for _, e := range c.EventTypes("") {
		schema, err := compile(e.Schema)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []any{nil, "text", []any{}} {
			if schema.Validate(other) == nil {
				t.Errorf("%s of %s accepts %v", e.Name, e.Platform, other)
			}
		}
	}
}

// The receiver's body must follow from the posted data and the profile.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, e := range loaded(t).Examples("") {
		t.Run(e.Platform+"/"+e.EventType+"/"+e.Name, func(t *testing.T) {
			t.Parallel()
			var posted, received map[string]json.RawMessage
			if err := json.Unmarshal(e.Data, &posted); err != nil {
				t.Fatal(err)
			}
			if e.Body != nil {
				if err := json.Unmarshal(e.Body, &received); err != nil {
					t.Fatal(err)
				}
			}
			switch e.Platform {
			case "signalzen":
				if !bytes.Equal(received["data"], e.Data) || string(received["event_type"]) != `"`+e.EventType+`"` {
					t.Errorf("body %s is not the envelope of %s", e.Body, e.Data)
				}
			case "iomnihub":
				delete(received, "event")
				delete(received, "timestamp")
				if diff := cmp.Diff(posted, received); diff != "" {
					t.Error(diff)
				}
			case "firstline":
				if e.Script == nil || len(received) == 0 {
					t.Fatal("no script, or nothing that it makes")
				}
				var request switchboard.Request
				if err := decodeStrict(e.Script.Request, &request); err != nil || request.Body != switchboard.BodyParams || len(request.Params) == 0 {
					t.Errorf("request %s: %v", e.Script.Request, err)
				}
			case "commbox":
				checkXML(t, e.XML)
				fallthrough
			default:
				if e.Body != nil {
					t.Error("its bodies are delivered unchanged")
				}
			}
			if strings.ContainsAny(string(e.Data), "\n\t") {
				t.Error("the data hold the indentation of the file")
			}
		})
	}
}

func checkXML(t *testing.T, text string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	elements := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
	if elements < 2 {
		t.Errorf("XML has %d elements: %s", elements, text)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	tests := map[string]profile{
		"signalzen": {
			Request:   switchboard.Request{Body: switchboard.BodyEnvelope, Envelope: &switchboard.EnvelopeFields{Type: "event_type", Data: "data"}},
			Signature: switchboard.Signature{Scheme: signing.HMACHex, Header: "x-signalzen-signature"},
			Verify:    switchboard.VerificationChallenge,
		},
		"ziwo":     {Request: switchboard.Request{Body: switchboard.BodyData}},
		"iomnihub": {Request: switchboard.Request{Body: switchboard.BodyEnvelope, Envelope: &switchboard.EnvelopeFields{Type: "event", VendorType: true, Timestamp: "timestamp"}}},
	}
	for platform, want := range tests {
		raw, known := c.Profile(strings.ToUpper(platform))
		var got profile
		if err := decodeStrict(raw, &got); err != nil || !known {
			t.Fatal(platform, known, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(platform, diff)
		}
	}
	if raw, known := c.Profile("unheard of"); known || raw != nil {
		t.Errorf("profile of an unknown platform: %s", raw)
	}
}

func TestUseCase(t *testing.T) {
	t.Parallel()
	c := loaded(t)
	conversation := switchboard.UseCase{Name: "conversation", Entity: "conversation", Reads: []string{"conversation", "contact", "variables"}, Variables: "variables"}
	tests := []struct {
		name string
		want switchboard.UseCase
	}{
		{"contact", switchboard.UseCase{Name: "contact", Entity: "contact", Reads: []string{"contact", "variables"}, Variables: "variables"}},
		{"conversation", conversation},
		{"Conversation record", conversation},
		{" conversation_RECORD ", conversation},
		{"Call", switchboard.UseCase{Name: "call"}},
		{"user", switchboard.UseCase{Name: "user"}}, // SignalZen's data are the user itself: CommBox' wrapper does not restrict that
		{"object", switchboard.UseCase{Name: "object", Reads: []string{"Event"}}},
		{"ticket", switchboard.UseCase{Name: "ticket", Entity: "ticket", Reads: []string{"contact", "ticket", "variables"}, Variables: "variables"}},
	}
	for _, tt := range tests {
		got, known := c.UseCase(tt.name)
		if diff := cmp.Diff(tt.want, got); diff != "" || !known {
			t.Errorf("%q: known %v\n%s", tt.name, known, diff)
		}
	}
	for _, name := range []string{"", "nothing", "conversation-record"} {
		if u, known := c.UseCase(name); known {
			t.Errorf("%q is %+v", name, u)
		}
	}
}

func TestLoadRefusesFaults(t *testing.T) {
	t.Parallel()
	const good = `{"platform":"p","title":"P","profile":{},"use_cases":[{"name":"ticket","entity":"ticket"}],
		"event_types":[{"name":"a.b","use_cases":["ticket"],"schema":{"type":"object"},"schema_state":"seen","samples":[{"name":"x","data":{}}]}]}`
	if _, err := load(fstest.MapFS{"data/p.json": {Data: []byte(good)}}); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"unknown member", `"title"`, `"titel"`, "titel"},
		{"unknown member of a profile", `"profile":{}`, `"profile":{"time_out":"5s"}`, "time_out"},
		{"another platform's file", `"platform":"p"`, `"platform":"q"`, "another platform"},
		{"unknown use case", `"use_cases":["ticket"]`, `"use_cases":["tickets"]`, "use_cases[0]"},
		{"sample against its schema", `"data":{}`, `"data":[]`, "sample: must be an object"},
		{"no sample", `{"name":"x","data":{}}`, ``, "no sample"},
		{"schema that does not compile", `"object"`, `"objekt"`, "schema"},
		{"schema that is not stated", `"seen"`, `"none"`, "schema_state"},
		{"use case twice, with another entity", `[{"name":"ticket"`, `[{"name":"ticket","entity":"t"},{"name":"ticket"`, "its entity"},
		{"alias that is taken", `[{"name":"ticket"`, `[{"name":"file"},{"name":"call","aliases":["file"]},{"name":"ticket"`, "is taken"},
		{"name twice", `"event_types":[`, `"event_types":[{"name":"A.B","samples":[{"data":1}]},`, "twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(good, tt.old, tt.new, 1)
			_, err := load(fstest.MapFS{"data/p.json": {Data: []byte(text)}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want one that says %q", err, tt.want)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		loaded(b)
	}
}
