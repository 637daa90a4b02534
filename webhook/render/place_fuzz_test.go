package render

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// nasty are values that break out of a place without escaping.
func nasty() []string {
	return []string{
		"", "plain", `"`, `'`, `\`, "\n", "\r\n", "a\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1", "&", "a=1&b=2", "<", "</v><w>", "<![CDATA[x]]>", "]]>", "<!--", "%", "%2e%2e%2f",
		"..", ".", "/", "//evil.test/", "?", "#", ";", "+", " ", "\x00", "\x1b", "\x7f", "\u2028", "\ufffe", "\ufeff", "😀é", "\xff\xfe", "9007199254740993", "1e400", "{{ v }}",
		"{% for %}", "a[b]=c", "${x}", strings.Repeat("x", 3000), "&amp;", "&#0;", "\t",
	}
}

// event returns the data of an event whose member v is the value, and the value in its JSON form.
func event(t testing.TB, value string) (data []byte, carried string) {
	t.Helper()
	data, err := json.Marshal(map[string]string{"v": value})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]string
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	return data, back["v"]
}

// wire writes the message like net/http, and reads it like a server of net/http.
func wire(t testing.TB, m Message) *http.Request {
	t.Helper()
	req, err := http.NewRequest(m.Method, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = m.Header
	var b bytes.Buffer
	if err := req.Write(&b); err != nil {
		t.Fatal(err)
	}
	read, err := http.ReadRequest(bufio.NewReader(&b))
	if err != nil {
		t.Fatalf("%v\n%q", err, b.String())
	}
	return read
}

// fuzzPlace renders the request of change with any value, and check must find the value in what was
// read. A refusal must be one that allowed knows.
func fuzzPlace(f *testing.F, change func(*switchboard.Request), check func(t *testing.T, m Message, value string), allowed func(value string) bool) {
	for _, value := range nasty() {
		f.Add(value)
	}
	renderer := NewRenderer(nil)
	f.Fuzz(func(t *testing.T, value string) {
		w := script("POST", "application/json", `{"v":"{{ v }}"}`)
		change(&w.Subscription.Request)
		w.Event.Data, value = event(t, value)
		m, err := render(renderer, w)
		if err == nil {
			check(t, m, value)
			return
		}
		if _, ok := errors.AsType[*switchboard.Error](err); !ok || !allowed(value) {
			t.Errorf("%q: %v", value, err)
		}
	})
}

func isLong(limit int) func(string) bool {
	return func(value string) bool { return len(url.QueryEscape(value)) > limit }
}

func FuzzJSONBody(f *testing.F) {
	fuzzPlace(f, func(r *switchboard.Request) { r.Params = []byte(`{"v":"{{ v }}","in":"<{{ v }}>"}`) }, func(t *testing.T, m Message, value string) {
		var got map[string]string
		decoder := json.NewDecoder(bytes.NewReader(m.Body))
		if err := decoder.Decode(&got); err != nil || decoder.More() {
			t.Fatalf("%q: %v", m.Body, err)
		}
		if diff := cmp.Diff(map[string]string{"v": value, "in": "<" + value + ">"}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", m.Body, diff)
		}
	}, isLong(100<<10))
}

func FuzzFormBody(f *testing.F) {
	fuzzPlace(f, func(r *switchboard.Request) {
		r.ContentType, r.Params = formType, []byte(`{"v":"{{ v }}","in":{"x":["<{{ v }}>"]}}`)
	}, func(t *testing.T, m Message, value string) {
		r := wire(t, m)
		if err := r.ParseForm(); err != nil {
			t.Fatalf("%q: %v", m.Body, err)
		}
		if diff := cmp.Diff(url.Values{"v": {value}, "in[x][]": {"<" + value + ">"}}, r.PostForm); diff != "" {
			t.Errorf("%q (-want +got):\n%s", m.Body, diff)
		}
	}, isLong(100<<10))
}

func FuzzQueryParams(f *testing.F) {
	fuzzPlace(f, func(r *switchboard.Request) { r.Method, r.URL = "GET", r.URL+"?own=1&in=<{{ v }}>" }, func(t *testing.T, m Message, value string) {
		r := wire(t, m)
		got, err := url.ParseQuery(r.URL.RawQuery)
		if diff := cmp.Diff(url.Values{"own": {"1"}, "in": {"<" + value + ">"}, "v": {value}}, got); err != nil || diff != "" || r.URL.Path != "/users" {
			t.Errorf("%s: %v (-want +got):\n%s", m.URL, err, diff)
		}
	}, isLong(3<<10))
}

func FuzzPath(f *testing.F) {
	fuzzPlace(f, func(r *switchboard.Request) { r.URL = "https://api.example.com/a/{{ v }}/b?c=d" }, func(t *testing.T, m Message, value string) {
		r := wire(t, m)
		segments := strings.Split(r.URL.EscapedPath(), "/")
		if len(segments) != 4 || r.Host != "api.example.com" || r.URL.RawQuery != "c=d" {
			t.Fatalf("%s: read as %s on %s", m.URL, r.URL, r.Host)
		}
		if got, err := url.PathUnescape(segments[2]); err != nil || got != value {
			t.Errorf("%s: %q, %v; want %q", m.URL, got, err, value)
		}
	}, func(value string) bool { return value == "" || value == "." || value == ".." || isLong(2<<10)(value) })
}

func FuzzHeader(f *testing.F) {
	fuzzPlace(f, func(r *switchboard.Request) { r.Headers = map[string]string{"X-V": "<{{ v }}>", "X-W": "{{ v }}"} }, func(t *testing.T, m Message, value string) {
		r := wire(t, m)
		want := http.Header{"X-V": {"<" + value + ">"}, "X-W": {strings.Trim(value, " \t")}, "Content-Type": {"application/json"}}
		r.Header.Del("User-Agent")
		r.Header.Del("Content-Length")
		if diff := cmp.Diff(want, r.Header); diff != "" {
			t.Errorf("header (-want +got):\n%s", diff)
		}
	}, func(value string) bool {
		return len(value) > 4000 || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
	})
}

func FuzzXMLBody(f *testing.F) {
	fuzzPlace(f, func(r *switchboard.Request) {
		r.ContentType, r.Params = "text/xml", []byte(`{"root":{"v":"{{ v }}","e":"{{ v }}","in":["<{{ v }}>"],"x":{"j":"{{ v }}"}}}`)
		r.XML = &switchboard.XMLStyle{Attributes: true, Elements: []string{"e"}, JSON: []string{"x"}}
		r.SOAP = &switchboard.SOAP{Version: "1.1", Parameters: map[string]string{"p": "{{ v }}"}}
	}, func(t *testing.T, m Message, value string) {
		body := parseXML(t, m.Body).Children[0]
		var inJSON map[string]string
		if err := json.Unmarshal([]byte(body.Children[0].Children[2].Text), &inJSON); err != nil {
			t.Fatalf("%q: %v", m.Body, err)
		}
		body.Children[0].Children[2].Text = ""
		value = parsedXML(value)
		leaf := func(name, text string) element {
			return element{Name: name, Attributes: map[string]string{}, Text: text}
		}
		want := []element{{
			Name: "root", Attributes: map[string]string{"v": value},
			Children: []element{leaf("e", value), leaf("in", "<"+value+">"), leaf("x", ""), leaf("p", value)},
		}}
		if diff := cmp.Diff(want, body.Children); diff != "" {
			t.Errorf("%q (-want +got):\n%s", m.Body, diff)
		}
		if parsedXML(inJSON["j"]) != value {
			t.Errorf("as JSON %q; want %q", inJSON["j"], value)
		}
	}, isLong(50<<10))
}

// parsedXML is the value in the form that XML can hold.
func parsedXML(value string) string {
	return strings.Map(func(c rune) rune {
		if c == '\t' || c == '\n' || c == '\r' || c >= ' ' && c <= 0xd7ff || c >= 0xe000 && c <= 0xfffd || c >= 0x10000 {
			return c
		}
		return '\uFFFD'
	}, value)
}

// FuzzDataBody writes any data as form and as XML. What is not refused can be parsed.
func FuzzDataBody(f *testing.F) {
	for _, data := range oddData {
		f.Add(data)
	}
	f.Add(`{"a":{"b":[1,[2],{"c":null}]},"d":"<&>"}`)
	f.Add(`{"a b":1,"a_x0020_b":2,"":{"xmlns":3,"x:y":[4]}}`)
	f.Fuzz(func(t *testing.T, data string) {
		if !json.Valid([]byte(data)) {
			return
		}
		for _, style := range []*switchboard.XMLStyle{nil, {Attributes: true}, {JSON: []string{"a"}}} {
			w := xmlWork(data)
			w.Subscription.Request.XML = style
			m, err := render(NewRenderer(nil), w)
			switch {
			case err == nil:
				parseXML(t, m.Body)
			case !strings.Contains(err.Error(), "nested") && !strings.Contains(err.Error(), "longer"):
				t.Errorf("%q: %v", data, err)
			}
		}
		w := xmlWork(data)
		w.Subscription.Request.ContentType = formType
		if m, err := render(NewRenderer(nil), w); err == nil {
			if _, err := url.ParseQuery(string(m.Body)); err != nil {
				t.Errorf("%q: %v", m.Body, err)
			}
		}
	})
}

// FuzzRequest renders any template in every place. It ends, within the limits.
func FuzzRequest(f *testing.F) {
	for _, value := range append(nasty(), "{{ contact.first_name | upcase }}", "{% if contact.vip %}a{% endif %}", "{{ contact }}", "{{ czCol.15 }}") {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, source string) {
		encoded, err := json.Marshal(map[string]string{"v": source})
		if err != nil {
			t.Fatal(err)
		}
		w := script("POST", "application/json", string(encoded))
		w.Subscription.Request.URL += "/{{ contact.id }}" + source
		w.Subscription.Request.Headers = map[string]string{"X-V": source}
		w.Subscription.UseCase = "contact"
		if w.Subscription.Request.Validate() != nil {
			return
		}
		useCase, _ := firstline{}.UseCase("contact")
		_, checkErr := CheckTemplates(&w.Subscription.Request, &useCase, nil)
		m, err := render(NewRenderer(firstline{}), w)
		if err != nil {
			return
		}
		if checkErr != nil && !strings.Contains(checkErr.Error(), "may not read") {
			t.Errorf("%q: rendered, though the check says %v", source, checkErr)
		}
		if r := wire(t, m); r.Host != "api.example.com" || !json.Valid(m.Body) || !slices.Equal([]string{m.Header.Get("X-V")}, r.Header.Values("X-V")) {
			t.Errorf("%q: read as %s %s\n%q", source, r.Host, r.URL, m.Body)
		}
	})
}
