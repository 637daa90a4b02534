package render

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestXMLNames: no name in an event's data prevents the event from being sent.
func TestXMLNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		data, elements, attributes string // inside and on the element of r
	}{
		{`{"first name":"x"}`, `<first_x0020_name>x</first_x0020_name>`, ` first_x0020_name="x"`},
		{`{"a b":1,"c":2}`, `<a_x0020_b>1</a_x0020_b><c>2</c>`, ` a_x0020_b="1" c="2"`},
		{`{"1":1}`, `<_x0031_>1</_x0031_>`, ` _x0031_="1"`},
		{`{"x:y":1}`, `<x_x003A_y>1</x_x003A_y>`, ` x_x003A_y="1"`},
		{`{"a><b":1}`, `<a_x003E__x003C_b>1</a_x003E__x003C_b>`, ` a_x003E__x003C_b="1"`},
		{`{"a\"b":1}`, `<a_x0022_b>1</a_x0022_b>`, ` a_x0022_b="1"`},
		{`{"xmlns":"x"}`, `<_x0078_mlns>x</_x0078_mlns>`, ` _x0078_mlns="x"`},
		{`{"xmlns:a":"x"}`, `<xmlns_x003A_a>x</xmlns_x003A_a>`, ` xmlns_x003A_a="x"`},
		{`{"":1}`, `<_x_>1</_x_>`, ` _x_="1"`},
		{`{"xml_feed":1,"XMLData":2,"xml":3}`, `<xml_feed>1</xml_feed><XMLData>2</XMLData><xml>3</xml>`, ` xml_feed="1" XMLData="2" xml="3"`},
		{`{"a·b":1}`, `<a·b>1</a·b>`, ` a·b="1"`},
		{`{"ชื่อ":1,"שֵׁם":2,"e\u0301":3}`, "<ชื่อ>1</ชื่อ><שֵׁם>2</שֵׁם><e\u0301>3</e\u0301>", " ชื่อ=\"1\" שֵׁם=\"2\" e\u0301=\"3\""},
		{`{"😀":1}`, `<_x0001F600_>1</_x0001F600_>`, ` _x0001F600_="1"`},
		{`{"a_x0020_b":1,"a b":2}`, `<a_x005F_x0020_b>1</a_x005F_x0020_b><a_x0020_b>2</a_x0020_b>`, ` a_x005F_x0020_b="1" a_x0020_b="2"`},
		{`{"a b":[1,{"c d":2}]}`, `<a_x0020_b>1</a_x0020_b><a_x0020_b><c_x0020_d>2</c_x0020_d></a_x0020_b>`,
			`><a_x0020_b>1</a_x0020_b><a_x0020_b c_x0020_d="2"/>`},
		{`{"a b":{"c d":{"":[[3]]}}}`, `<a_x0020_b><c_x0020_d><_x_><item>3</item></_x_></c_x0020_d></a_x0020_b>`,
			`><a_x0020_b><c_x0020_d><_x_><item>3</item></_x_></c_x0020_d></a_x0020_b>`},
	} {
		w := xmlWork(test.data)
		w.Subscription.Request.XML = &switchboard.XMLStyle{Root: "r"}
		body := rendered(t, w).Body
		parseXML(t, body)
		if got := inRoot(string(body)); got != "<r>"+test.elements+"</r>" {
			t.Errorf("%s: %s", test.data, got)
		}
		w.Subscription.Request.XML.Attributes = true
		body = rendered(t, w).Body
		parseXML(t, body)
		want := "<r" + test.attributes + "/>"
		if strings.HasPrefix(test.attributes, ">") {
			want = "<r" + test.attributes + "</r>"
		}
		if got := inRoot(string(body)); got != want {
			t.Errorf("%s as attributes: %s; want %s", test.data, got, want)
		}
	}
}

// inRoot leaves out the declaration.
func inRoot(body string) string {
	_, rest, _ := strings.Cut(body, "\n")
	return rest
}

