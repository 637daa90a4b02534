package render

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// unusual are texts around a value in a URL.
func unusual() []string {
	return []string{
		"", "a", "a b", "é", "\xff", "%2F", "%5c", "%", "%2", "%zz", "%25", "..", ".", "/", "//", `\`, "?", "?a=", "?a=b c&", "&x=", ";", ";x=1", "|", "<>", `"`,
		"^`{|}", "[]", "*", ":", "@", "!$&'()*+,;=", "~", "\u2028", "\u0301", "/../", "/./", "%2e", "%2E%2e/", "%00", "\x00", "\x01", "\t", "\r\n",
	}
}

// inTheirStead is a value that is the same in a path and in a query.
const inTheirStead = "zq0xv"

var segmentEnd = regexp.MustCompile(`(?i)/|%2f|%5c`)

// FuzzTarget renders a value between any two texts in a URL. The result is what net/http writes to
// the wire, and the value is in its place: nothing else differs from the URL with another value,
// and no segment becomes another folder.
func FuzzTarget(f *testing.F) {
	for i, around := range unusual() {
		f.Add("/"+around, nasty()[i%len(nasty())], around)
		f.Add("/a"+around, "..", "/b")
		f.Add("/a?"+around, "&x=#/..", around)
		f.Add("/"+around, ".", around+"?a=b")
	}
	renderer := NewRenderer(nil)
	f.Fuzz(func(t *testing.T, before, value, behind string) {
		w := script("POST", "application/json", `{}`)
		w.Subscription.Request.URL = "http://receiver.test/" + before + "{{ v }}" + behind
		if strings.Contains(before+behind, inTheirStead) || switchboard.HoldsTemplate(before+behind) || w.Subscription.Request.Validate() != nil {
			return
		}
		w.Event.Data, value = event(t, value)
		m, err := render(renderer, w)
		if err != nil {
			if switchboard.CodeOf(err) != switchboard.CodeInvalid {
				t.Errorf("%q %q %q: %v", before, value, behind, err)
			}
			return
		}
		w.Event.Data, _ = event(t, inTheirStead)
		plain := rendered(t, w).URL
		checkPlace(t, plain, m.URL, value)
		checkWire(t, m)
		if sent := m.Sent(); sent.URL != switchboard.MaskQuery(m.URL) {
			t.Errorf("%s: shown as %s", m.URL, sent.URL)
		}
	})
}

// checkPlace compares a rendered URL with the one that has a plain value instead.
func checkPlace(t *testing.T, plain, got, value string) {
	t.Helper()
	path, query, _ := strings.Cut(plain, "?")
	escaped := url.PathEscape(value)
	if strings.Contains(query, inTheirStead) {
		escaped = url.QueryEscape(value)
	}
	if want := strings.Replace(plain, inTheirStead, escaped, 1); got != want {
		t.Fatalf("%q is rendered as %s; want %s", value, got, want)
	}
	for _, segment := range segmentEnd.Split(path, -1) {
		name, _, _ := strings.Cut(segment, ";")
		if !strings.Contains(name, inTheirStead) {
			continue
		}
		decoded, err := url.PathUnescape(strings.Replace(name, inTheirStead, escaped, 1))
		if err != nil || decoded == "" || decoded == "." || decoded == ".." {
			t.Fatalf("%q makes the segment %q of %s: %v", value, decoded, got, err)
		}
	}
}

// checkWire compares the URL with what net/http writes.
func checkWire(t *testing.T, m Message) {
	t.Helper()
	req, err := http.NewRequest(m.Method, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := req.Write(&b); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(b.String(), "\r\n", 3)
	target := strings.TrimSuffix(strings.TrimPrefix(lines[0], m.Method+" "), " HTTP/1.1")
	if host := strings.TrimPrefix(lines[1], "Host: "); "http://"+host+target != m.URL {
		t.Errorf("%s is written as %q", m.URL, lines[:2])
	}
}
