package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"switchboard"
)

func TestCheckTemplates(t *testing.T) {
	t.Parallel()
	contact, _ := firstline{}.UseCase("contact")
	sample := []json.RawMessage{json.RawMessage(`{"contact":{"id":1,"czCol":{"15":"172"}},"variables":{"queue":{"length":3}}}`), json.RawMessage(`not JSON`)}
	check := func(change func(*switchboard.Request), useCase *switchboard.UseCase, samples []json.RawMessage) ([]string, error) {
		w := script("POST", "application/json", `{}`)
		change(&w.Subscription.Request)
		if err := w.Subscription.Request.Validate(); err != nil {
			t.Fatalf("the request itself is not valid: %v", err)
		}
		return CheckTemplates(&w.Subscription.Request, useCase, samples)
	}
	leaf := func(source string) func(*switchboard.Request) {
		encoded, _ := json.Marshal(map[string]any{"address": map[string]string{"street": source}})
		return func(r *switchboard.Request) { r.Params = encoded }
	}

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
		got, err := check(leaf(source), &contact, sample)
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
	if got, err := check(leaf("{{ anything.at.all }}"), nil, nil); err != nil || got != nil {
		t.Errorf("no use case, no sample: %q, %v", got, err)
	}
	if got, err := check(leaf("{{ anything.at.all }}{{ has_message }}"), nil, sample); err != nil || len(got) != 2 {
		t.Errorf("no use case, a sample: %q, %v", got, err)
	}

	mixed := append([]json.RawMessage{json.RawMessage(`{"contact":{"id":"one"}}`)}, sample...)
	if got, err := check(leaf("{{ contact.id | plus: 1 }}"), &contact, mixed); err != nil || got != nil {
		t.Errorf("a template that one of two samples renders: %q, %v", got, err)
	}

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
		"constant":  {"request.params.address.street", "needs numbers", leaf(`{{ "a" | plus: 1 }}`)},
		"in sample": {"request.params.address.street", "needs numbers", leaf("{{ variables.queue.name | plus: 1 }}")},
	} {
		_, err := check(test.change, &contact, []json.RawMessage{json.RawMessage(`{"variables":{"queue":{"name":"first"}}}`)})
		if e, ok := errors.AsType[*switchboard.Error](err); !ok || e.Field != test.field || !strings.Contains(e.Message, test.words) {
			t.Errorf("%s: %v; want an invalid field %s that says %q", name, err, test.field, test.words)
		}
	}
}

// A warning tells the whole path of its field, and a leaf holds hundreds of placeholders:
// 56 KB of params got an answer of 247 MiB.
func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	check := func(placeholders int, leaf string) ([]string, error) {
		for i := range placeholders {
			leaf += fmt.Sprintf("{{ no.%d }}", i)
		}
		name := strings.Repeat("é", 60)
		params := strings.Repeat(`{"`+name+`":`, 10) + `"` + leaf + `"` + strings.Repeat("}", 10)
		w := script("POST", "application/json", params)
		return CheckTemplates(&w.Subscription.Request, nil, []json.RawMessage{[]byte(`{"a":1}`)})
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
	// What is wrong is found behind any number of warnings.
	if _, err := check(600, `{{ \"a\" | plus: 1 }}`); switchboard.CodeOf(err) != switchboard.Invalid {
		t.Errorf("an error in the same leaf: %v", err)
	}
	var params strings.Builder
	for i := range 2 * maxWarnings {
		fmt.Fprintf(&params, `"{{ contact.no%d }}",`, i)
	}
	contact, _ := firstline{}.UseCase("contact")
	w := script("POST", "application/json", `[`+params.String()+`"{{ ticket.id }}"]`)
	if _, err := CheckTemplates(&w.Subscription.Request, &contact, []json.RawMessage{w.Event.Data}); switchboard.CodeOf(err) != switchboard.Invalid {
		t.Errorf("a hidden placeholder after %d warnings: %v", 2*maxWarnings, err)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *Config) { c.Platforms = firstline{} })
	w := script("POST", "application/json", `{"height":"{{ czCol.15 }}"}`)
	w.Subscription.UseCase = "contact"
	w.Subscription.Request.URL += "/{{ contact.id }}"
	w.Subscription.Request.Headers = map[string]string{"X-Api-Key": "s3cret-{{ contact.id }}", "X-Contact": "{{ contact.id }}"}
	now := time.Unix(1700000000, 0)
	got, err := s.Preview(w, now)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Prepare(w, now)
	if err != nil {
		t.Fatal(err)
	}
	want := Preview{
		Method: "POST", URL: "https://api.example.com/users/12345678901234567890", Headers: m.Sent().Headers, Body: []byte(`{"height":"172"}`),
		Warnings: []string{"request.params.height: {{ czCol.15 }} is a custom field without its prefix, a form that may be given up: write contact.czCol.15"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
	if got.Headers["X-Contact"] != "12345678901234567890" || got.Headers["X-Api-Key"] != switchboard.Mask || got.Headers["Webhook-Signature"] == "" {
		t.Errorf("headers %v", got.Headers)
	}
	if strings.Contains(fmt.Sprint(got), "s3cret") {
		t.Error("the preview shows a secret")
	}
	w.Subscription.Request.Params = json.RawMessage(`{"a":"{{ ticket.id }}"}`)
	if _, err := s.Preview(w, now); switchboard.CodeOf(err) != switchboard.Invalid {
		t.Errorf("%v; want it to be invalid", err)
	}
}
