package console

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestIndentHead: a whole document equals the result of json.Indent; otherwise it is the beginning
// of that.
func TestIndentHead(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		`{}`, `[]`, `null`, `"a"`, `12345678901234567890`, `{"a":1,"b":[1,2,{}],"c":{"d":[]}}`, ` { "a" : [ ] , "b" : "x y" } `,
		`[[[1]],{"a":{"b":null}}]`, `{"n":12345678901234567890,"f":1.0,"e":1E400}`, `["\"","\\","\\\"{[,:]}","ü","<script>"]`,
	} {
		var want bytes.Buffer
		must(t, json.Indent(&want, []byte(strings.TrimSpace(document)), "", "  "))
		got, whole := indentHead(document, 1<<20)
		if got != want.String() || !whole {
			t.Errorf("%s:\n%s\nwant\n%s", document, got, want.String())
		}
		for limit := range len(want.String()) {
			if got, whole := indentHead(document, limit); got != want.String()[:limit] || whole {
				t.Errorf("%s up to %d: %q", document, limit, got)
			}
		}
	}
}

// TestHeadOf: at most 64 KiB are shown, in whole characters, and no value changes.
func TestHeadOf(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body          string
		holds         string
		indented, cut bool
	}{
		"JSON":                  {`{"n":12345678901234567890,"f":1.10,"s":"<b>\u0041"}`, "{\n  \"n\": 12345678901234567890,\n  \"f\": 1.10,\n  \"s\": \"<b>\\u0041\"\n}", true, false},
		"text":                  {"upstream connect error", "upstream connect error", false, false},
		"JSON that is cut":      {`{"a":`, `{"a":`, false, false},
		"a megabyte of JSON":    {`{"a":"` + strings.Repeat("x", 1<<20) + `"}`, "{\n  \"a\": \"xxx", true, true},
		"a megabyte of text":    {strings.Repeat("x", 1<<20), "xxx", false, true},
		"characters of 3 bytes": {strings.Repeat("€", 1<<20), "€€€", false, true},
		"deep JSON":             {strings.Repeat("[", 9999) + strings.Repeat("]", 9999), "[\n  [\n    [", true, true},
		"wide and deep JSON":    {strings.Repeat("[", 5000) + strings.Repeat("1,", 200_000) + "1" + strings.Repeat("]", 5000), "[\n  [", true, true},
	} {
		text, indented, cut := headOf(c.body)
		if !strings.HasPrefix(text, c.holds) || indented != c.indented || cut != c.cut || len(text) > bodyLimit || strings.ContainsRune(text, '\uFFFD') {
			t.Errorf("%s: %d bytes, indented %t, cut %t: %.80q", name, len(text), indented, cut, text)
		}
		if c.cut && len(text) < bodyLimit-3 {
			t.Errorf("%s: only %d bytes are shown", name, len(text))
		}
	}
}