// TestXMLNamesOfTheRoot: it may also come from the data.
func TestXMLNamesOfTheRoot(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"first name":{"a":1}}`: `<first_x0020_name><a>1</a></first_x0020_name>`,
		`{"":{"a":1}}`:           `<_x_><a>1</a></_x_>`,
		`{"xmlns":1}`:            `<_x0078_mlns>1</_x0078_mlns>`,
		`{"_x0020_":1}`:          `<_x005F_x0020_>1</_x005F_x0020_>`,
	} {
		if got := inRoot(string(rendered(t, xmlWork(data)).Body)); got != want {
			t.Errorf("%s: %s; want %s", data, got, want)
		}
	}
}

// TestXMLNamesOfTheSubscription: names that its owner writes stay as they are, including escapes,
// and are refused if XML does not allow them. Names in data that a placeholder inserts are escaped,
// and never equal another name.
func TestXMLNamesOfTheSubscription(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		params, want string
		attributes   bool
	}{
		{`{"r":{"a_x0020_b":"1"}}`, `<r><a_x0020_b>1</a_x0020_b></r>`, false},
		{`{"_x0020_":{"xml_feed":"1"}}`, `<_x0020_><xml_feed>1</xml_feed></_x0020_>`, false},
		{`{"r":{"a_x0020_b":"1","v":"{{ v }}"}}`, `<r><a_x0020_b>1</a_x0020_b><v><a_x0020_b>2</a_x0020_b><a_x0020_b>3</a_x0020_b></v></r>`, false},
		{`{"r":"{{ v }}"}`, `<r a_x0020_b="2" a_x005F_x0020_b="3"/>`, true},
	} {
		w := script("POST", "text/xml", test.params)
		w.Event.Data = []byte(`{"v":{"a b":2,"a_x0020_b":3}}`)
		w.Subscription.Request.XML = &switchboard.XMLStyle{Attributes: test.attributes}
		body := rendered(t, w).Body
		parseXML(t, body)
		if got := inRoot(string(body)); got != test.want {
			t.Errorf("%s: %s; want %s", test.params, got, test.want)
		}
	}
	for _, params := range []string{
		`{"first name":"x"}`,
		`{"r":{"first name":"x"}}`,
		`{"r":{"l":[{"1":"x"}]}}`,
		`{"r":{"x:y":"x"}}`,
		`{"xmlns":"x"}`,
		`{"r":{"":"x"}}`,
		`{"😀":"x"}`,
	} {
		for _, attributes := range []bool{false, true} {
			r := script("POST", "text/xml", params).Subscription.Request
			r.XML = &switchboard.XMLStyle{Attributes: attributes}
			_, err := CheckTemplates(&r, nil, nil)
			if switchboard.CodeOf(err) != switchboard.CodeInvalid || !strings.Contains(err.Error(), "request.params") || !strings.Contains(err.Error(), "cannot be that of an XML element") {
				t.Errorf("%s: %v", params, err)
			}
		}
	}
	in := script("POST", "text/xml", `{"r":{"j":{"first name":"x"}}}`).Subscription.Request
	in.XML = &switchboard.XMLStyle{JSON: []string{"j"}}
	if _, err := CheckTemplates(&in, nil, nil); err != nil {
		t.Errorf("a name in JSON text: %v", err)
	}
}

// TestSOAPNamespaces: the setting says whether the elements of a message have its namespace, and
// the content of the envelope is found by its namespace.
func TestSOAPNamespaces(t *testing.T) {
	t.Parallel()
	const envelope = "http://schemas.xmlsoap.org/soap/envelope/"
	node := func(name string, children ...element) element {
		return element{Name: name, Attributes: map[string]string{}, Children: children}
	}
	leaf := func(name, text string) element {
		return element{Name: name, Attributes: map[string]string{}, Text: text}
	}
	message := func(children ...element) []element { return children }
	const nested = `{"Update":{"Id":"7","Lines":{"Line":["a","b"]}}}`
	for _, test := range []struct {
		name, params string
		soap         switchboard.SOAP
		want         []element
	}{
		{"default", nested, switchboard.SOAP{Namespace: "urn:n"},
			message(node("urn:n Update", leaf("urn:n Id", "7"), node("urn:n Lines", leaf("urn:n Line", "a"), leaf("urn:n Line", "b"))))},
		{"qualified", nested, switchboard.SOAP{Namespace: "urn:n", Elements: "qualified"},
			message(node("urn:n Update", leaf("urn:n Id", "7"), node("urn:n Lines", leaf("urn:n Line", "a"), leaf("urn:n Line", "b"))))},
		{"unqualified", nested, switchboard.SOAP{Namespace: "urn:n", Elements: "unqualified"},
			message(node("urn:n Update", leaf("Id", "7"), node("Lines", leaf("Line", "a"), leaf("Line", "b"))))},
		{"no namespace", nested, switchboard.SOAP{},
			message(node("Update", leaf("Id", "7"), node("Lines", leaf("Line", "a"), leaf("Line", "b"))))},
		{"RPC with parameters", `{"Update":{"Id":"7"}}`, switchboard.SOAP{Namespace: "urn:n", Elements: "unqualified", Parameters: map[string]string{"Key": "k<", "Empty": ""}},
			message(node("urn:n Update", leaf("Id", "7"), leaf("Empty", ""), leaf("Key", "k<")))},
		{"qualified parameters", `{"Update":{}}`, switchboard.SOAP{Namespace: "urn:n", Parameters: map[string]string{"Key": "k"}},
			message(node("urn:n Update", leaf("urn:n Key", "k")))},
		{"nothing in it", `{"Update":{}}`, switchboard.SOAP{Namespace: "urn:n", Elements: "unqualified"}, message(node("urn:n Update"))},
		{"escapes", `{"Update":{"Id":"7"}}`, switchboard.SOAP{Namespace: "urn:n?a&b", Elements: "unqualified"}, message(node("urn:n?a&b Update", leaf("Id", "7")))},
	} {
		w := script("POST", "text/xml", test.params)
		test.soap.Version = "1.1"
		w.Subscription.Request.SOAP = &test.soap
		want := node(envelope+" Envelope", element{Name: envelope + " Body", Attributes: map[string]string{}, Children: test.want})
		body := rendered(t, w).Body
		if diff := cmp.Diff(want, parseXML(t, body)); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", test.name, body, diff)
		}
	}
}

func TestSOAPElementsAreChecked(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		soap  string
		field string // empty: it is right
	}{
		{`{"version":"1.1","namespace":"urn:n","elements":"unqualified"}`, ""},
		{`{"version":"1.1","namespace":"urn:n","elements":"qualified"}`, ""},
		{`{"version":"1.1","elements":"qualified"}`, ""},
		{`{"version":"1.1","elements":"unqualified"}`, "request.soap.elements"},
		{`{"version":"1.1","namespace":"urn:n","elements":"none"}`, "request.soap.elements"},
		{`{"version":"1.1","namespace":"urn:n","elements":"Unqualified"}`, "request.soap.elements"},
	} {
		r := script("POST", "text/xml", `{"a":{}}`).Subscription.Request
		if err := json.Unmarshal([]byte(test.soap), &r.SOAP); err != nil {
			t.Fatal(err)
		}
		field := ""
		if err, ok := errors.AsType[*switchboard.Error](r.Validate()); ok {
			field = err.Field
		}
		if field != test.field {
			t.Errorf("%s: %q; want %q", test.soap, field, test.field)
		}
	}
}
