package api

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/textproto"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

type request struct {
	Method      string               `json:"method" example:"POST"`
	URL         string               `json:"url" doc:"As it was given. Its query's values are masked for keys that may not change it" example:"https://crm.example.com/hook"`
	Body        switchboard.BodyKind `json:"body" enum:"envelope,data,params" example:"envelope"`
	Envelope    *envelope            `json:"envelope,omitempty" doc:"Of the body envelope; left out: id, type, timestamp and data under these names"`
	Params      json.RawMessage      `json:"params,omitempty" doc:"Of the body params"`
	Missing     switchboard.Missing  `json:"missing,omitempty" enum:"error,empty" doc:"What a placeholder does that the event has no value for; left out: error"`
	XML         *xmlStyle            `json:"xml,omitempty" doc:"Of a body in XML; left out: plain"`
	SOAP        *soap                `json:"soap,omitempty" doc:"Of a body in XML: the SOAP message around it"`
	Headers     map[string]string    `json:"headers" doc:"Values of sensitive headers are masked" example:"{\"X-Env\":\"prod\"}"`
	ContentType string               `json:"content_type" example:"application/json"`

	HTTPVersion switchboard.HTTPVersion `json:"http_version" enum:"auto,1.1" example:"auto"`
}

// The parts of a request as they are shown have the fields of the domain's types.
type (
	envelope struct {
		ID         string                 `json:"id,omitempty" doc:"Name of the field with the event's id; left out: there is none"`
		Type       string                 `json:"type,omitempty" doc:"Name of the field with its type; left out: there is none"`
		Timestamp  string                 `json:"timestamp,omitempty" doc:"Name of the field with its time; left out: there is none"`
		Data       string                 `json:"data,omitempty" doc:"Name of the field with its data; left out: their members stand beside the other fields"`
		VendorType bool                   `json:"vendor_type,omitempty" doc:"The type is in the platform's own spelling"`
		TimeFormat switchboard.TimeFormat `json:"time_format,omitempty" enum:"rfc3339,unix,unix_ms" doc:"Of the time; left out: rfc3339"`
	}
	xmlStyle struct {
		Root       string   `json:"root,omitempty" doc:"Name of the outermost element; left out: the only member of the document, else request"`
		Attributes bool     `json:"attributes,omitempty" doc:"Scalars are attributes of their parent"`
		Elements   []string `json:"elements,omitempty" nullable:"false" doc:"Names of scalars that are elements all the same"`
		JSON       []string `json:"json,omitempty" nullable:"false" doc:"Names whose objects and lists are JSON in an element"`
	}
	soap struct {
		Version    string            `json:"version" enum:"1.1,1.2"`
		Action     string            `json:"action,omitempty"`
		Namespace  string            `json:"namespace,omitempty" doc:"Of the message's outermost element"`
		Elements   string            `json:"elements,omitempty" enum:"qualified,unqualified" doc:"Whether the elements in it have the namespace too; left out: qualified"`
		Parameters map[string]string `json:"parameters,omitempty" doc:"Further elements of the message"`
	}
)

func requestOf(r *switchboard.Request) request {
	return request{
		Method: r.Method, URL: r.URL, Body: r.Body, Params: r.Params, Missing: r.Missing,
		Envelope: (*envelope)(r.Envelope), XML: (*xmlStyle)(r.XML), SOAP: (*soap)(r.SOAP),
		Headers: switchboard.MaskHeaders(r.Headers), ContentType: r.ContentType,
		HTTPVersion: cmp.Or(r.HTTPVersion, switchboard.HTTPVersionAuto),
	}
}

