package liquid

import (
	"strings"
	"testing"
)

// rendered has the output of templates with the value v, one case per line.
type rendered []struct{ v, source, want string }

func (cases rendered) test(t *testing.T, change func(*Run)) {
	t.Helper()
	for _, c := range cases {
		r := newRun(t, c.v)
		if change != nil {
			change(&r)
		}
		if got, err := render(t, c.source, r); err != nil || got != c.want {
			t.Errorf("v = %s: %s: %q, %v; want %q", c.v, c.source, got, err, c.want)
		}
	}
}

// A filter that cannot use the event's value does not end a delivery.
func TestFiltersTakeEveryValue(t *testing.T) {
	t.Parallel()
	rendered{
		{`null`, `{{ v | date: "%F" }}|{{ v | join }}|{{ v | first }}|{{ v | last }}|{{ v | plus: 1 }}|{{ v | times: 2 }}|{{ v | round }}`, "||||1|0|0"},
		{`null`, `{{ v | upcase }}{{ v | append: "x" }}{{ v | size }}{{ v | split: "," | json }}{{ v | truncate }}{{ v | slice: 1 }}{{ v | capitalize }}`, "x0[]"},
		{`""`, `{{ v | date: "%F" }}|{{ v | plus: 1 }}|{{ v | join }}`, "|1|"},
		{`"soon"`, `{{ v | date: "%F" }}|{{ v | plus: 1 }}|{{ v | join: "," }}|{{ v | first }}`, "soon|1|soon|"},
		{`{"a":1}`, `{{ v | date: "%F" }}|{{ v | plus: 1 }}|{{ v | join: "," }}|{{ v | last }}`, `{"a":1}|1|{"a":1}|`},
		{`[1]`, `{{ v | date: "%F" }}|{{ v | plus: 1 }}|{{ v | abs }}`, `[1]|1|0`},
		{`true`, `{{ v | date: "%F" }}|{{ v | plus: 1 }}|{{ v | join }}|{{ v | first }}`, `true|1|true|`},
		{`"solved"`, `{{ v | truncate: t }}|{{ v | truncate: n }}|{{ v | slice: t }}|{{ v | slice: 0, t }}|{{ 1.25 | round: t }}|{{ v | date: n }}|{{ v | join: n }}`, "solved|solved|s|s|1|solved|solved"},
		{`2.9`, `{{ "abcdef" | slice: v }}|{{ "abcdef" | truncate: v }}|{{ 1.2345 | round: v }}`, "c|...|1.23"},
		{`"%-q %Q %"`, `{{ 0 | date: v }}`, "%-q %Q %"},
		{`"%2000d|%d"`, `{{ 0 | date: v }}`, "%2000d|01"},
	}.test(t, nil)
}

// For the filter default, nil includes what is missing, before it and in its argument, and what no
// filter before it could use.
func TestDefault(t *testing.T) {
	t.Parallel()
	rendered{
		{`"1"`, `{{ v | default: phone | default: "none" }}`, "1"},
		{`null`, `{{ v | default: phone | default: "none" }}`, "none"},
		{`null`, `{{ mobile | default: phone | default: "none" }}`, "none"},
		{`"1"`, `{{ mobile | default: v | default: "none" }}`, "1"},
		{`"1"`, `{{ v | default: phone }}`, "1"},
		{`"1"`, `{{ mobile | default: phone }}|`, "|"},
		{`null`, `{{ v | date: "%F" | default: "open" }}|{{ gone | date: "%F" | default: "open" }}`, "open|open"},
		{`null`, `{{ v | join: ", " | default: "open" }}|{{ gone | first | upcase | default: "open" }}`, "open|open"},
		{`0`, `{{ 10 | divided_by: v | default: "n/a" }}|{{ 10 | modulo: v | plus: 1 | default: "n/a" }}`, "n/a|1"},
		{`"0.0"`, `{{ 10 | divided_by: v | default: "n/a" }}`, "n/a"},
		{`null`, `{{ gone | default: other.thing | upcase }}`, ""},
	}.test(t, nil)
	rendered{
		{`null`, `{{ gone | date: "%F" }}|{{ gone | plus: 1 }}|{{ 1 | plus: gone }}|{{ 10 | divided_by: gone }}|{{ "a" | append: gone }}`, "|1|1||a"},
	}.test(t, func(r *Run) { r.Lenient = true })
	for source, want := range map[string]string{
		`{{ v | append: gone | default: "x" }}`: "{{ gone }}", // only the operand before a filter counts
		`{{ v | default: "x" | append: gone }}`: "{{ gone }}",
		`{{ gone | upcase }}`:                   "{{ gone }}",
		`{{ 1 | divided_by: n }}`:               "divide by zero",
		`{{ 1 | default: 2 | divided_by: n }}`:  "divide by zero", // the default is before it
	} {
		if got, err := render(t, source, newRun(t, "1")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want an error that says %q", source, got, err, want)
		}
	}
}

