package render

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// element is XML as encoding/xml reads it: attributes by name, without white space between
// elements.
type element struct {
	Name       string
	Attributes map[string]string
	Text       string
	Children   []element
}

// parseXML reads a document that is one element, by the strict rules.
func parseXML(t testing.TB, document []byte) element {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(string(document)))
	stack := []element{{}}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%q: %v", document, err)
		}
		last := len(stack) - 1
		switch token := token.(type) {
		case xml.StartElement:
			e := element{Name: token.Name.Local, Attributes: map[string]string{}}
			if token.Name.Space != "" {
				e.Name = token.Name.Space + " " + e.Name
			}
			for _, a := range token.Attr {
				if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
					continue
				}
				if _, twice := e.Attributes[a.Name.Local]; twice { // the decoder accepts this, but XML does not
					t.Fatalf("%q: the attribute %s is there twice", document, a.Name.Local)
				}
				e.Attributes[a.Name.Local] = a.Value
			}
			stack = append(stack, e)
		case xml.CharData:
			stack[last].Text += string(token)
		case xml.EndElement:
			e := stack[last]
			if len(e.Children) > 0 && strings.TrimSpace(e.Text) == "" {
				e.Text = ""
			}
			stack = stack[:last]
			stack[last-1].Children = append(stack[last-1].Children, e)
		}
	}
	if len(stack) != 1 || len(stack[0].Children) != 1 {
		t.Fatalf("%q is not one element", document)
	}
	return stack[0].Children[0]
}

// compactJSON rewrites the JSON text inside those elements without white space.
func compactJSON(e element, names ...string) element {
	for _, name := range names {
		var value any
		if e.Name == name && json.Unmarshal([]byte(e.Text), &value) == nil {
			encoded, _ := json.Marshal(value)
			e.Text = string(encoded)
		}
	}
	for i := range e.Children {
		e.Children[i] = compactJSON(e.Children[i], names...)
	}
	return e
}

// commbox is the style of a platform like CommBox: scalars are attributes, with exceptions.
func commbox() *switchboard.XMLStyle {
	return &switchboard.XMLStyle{
		Attributes: true,
		Elements:   []string{"Message", "ManagerId", "Snippet", "Score", "Description", "FormUrl", "Form.ObjectId"},
		JSON:       []string{"Content", "Data", "Properties"},
	}
}

func xmlWork(data string) switchboard.LoadedDelivery {
	w := work("https://receiver.test/hook")
	w.Event.Data = []byte(data)
	w.Subscription.Request.ContentType = "application/xml"
	return w
}

func TestXMLAsCommBoxWritesIt(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{"Event":{"Object":{"Message":"I cannot <sign in>.","Content":{"originUrl":"https://help.example","isConnected":true},"ManagerId":"0",
			"User":{"Content":{},"Identity":{"Id":"70114","FirstName":"Noor"},"Id":"60021","Email":""},"Id":"512001"},"Subscription":"Object","Name":"OnNew","Brand":"np"}}`: `
			<Event Subscription="Object" Name="OnNew" Brand="np"><Object Id="512001"><Message>I cannot &lt;sign in&gt;.</Message>
			<Content>{"isConnected": true, "originUrl": "https://help.example"}</Content><ManagerId>0</ManagerId>
			<User Id="60021" Email=""><Content>{}</Content><Identity Id="70114" FirstName="Noor" /></User></Object></Event>`,
		`{"Event":{"User":{"Tags":{"Tag":{"Id":"77","Action":"Add"}},"Id":"60021","Content":"{}"},"Subscription":"User","Name":"OnUpdateTag"}}`: `
			<Event Subscription="User" Name="OnUpdateTag"><User Id="60021" Content="{}"><Tags><Tag Id="77" Action="Add" /></Tags></User></Event>`,
		`{"Event":{"Satisfaction":{"Score":"80","Description":"quick","ObjectId":"512001"},"Name":"OnSubmit"}}`: `
			<Event Name="OnSubmit"><Satisfaction ObjectId="512001"><Score>80</Score><Description>quick</Description></Satisfaction></Event>`,
		`{"Event":{"Form":{"ObjectId":"512001","FormUrl":"https://x","Properties":{"order_no":"A-17"}},"Name":"OnSubmit"}}`: `
			<Event Name="OnSubmit"><Form><ObjectId>512001</ObjectId><FormUrl>https://x</FormUrl><Properties>{"order_no": "A-17"}</Properties></Form></Event>`,
		`{"Event":{"Chat":{"User":{"id":"60021"},"Object":{"id":"512001"}},"Name":"OnUserExit"}}`: `
			<Event Name="OnUserExit"><Chat><User id="60021" /><Object id="512001" /></Chat></Event>`,
	} {
		w := xmlWork(data)
		w.Subscription.Request.XML = commbox()
		got := compactJSON(parseXML(t, rendered(t, w).Body), "Content", "Properties")
		if diff := cmp.Diff(compactJSON(parseXML(t, []byte(want)), "Content", "Properties"), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", data, diff)
		}
	}
}

