package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeKeepsOrderAndNumbers(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		` {"b" : 1.10, "a": [ 123456789012345678901234567890, -0.0, 1e400 ] } `: `{"b":1.10,"a":[123456789012345678901234567890,-0.0,1e400]}`,
		`{"a":1,"b":2,"a":3}`:               `{"a":3,"b":2}`,
		`"<a & b>\u2028\u0000\ud83d\ude00"`: `"<a & b>\u2028\u0000😀"`,
		`[]`:                                `[]`, `{}`: `{}`, `null`: `null`, `true`: `true`, `false`: `false`, `""`: `""`,
		"\"\xff\"": "\"\uFFFD\"",
	} {
		value, err := Decode([]byte(in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if diff := cmp.Diff(want, string(Append(nil, value))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "{", "[1,", `{"a"}`, `{1:2}`, "1 2", "{} x", "nul", `{"a":1]`} {
		if value, err := Decode([]byte(in)); err == nil {
			t.Errorf("%q: decoded as %v", in, value)
		}
	}
	if _, err := Decode([]byte(strings.Repeat("[", MaxNesting) + strings.Repeat("]", MaxNesting))); err != nil {
		t.Errorf("as deep as may be: %v", err)
	}
	if _, err := Decode([]byte(strings.Repeat("[", 1<<20))); !errors.Is(err, ErrNesting) {
		t.Errorf("too deep: %v", err)
	}
}

// FuzzAppend compares encoding and decoding with encoding/json.
func FuzzAppend(f *testing.F) {
	f.Add(`{"a":[1,"\"\\\u0000<>&",null,true],"":{}}`)
	f.Fuzz(func(t *testing.T, in string) {
		value, err := Decode([]byte(in))
		if errors.Is(err, ErrNesting) {
			return
		}
		if got, want := err == nil, json.Valid([]byte(in)); got != want {
			t.Fatalf("%q: decoded: %t (%v), valid: %t", in, got, err, want)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(plain(t, []byte(in)), plain(t, Append(nil, value))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	})
}

func plain(t *testing.T, data []byte) (value any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	return value
}