// What can never work, whatever the event contains, is refused when it is parsed.
func TestLiteralArguments(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`{{ v | date: "%-q" }}`:                    `date the argument "%-q", does not know %-q`,
		`{{ v | date: "%Y-%Q" }}`:                  "%Q",
		`{{ v | date: "%é" }}`:                     "%é",
		`{{ v | date: "%:d" }}`:                    "%:d",
		`{{ v | date: "%::::z" }}`:                 "%::::z",
		`{{ v | date: "%Ed" }}`:                    "%Ed",
		`{{ v | date: "%OB" }}`:                    "%OB",
		`{{ v | date: "%F %" }}`:                   "ends with %",
		`{{ v | date: "%-" }}`:                     "ends with %",
		`{{ v | date: "%99999999999d" }}`:          "1024 characters",
		`{{ v | round: 101 }}`:                     "from -100 to 100",
		`{{ v | round: 1.5 }}`:                     "not a whole number",
		`{{ v | round: "x" }}`:                     "not a whole number",
		`{{ v | divided_by: 0 }}`:                  "divide by zero",
		`{{ v | divided_by: 0.00 }}`:               "divide by zero",
		`{{ v | divided_by: "0" }}`:                "divide by zero",
		`{{ v | divided_by: nil }}`:                "divide by zero",
		`{{ v | modulo: 0 }}`:                      "divide by zero",
		`{{ v | modulo: "x" }}`:                    "not a number",
		`{{ v | slice: "x" }}`:                     `slice the argument "x", which is not a whole number`,
		`{{ v | slice: 0, "" }}`:                   "not a whole number",
		`{{ v | slice: nil }}`:                     "not a whole number",
		`{{ v | truncate: "x" }}`:                  "not a whole number",
		`{{ v | truncate: 2.5 }}`:                  "not a whole number",
		`{{ v | plus: "x" }}`:                      `plus the argument "x", which is not a number`,
		`{{ v | minus: true }}`:                    "not a number",
		`{{ v | times: "1,5" }}`:                   "not a number",
		`{{ v | at_least: "much" }}`:               "not a number",
		`{{ v | at_most: empty }}`:                 "not a number",
		`{{ 1 | default: v | plus: "x" }}`:         "not a number",
		`{% if v %}{{ v | plus: "x" }}{% endif %}`: "not a number",
	} {
		if _, err := Parse(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want an error that says %q", source, err, want)
		}
	}
	for _, source := range []string{
		`{{ v | date: t }}`, `{{ v | date: "" }}`, `{{ v | date: nil }}`, `{{ v | round: -2 }}`, `{{ v | round: 20 }}`, `{{ v | plus: nil }}`, `{{ v | plus: " 5 " }}`, `{{ v | slice: "1" }}`,
		`{{ v | divided_by: n }}`, `{{ v | truncate: 9, 5 }}`, `{{ v | date: "%-d %^a %3N %::z %10A %_m %0e %#p %Ec %OS %%" }}`,
	} {
		if _, err := Parse(source); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// Numbers are calculated exactly: decimals as they are written, whole numbers of any size.
func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	rendered{
		{`19.99`, `{{ v | times: 100 }}`, "1999.0"},
		{`19.99`, `{{ v | times: 100 | round }}`, "1999"},
		{`0.1`, `{{ v | plus: 0.2 }}`, "0.3"},
		{`1.1`, `{{ v | minus: 1 }}`, "0.1"},
		{`0.3`, `{{ v | modulo: 0.1 }}`, "0.0"},
		{`1.15`, `{{ v | round: 1 }}`, "1.2"},
		{`"0.1"`, `{{ v | plus: "0.2" | times: 3 }}`, "0.9"},
		{`12345678901234567890`, `{{ v | floor }} {{ v | ceil }} {{ v | round }} {{ v | plus: 0 }} {{ v | times: 1 }} {{ v | abs }}`, strings.TrimSpace(strings.Repeat("12345678901234567890 ", 6))},
		{`12345678901234567890`, `{{ v | modulo: 1000 }} {{ v | minus: 1 }} {{ v | divided_by: 10 }}`, "890 12345678901234567889 1234567890123456789"},
		{`9223372036854775807`, `{{ v | plus: v }} {{ v | times: v }}`, "18446744073709551614 85070591730234615847396907784232501249"},
		{`-9223372036854775808`, `{{ v | minus: 1 }} {{ v | abs }} {{ v | divided_by: -1 }}`, "-9223372036854775809 9223372036854775808 9223372036854775808"},
		{`"12345678901234567890"`, `{{ v | plus: 1 }} {{ v | at_least: 5 }} {{ v | at_most: 5 }}`, "12345678901234567891 12345678901234567890 5"},
		{`123456789012345678901234567890.5`, `{{ v | floor }} {{ v | ceil }} {{ v | round }} {{ v | divided_by: 2 }}`, "123456789012345678901234567890 123456789012345678901234567891 123456789012345678901234567891 61728394506172839450617283945.25"},
		{`-7`, `{{ v | divided_by: 2 }} {{ v | divided_by: -2 }} {{ v | modulo: 2 }} {{ v | modulo: -2 }}`, "-4 3 1 -1"},
		{`-7.5`, `{{ v | floor }} {{ v | ceil }} {{ v | round }} {{ v | abs }} {{ v | modulo: 2 }}`, "-8 -7 -8 7.5 0.5"},
		{`10.0`, `{{ v | divided_by: 4 }} {{ v | divided_by: 3 }} {{ v | divided_by: 5 }} {{ v | divided_by: 1.0 }}`, "2.5 3.3333333333333335 2.0 10.0"},
		{`1`, `{{ v | divided_by: 3.0 }} {{ v | divided_by: 8.0 }}`, "0.3333333333333333 0.125"},
		{`1234.5678`, `{{ v | round: 20 }} {{ v | round: 2 }} {{ v | round: -2 }} {{ v | round: -9 }} {{ v | round: 0 }}`, "1234.5678 1234.57 1200 0 1235"},
		{`1550`, `{{ v | round: -2 }} {{ v | round: 2 }}`, "1600 1550"},
		{`1e3`, `{{ v | plus: 1 }} {{ v | floor }}`, "1001.0 1000"},
		{`1.5e-3`, `{{ v | times: 1000 }}`, "1.5"},
		{`0e999999999`, `{{ v | plus: 1 }}`, "1.0"},
		{`"-0.50"`, `{{ v | abs }} {{ v | times: 2 }} {{ v | round }}`, "0.5 -1.0 -1"},
		{`" 7 "`, `{{ v | plus: 1 }}`, "8"},
		{`"+7"`, `{{ v | plus: 1 }}`, "8"},
		{`".5"`, `{{ v | plus: 1 }}`, "1.5"},
		{`"0x10"`, `{{ v | plus: 1 }}`, "1"},
		{`"NaN"`, `{{ v | plus: 1 }}`, "1"},
		{`"--1"`, `{{ v | plus: 1 }}`, "1"},
		{`"1e"`, `{{ v | plus: 1 }}`, "1"},
	}.test(t, nil)
	for _, c := range []struct{ v, source string }{
		{`1e400`, `{{ v | plus: 1 }}`},
		{`1e-401`, `{{ v | plus: 1 }}`},
		{`1e999999999`, `{{ v | floor }}`},
		{`1e399`, `{{ v | times: 100 }}`},
		{`1e300`, `{{ v | times: v }}`},
		{strings.Repeat("9", 2000), `{{ v | plus: 1 }}`},
		{`1e-300`, `{{ v | times: v }}`},
		{`"1e400"`, `{{ v | abs }}`},
	} {
		if got, err := render(t, c.source, newRun(t, c.v)); err == nil || !strings.Contains(err.Error(), "400 digits") {
			t.Errorf("v = %.20s: %s: %.50q, %v; want it to have too many digits", c.v, c.source, got, err)
		}
	}
}

