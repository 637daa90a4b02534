package switchboard

import "encoding/json"

// Request is the shape of the HTTP request that a subscription asks for. URL path,
// URL query, header values and the string leaves of Params are templates.
type Request struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	Body        BodyKind          `json:"body"`
	Envelope    *EnvelopeFields   `json:"envelope,omitempty"` // of body envelope; nil: ours
	Params      json.RawMessage   `json:"params,omitempty"`   // of body params
	Missing     Missing           `json:"missing,omitempty"`
	XML         *XMLStyle         `json:"xml,omitempty"`  // of a body in XML; nil: the plain style
	SOAP        *SOAP             `json:"soap,omitempty"` // of a body in XML: wrap it
	Headers     map[string]string `json:"headers,omitempty"`
	ContentType string            `json:"content_type"`
	HTTPVersion HTTPVersion       `json:"http_version,omitempty"` // empty: auto
}

// HTTPVersion says which versions of HTTP requests are sent in.
type HTTPVersion string

// The versions of HTTP.
const (
	HTTPVersionAuto HTTPVersion = "auto" // the default: HTTP/2 where the receiver offers it
	HTTPVersion1    HTTPVersion = "1.1"  // HTTP/1.1 only
)

// EnvelopeFields names the fields of an envelope. One that is empty is left out;
// with an empty Data, the members of the data, which is an object then, stand
// beside the other fields.
type EnvelopeFields struct {
	ID         string     `json:"id,omitempty"`
	Type       string     `json:"type,omitempty"`
	Timestamp  string     `json:"timestamp,omitempty"`
	Data       string     `json:"data,omitempty"`
	VendorType bool       `json:"vendor_type,omitempty"` // the type in the platform's own spelling
	TimeFormat TimeFormat `json:"time_format,omitempty"` // of Timestamp
}

// TimeFormat says how an envelope writes its time.
type TimeFormat string

// The formats of times.
const (
	TimeFormatRFC3339    TimeFormat = "rfc3339" // the default; UTC
	TimeFormatUnix       TimeFormat = "unix"    // seconds, a number
	TimeFormatUnixMillis TimeFormat = "unix_ms" // milliseconds, a number
)

// Missing says what becomes of a placeholder that the event has no value for.
type Missing string

// What a missing value does.
const (
	MissingError Missing = "error" // the default: the attempt fails with render and names it
	MissingEmpty Missing = "empty" // it renders as nothing
)

// XMLStyle says how JSON is written as XML.
type XMLStyle struct {
	Root       string   `json:"root,omitempty"`       // name of the outermost element; empty: the only member of the document, else "request"
	Attributes bool     `json:"attributes,omitempty"` // scalars are attributes of their parent, save those in Elements
	Elements   []string `json:"elements,omitempty"`   // names that are elements all the same; "parent.name" where they are so in that parent only
	JSON       []string `json:"json,omitempty"`       // names whose value, if it is an object or a list, is an element with its JSON as text
}

// The versions of SOAP.
const (
	SOAP11 = "1.1"
	SOAP12 = "1.2"
)

// Which elements of a SOAP message have its namespace.
const (
	SOAPQualified   = "qualified"   // the outermost one and all in it; the default
	SOAPUnqualified = "unqualified" // the outermost one only
)

// SOAP wraps a body in XML into a SOAP message.
type SOAP struct {
	Version    string            `json:"version"`              // "1.1" or "1.2"
	Action     string            `json:"action,omitempty"`     // SOAPAction, or the action parameter of 1.2
	Namespace  string            `json:"namespace,omitempty"`  // of the message's outermost element
	Elements   string            `json:"elements,omitempty"`   // SOAPQualified (or empty) or SOAPUnqualified: whether those in it have it too
	Parameters map[string]string `json:"parameters,omitempty"` // further elements of the message; values are templates
}
