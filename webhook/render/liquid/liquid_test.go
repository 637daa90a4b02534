package liquid

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	reference "github.com/osteele/liquid"

	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// object is a scope that is a JSON object. The member "secret" may not be read.
type object struct{ *document.Object }

var errSecret = errors.New("may not be read")

func (o object) Lookup(path Path) (value any, found bool, err error) {
	if path.Keys[0] == "secret" {
		return nil, false, errSecret
	}
	value, found = any(o.Object), true
	for _, key := range path.Keys {
		inner, ok := value.(*document.Object)
		if !ok {
			return nil, false, nil
		}
		if value, found = inner.Get(key); !found {
			return nil, false, nil
		}
	}
	return value, found, nil
}

const data = `{
	"contact": {"first_name": "Mei", "last_name": "", "czCol": {"15": "172", "16": 1.10}, "vip": true, "note": null, "full name": "Mei T"},
	"ticket": {"id": 12345678901234567890, "priority": 4, "tags": ["refund", "billing"], "none": 0, "spam": false, "opened": "2026-03-01T12:34:56.789+01:00"},
	"queue": {"length": 3}, "has_message": "yes", "größe": "XL", "long": "` + "0123456789012345678901234567890123456789012345678901234567890123456789" + `"
}`

func run(t testing.TB) Run {
	t.Helper()
	decoded, err := document.Decode([]byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return Run{Scope: object{decoded.(*document.Object)}, Budget: NewBudget()}
}

func render(t testing.TB, source string, run Run) (string, error) {
	t.Helper()
	template, err := Parse(source)
	if err != nil {
		return "", err
	}
	return template.Render(run)
}

func TestRender(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"":                                    "",
		"as it is } }} %} { #":                "as it is } }} %} { #",
		"{{ contact.first_name }}":            "Mei",
		"{{contact.first_name}}!":             "Mei!",
		"{{\n\tcontact . first_name  }}":      "Mei",
		"{{contact.czCol.15 }}":               "172",
		`{{contact.czCol["15"]}}`:             "172",
		`{{contact["czCol"][16]}}`:            "1.10",
		`{{ contact['full name'] }}`:          "Mei T",
		"{{ größe }}":                         "XL",
		"{{ ticket.id }}":                     "12345678901234567890",
		"{{ contact.note }}|":                 "|",
		"{{ contact.vip }}":                   "true",
		"{{ contact.czCol }}":                 `{"15":"172","16":1.10}`,
		`{{ "{{ not }} {% one %}" }}`:         "{{ not }} {% one %}",
		"a {{- has_message -}} b":             "ayesb",
		"a {%- if true -%} b {%- endif -%} c": "abc",

		"{% if contact.vip %}yes{% endif %}":                                                                           "yes",
		"{% if ticket.spam %}a{% elsif queue.length >= 3 %}b{% else %}c{% endif %}":                                    "b",
		"{% unless contact.vip %}a{% else %}b{% endunless %}":                                                          "b",
		"{% if contact.nickname %}a{% else %}b{% endif %}":                                                             "b",
		"{% if contact.nickname %}{{ contact.nickname.first }}{% endif %}":                                             "",
		"{% if contact.nickname > 3 %}a{% else %}b{% endif %}":                                                         "b",
		"{% case ticket.priority %}{% when 1, 2 %}low{% when 3 or 4 %}high{% else %}?{% endcase %}":                    "high",
		"{% case ticket.priority %} {% when 9 %}low{% else %}?{% endcase %}":                                           "?",
		"{% if ticket.id == 12345678901234567890 %}a{% endif %}{% if ticket.id == 12345678901234567891 %}b{% endif %}": "a",
		"{% if ticket.id > 12345678901234567889 %}a{% endif %}":                                                        "a",
		"{% if contact.czCol.16 == 1.1 %}a{% endif %}":                                                                 "a",
		"{% if contact.note == nil and contact.last_name == blank %}a{% endif %}":                                      "a",
		"{% if contact.last_name == empty %}a{% endif %}{% if contact.note == empty %}b{% endif %}":                    "a",
		"{% if ticket.tags contains 'refund' %}a{% endif %}{% if has_message contains 'es' %}b{% endif %}":             "ab",
		"{% if (ticket.spam or contact.vip) and queue.length < 4 %}a{% endif %}":                                       "a",
		"{% if has_message == 'yes' %}{% if queue.length != 3 %}a{% else %}b{% endif %}{% endif %}":                    "b",

		`{{ contact.nickname | default: "friend" }}`:                                                      "friend",
		`{{ contact.nickname | strip | default: contact.first_name }}`:                                    "Mei",
		`{{ contact.last_name | default: "none" }}`:                                                       "none",
		`{{ contact.note | default: "none" }}`:                                                            "none",
		`{{ ticket.spam | default: true }}`:                                                               "true",
		`{{ "a b&c=d/é" | url_encode }}`:                                                                  "a+b%26c%3Dd%2F%C3%A9",
		`{{ '<a href="x">' | escape }}`:                                                                   "&lt;a href=&quot;x&quot;&gt;",
		`{{ ticket.tags | json }}`:                                                                        `["refund","billing"]`,
		`{{ has_message | json }}`:                                                                        `"yes"`,
		`{{ "Mei" | base64_encode }}`:                                                                     "TWVp",
		`{{ ticket.opened | date: "%Y-%m-%d %H:%M:%S.%L %z %a %j %e %p %% %s" }}`:                         "2026-03-01 12:34:56.789 +0100 Sun 060  1 PM % 1772364896",
		`{{ 0 | date: "%FT%TZ" }}`:                                                                        "1970-01-01T00:00:00Z",
		`{{ contact.czCol.15 | plus: 1 }}`:                                                                "173",
		`{{ -7 | divided_by: 2 }} {{ -7 | modulo: 2 }} {{ 7 | divided_by: 2.0 }}`:                         "-4 1 3.5",
		`{{ 9007199254740993 | times: 3 }}`:                                                               "27021597764222979",
		`{{ 1.2345 | round: 2 }} {{ 1.2 | ceil }} {{ -1.2 | floor }} {{ -3 | abs }}`:                      "1.23 2 -2 3",
		`{{ "größe" | slice: 1, 3 }} {{ "abc" | slice: -1 }} {{ "abc" | slice: 9 }}`:                      "röß c ",
		`{{ long | truncate }}`:                                                                           "01234567890123456789012345678901234567890123456...",
		`{{ "größe" | truncate: 4, "…" }}`:                                                                "grö…",
		`{{ "a,b,c" | split: "," | last | append: "!" | prepend: "=" }}`:                                  "=c!",
		`{{ ticket.tags | join: ", " }} {{ ticket.tags | size }} {{ has_message | size }}`:                "refund, billing 2 3",
		`{{ "aXbX" | replace: "X", "-" }} {{ "aXbX" | remove_first: "X" }} {{ "ab" | replace: "", "." }}`: "a-b- abX .a.b.",
	} {
		if got, err := render(t, source, run(t)); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", source, got, err, want)
		}
	}
}

