package api

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

func TestScriptBody(t *testing.T) {
	t.Parallel()
	const jsonType, textType = "application/json; charset=utf-8", "text/html"
	cases := []struct {
		name, media, body string
		truncated         bool
		want, encoding    string
	}{
		{"JSON", jsonType, `{"a": 1}`, false, `{"a": 1}`, ""},
		{"a word of JSON", "application/problem+json", ` true `, false, ` true `, ""},
		{"JSON in disguise", textType, "\r\n[1, 2]", false, "\r\n[1, 2]", ""},
		{"JSON without a type", "", `{}`, false, `{}`, ""},
		{"a number that is text", textType, `12`, false, `"12"`, ""},
		{"text", textType, `no "quotes" <b>`, false, `"no \"quotes\" \u003cb\u003e"`, ""},
		{"text that says it is JSON", jsonType, `{"a":`, false, `"{\"a\":"`, ""},
		{"JSON that was cut where it may end", jsonType, `[1]`, true, `"[1]"`, ""},
		{"text that was cut within a letter", textType, "caf\xc3", true, `"caf"`, ""},
		{"bytes", "image/png", "\x89PNG\xff", false, `"iVBOR/8="`, "base64"},
		{"JSON in another encoding", jsonType, "\"\xff\"", false, `"Iv8i"`, "base64"},
		{"nothing", jsonType, "", false, `null`, ""},
		{"white space", jsonType, "  ", false, `"  "`, ""},
	}
	for _, c := range cases {
		r := switchboard.Response{Headers: map[string]string{"content-type": c.media}, Body: []byte(c.body), Truncated: c.truncated}
		body, encoding := scriptBody(&r)
		if string(body) != c.want || encoding != c.encoding {
			t.Errorf("%s: %s (%s), want %s (%s)", c.name, body, encoding, c.want, c.encoding)
		}
	}
}

// TestScriptHeaders: whatever a receiver sends, a script only sees these.
func TestScriptHeaders(t *testing.T) {
	t.Parallel()
	sent := map[string]string{"Set-Cookie": "a", "Authorization": "b", "Server": "c", "X-Request-Id": "d", "ETAG": "e", "location": "f"}
	if diff := cmp.Diff(map[string]string{"x-request-id": "d", "etag": "e", "location": "f"}, forScripts(sent)); diff != "" {
		t.Error(diff)
	}
	for _, name := range scriptHeaders {
		if name != strings.ToLower(name) {
			t.Errorf("%s would never be found", name)
		}
	}
}
