package liquid

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// biggest is a scope with the biggest values that an event may contain.
func biggest() object {
	const size = 256 << 10
	o := &document.Object{}
	o.Set("text", strings.Repeat("ä", size/2))
	o.Set("half", strings.Repeat("a", MaxValue/2))
	o.Set("spaces", strings.Repeat(" ", size))
	o.Set("digits", json.Number(strings.Repeat("9", size)))
	numbers := make([]any, size/4)
	for i := range numbers {
		numbers[i] = json.Number("1.0")
	}
	o.Set("numbers", numbers)
	o.Set("wide", strings.Repeat("%1024d", 100))
	deep := []any{}
	for range 100 {
		deep = []any{deep, deep}
	}
	o.Set("deep", deep)
	o.Set("strings", []any{strings.Repeat("a", size/2), strings.Repeat("b", size/2)})
	return object{o}
}

// hostile are templates that request as much as they can, by what they attack.
func hostile() map[string]string {
	fill := func(frame, piece string) string {
		return strings.Replace(frame, "…", strings.Repeat(piece, (MaxTemplate-len(frame))/len(piece)), 1)
	}
	return map[string]string{
		"doubling by append":      fill("{{ half … }}", "| append: half"),
		"doubling by replace":     fill("{{ half … }}", "| replace: 'a', half"),
		"empty search":            fill("{{ half … }}", "| replace: '', half"),
		"splitting to characters": fill("{{ half … }}", "| split: '' | join: 'x'"),
		"joining with much":       "{{ numbers | join: half }}",
		"escaping":                fill("{{ half … }}", "| url_encode"),
		"changing case":           fill("{{ half … }}", "| upcase | downcase"),
		"big text in a filter":    "{{ text | upcase }}",
		"big array as text":       "{{ numbers | append: 'x' }}",
		"big output":              fill("…", "{{ text }}"),
		"big array in output":     fill("…", "{{ numbers }}"),
		"comparing arrays":        fill("{% if … 1 == 2 %}{% endif %}", "numbers == numbers and "),
		"searching arrays":        fill("{% if … 1 == 2 %}{% endif %}", "numbers contains 2 or "),
		"searching texts":         fill("{% if … 1 == 2 %}{% endif %}", "text contains 'b' or "),
		"comparing texts":         fill("{% if … 1 == 2 %}{% endif %}", "text == text and "),
		"comparing long numbers":  fill("{% if … 1 == 2 %}{% endif %}", "digits > 1 and "),
		"equal to long numbers":   fill("{% if … 1 == 2 %}{% endif %}", "1 == digits or "),
		"above long numbers":      fill("{% if … 1 == 2 %}{% endif %}", "1 > digits or "),
		"long number in a sum":    fill("…", "{{ digits | plus: 1 }}"),
		"many cases":              fill("{% case numbers %}…{% endcase %}", "{% when numbers, strings %}"),
		"dates":                   fill("{{ 0 | date: '…' }}", "%N%A%B"),
		"not a date":              fill("…", "{{ spaces | date: '%s' }}"),
		"not a number":            fill("…", "{{ spaces | plus: 1 }}"),
		"deep conditions":         strings.Repeat("{% if true %}", 300) + strings.Repeat("{% endif %}", 300),
		"deep parentheses":        "{% if " + strings.Repeat("(", 4000) + "1" + strings.Repeat(")", 4000) + " %}{% endif %}",
		"long name":               "{{ a" + strings.Repeat(".a", 4000) + " }}",
		"long literal":            "{% if " + strings.Repeat("9", 8000) + " == 1.5 %}{% endif %}",
		"many openings":           strings.Repeat("{{", 4000),
		"many braces":             strings.Repeat("{", MaxTemplate),
		"unclosed string":         fill("{{ '… }}", "}}"),
		"huge range":              "{% for i in (1..3000000) %}{% for j in (1..3000000) %}x{% endfor %}{% endfor %}",
		"range in a filter":       "{{ (1..9223372036854775807) | join }}",
		"truncating by much":      "{{ half | truncate: 9223372036854775807 | slice: -999999999999, 99999999 }}",
		"rounding by much":        "{{ 1.5 | round: 999999999 }}",
		"large numbers":           fill("{{ 9 … }}", "| times: 9e999"),
		"powers":                  fill("{{ 9 … }}", "| times: 999999999"),
		"small powers":            fill("{{ 0.9 … }}", "| times: 0.999999999"),
		"long quotients":          fill("{{ 0.9 … }}", "| divided_by: 0.7"),
		"long remainders":         fill("{{ "+strings.Repeat("9", 400)+" … }}", "| modulo: 1e-399"),
		"long digits to round":    fill("…", "{{ 1.5 | round: digits }}"),
		"nested lists":            fill("…", "{{ deep | join: '' }}"),
		"wide dates":              fill("{{ 0 | date: '…' }}", "%1024d%1024a%1024N"),
		"wide dates of the event": fill("…", "{{ 0 | date: wide }}"),
		"many dates":              fill("…", "{{ spaces | date: '%F' }}{{ half | date: wide }}"),
		"brackets in brackets":    fill("{{ … }}", "["),
	}
}

// TestHostileTemplates: no template uses more than its budget. The test uses no clock: it counts
// work and memory.
func TestHostileTemplates(t *testing.T) { // not parallel: it reads the heap's counters
	harmless := map[string]bool{ // these do end, within the limits
		"comparing texts": true, "many braces": true, "many cases": true, "dates": true, "long literal": true, "truncating by much": true, "not a number": true,
		"long digits to round": true, "long quotients": true,
	}
	for name, source := range hostile() {
		if len(source) > MaxTemplate {
			t.Errorf("%s: %d bytes is not a template that is let in", name, len(source))
		}
		r := Run{Scope: biggest(), Budget: NewBudget()}
		before := allocated()
		out, err := render(t, source, r)
		const most = 64 << 20
		if used := allocated() - before; used > most {
			t.Errorf("%s: allocated %d bytes", name, used)
		}
		if err == nil && !harmless[name] {
			t.Errorf("%s: rendered %d bytes without an error", name, len(out))
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: the error is %d bytes long", name, len(err.Error()))
		}
		if len(out) > NewBudget().Output {
			t.Errorf("%s: rendered %d bytes", name, len(out))
		}
	}
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	template, err := Parse("{{ half }}")
	if err != nil {
		t.Fatal(err)
	}
	r := Run{Scope: biggest(), Budget: NewBudget()}
	for range 8 {
		if _, err := template.Value(r); err != nil {
			return
		}
	}
	if _, err := template.Value(r); !errors.Is(err, ErrOutput) {
		t.Errorf("%v; want ErrOutput", err)
	}
}

func FuzzRender(f *testing.F) {
	for _, source := range hostile() {
		f.Add(source)
	}
	f.Add(`{{ a.b["c"][1] | default: "x" | append: 'y' }}{% if a == 1 and (b or c) %}{% elsif d %}{% else %}{% endif %}`)
	f.Add(`{%- case a -%}{%- when 1, 'x' -%}{%- else -%}{%- endcase -%}{% unless a contains nil %}{% endunless %}`)
	f.Fuzz(func(t *testing.T, source string) {
		template, err := Parse(source)
		if err != nil {
			return
		}
		r := run(t)
		out, err := template.Render(r)
		if err == nil && (r.Budget.Work < 0 || r.Budget.Output < 0 || len(out) > NewBudget().Output) {
			t.Errorf("%q: beyond its budget: %+v", source, r.Budget)
		}
		if _, err := template.Value(r); err == nil {
			return
		}
	})
}
