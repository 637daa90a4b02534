package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

const formType = "application/x-www-form-urlencoded"

// firstline are the use cases of a platform like Firstline.
type firstline struct{}

func (firstline) UseCase(name string) (switchboard.UseCase, bool) {
	useCase, ok := map[string]switchboard.UseCase{
		"contact": {Name: "contact", Entity: "contact", Reads: []string{"contact", "variables"}, Variables: "variables"},
		"ticket":  {Name: "ticket", Entity: "ticket", Reads: []string{"ticket", "contact"}},
	}[name]
	return useCase, ok
}

func (firstline) VendorName(platform, eventType string) string {
	if platform == "iomnihub" && eventType == "ticket.created" {
		return "Ticket Create"
	}
	return ""
}

// script is a work whose subscription sends params made from an event like Firstline's.
func script(method, contentType, params string) switchboard.LoadedDelivery {
	w := work("https://api.example.com/users")
	w.Event.Key = "310"
	w.Event.Data = []byte(`{
		"contact": {"id": 12345678901234567890, "first_name": "Mei & \"Co\"", "last_name": null, "score": 1.10, "vip": true,
			"czCol": {"15": "172", "16": {"unit": "cm"}}, "tags": ["a", "b&c"], "address": {"street": "1 <Main> St"}},
		"ticket": {"id": 7, "czCol": {"2": "ticket field"}},
		"variables": {"has_message": "yes", "queue": {"length": 3}, "page": {"url": "https://shop.example/?a=1&b=2"}, "session_id": {"session_id": "s-5f1"}}
	}`)
	r := &w.Subscription.Request
	r.Method, r.Body, r.ContentType, r.Params = method, switchboard.BodyParams, contentType, json.RawMessage(params)
	return w
}

// rendered renders the work, which must succeed.
func rendered(t testing.TB, w switchboard.LoadedDelivery) Message {
	t.Helper()
	m, err := render(NewRenderer(firstline{}), w)
	if err != nil {
		t.Fatalf("Render: %v", err)
	}
	return m
}

// wantField fails the test unless rendering the work fails at that field with those words.
func wantField(t *testing.T, name string, w switchboard.LoadedDelivery, field, words string) {
	t.Helper()
	m, err := render(NewRenderer(firstline{}), w)
	e, ok := errors.AsType[*switchboard.Error](err)
	if !ok || e.Code != switchboard.CodeInvalid || e.Field != field || !strings.Contains(e.Message, words) {
		t.Errorf("%s: %v, %v %q; want an invalid field %s that says %q", name, err, m.URL, m.Body, field, words)
	}
}

// theSeedsParams uses every form of placeholder that Firstline documents.
const theSeedsParams = `{"first_name":"{{ contact.first_name }}","height":"{{czCol.15}}","same":"{{ contact.czCol.15 }}","flag":"{{has_message }}",
	"waiting":"{{ queue.length }}","page":"{{ page.url }}","session":"{{session_id.session_id}}","text":"Hello {{ contact.first_name | upcase }}!","fixed":1.50}`

func TestParamsAsFirstlineDocumentsThem(t *testing.T) {
	t.Parallel()
	values := url.Values{
		"first_name": {`Mei & "Co"`}, "height": {"172"}, "same": {"172"}, "flag": {"yes"}, "waiting": {"3"}, "page": {"https://shop.example/?a=1&b=2"},
		"session": {"s-5f1"}, "text": {`Hello MEI & "CO"!`}, "fixed": {"1.50"},
	}
	jsonBody := `{"first_name":"Mei & \"Co\"","height":"172","same":"172","flag":"yes","waiting":3,"page":"https://shop.example/?a=1&b=2",` +
		`"session":"s-5f1","text":"Hello MEI & \"CO\"!","fixed":1.50}`
	for _, method := range []string{"POST", "PUT", "PATCH"} {
		w := script(method, "application/json", theSeedsParams)
		w.Subscription.UseCase = "contact"
		m := rendered(t, w)
		if diff := cmp.Diff(jsonBody, string(m.Body)); diff != "" || m.URL != w.Subscription.Request.URL || m.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s as JSON: %s, %v (-want +got):\n%s", method, m.URL, m.Header, diff)
		}
		w.Subscription.Request.ContentType = formType
		m = rendered(t, w)
		got, err := url.ParseQuery(string(m.Body))
		if diff := cmp.Diff(values, got); err != nil || diff != "" || m.Header.Get("Content-Type") != formType {
			t.Errorf("%s as form: %v, %v (-want +got):\n%s", method, err, m.Header, diff)
		}
	}
	for _, method := range []string{"GET", "DELETE", "HEAD"} {
		for own, want := range map[string]string{"": "", "?": "", "?a=1": "1", "?a=1&": "1"} {
			w := script(method, "application/json", theSeedsParams)
			w.Subscription.UseCase, w.Subscription.Request.URL = "contact", "https://api.example.com/users"+own
			m := rendered(t, w)
			u, err := url.Parse(m.URL)
			if err != nil {
				t.Fatal(err)
			}
			got, err := url.ParseQuery(u.RawQuery)
			if got.Get("a") != want || len(m.Body) > 0 || m.Header.Get("Content-Type") != "" {
				t.Errorf("%s %s: %q, %v", method, m.URL, m.Body, m.Header)
			}
			got.Del("a")
			if diff := cmp.Diff(values, got); err != nil || diff != "" {
				t.Errorf("%s %s: %v (-want +got):\n%s", method, own, err, diff)
			}
		}
	}
}

