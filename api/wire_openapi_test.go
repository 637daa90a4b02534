package api

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The wire format at commit 6b62398, before a subscription was declared once. Both files were
// written once. A line in them changes only if callers may be broken.
const (
	frozenOpenAPI = "testdata/wire_openapi.txt"
	frozenAnswers = "testdata/wire_answers.txt"
)

var freeze = flag.Bool("freeze-wire-format", false,
	"write the frozen files of the wire format anew, which breaks the promise to callers")

// intended are the intended differences from the recorded document.
var intended = []struct {
	why     string
	line    *regexp.Regexp
	becomes string // empty: removed
}{
	{"the words of the glossary", regexp.MustCompile(`^(.*)\.stretch: `), "$1.interval_factor: "},
	{"the words of the glossary", regexp.MustCompile(`^(.*)\.maximum_stretch: `), "$1.maximum_interval_factor: "},
	{"the words of the glossary", regexp.MustCompile(`^(.*)\.run_id: `), "$1.temporal_run_id: "},
	{"the words of the glossary: the name of a schema", regexp.MustCompile(`\bAnswered\b`), "ReceiverResponse"},
	{"the name of a schema", regexp.MustCompile(`\bJsonWebKeySet\b`), "JSONWebKeySet"},
	{"the name of a schema", regexp.MustCompile(`\bGivenEvent\b`), "SampleEvent"},
	{"a match says that it needs nothing of a subscription", regexp.MustCompile(`^(POST /v1/match takes: .*)GivenSubscription`), "${1}MatchTrial"},
	{"a preview says that it needs a request only", regexp.MustCompile(`\bGivenSubscription\.subscription: NewSubscription required`), "PreviewTrial.subscription: object required"},
	{"a retry may have a date, and an action an expectation", regexp.MustCompile(`^(POST /v1/deliveries/\{id\}/retry takes: .*)ReasonInput`), "${1}RetryInput"},
	{"a delivery is cancelled for a reason, and an action may have an expectation", regexp.MustCompile(`^(POST /v1/deliveries/\{id\}/cancel takes: .*)ReasonInput`), "${1}RequiredActionInput required"},
	{"a subscription is deleted for a reason", regexp.MustCompile(`^(DELETE /v1/subscriptions/\{id\} query reason: string)`), "$1 required"},
	{"the name of a schema", regexp.MustCompile(`\bGivenSubscription\b`), "PreviewTrial"},
	{"a url was always required", regexp.MustCompile(`^NewSubscription\.request\.url: string`), "NewSubscription.request.url: string required"},
	{"left out of a change means unchanged, so nothing has a default", regexp.MustCompile(`^(SubscriptionPatch\..*?) default=\S+(.*)$`), "$1$2"},
	{"one subscription never has all slots of a worker", regexp.MustCompile(`^((?:NewSubscription|SubscriptionPatch)\.max_in_flight: .*) maximum=1000$`), "$1 maximum=100"},
	{"a default that depends on another member is said in words", regexp.MustCompile(`^(NewSubscription\.adaptive\.maximum_interval_factor: .*?) default=\S+(.*)$`), "$1$2"},
}