type requestInput struct {
	Method      *string               `json:"method,omitempty" default:"POST" doc:"Any HTTP method but CONNECT and TRACE"`
	URL         *string               `json:"url,omitempty" doc:"Where to; http or https, without user name, password and fragment. Path and query may hold placeholders, as {{ contact.id }}. What a URL cannot hold is percent-encoded once when it is sent; what is encoded already stays" example:"https://crm.example.com/hook" maxLength:"2048"`
	Body        *switchboard.BodyKind `json:"body,omitempty" enum:"envelope,data,params" default:"envelope" doc:"envelope: {id, type, timestamp, data}. data: the event's bytes unchanged. params: a document of your own. Another one starts afresh with envelope and params"`
	Envelope    *envelopeInput        `json:"envelope,omitempty" doc:"Of the body envelope: other names for its fields; a field that is not named is left out. null: the usual names"`
	Params      json.RawMessage       `json:"params,omitempty" doc:"Of the body params: a JSON document whose strings may hold placeholders. Sent as the content_type says; with GET and DELETE it is the query string. It is shown to whoever may read the subscription: credentials belong into auth or headers"`
	Missing     *switchboard.Missing  `json:"missing,omitempty" enum:"error,empty" doc:"What a placeholder does that the event has no value for. error: the attempt fails with render and names it. empty: it renders as nothing. Default: error"`
	XML         *xmlStyleInput        `json:"xml,omitempty" doc:"Of a body in XML: how JSON is written so. null: plainly"`
	SOAP        *soapInput            `json:"soap,omitempty" doc:"Of a body in XML: wraps it into a SOAP message. null: does not"`
	Headers     *map[string]string    `json:"headers,omitempty" doc:"At most 50; values may hold placeholders. In a change they replace all headers; a value that was masked when it was read, sent back as it is, keeps what is stored, as long as scheme, host and port of the url stay" example:"{\"X-Env\":\"prod\"}"`
	ContentType *string               `json:"content_type,omitempty" default:"application/json" doc:"Params are written so: as JSON, as XML or as application/x-www-form-urlencoded. No other charset than utf-8"`

	HTTPVersion *switchboard.HTTPVersion `json:"http_version,omitempty" enum:"auto,1.1" default:"auto" doc:"auto: HTTP/2 where the receiver offers it over TLS, else HTTP/1.1. 1.1: never HTTP/2"`
}

type envelopeInput struct {
	clearable
	ID         *string                 `json:"id,omitempty" doc:"Name of the field with the event's id; empty: none"`
	Type       *string                 `json:"type,omitempty" doc:"Name of the field with its type; empty: none"`
	Timestamp  *string                 `json:"timestamp,omitempty" doc:"Name of the field with its time; empty: none"`
	Data       *string                 `json:"data,omitempty" doc:"Name of the field with its data; empty: their members stand beside the other fields"`
	VendorType *bool                   `json:"vendor_type,omitempty" doc:"The type in the platform's own spelling"`
	TimeFormat *switchboard.TimeFormat `json:"time_format,omitempty" enum:"rfc3339,unix,unix_ms" doc:"Of the time; unix is in seconds, unix_ms in milliseconds. Default: rfc3339"`
}

type xmlStyleInput struct {
	clearable
	Root       *string   `json:"root,omitempty" doc:"Name of the outermost element. Default: the only member of the document, else request"`
	Attributes *bool     `json:"attributes,omitempty" doc:"Scalars are attributes of their parent, save those in elements"`
	Elements   *[]string `json:"elements,omitempty" nullable:"false" doc:"Names of scalars that are elements all the same; parent.name where in that parent only"`
	JSON       *[]string `json:"json,omitempty" nullable:"false" doc:"Names whose value, if it is an object or a list, is an element with its JSON as text"`
}

type soapInput struct {
	clearable
	Version    *string            `json:"version,omitempty" enum:"1.1,1.2" doc:"1.1 is sent as text/xml, 1.2 as application/soap+xml"`
	Action     *string            `json:"action,omitempty" doc:"SOAPAction; the action parameter of 1.2" maxLength:"2048"`
	Namespace  *string            `json:"namespace,omitempty" doc:"Of the message's outermost element" maxLength:"2048"`
	Elements   *string            `json:"elements,omitempty" enum:"qualified,unqualified" doc:"Whether the elements in it have the namespace too. qualified: all have it, as a default namespace. unqualified: only the outermost one has it, with a prefix, as services with elementFormDefault unqualified and RPC/literal ones ask for. Default: qualified"`
	Parameters *map[string]string `json:"parameters,omitempty" doc:"Further elements of the message, at most 50; values may hold placeholders. In a change they replace all. They are shown, as params are"`
}

// clearable is an object that null takes away. What is left out stays.
type clearable struct {
	_       struct{} `nullable:"true"` // huma looks here for what it says of the whole object
	cleared bool
}

