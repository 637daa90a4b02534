package console

import (
	"strconv"
	"strings"
	"testing"
)

func TestDiffBodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after, want string }{
		{`{"a":1}`, `{"a":1}`, ""},
		{`{"a":1}`, `{"a":2}`, `body.a: 1 → 2`},
		{`{"a":12345678901234567890}`, `{"a":12345678901234567891}`, `body.a: 12345678901234567890 → 12345678901234567891`},
		{`{"a":1}`, `{"a":1.0}`, `body.a: 1 → 1.0`},
		{`{"a":1}`, `{"a":"1"}`, `body.a: 1 → "1"`},
		{`{"a":1,"b":2}`, `{"b":2,"c":"<x>"}`, `body.a: 1 → ; body.c:  → "<x>"`},
		{`{"a":[1,2,3]}`, `{"a":[1,4]}`, `body.a[1]: 2 → 4; body.a[2]: 3 → `},
		{`{"a":{"b":{"c":null}}}`, `{"a":{"b":{"c":[]}}}`, `body.a.b.c: null → []`},
		{`[]`, `{}`, `body: [] → {}`},
		{`{"a": 1}`, `{"a":1}`, `body: the same values → with different bytes: white space, order, escapes or repeated names`},
		{"one\ntwo\nthree", "one\n2\nthree", `line 2: two → ; line 2:  → 2`},
		{"a\nb\nc\nd", "a\nc\nd\ne", `line 2: b → ; line 4:  → e`},
		{`{"a":1}`, `no JSON`, `line 1: {"a":1} → ; line 1:  → no JSON`},
		{"", "x", `line 1:  → ; line 1:  → x`},
	} {
		var got []string
		for _, d := range diffBodies(c.before, c.after) {
			got = append(got, d.Path+": "+d.Old+" → "+d.New)
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s → %s:\n%s\nwant\n%s", c.before, c.after, strings.Join(got, "; "), c.want)
		}
	}
}

// TestDiffIsBounded: for long bodies, the list fits on a page and is ready in a time for which a
// person waits.
func TestDiffIsBounded(t *testing.T) {
	t.Parallel()
	var left, right []string
	for i := range 20_000 {
		left, right = append(left, "l"+strconv.Itoa(i)), append(right, "r"+strconv.Itoa(i))
	}
	for name, c := range map[string][2]string{
		"lines":      {strings.Join(left, "\n"), strings.Join(right, "\n")},
		"elements":   {`["` + strings.Join(left, `","`) + `"]`, `["` + strings.Join(right, `","`) + `"]`},
		"one string": {`"` + strings.Repeat("a", 1<<20) + `"`, `"` + strings.Repeat("b", 1<<20) + `"`},
	} {
		found := diffBodies(c[0], c[1])
		if len(found) == 0 || len(found) > maxDifferences {
			t.Errorf("%s: %d differences", name, len(found))
		}
		for _, d := range found {
			if len(d.Old) > longestValue+3 || len(d.New) > longestValue+3 {
				t.Errorf("%s: a value of %d characters", name, max(len(d.Old), len(d.New)))
			}
		}
	}
}

// TestDiffHeaders: what differs between any two requests does not count as a difference.
func TestDiffHeaders(t *testing.T) {
	t.Parallel()
	before := map[string]string{"Webhook-Id": "dlv_1", "Webhook-Signature": "v1,a", "X-Hub-Signature-256": "a", "Content-Length": "1", "X-A": "1", "X-B": "1", "X-C": "1"}
	after := map[string]string{"Webhook-Id": "dlv_2", "Webhook-Signature": "v1,b", "X-Hub-Signature-256": "b", "Content-Length": "2", "X-A": "1", "X-B": "2", "X-D": "1"}
	var got []string
	for _, d := range diffHeaders(before, after) {
		got = append(got, d.Path+" "+d.Kind)
	}
	if want := "headers.X-B changed, headers.X-C removed, headers.X-D added"; strings.Join(got, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(got, ", "), want)
	}
}
