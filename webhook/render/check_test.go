package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// samplesOf are samples of one event type that the subscription names.
func samplesOf(eventType string, data ...json.RawMessage) []Sample {
	var samples []Sample
	for _, d := range data {
		samples = append(samples, Sample{EventType: eventType, Named: true, Data: d})
	}
	return samples
}

// checkScript checks a request with that change against samples of one event type.
func checkScript(t *testing.T, change func(*switchboard.Request), useCase *switchboard.UseCase, samples []json.RawMessage) ([]string, error) {
	t.Helper()
	w := script("POST", "application/json", `{}`)
	change(&w.Subscription.Request)
	if err := w.Subscription.Request.Validate(); err != nil {
		t.Fatalf("the request itself is not valid: %v", err)
	}
	return CheckTemplates(&w.Subscription.Request, useCase, samplesOf("contact.updated", samples...))
}

// leaf is a change that makes the template a leaf of the params.
func leaf(source string) func(*switchboard.Request) {
	encoded, _ := json.Marshal(map[string]any{"address": map[string]string{"street": source}})
	return func(r *switchboard.Request) { r.Params = encoded }
}

func TestCheckTemplates(t *testing.T) {
	t.Parallel()
	contact, _ := firstline{}.UseCase("contact")
	sample := []json.RawMessage{json.RawMessage(`{"contact":{"id":1,"czCol":{"15":"172"}},"variables":{"queue":{"length":3}}}`), json.RawMessage(`not JSON`)}
	warnings := map[string][]string{
		"{{ contact.id }} {{ event.id }} plain": nil,
		"{{ contact.czCol.15 }}":                nil,
		"{{ variables.has }}":                   {"{{ variables.has }} has no value in the samples"},
		"{{czCol.15}}":                          {"{{ czCol.15 }} is a custom field without its prefix"},
		"{{ czCol.16 }}":                        {"{{ czCol.16 }} is a custom field without its prefix", "{{ czCol.16 }} has no value in the samples"},
		"{{ has_message }}":                     {"{{ has_message }} is taken for a variable that a script sets"},
		"{{ queue.length }}":                    {"{{ queue.length }} is a variable without its prefix"},
		"{{ contact.nick }}{{ contact.nick }}":  {"{{ contact.nick }} has no value in the samples"},
		"{% if contact.id %}{{ contact.a }}{% else %}{{ contact.b }}{% endif %}": {"contact.a", "contact.b"},
	}
	for source, want := range warnings {
		got, err := checkScript(t, leaf(source), &contact, sample)
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %q, %v; want %q", source, got, err, want)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(got[i], "request.params.address.street: ") || !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: %q; want %q", source, got[i], want[i])
			}
		}
	}
	if got, err := checkScript(t, leaf("{{ anything.at.all }}"), nil, nil); err != nil || got != nil {
		t.Errorf("no use case, no sample: %q, %v", got, err)
	}
	if got, err := checkScript(t, leaf("{{ anything.at.all }}{{ has_message }}"), nil, sample); err != nil || len(got) != 2 {
		t.Errorf("no use case, a sample: %q, %v", got, err)
	}

	mixed := append([]json.RawMessage{json.RawMessage(`{"contact":{"id":"one"}}`)}, sample...)
	if got, err := checkScript(t, leaf("{{ contact.id | plus: 1 }}"), &contact, mixed); err != nil || len(got) != 1 || !strings.Contains(got[0], `plus takes "one" for 0`) {
		t.Errorf("a template that takes a text of one sample for 0: %q, %v", got, err)
	}
	if got, err := checkScript(t, leaf("{{ 8 | divided_by: contact.id }}"), &contact, mixed); err != nil || len(got) != 2 || !strings.Contains(got[0], "with some samples of contact.updated: the filter divided_by cannot") {
		t.Errorf("a template that one of two samples renders: %q, %v", got, err)
	}

}