// The order is numeric if one side is a number and the other one represents one; == is never true
// for text and number.
func TestComparison(t *testing.T) {
	t.Parallel()
	cases := rendered{}
	for _, c := range []struct {
		v, condition string
		holds        bool
	}{
		{`"172"`, `v > 100`, true},
		{`"99"`, `v > 100`, false},
		{`"172"`, `v >= 172`, true},
		{`"172"`, `v <= 171.9`, false},
		{`"172"`, `100 < v`, true},
		{`5`, `v > '100'`, false},
		{`5`, `v < '100'`, true},
		{`5`, `'5.0' <= v`, true},
		{`" 172 "`, `v > 100`, true},
		{`"1e3"`, `v > 999`, true},
		{`"12345678901234567891"`, `v > 12345678901234567890`, true},
		{`"0.1"`, `v < 0.10000000000000000001`, true},
		{`0.3`, `v > 0.29999999999999999999`, true},
		{`"9"`, `v > '100'`, true},
		{`"abc"`, `v > 3`, false},
		{`"abc"`, `v <= 3`, false},
		{`"abc"`, `3 < v`, false},
		{`""`, `v < 3`, false},
		{`"abc"`, `v < 'abd'`, true},
		{`null`, `v < 3`, false},
		{`null`, `v >= 3`, false},
		{`null`, `gone < 3`, false},
		{`true`, `v > 0`, false},
		{`[1]`, `v > 0`, false},
		{`{}`, `v < 'x'`, false},
		{`3`, `v < blank`, false},
		{`"172"`, `v == 172`, false},
		{`"172"`, `v != 172`, true},
		{`"172"`, `v == '172'`, true},
		{`172.0`, `v == 172`, true},
		{`1e2`, `v == 100`, true},
		{`0.1`, `v == 0.10`, true},
		{`1e400`, `v > 1`, true},
		{`1e400`, `v == 1e400`, false},
	} {
		if strings.Contains(c.condition, "1e400") {
			continue // a literal has no exponent
		}
		want := "no"
		if c.holds {
			want = "yes"
		}
		cases = append(cases, struct{ v, source, want string }{c.v, "{% if " + c.condition + " %}yes{% else %}no{% endif %}", want})
	}
	cases = append(cases, rendered{
		{`"1"`, `{% case v %}{% when 1 %}number{% when "1" %}text{% endcase %}`, "text"},
		{`1`, `{% case v %}{% when "1" %}text{% when 1.0 %}number{% endcase %}`, "number"},
	}...)
	cases.test(t, nil)
}