// TestAgainstReference compares the evaluator with the reference library for every expression that
// means the same in both.
func TestAgainstReference(t *testing.T) {
	t.Parallel()
	engine := reference.NewEngine()
	bindings := map[string]any{
		"s": "Hello, World", "empty": "", "n": 7, "f": 2.5, "yes": true, "no": false, "none": nil,
		"list": []any{"b", "a"}, "o": map[string]any{"k": "v", "deep": map[string]any{"x": 1}},
	}
	encoded, err := json.Marshal(bindings)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := document.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	sources := []string{
		"{{ s }}-{{ n }}-{{ f }}-{{ yes }}-{{ none }}", "{{ o.k }}{{ o.deep.x }}{{ o['k'] }}", "a {{- s -}} b", "{{- n -}}",
		"{% if n == 7 and f < 3 %}a{% else %}b{% endif %}", "{% if no or none %}a{% elsif s contains 'World' %}b{% endif %}",
		"{% unless no %}a{% endunless %}", "{% if empty %}empty is true{% endif %}", "{% if list contains 'a' %}a{% endif %}",
		"{% if (no or yes) and yes %}a{% endif %}", "{% if none == nil %}a{% endif %}", "{% if n != 7 %}a{% endif %}", "{% if n >= 7.0 %}a{% endif %}",
		"{% case n %}{% when 1 %}one{% when 6, 7 %}seven{% else %}else{% endcase %}", "{% case s %}{% when 'x' %}x{% else %}else{% endcase %}",
	}
	values := []string{"s", "empty", "'  a b  '", `"line\n"`, "'x'", "n", "f", "8"}
	calls := []string{
		"upcase", "downcase", "strip", "lstrip", "rstrip", "append: '!'", "prepend: '<'", "replace: 'o', '0'", "replace_first: 'l', 'L'", "remove: 'l'",
		"remove_first: 'l'", "size", "default: 'd'", "truncate: 6", "truncate: 6, '.'", "slice: 1, 3", "slice: -3, 2", "split: ',' | join: '+'", "split: ' ' | first", "url_encode",
	}
	for _, value := range values[:5] {
		for _, c := range calls {
			if c == "split: ' ' | first" && strings.HasPrefix(value, "'  a") {
				continue // Ruby's split splits at any white space
			}
			sources = append(sources, "{{ "+value+" | "+c+" }}")
		}
	}
	for _, value := range values[5:] {
		for _, c := range []string{"plus: 2", "minus: 2.25", "times: 3", "modulo: 3", "abs", "ceil", "floor", "round"} {
			sources = append(sources, "{{ "+value+" | "+c+" }}")
		}
	}
	for _, source := range sources {
		want, refErr := engine.ParseAndRenderString(source, bindings)
		if refErr != nil {
			t.Errorf("%s: the reference says %v", source, refErr)
			continue
		}
		got, err := render(t, source, Run{Scope: object{decoded.(*document.Object)}, Budget: NewBudget()})
		if err != nil {
			t.Errorf("%s: %v; the reference renders %q", source, err, want)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-reference +got):\n%s", source, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"{{":                         "not closed",
		"{{ a":                       "not closed",
		"{{ 'a }}":                   "not closed",
		"{% if a":                    "not closed",
		"{{ }}":                      "not complete",
		"{{ a. }}":                   "not complete",
		"{{ a b }}":                  `from "b" on`,
		"{{ a | }}":                  "not a filter",
		"{{ a | shell: 'rm' }}":      `"shell"`,
		"{{ a | where: 'x' }}":       `"where"`,
		"{{ a | append }}":           "append 0 arguments; it takes 1",
		"{{ a | upcase: 1 }}":        "upcase 1 arguments",
		"{{ a[b] }}":                 "brackets",
		"{{ (1..3000000) | join }}":  "range",
		"{{ a..b }}":                 "range",
		"{% if (1..9) %}{% endif %}": "range",
		"{% for i in (1..9) %}{{ i }}{% endfor %}":        `"for i in (1..9)"`,
		"{% tablerow i in a %}{% endtablerow %}":          `"tablerow`,
		"{% assign a = 1 %}":                              `"assign`,
		"{% capture a %}{% endcapture %}":                 `"capture`,
		"{% cycle 'a', 'b' %}":                            `"cycle`,
		"{% include 'a' %}":                               `"include`,
		"{% render 'a' %}":                                `"render`,
		"{% raw %}{{ a }}{% endraw %}":                    `"raw"`,
		"{% comment %}{% endcomment %}":                   `"comment"`,
		"{% increment a %}":                               `"increment`,
		"{%%}":                                            "tag",
		"{% if a %}":                                      "not closed by {% endif %}",
		"{% if a %}{% endunless %}":                       "endunless",
		"{% if %}{% endif %}":                             "not complete",
		"{% if a %}{% else %}{% else %}{% endif %}":       "else",
		"{% if a %}{% else %}{% elsif b %}{% endif %}":    "elsif",
		"{% if a and b or c %}{% endif %}":                "parentheses",
		"{% if a | upcase %}{% endif %}":                  "understood",
		"{% endif %}":                                     "alone",
		"{% else %}":                                      "alone",
		"{% case a %}x{% when 1 %}{% endcase %}":          "between",
		"{% case a %}{% else %}{% when 1 %}{% endcase %}": "when",
		"{% case a %}{% when 1 %}":                        "not closed by {% endcase %}",
		"{{ a" + strings.Repeat(".b", maxNesting) + " }}": "parts",
		"{% if " + strings.Repeat("(", 100) + "a" + strings.Repeat(")", 100) + " %}{% endif %}": "parentheses deeper",
		strings.Repeat("{% if a %}", 100) + strings.Repeat("{% endif %}", 100):                  "deeper",
		strings.Repeat("x", MaxTemplate+1):                                                      "more than 8192 bytes",
		"{{ 99999999999999999999 }}{{ -}}":                                                      "not complete",
	} {
		_, err := Parse(source)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v; want an error that says %q", source, err, want)
		} else if len(err.Error()) > 300 {
			t.Errorf("%.60s: the error is %d bytes long", source, len(err.Error()))
		}
	}
}

func TestRenderErrors(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"{{ contac.first_name }}":           "no value for {{ contac.first_name }}",
		"{{czCol.15 }}":                     "no value for {{ czCol.15 }}",
		"{{ contact.first_name.x }}":        "{{ contact.first_name.x }}",
		`{{ nickname | upcase }}`:           "{{ nickname }}",
		`{{ "a" | append: nickname }}`:      "{{ nickname }}",
		"{{ secret.x }}":                    "may not be read",
		"{% if secret %}{% endif %}":        "may not be read",
		`{{ secret | default: "x" }}`:       "may not be read",
		`{{ 1 | divided_by: 0 }}`:           "divided_by the argument 0, and cannot divide by zero",
		`{{ 1 | divided_by: ticket.none }}`: "the filter divided_by cannot divide by zero",
		`{{ 1 | modulo: contact.note }}`:    "the filter modulo cannot divide by zero",
		`{{ "1e400" | times: 10 }}`:         "more than 400 digits",
		`{{ 1 | modulo: 0.0 }}`:             "zero",
		`{{ 1 | slice: "x" }}`:              "whole number",
		`{{ 0 | date: "%Q" }}`:              "%Q",
		`{{ 0 | date: "%" }}`:               "ends with %",
	} {
		got, err := render(t, source, run(t))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error that says %q", source, got, err, want)
		}
	}
	var missing *MissingError
	if _, err := render(t, "{{ a.b }}", run(t)); !errors.As(err, &missing) || missing.Path.Text != "a.b" {
		t.Errorf("%v; want a MissingError", err)
	}
	lenient := run(t)
	lenient.Lenient = true
	if got, err := render(t, "a{{ nickname | upcase }}b{{ x.y }}", lenient); err != nil || got != "ab" {
		t.Errorf("lenient: %q, %v", got, err)
	}
	if _, err := render(t, "{{ secret }}", lenient); !errors.Is(err, errSecret) {
		t.Errorf("lenient: %v; what may not be read is never read", err)
	}
}

