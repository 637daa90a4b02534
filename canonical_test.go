package switchboard

import (
	"strings"
	"testing"
)

func TestSameJSON(t *testing.T) {
	t.Parallel()
	for _, same := range [][2]string{
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`},
		{`{"a": {"x":[1, 2],"y":null} }`, "{\"a\":{\"y\":null,\"x\":[1,2]}}\n"},
		{`"é/<"`, `"\u00e9\/\u003c"`},
		{`"😀"`, `"\ud83d\uDE00"`},
		{`{"é":1}`, `{"\u00e9":1}`},
		{`1`, `1.0`},
		{`1`, `10e-1`},
		{`-0`, `0`},
		{`100`, `1E+2`},
		{`12345678901234567890`, `1.234567890123456789e19`},
		{`[]`, `[ ]`},
		{`{}`, `{ }`},
		{`1e99999999999`, `1e99999999999`},
		{`{"a":1,"a":2}`, `{"a" :1, "a":2}`},
	} {
		if !SameJSON([]byte(same[0]), []byte(same[1])) {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
	for _, other := range [][2]string{
		{`{"a":1}`, `{"a":1,"b":null}`},
		{`[1,2]`, `[2,1]`},
		{`[1,[2]]`, `[[1],2]`},
		{`1`, `"1"`},
		{`1`, `-1`},
		{`0.1`, `0.1000000000000000055511151231257827021181583404541015625`},
		{`12345678901234567890`, `12345678901234567891`},
		{`1e99999999999`, `1e99999999998`},
		{`true`, `"true"`},
		{`null`, `"null"`},
		{`null`, `{}`},
		{`"é"`, `"e\u0301"`}, // composed or not, they are different characters
		{`{"A":1}`, `{"a":1}`},
		{`{"a":1,"a":2}`, `{"a":2,"a":1}`},
		{`{"a":1,"a":2}`, `{"a":2}`},
		{`{"a":"b\",\"c"}`, `{"a":"b","c":""}`},
		{``, `{}`},
		{`{`, `{"a":1}`},
		{`1 2`, `12`},
	} {
		if SameJSON([]byte(other[0]), []byte(other[1])) {
			t.Errorf("%s and %s are the same", other[0], other[1])
		}
	}
	deep := strings.Repeat("[", 128) + strings.Repeat("]", 128)
	if !SameJSON([]byte(deep), []byte(" "+deep)) {
		t.Error("deep lists differ")
	}
}

func TestLongerThan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{"abc": false, "abcd": true, "票票票": false, "票票票票": true, "😀😀😀": false, "e\u0301e": false, "e\u0301e\u0301": true, "": false} {
		if LongerThan(text, 3) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