// Notices report values that were probably not meant; nil: an ordinary value.
func TestNotices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ v, source, want string }{
		{`"x"`, `{{ v | plus: 1 }}`, `the filter plus takes "x" for 0`},
		{`"x"`, `{{ 1 | times: v }}`, `the filter times takes "x" for 0`},
		{`"soon"`, `{{ v | date: "%F" }}`, `the filter date leaves "soon" as it is`},
		{`"x"`, `{{ v | first }}`, `the filter first takes nothing out of "x"`},
		{`"x"`, `{{ "abc" | slice: v }}`, `the filter slice takes "x" for 0`},
		{`"x"`, `{% if v > 3 %}{% endif %}`, `a comparison of "x" with 3`},
		{`"172"`, `{% if v == 172 %}{% endif %}`, `"172" and 172 are compared as text and number`},
		{`172`, `{% case v %}{% when "172" %}{% endcase %}`, `172 and "172" are compared as text and number`},
		{`null`, `{{ v | plus: 1 }}{{ v | date: "%F" }}{{ v | first }}{% if v > 3 %}{% endif %}`, ""},
		{`"172"`, `{{ v | plus: 1 }}{% if v > 3 %}{% endif %}{% if v == "172" %}{% endif %}`, ""},
		{`"open"`, `{% if v == 3 %}{% endif %}`, ""},
	} {
		r := newRun(t, c.v)
		var notices []string
		r.Notice = func(text string) { notices = append(notices, text) }
		if _, err := render(t, c.source, r); err != nil {
			t.Errorf("%s: %v", c.source, err)
		}
		if got := strings.Join(notices, "\n"); !strings.Contains(got, c.want) || c.want == "" && got != "" || len(notices) > 1 {
			t.Errorf("v = %s: %s: %q; want %q", c.v, c.source, notices, c.want)
		}
	}
}