func TestParamsKeepTypesOrderAndNumbers(t *testing.T) {
	t.Parallel()
	w := script("POST", "application/json", `{"z":"{{contact.id}}","a":["{{ contact.score }}","{{ contact.vip }}","{{contact.last_name}}",{"{{ name }}":"{{ contact.tags }}"}],
		"o":"{{ contact.czCol.16 }}","t":"{{ contact.id }}.","n":123456789012345678901234567890,"b":false,"e":"{{ event.id }} {{ event.type }} {{event.key}}","at":"{{ event.timestamp }}",
		"first":"{{ contact.tags[0] }}","last":"{{ contact.tags.last }}","size":"{{ contact.tags.size }}","c":"{% if contact.vip %}vip{% else %}no{% endif %}"}`)
	want := `{"z":12345678901234567890,"a":[1.10,true,null,{"{{ name }}":["a","b&c"]}],"o":{"unit":"cm"},"t":"12345678901234567890.",` +
		`"n":123456789012345678901234567890,"b":false,"e":"evt_01 ticket.created 310","at":"2026-03-01T11:00:00.123456Z","first":"a","last":"b&c","size":2,"c":"vip"}`
	if diff := cmp.Diff(want, string(rendered(t, w).Body)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	w.Subscription.Request.Params = json.RawMessage(`["{{ contact.vip }}", "{{ ticket.id }}"]`)
	if got := string(rendered(t, w).Body); got != "[true,7]" {
		t.Errorf("array: %s", got)
	}
}

func TestFormNestsNames(t *testing.T) {
	t.Parallel()
	w := script("POST", formType, `{"a":{"b":{"c":"{{ contact.first_name }}"}},"tags":"{{ contact.tags }}","list":[{"x":1},[2]],"none":null,"yes":true,"empty":{},"no":[],"a&b=":"="}`)
	got, err := url.ParseQuery(string(rendered(t, w).Body))
	want := url.Values{
		"a[b][c]": {`Mei & "Co"`}, "tags[]": {"a", "b&c"}, "list[0][x]": {"1"}, "list[1][]": {"2"}, "none": {""}, "yes": {"true"}, "a&b=": {"="},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestPlaceholdersThatHaveNoValue(t *testing.T) {
	t.Parallel()
	leaf := func(source, useCase string) switchboard.LoadedDelivery {
		encoded, err := json.Marshal(map[string]any{"address": map[string]any{"street": source}})
		if err != nil {
			t.Fatal(err)
		}
		w := script("POST", "application/json", string(encoded))
		w.Subscription.UseCase = useCase
		return w
	}
	const field = "request.params.address.street"
	for name, test := range map[string]struct{ source, useCase, words string }{
		"missing":                 {"{{ contact.nickname }}", "", "{{ contact.nickname }}"},
		"unknown":                 {"{{contac.first_name }}", "", "{{ contac.first_name }}"},
		"below a value":           {"{{ contact.score.x }}", "", "{{ contact.score.x }}"},
		"below null":              {"{{ contact.last_name.x }}", "", "{{ contact.last_name.x }}"},
		"out of an array":         {"{{ contact.tags[2] }}", "", "contact.tags[2]"},
		"a custom field, missing": {"{{ czCol.99 }}", "contact", "{{ czCol.99 }}"},
		"no prefix, no use case":  {"{{ czCol.15 }}", "", "{{ czCol.15 }}"},
		"not of the use case":     {"{{ ticket.id }}", "contact", "the use case contact may not read ticket"},
		"a whole hidden member":   {"{{ ticket }}", "contact", "may not read ticket"},
		"hidden, with a default":  {`{{ ticket.id | default: "x" }}`, "contact", "may not read ticket"},
		"hidden, in a condition":  {`{% if ticket.id %}x{% endif %}`, "contact", "may not read ticket"},
		"variables are not read":  {"{{ has_message }}", "ticket", "the use case ticket may not read has_message"},
		"no field of the event":   {"{{ event.data }}", "", "{{ event.data }}"},
		"syntax":                  {"{{ contact.first_name", "", "not closed"},
		"loop":                    {"{% for i in (1..3000000) %}x{% endfor %}", "", `"for i in (1..3000000)"`},
		"filter":                  {"{{ contact.id | where: 'a' }}", "", `"where"`},
	} {
		wantField(t, name, leaf(test.source, test.useCase), field, test.words)
	}
	wantField(t, "unknown use case", leaf("x", "employee"), "use_case", "employee")
	for source, want := range map[string]string{"{{ contact.nickname }}": `""`, "a{{ x }}b{{ y.z | upcase }}": `"ab"`, "{{ contact.last_name }}": "null", "{{ contact.vip }}": "true"} {
		w := leaf(source, "")
		w.Subscription.Request.Missing = switchboard.MissingEmpty
		if got := string(rendered(t, w).Body); got != `{"address":{"street":`+want+`}}` {
			t.Errorf("missing: empty: %s: %s; want %s", source, got, want)
		}
	}
	lenient := leaf("{{ ticket.id }}", "contact")
	lenient.Subscription.Request.Missing = switchboard.MissingEmpty
	wantField(t, "hidden, missing: empty", lenient, field, "may not read ticket")
}

func TestUseCaseDecidesCustomFields(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ useCase, source, want string }{
		{"contact", "{{czCol.15}}", "172"}, {"contact", "{{ contact.czCol.15 }}", "172"}, {"contact", "{{  czCol.15 }}", "172"},
		{"ticket", "{{ contact.czCol.15 }}", "172"}, {"ticket", "{{ czCol.2 }}", "ticket field"}, {"", "{{ contact.czCol.15 }}", "172"},
		{"contact", "{{ has_message }}", "yes"}, {"", "{{ has_message }}", "yes"}, {"contact", "{{ variables.has_message }}", "yes"},
	} {
		w := script("GET", "application/json", `{"v":"`+test.source+`"}`)
		w.Subscription.UseCase = test.useCase
		if m := rendered(t, w); m.URL != "https://api.example.com/users?v="+url.QueryEscape(test.want) {
			t.Errorf("%s in %q: %s; want %s", test.source, test.useCase, m.URL, test.want)
		}
	}
}

func TestParamsAreBounded(t *testing.T) {
	t.Parallel()
	many := `{"a":[` + strings.Repeat(`"x",`, maxLeaves) + `"x"]}`
	wantField(t, "leaves", script("POST", "application/json", many), "request.params", "strings")
	deep := strings.Repeat(`{"a":`, maxLeafNesting+2) + "1" + strings.Repeat("}", maxLeafNesting+2)
	wantField(t, "nesting", script("POST", "application/json", deep), "request.params", "deeper")
	wantField(t, "name", script("POST", "application/json", `{"a":[{"`+strings.Repeat("x", maxName+1)+`":1}]}`), "request.params.a.0", "a name longer than")
	if m := rendered(t, script("POST", "application/json", `{"`+strings.Repeat("x", maxName)+`":1}`)); len(m.Body) != maxName+6 {
		t.Errorf("the longest name: %s", m.Body)
	}
	copies := script("POST", "application/json", `{"a":[`+strings.Repeat(`"{{ big }}",`, 400)+`1]}`)
	copies.Event.Data = []byte(`{"big":{"x":"` + strings.Repeat("x", 100<<10) + `"}}`)
	wantField(t, "copies of a big object", copies, "request.params.a.2", "256 KiB")
	hostile := `"{{ text` + strings.Repeat("|upcase", 1000) + `}}"`
	work := script("POST", "application/json", `[`+strings.Repeat(hostile+",", 8)+`1]`)
	work.Event.Data = []byte(`{"text":"` + strings.Repeat("x", 60<<10) + `"}`)
	wantField(t, "work", work, "request.params.0", "too much work")
	long := script("GET", "application/json", `{"a":"{{ big.x }}"}`)
	long.Event.Data = copies.Event.Data
	wantField(t, "query", long, "request.params", "longer")
	names := script("POST", formType, `{}`)
	names.Subscription.Request.Body, names.Subscription.Request.Params = switchboard.BodyData, nil
	names.Event.Data = []byte(`{"` + strings.Repeat("k", 100<<10) + `":[` + strings.Repeat("0,", 50<<10) + `0]}`)
	wantField(t, "long names repeated", names, "data", "longer")
	nested := script("POST", "text/xml", `{}`)
	nested.Subscription.Request.Body, nested.Subscription.Request.Params = switchboard.BodyData, nil
	nested.Event.Data = []byte(strings.Repeat("[", 5000) + strings.Repeat("]", 5000))
	wantField(t, "nested data", nested, "data", "deeper")
	elements := script("POST", "text/xml", `{}`)
	elements.Subscription.Request.Body, elements.Subscription.Request.Params = switchboard.BodyData, nil
	elements.Event.Data = []byte(`{"` + strings.Repeat("k", 200) + `":[` + strings.Repeat("0,", 50<<10) + `0],"a":1}`)
	wantField(t, "elements repeated", elements, "data", "longer")
}

func TestURLTemplates(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"https://api.example.com/users/{{ contact.id }}":                                                  "https://api.example.com/users/12345678901234567890",
		"https://api.example.com/{{ contact.first_name }}/x?n={{ contact.first_name }}&b":                 "https://api.example.com/Mei%20&%20%22Co%22/x?n=Mei+%26+%22Co%22&b",
		"https://api.example.com/a{{ contact.address.street }}":                                           "https://api.example.com/a1%20%3CMain%3E%20St",
		"https://api.example.com/{{ page.url }}":                                                          "https://api.example.com/https:%2F%2Fshop.example%2F%3Fa=1&b=2",
		"https://api.example.com/a?x={{ page.url }}":                                                      "https://api.example.com/a?x=https%3A%2F%2Fshop.example%2F%3Fa%3D1%26b%3D2",
		"https://api.example.com/a/{% if contact.vip %}vip{% endif %}?{% if contact.vip %}x=1{% endif %}": "https://api.example.com/a/vip?x=1",
		`https://api.example.com/{{ "a?b" }}?c`:                                                           "https://api.example.com/a%3Fb?c",
		"https://api.example.com/a/../b//c/":                                                              "https://api.example.com/a/../b//c/",
		"https://api.example.com?x={{ contact.last_name }}":                                               "https://api.example.com/?x=",
	} {
		w := script("POST", "application/json", "{}")
		w.Subscription.Request.URL = source
		if got := rendered(t, w).URL; got != want {
			t.Errorf("%s: %s; want %s", source, got, want)
		}
	}
	for value, words := range map[string]string{"": "segment 2", ".": `"."`, "..": `".."`} {
		w := script("POST", "application/json", "{}")
		w.Subscription.Request.URL = "https://api.example.com/users/{{ v }}/x"
		w.Event.Data = []byte(fmt.Sprintf(`{"v":%q}`, value))
		wantField(t, value, w, "request.url", words)
	}
	for source, words := range map[string]string{
		"https://api.example.com/.{{ v }}/x": `".."`, "https://api.example.com/%2e{{ v }}": `".."`, "https://api.example.com/{{ v }}{{ v }}": `".."`,
		"https://api.example.com/{{ w }}": "{{ w }}", "https://api.example.com/{{ v | x }}": "filter", "https://api.example.com/?{{ v }": "not closed",
	} {
		w := script("POST", "application/json", "{}")
		w.Subscription.Request.URL = source
		w.Event.Data = []byte(`{"v":"."}`)
		wantField(t, source, w, "request.url", words)
	}
	long := script("POST", "application/json", "{}")
	long.Subscription.Request.URL = "https://api.example.com/{{ v }}"
	long.Event.Data = []byte(`{"v":"` + strings.Repeat("x", maxRenderedURL) + `"}`)
	wantField(t, "long", long, "request.url", "longer")
}

func TestHeaderTemplates(t *testing.T) {
	t.Parallel()
	header := func(value string) switchboard.LoadedDelivery {
		w := script("POST", "application/json", "{}")
		w.Subscription.Request.Headers = map[string]string{"X-Ticket": value, "User-Agent": "mine", "Accept": "text/plain"}
		return w
	}
	for source, want := range map[string]string{
		"{{ ticket.id }}": "7", "T-{{ticket.id}} of {{ contact.first_name }}": `T-7 of Mei & "Co"`, "{{ contact.last_name }}": "", "{{ contact.tags }}": `["a","b&c"]`,
	} {
		m := rendered(t, header(source))
		if got := m.Header.Values("X-Ticket"); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q; want %q", source, got, want)
		}
	}
	for _, value := range []string{"a\r\nWebhook-Id: x", "a\nb", "a\rb", "a\x00b", "a\x1bb", "a\x7fb"} {
		w := header("{{ v }}")
		w.Event.Data, _ = json.Marshal(map[string]string{"v": value})
		wantField(t, fmt.Sprintf("%q", value), w, "request.headers.X-Ticket", "line break")
	}
	long := header("{{ v }}")
	long.Event.Data, _ = json.Marshal(map[string]string{"v": strings.Repeat("x", switchboard.MaxHeaderValue+1)})
	wantField(t, "long", long, "request.headers.X-Ticket", "longer")

	if m := rendered(t, header("x")); m.Header.Get("User-Agent") != "mine" || m.Header.Get("Accept") != "text/plain" {
		t.Errorf("%v; want the customer's user agent", m.Header)
	}
}