func TestValueKeepsTypes(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"{{ ticket.id }}": "12345678901234567890", "{{ contact.czCol.16 }}": "1.10", "{{ contact.vip }}": "true", "{{ contact.note }}": "null",
		"{{ticket.tags}}": `["refund","billing"]`, "{{ contact.czCol }}": `{"15":"172","16":1.10}`, "{{ has_message }}": `"yes"`,
		" {{ ticket.priority }}": `" 4"`, "{{ ticket.priority | plus: 0 }}": `"4"`, "plain": `"plain"`, "{{ 5 }}": `"5"`, "{{ true }}": `"true"`,
		"{% if true %}{{ ticket.priority }}{% endif %}": `"4"`,
	} {
		template, err := Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		value, err := template.Value(run(t))
		if got := string(document.Append(nil, value)); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", source, got, err, want)
		}
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	template, err := Parse(`{{ a.b | append: c }}{% if d == 1 and (e or f.1) %}{{ g["h i"] }}{% elsif i %}{% endif %}{% case j %}{% when k, 'x' %}{{ true }}{% endcase %}`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, path := range template.Paths() {
		got = append(got, path.Text+"="+strings.Join(path.Keys, "/"))
	}
	want := []string{"a.b=a/b", "c=c", "d=d", "e=e", "f.1=f/1", `g["h i"]=g/h i`, "i=i", "j=j", "k=k"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestEscapeIsForPlaceholdersOnly(t *testing.T) {
	t.Parallel()
	r := run(t)
	r.Escape = func(s string) string { return "<" + s + ">" }
	got, err := render(t, `a{{ has_message }}{% if true %}b{{ "c" }}{% endif %}`, r)
	if want := "a<yes>b<c>"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][2]string{
		"a?b?c": {"a", "b?c"}, "a": {"a", ""}, "": {"", ""}, `{{ "?" }}/{% if a == '?' %}x{% endif %}?b={{ c }}`: {`{{ "?" }}/{% if a == '?' %}x{% endif %}`, "b={{ c }}"},
		"{{ a ?": {"{{ a ?", ""}, "{?{{ a }}": {"{", "{{ a }}"}, "?": {"", ""},
	} {
		before, after, found := Cut(source, '?')
		if before != want[0] || after != want[1] || found != (before != source) {
			t.Errorf("%q: %q, %q, %t; want %q", source, before, after, found, want)
		}
	}
}