func TestCheckTemplatesRefuses(t *testing.T) {
	t.Parallel()
	contact, _ := firstline{}.UseCase("contact")
	in := func(change func(r *switchboard.Request)) func(*switchboard.Request) { return change }
	for name, test := range map[string]struct {
		field, words string
		change       func(*switchboard.Request)
	}{
		"syntax":      {"request.params.address.street", "not closed", leaf("{{ contact.id")},
		"loop":        {"request.params.address.street", "for", leaf("{% for i in (1..9) %}{% endfor %}")},
		"filter":      {"request.params.address.street", `"sort"`, leaf("{{ contact.id | sort }}")},
		"hidden":      {"request.params.address.street", "may not read ticket", leaf("{{ ticket.id }}")},
		"long leaf":   {"request.params.address.street", "8192 bytes", leaf("{{ a }}" + strings.Repeat("x", 9000))},
		"list":        {"request.params.a.1.b", "may not read ticket", in(func(r *switchboard.Request) { r.Params = []byte(`{"a":[1,{"b":"{{ ticket.id }}"}]}`) })},
		"many leaves": {"request.params", "strings", in(func(r *switchboard.Request) { r.Params = []byte(`[` + strings.Repeat(`"",`, 600) + `1]`) })},
		"header":      {"request.headers.X-Ticket", "may not read ticket", in(func(r *switchboard.Request) { r.Headers = map[string]string{"X-Ticket": "{{ ticket.id }}"} })},
		"path":        {"request.url", "may not read ticket", in(func(r *switchboard.Request) { r.URL += "/{{ ticket.id }}" })},
		"query":       {"request.url", "alone", in(func(r *switchboard.Request) { r.URL += "?{% endif %}" })},
		"SOAP": {"request.soap.parameters.X", "may not read ticket", in(func(r *switchboard.Request) {
			r.ContentType, r.SOAP = "text/xml", &switchboard.SOAP{Version: "1.1", Parameters: map[string]string{"X": "{{ ticket.id }}"}}
		})},
		"XML name":  {"request.params", "first name", in(func(r *switchboard.Request) { r.ContentType, r.Params = "text/xml", []byte(`{"first name":"x"}`) })},
		"argument":  {"request.params.address.street", "not a number", leaf(`{{ contact.id | plus: "a" }}`)},
		"format":    {"request.params.address.street", "does not know %-q", leaf(`{{ contact.id | date: "%-q" }}`)},
		"constant":  {"request.params.address.street", "not a number", leaf(`{% if true %}{{ 1 | divided_by: false }}{% endif %}`)},
		"in sample": {"request.params.address.street", "for contact.updated: the filter divided_by cannot divide by zero", leaf("{{ 1 | divided_by: variables.queue.length }}")},
	} {
		_, err := checkScript(t, test.change, &contact, []json.RawMessage{json.RawMessage(`{"variables":{"queue":{"name":"first","length":0}}}`)})
		if e, ok := errors.AsType[*switchboard.Error](err); !ok || e.Field != test.field || !strings.Contains(e.Message, test.words) {
			t.Errorf("%s: %v; want an invalid field %s that says %q", name, err, test.field, test.words)
		}
	}
}

