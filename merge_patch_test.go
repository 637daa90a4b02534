package switchboard

import "testing"

func TestMergePatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ document, patch, want string }{
		// RFC 7396, appendix A.
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
		// Numbers, order in lists and texts stay as they were written.
		{`{"a":1.50}`, `{"b":12345678901234567890}`, `{"a":1.50,"b":12345678901234567890}`},
		{`{"a":"<b>"}`, `{"c":"&"}`, `{"a":"<b>","c":"&"}`},
		{`{"a":{"b":1}}`, ` { "a" : { "b" : null } } `, `{"a":{}}`},
		// Documents in the document.
		{`{"w":{"a":1}}`, `{"w":{"b":null}}`, `{"w":{"b":null}}`},
		{`{"o":{"w":{"a":1},"x":{"a":1}}}`, `{"o":{"w":{"b":null},"x":{"b":null}}}`, `{"o":{"w":{"b":null},"x":{"a":1}}}`},
		{`{"w":{"a":1}}`, `{"w":null}`, `{}`},
	} {
		if got := string(MergePatch([]byte(c.document), []byte(c.patch), "w", "o.w")); got != c.want {
			t.Errorf("%s changed by %s: %s; want %s", c.document, c.patch, got, c.want)
		}
	}
}