// Names follow Unicode's annex 31. In brackets any name is allowed.
func TestNames(t *testing.T) {
	t.Parallel()
	rendered{
		{`{"ชื่อ":"a"}`, `{{ v.ชื่อ }}`, "a"},
		{`{"שֵׁם":"b"}`, `{{ v.שֵׁם }}`, "b"},
		{"{\"e\u0301t\u00e9\":\"c\"}", "{{ v.e\u0301t\u00e9 }}", "c"},
		{`{"नाम":"d"}`, `{{ v.नाम }}`, "d"},
		{"{\"می\u200cخواهم\":\"e\"}", "{{ v.می\u200cخواهم }}", "e"},
		{`{"名前":"f","이름":"g","اسم":"h"}`, `{{ v.名前 }}{{ v.이름 }}{{ v.اسم }}`, "fgh"},
		{`{"a·b":"i","Ⅷ":"j"}`, `{{ v.a·b }}{{ v.Ⅷ }}`, "ij"},
		{`{"first name":"k","x.y":"l"}`, `{{ v["first name"] }}{{ v['x.y'] }}`, "kl"},
		{`"m"`, `{{ ["v"] }}{{ ['v'] | upcase }}{% if ["v"] == "m" %}yes{% endif %}`, "mMyes"},
		{`{"a":{"b c":"n"}}`, `{{ ["v"].a["b c"] }}{{ ["v"]["a"]["b c"] }}{{ [ "v" ] . a . size }}`, "nn"},
	}.test(t, func(r *Run) { r.Lenient = true })
	for _, source := range []string{"{{ v.a→b }}", "{{ v.😀 }}", "{{ [v] }}", `{{ ["v" }}`, `{{ [] }}`, `{{ [["v"]] }}`, "{{ \xff }}", "{{ v.a\xffb }}"} {
		if _, err := Parse(source); err == nil {
			t.Errorf("%q: want an error", source)
		}
	}
	// A name is its exact text: é as one code point and as two are two names (RFC 8259, 8.3).
	if got, err := render(t, "{{ v.\u00e9 }}", newRun(t, "{\"e\u0301\":1}")); err == nil {
		t.Errorf("é found e and its accent: %q", got)
	}
}