// TestWireFormatOfTheDocument compares /openapi.json with the recorded one: operations, parameters,
// statuses, and the type, default, limits and presence of every member. Additions are allowed.
func TestWireFormatOfTheDocument(t *testing.T) {
	t.Parallel()
	var d document
	if err := json.Unmarshal(setup(t).call(t, "", http.MethodGet, "/openapi.json", nil).body, &d); err != nil {
		t.Fatal(err)
	}
	facts := d.facts()
	if *freeze {
		lines := slices.Sorted(maps.Keys(facts))
		for i, key := range lines {
			lines[i] = key + ": " + facts[key]
		}
		if err := os.WriteFile(frozenOpenAPI, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range linesOf(t, frozenOpenAPI) {
		key, was, _ := strings.Cut(line, ": ")
		if is, found := facts[key]; found && unchanged(key, was, is) {
			continue
		}
		for _, i := range intended {
			line = i.line.ReplaceAllString(line, i.becomes)
		}
		if key, was, _ = strings.Cut(line, ": "); key == "" {
			continue
		}
		is, found := facts[key]
		switch {
		case !found:
			t.Errorf("gone: %s", line)
		case !unchanged(key, was, is):
			t.Errorf("%s\n is: %s\nwas: %s", key, is, was)
		}
	}
}

// unchanged reports whether a fact is the same. An operation may have additional statuses.
func unchanged(key, was, is string) bool {
	switch {
	case strings.HasSuffix(key, " refuses with"):
		known := strings.Fields(is)
		return !slices.ContainsFunc(strings.Fields(was), func(status string) bool { return !slices.Contains(known, status) })
	case strings.HasPrefix(key, "SubscriptionPatch."): // where null removes a member
		return strings.NewReplacer("|null", "", ",null]", "]").Replace(is) == strings.Replace(was, "|null", "", 1)
	}
	return was == is
}

func linesOf(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// document is what the test reads of an OpenAPI document.
type document struct {
	Paths      map[string]map[string]wireOperation
	Components struct {
		Schemas   map[string]wireSchema
		Responses map[string]wireContent
	}
}

type wireOperation struct {
	Parameters []struct {
		Name, In string
		Required bool
		Schema   wireSchema
	}
	RequestBody *wireContent
	Responses   map[string]wireContent
}

type wireContent struct {
	Ref      string `json:"$ref"`
	Required bool
	Content  map[string]struct{ Schema wireSchema }
}

type wireSchema struct {
	Ref                                                        string `json:"$ref"`
	Type, Default, Enum                                        json.RawMessage
	Format                                                     string
	Minimum, Maximum, MinLength, MaxLength, MinItems, MaxItems *float64
	Properties                                                 map[string]wireSchema
	AdditionalProperties                                       json.RawMessage
	Items                                                      *wireSchema
	Required                                                   []string
}

// facts returns what the document says, by its place in the document.
func (d *document) facts() map[string]string {
	facts := map[string]string{}
	roots := map[string]bool{}
	root := func(c wireContent) string {
		if c.Ref != "" {
			c = d.Components.Responses[c.Ref[strings.LastIndex(c.Ref, "/")+1:]]
		}
		var names []string
		for media, content := range c.Content {
			name := content.Schema.Ref[strings.LastIndex(content.Schema.Ref, "/")+1:]
			roots[name] = true
			names = append(names, media+" "+name)
		}
		return strings.Join(names, " ")
	}
	for path, operations := range d.Paths {
		for method, o := range operations {
			at := strings.ToUpper(method) + " " + path
			for _, p := range o.Parameters {
				facts[at+" "+p.In+" "+p.Name] = p.Schema.fact(p.Required)
			}
			if o.RequestBody != nil {
				facts[at+" takes"] = root(*o.RequestBody) + map[bool]string{true: " required"}[o.RequestBody.Required]
			}
			var refused []string
			for status, r := range o.Responses {
				if answer := root(r); answer == "application/problem+json Problem" {
					refused = append(refused, status)
				} else {
					facts[at+" answers "+status] = answer
				}
			}
			slices.Sort(refused)
			facts[at+" refuses with"] = strings.Join(refused, " ")
		}
	}
	for name := range roots {
		s := d.Components.Schemas[name]
		facts[name] = s.fact(true)
		d.members(facts, roots, name, s)
	}
	return facts
}

// members adds what the schema says about its members. Schemas that operations name stand for
// themselves.
func (d *document) members(facts map[string]string, roots map[string]bool, at string, s wireSchema) {
	add := func(at string, s wireSchema, required bool) {
		name := s.Ref[strings.LastIndex(s.Ref, "/")+1:]
		if roots[name] {
			facts[at] = name + map[bool]string{true: " required"}[required]
			return
		}
		if name != "" {
			s = d.Components.Schemas[name]
		}
		facts[at] = s.fact(required)
		d.members(facts, roots, at, s)
	}
	for name, property := range s.Properties {
		add(at+"."+name, property, slices.Contains(s.Required, name))
	}
	if s.Items != nil {
		add(at+"[]", *s.Items, true)
	}
	var values wireSchema
	if json.Unmarshal(s.AdditionalProperties, &values) == nil && (values.Type != nil || values.Ref != "") {
		add(at+"{}", values, true)
	}
}

// fact is everything that a schema says about itself, on one line.
func (s wireSchema) fact(required bool) string {
	var types []string
	if json.Unmarshal(s.Type, &types) != nil {
		types = []string{strings.Trim(cmp.Or(string(s.Type), "any"), `"`)}
	}
	words := []string{strings.Join(types, "|")}
	if required {
		words = append(words, "required")
	}
	if s.Format != "" {
		words = append(words, "format="+s.Format)
	}
	for _, f := range []struct {
		name  string
		value json.RawMessage
	}{{"default", s.Default}, {"enum", s.Enum}} {
		if f.value != nil {
			words = append(words, f.name+"="+string(f.value))
		}
	}
	for _, f := range []struct {
		name  string
		value *float64
	}{{"minimum", s.Minimum}, {"maximum", s.Maximum}, {"minLength", s.MinLength}, {"maxLength", s.MaxLength}, {"minItems", s.MinItems}, {"maxItems", s.MaxItems}} {
		if f.value != nil {
			words = append(words, fmt.Sprintf("%s=%g", f.name, *f.value))
		}
	}
	return strings.Join(words, " ")
}