// A sample that cannot be rendered is found at any position. For a type that the subscription
// names, it is refused; for one of many types of a pattern, it is a warning.
func TestEachEventTypeIsTried(t *testing.T) {
	t.Parallel()
	plain := func(eventType string, n int, named bool) (samples []Sample) {
		for i := range n {
			samples = append(samples, Sample{EventType: eventType, Named: named, Data: fmt.Appendf(nil, `{"id":%d}`, i)})
		}
		return samples
	}
	zero := func(eventType string, named bool) []Sample {
		return []Sample{{EventType: eventType, Named: named, Data: []byte(`{"id":7,"n":0}`)}}
	}
	const reads, asks = "{{ 1 | divided_by: n }}", "{% if n %}{{ 1 | divided_by: n }}{% endif %}"
	for name, c := range map[string]struct {
		samples []Sample
		source  string
		missing switchboard.Missing
		refused string // words of the error
		warned  string // words of a warning
	}{
		"named, last of many":                 {slices.Concat(plain("a.a", 17, true), zero("z.z", true)), reads, "", "cannot be rendered for z.z", ""},
		"named, last of many, conditional":    {slices.Concat(plain("a.a", 17, true), zero("z.z", true)), asks, "", "cannot be rendered for z.z", ""},
		"pattern, the only one with values":   {slices.Concat(plain("a.a", 17, false), zero("z.z", false)), reads, "", "cannot be rendered for z.z", ""},
		"pattern, others render":              {slices.Concat(plain("a.a", 17, false), zero("z.z", false)), asks, "", "", "cannot be rendered for z.z, which the subscription takes by a pattern"},
		"pattern, the first, others render":   {slices.Concat(zero("a.a", false), plain("z.z", 17, false)), asks, "", "", "cannot be rendered for a.a"},
		"pattern, several":                    {slices.Concat(zero("a.a", false), plain("b.b", 1, false), zero("z.z", false)), asks, "", "", "cannot be rendered for a.a and 1 more event types, which"},
		"the last of many samples of a type":  {slices.Concat(plain("a.a", 17, true), zero("a.a", true)), asks, "", "", "cannot be rendered with some samples of a.a"},
		"the values in the last sample":       {slices.Concat(plain("a.a", 17, true), zero("a.a", true)), reads, "", "cannot be rendered for a.a", ""},
		"a type that lacks the values":        {slices.Concat(plain("a.a", 2, true), zero("b.b", true), plain("z.z", 1, false)), "{{ n }}", "", "", "request: deliveries of a.a and 1 more event types would fail, as at request.params.a: the event has no value for {{ n }}"},
		"lacking, with a default":             {slices.Concat(plain("a.a", 2, true), zero("b.b", true)), "{{ n | default: 1 }}", "", "", ""},
		"lacking, missing: empty":             {slices.Concat(plain("a.a", 2, true), zero("b.b", true)), "{{ n }}", switchboard.MissingEmpty, "", ""},
		"a sample of a type that lacks them":  {slices.Concat(plain("a.a", 2, true), zero("a.a", true)), "{{ n }}", "", "", ""},
		"missing: empty has nothing to say":   {slices.Concat(plain("a.a", 17, true), zero("z.z", true)), reads, switchboard.MissingEmpty, "", ""},
		"named fails, pattern renders":        {slices.Concat(plain("a.a", 3, false), zero("z.z", true)), asks, "", "cannot be rendered for z.z", ""},
		"a value that is taken for another":   {slices.Concat(plain("a.a", 17, false), []Sample{{EventType: "z.z", Data: []byte(`{"d":"soon"}`)}}), "{{ d | date: '%F' }}", "", "", `leaves "soon" as it is: it is no time, in a sample of z.z`},
		"a comparison that never holds":       {[]Sample{{EventType: "z.z", Data: []byte(`{"d":"172"}`)}}, "{% if d == 172 %}x{% endif %}", "", "", "are compared as text and number"},
		"by the event's type":                 {slices.Concat(zero("a.a", true), plain("z.z", 1, true)), "{% if event.type == 'z.z' %}{{ 1 | divided_by: m }}{% endif %}{{ id }}", "", "", "{{ m }} has no value"},
		"a sample that is none is passed by":  {slices.Concat([]Sample{{EventType: "z.z", Named: true, Data: []byte(`{`)}}, zero("z.z", true)), reads, "", "cannot be rendered for z.z", ""},
		"dates of a vendor's are read":        {[]Sample{{EventType: "z.z", Named: true, Data: []byte(`{"d":"09-04-2025 07:33:40"}`)}}, "{{ d | date: '%F' }}", "", "", ""},
		"text that says a number is compared": {[]Sample{{EventType: "z.z", Named: true, Data: []byte(`{"d":"172"}`)}}, "{% if d > 170 %}x{% endif %}", "", "", ""},
	} {
		params, _ := json.Marshal(map[string]string{"a": c.source + "."})
		w := script("POST", "application/json", string(params))
		w.Subscription.Request.Missing = c.missing
		warnings, err := CheckTemplates(&w.Subscription.Request, nil, c.samples)
		switch {
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: %v, %q; want an error that says %q", name, err, warnings, c.refused)
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.warned == "" && len(warnings) > 0 || !strings.Contains(strings.Join(warnings, "\n"), c.warned):
			t.Errorf("%s: warnings %q; want one that says %q", name, warnings, c.warned)
		}
	}
}