func (c *clearable) Clear() { c.cleared = true }

func (in *requestInput) merge(r *switchboard.Request) error {
	if in == nil {
		return nil
	}
	if in.Body != nil && *in.Body != cmp.Or(r.Body, switchboard.BodyEnvelope) {
		r.Envelope, r.Params = nil, nil // they belong to the body that was
	}
	set(&r.Method, in.Method)
	r.Method = strings.ToUpper(r.Method)
	if err := setURL("request.url", &r.URL, in.URL); err != nil {
		return err
	}
	set(&r.Body, in.Body)
	set(&r.Missing, in.Missing)
	set(&r.ContentType, in.ContentType)
	set(&r.HTTPVersion, in.HTTPVersion)
	if r.HTTPVersion == switchboard.HTTPVersionAuto {
		r.HTTPVersion = "" // as it is where nobody has said anything
	}
	if in.Params != nil {
		r.Params = orNone(in.Params)
	}
	in.Envelope.merge(&r.Envelope)
	in.XML.merge(&r.XML)
	in.SOAP.merge(&r.SOAP)
	if in.Headers == nil {
		return nil
	}
	headers, err := unmask(*in.Headers, r.Headers)
	if err == nil {
		r.Headers = headers
	}
	return err
}

// setURL changes a stored URL. Blanks around the given one are left out, as they come
// with pasting. Its masked form, sent back as it is, keeps what is stored.
func setURL(field string, stored, given *string) error {
	if given == nil {
		return nil
	}
	switch url := strings.TrimSpace(*given); {
	case url == switchboard.MaskQuery(*stored):
	case switchboard.HoldsMask(url):
		return switchboard.InvalidField(field, "holds %s in place of a value of its query: write the value itself", switchboard.Mask)
	default:
		*stored = url
	}
	return nil
}

func (in *envelopeInput) merge(into **switchboard.EnvelopeFields) {
	if in == nil {
		return
	}
	e := fresh(into, in.cleared)
	set(&e.ID, in.ID)
	set(&e.Type, in.Type)
	set(&e.Timestamp, in.Timestamp)
	set(&e.Data, in.Data)
	set(&e.VendorType, in.VendorType)
	set(&e.TimeFormat, in.TimeFormat)
}

func (in *xmlStyleInput) merge(into **switchboard.XMLStyle) {
	if in == nil {
		return
	}
	x := fresh(into, in.cleared)
	set(&x.Root, in.Root)
	set(&x.Attributes, in.Attributes)
	set(&x.Elements, in.Elements)
	set(&x.JSON, in.JSON)
}

func (in *soapInput) merge(into **switchboard.SOAP) {
	if in == nil {
		return
	}
	s := fresh(into, in.cleared)
	set(&s.Version, in.Version)
	set(&s.Action, in.Action)
	set(&s.Namespace, in.Namespace)
	set(&s.Elements, in.Elements)
	set(&s.Parameters, in.Parameters)
}

// fresh puts a copy in the place of what into points to, or nothing where that was
// cleared, and returns what may be written to.
func fresh[T any](into **T, cleared bool) *T {
	copied := new(T)
	if cleared {
		*into = nil
		return copied
	}
	if *into != nil {
		*copied = **into
	}
	*into = copied
	return copied
}

// unmask puts the stored values back in the place of masks. The names' case may
// differ, as HTTP allows.
func unmask(given, stored map[string]string) (map[string]string, error) {
	byName := map[string]string{}
	for name, value := range stored {
		byName[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	headers := maps.Clone(given)
	for name, value := range given {
		if !strings.Contains(value, switchboard.Mask) {
			continue
		}
		if value != switchboard.Mask {
			return nil, switchboard.InvalidField("request.headers."+rest.Clip(name), "holds %s in place of a part of its value: write the whole value", switchboard.Mask)
		}
		kept, ok := byName[textproto.CanonicalMIMEHeaderKey(name)]
		if !ok {
			return nil, nothingKept("request.headers." + rest.Clip(name))
		}
		headers[name] = kept
	}
	return headers, nil
}

// nothingKept is the error of a mask that stands for nothing.
func nothingKept(field string) error {
	return switchboard.InvalidField(field, "is %s, and there is no stored value to keep", switchboard.Mask)
}
