package switchboard

import "encoding/json"

// Request is the HTTP request that a subscription asks for. URL path, URL query, header values and
// the string leaves of Params are templates.
type Request struct {
	Method      string          `json:"method,omitempty" default:"POST" doc:"Any HTTP method except CONNECT and TRACE"`
	URL         string          `json:"url" doc:"The http or https URL, without user name, password and fragment. Path and query may have placeholders such as {{ contact.id }}. Characters that a URL cannot have are percent-encoded once when it is sent; existing encodings stay. The query's values are masked for keys that may not change the subscription" example:"https://crm.example.com/hook" maxLength:"2048"`
	Body        BodyKind        `json:"body,omitempty" enum:"envelope,data,params" default:"envelope" doc:"envelope: {id, type, timestamp, data}. data: the event's bytes unchanged. params: a document of your own. Changing it removes envelope and params"`
	Envelope    *EnvelopeFields `json:"envelope,omitempty" doc:"For the body envelope: the names of its members; a member without a name is left out. Left out: id, type, timestamp and data"`
	Params      json.RawMessage `json:"params,omitempty" doc:"For the body params: a JSON document whose strings may have placeholders. It is encoded as content_type says; with GET and DELETE it is the query string. Everybody who may read the subscription sees it: put credentials into auth or headers. A change replaces the whole document"`
	Missing     Missing         `json:"missing,omitempty" enum:"error,empty" doc:"What happens if the event has no value for a placeholder. error: the attempt fails with render and names it. empty: it renders as nothing. Default: error"`
	XML         *XMLStyle       `json:"xml,omitempty" doc:"For a body in XML: how JSON is converted. Left out: by the default rules"`
	SOAP        *SOAP           `json:"soap,omitempty" doc:"For a body in XML: wraps it into a SOAP message"`
	Headers     Headers         `json:"headers,omitzero" always:"true" doc:"At most 50; values may have placeholders. Values of sensitive headers are masked. A change names the headers that it sets, and null removes one; a mask that is sent back keeps the stored value, as long as scheme, host and port of the url stay" example:"{\"X-Env\":\"prod\"}"`
	ContentType string          `json:"content_type,omitempty" default:"application/json" doc:"The encoding of params: JSON, XML or application/x-www-form-urlencoded. The charset can only be utf-8"`
	HTTPVersion HTTPVersion     `json:"http_version,omitempty" enum:"auto,1.1" default:"auto" doc:"auto: HTTP/2 if the receiver offers it over TLS, otherwise HTTP/1.1. 1.1: never HTTP/2"`
}

// Headers are the headers of a request by their names. The values of sensitive ones are masked when
// they are marshalled.
type Headers map[string]string

// MarshalJSON masks the values of sensitive headers.
func (h Headers) MarshalJSON() ([]byte, error) { return json.Marshal(MaskHeaders(h)) }

// HTTPVersion is the version of HTTP that requests may use.
type HTTPVersion string

// The versions of HTTP.
const (
	HTTPVersionAuto HTTPVersion = "auto" // the default: HTTP/2 if the receiver offers it
	HTTPVersion1    HTTPVersion = "1.1"  // HTTP/1.1 only
)

// EnvelopeFields are the names of the fields of an envelope. A field with an empty name is left
// out. If Data is empty, the data must be an object, and its members are next to the other fields.
type EnvelopeFields struct {
	ID         string     `json:"id,omitempty" doc:"Name of the member with the event's id; empty: none"`
	Type       string     `json:"type,omitempty" doc:"Name of the member with its type; empty: none"`
	Timestamp  string     `json:"timestamp,omitempty" doc:"Name of the member with its time; empty: none"`
	Data       string     `json:"data,omitempty" doc:"Name of the member with its data; empty: the data's members are put beside the others"`
	VendorType bool       `json:"vendor_type,omitempty" doc:"The type in the platform's own spelling"`
	TimeFormat TimeFormat `json:"time_format,omitempty" enum:"rfc3339,unix,unix_ms" doc:"Format of the time, in UTC; unix is in seconds, unix_ms in milliseconds. Default: rfc3339"`
}

// TimeFormat is the format of an envelope's time.
type TimeFormat string

// The formats of times.
const (
	TimeFormatRFC3339    TimeFormat = "rfc3339" // the default; UTC
	TimeFormatUnix       TimeFormat = "unix"    // seconds, a number
	TimeFormatUnixMillis TimeFormat = "unix_ms" // milliseconds, a number
)

// Missing says what happens if the event has no value for a placeholder.
type Missing string

// The effects of a missing value.
const (
	MissingError Missing = "error" // the default: the attempt fails with render and names the placeholder
	MissingEmpty Missing = "empty" // it renders as nothing
)

// XMLStyle says how JSON is written as XML.
type XMLStyle struct {
	Root       string   `json:"root,omitempty" doc:"Name of the outermost element. Default: the only member of the document, else request"`
	Attributes bool     `json:"attributes,omitempty" doc:"Scalars are attributes of their parent, except those in elements"`
	Elements   []string `json:"elements,omitempty" nullable:"false" doc:"Names of scalars that are elements nevertheless; parent.name: only in that parent"`
	JSON       []string `json:"json,omitempty" nullable:"false" doc:"Names whose value, if it is an object or a list, becomes an element with its JSON as text"`
}

// The versions of SOAP.
const (
	SOAP11 = "1.1"
	SOAP12 = "1.2"
)

// Which elements of a SOAP message have its namespace.
const (
	SOAPQualified   = "qualified"   // the outermost one and all inside it; the default
	SOAPUnqualified = "unqualified" // only the outermost one
)

// SOAP wraps an XML body in a SOAP message.
type SOAP struct {
	Version    string            `json:"version,omitempty" always:"true" enum:"1.1,1.2" doc:"1.1 is sent as text/xml, 1.2 as application/soap+xml"`
	Action     string            `json:"action,omitempty" doc:"The SOAPAction, or the action parameter of 1.2" maxLength:"2048"`
	Namespace  string            `json:"namespace,omitempty" doc:"Namespace of the message's outermost element" maxLength:"2048"`
	Elements   string            `json:"elements,omitempty" enum:"qualified,unqualified" doc:"Whether the elements in it have the namespace too. qualified: all have it, as a default namespace. unqualified: only the outermost one has it, with a prefix, as services with elementFormDefault unqualified, and RPC/literal ones, require. Default: qualified"`
	Parameters map[string]string `json:"parameters,omitempty" doc:"Further elements of the message, at most 50; values may have placeholders. They are shown, as params are"`
}