// For any number of samples and placeholders, trying them ends, and says so.
func TestTryingIsBounded(t *testing.T) {
	t.Parallel()
	var samples []Sample
	text := strings.Repeat("x", 50<<10)
	for i := range 100 {
		samples = append(samples, Sample{EventType: fmt.Sprint("a.t", i%50), Data: []byte(`{"text":"` + text + `"}`)})
	}
	request := func(leaves int) *switchboard.Request {
		leaf := `"{{ text` + strings.Repeat("|upcase", 8) + ` | size }}",`
		w := script("POST", "application/json", `[`+strings.Repeat(leaf, leaves)+`1]`)
		return &w.Subscription.Request
	}
	if warnings, err := CheckTemplates(request(2), nil, samples); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "not tried with all samples") {
		t.Errorf("%q, %v; want a warning that not all was tried", warnings, err)
	}
	c := newCheck(request(200), nil, samples)
	if err := c.request(request(200)); err == nil || !strings.Contains(err.Error(), "too much work") {
		t.Errorf("%v; want the work of one request to be too much", err)
	}
	if least := -(8 << 20); c.work < least {
		t.Errorf("%d of the work is left; want no less than %d", c.work, least)
	}
}

// A filter that repeats the encoding of its place is a warning.
func TestEncodingTwiceIsToldOf(t *testing.T) {
	t.Parallel()
	leaf := func(contentType, source string) func(*switchboard.Request) {
		params, _ := json.Marshal(map[string]string{"a": source})
		return func(r *switchboard.Request) { r.ContentType, r.Params = contentType, params }
	}
	for name, c := range map[string]struct {
		change func(*switchboard.Request)
		field  string // empty: no warning
	}{
		"query":          {func(r *switchboard.Request) { r.URL += "?q={{ a | url_encode }}" }, "request.url"},
		"path":           {func(r *switchboard.Request) { r.URL += "/{{ a | strip | url_encode | downcase }}" }, "request.url"},
		"form":           {leaf(formType, "{% if a %}{{ a | url_encode }}{% endif %}"), "request.params.a"},
		"query of a GET": {func(r *switchboard.Request) { leaf("", "{{ a | url_encode }}")(r); r.Method = "GET" }, "request.params.a"},
		"XML":            {leaf("text/xml", "{{ a | escape }}"), "request.params.a"},
		"SOAP": {func(r *switchboard.Request) {
			r.ContentType, r.SOAP = "text/xml", &switchboard.SOAP{Version: "1.1", Parameters: map[string]string{"X": "{{ a | escape }}"}}
		}, "request.soap.parameters.X"},
		"JSON": {leaf("application/json", "{{ a | json }}"), "request.params.a"},
		"header": {func(r *switchboard.Request) {
			r.Headers = map[string]string{"X-A": "{{ a | url_encode }}{{ a | escape }}{{ a | json }}"}
		}, ""},
		"a URL in JSON":     {leaf("application/json", "https://b.example/?a={{ a | url_encode }}"), ""},
		"HTML in JSON":      {leaf("application/json", "<p>{{ a | escape }}</p>"), ""},
		"JSON in a form":    {leaf(formType, "{{ a | json }}"), ""},
		"HTML in a form":    {leaf(formType, "{{ a | escape }}"), ""},
		"base64 everywhere": {func(r *switchboard.Request) { r.URL += "/{{ a | base64_encode }}?b={{ a | base64_encode }}" }, ""},
	} {
		w := script("POST", "application/json", `{}`)
		c.change(&w.Subscription.Request)
		warnings, err := CheckTemplates(&w.Subscription.Request, nil, samplesOf("a.b", []byte(`{"a":"x"}`)))
		if err != nil || len(warnings) > 0 != (c.field != "") || c.field != "" && !strings.HasPrefix(warnings[0], c.field+": the filter ") {
			t.Errorf("%s: %q, %v; want a warning of %q", name, warnings, err, c.field)
		}
	}
}