func TestXML(t *testing.T) {
	t.Parallel()
	const declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	for _, test := range []struct {
		data, root, want string
	}{
		{`{"a":1.10,"b":{"c":true,"d":null},"e":["x",{"f":1},[2,3]],"g":[],"h":{}}`, "",
			`<request><a>1.10</a><b><c>true</c><d/></b><e>x</e><e><f>1</f></e><e><item>2</item><item>3</item></e><h/></request>`},
		{`{"order":{"id":12345678901234567890}}`, "", `<order><id>12345678901234567890</id></order>`},
		{`{"order":{"id":1}}`, "message", `<message><order><id>1</id></order></message>`},
		{`{"orders":[1,2]}`, "", `<request><orders>1</orders><orders>2</orders></request>`},
		{`["a","b"]`, "list", `<list><item>a</item><item>b</item></list>`},
		{`"<&>\"'\r\n\t"`, "", `<request>&lt;&amp;&gt;&#34;&#39;&#xD;&#xA;&#x9;</request>`},
		{`{"a":"]]>\u0000\u000b😀"}`, "", "<a>]]&gt;\uFFFD\uFFFD😀</a>"},
	} {
		w := xmlWork(test.data)
		w.Subscription.Request.XML = &switchboard.XMLStyle{Root: test.root}
		if diff := cmp.Diff(declaration+test.want, string(rendered(t, w).Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.data, diff)
		}
	}
	envelope := xmlWork(`{"a":1}`)
	envelope.Subscription.Request.Body = switchboard.BodyEnvelope
	want := declaration + `<request><id>evt_01</id><type>ticket.created</type><timestamp>2026-03-01T11:00:00.123456Z</timestamp><data><a>1</a></data></request>`
	if diff := cmp.Diff(want, string(rendered(t, envelope).Body)); diff != "" {
		t.Errorf("envelope (-want +got):\n%s", diff)
	}
}

func TestSOAP(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]struct{ namespace, contentType, action string }{
		"1.1": {"http://schemas.xmlsoap.org/soap/envelope/", "text/xml; charset=utf-8", `"urn:x#Update"`},
		"1.2": {"http://www.w3.org/2003/05/soap-envelope", `application/soap+xml; charset=utf-8; action="urn:x#Update"`, ""},
	} {
		w := script("POST", strings.SplitAfter(want.contentType, "utf-8")[0], `{"Update":{"name":"{{ contact.first_name }}"}}`)
		w.Subscription.Request.SOAP = &switchboard.SOAP{
			Version: version, Action: "urn:x#Update", Namespace: "urn:x?a&b",
			Parameters: map[string]string{"Tenant": "acme", "Height": "<{{ contact.czCol.15 }}>"},
		}
		m := rendered(t, w)
		if got := m.Header.Get("Content-Type"); got != want.contentType {
			t.Errorf("%s: content type %s; want %s", version, got, want.contentType)
		}
		if got := m.Header.Get("SOAPAction"); got != want.action {
			t.Errorf("%s: action %q; want %q", version, got, want.action)
		}
		leaf := func(name, text string) element {
			return element{Name: "urn:x?a&b " + name, Attributes: map[string]string{}, Text: text}
		}
		node := func(name string, children ...element) element {
			return element{Name: name, Attributes: map[string]string{}, Children: children}
		}
		tree := node(want.namespace+" Envelope", node(want.namespace+" Body", node("urn:x?a&b Update",
			leaf("name", `Mei & "Co"`), leaf("Height", "<172>"), leaf("Tenant", "acme"))))
		if diff := cmp.Diff(tree, parseXML(t, m.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
	}
	w := script("POST", "text/xml", `{"Update":{}}`)
	w.Subscription.Request.SOAP = &switchboard.SOAP{Version: "1.1", Parameters: map[string]string{"Height": "{{ x }}"}}
	wantField(t, "parameter", w, "request.soap.parameters.Height", "{{ x }}")
	w.Subscription.Request.SOAP = &switchboard.SOAP{Version: "1.1"}
	if m := rendered(t, w); m.Header.Get("SOAPAction") != `""` || !strings.Contains(string(m.Body), "<soap:Body><Update/></soap:Body>") {
		t.Errorf("bare: %v\n%s", m.Header, m.Body)
	}
}