// A placeholder of the event itself that also exists in the data is a warning.
func TestEventOfTheDataIsToldOf(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]int{"{{ event.id }}": 1, "{{ event.key }}": 0, `{{ ["event"].id }}`: 0, "{{ event.name }}": 0} {
		params, _ := json.Marshal(map[string]string{"a": source})
		w := script("POST", "application/json", string(params))
		warnings, err := CheckTemplates(&w.Subscription.Request, nil, samplesOf("a.b", []byte(`{"event":{"id":"theirs","name":"n"}}`)))
		if err != nil || len(warnings) != want || want > 0 && !strings.Contains(warnings[0], `{{ ["event"].id }}`) {
			t.Errorf("%s: %q, %v; want %d warnings", source, warnings, err, want)
		}
	}
}

// A warning has the whole path of its field, and a leaf may have hundreds of placeholders: 56 KB of
// params caused an answer of 247 MiB.
func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	check := func(placeholders int, leaf string) ([]string, error) {
		for i := range placeholders {
			leaf += fmt.Sprintf("{{ no.%d }}", i)
		}
		name := strings.Repeat("é", 60)
		params := strings.Repeat(`{"`+name+`":`, 10) + `"` + leaf + `"` + strings.Repeat("}", 10)
		w := script("POST", "application/json", params)
		return CheckTemplates(&w.Subscription.Request, nil, samplesOf("a.b", []byte(`{"a":1}`)))
	}
	for placeholders, want := range map[int]int{1: 1, maxWarnings: maxWarnings, maxWarnings + 1: maxWarnings, 600: maxWarnings} {
		got, err := check(placeholders, "")
		if err != nil || len(got) != want {
			t.Fatalf("%d placeholders: %d warnings, %v; want %d", placeholders, len(got), err, want)
		}
		for _, warning := range got {
			if utf8.RuneCountInString(warning) > maxShownField+100 || !utf8.ValidString(warning) {
				t.Errorf("%d placeholders: a warning of %d bytes, %q", placeholders, len(warning), warning)
			}
		}
		if more := strings.Contains(got[len(got)-1], "more warnings"); more != (placeholders > maxWarnings) {
			t.Errorf("%d placeholders: the last warning is %q", placeholders, got[len(got)-1])
		}
	}
	long := "{{ " + strings.Repeat("a", 4000) + " }}"
	if got, err := check(0, long); err != nil || len(got) != 1 || len(got[0]) > 1000 {
		t.Errorf("a long placeholder: %.1000q, %v; want one short warning", got, err)
	}
	// An error is found after any number of warnings.
	if _, err := check(600, `{{ a | plus: \"a\" }}`); switchboard.CodeOf(err) != switchboard.CodeInvalid {
		t.Errorf("an error in the same leaf: %v", err)
	}
	var params strings.Builder
	for i := range 2 * maxWarnings {
		fmt.Fprintf(&params, `"{{ contact.no%d }}",`, i)
	}
	contact, _ := firstline{}.UseCase("contact")
	w := script("POST", "application/json", `[`+params.String()+`"{{ ticket.id }}"]`)
	if _, err := CheckTemplates(&w.Subscription.Request, &contact, samplesOf("a.b", w.Event.Data)); switchboard.CodeOf(err) != switchboard.CodeInvalid {
		t.Errorf("a hidden placeholder after %d warnings: %v", 2*maxWarnings, err)
	}
}
