package switchboard

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of a request's fields, in bytes.
const (
	MaxParams         = 64 << 10
	MaxSOAPParameters = 50  // entries
	MaxXMLNames       = 200 // entries of each list of a style
	maxFieldName      = 200
)

var methodPattern = regexp.MustCompile(`^[A-Z]{1,20}$`)

// Validate checks that the request can be made at all. It runs when a subscription is saved, and
// again before each attempt, because a stored row may be older than a rule. The packages that know
// the template language check the content of templates.
func (r *Request) Validate() error {
	switch {
	case !methodPattern.MatchString(r.Method):
		return InvalidField("request.method", "is not an HTTP method")
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return InvalidField("request.method", "%s may not be sent", r.Method)
	case r.Body != BodyEnvelope && r.Body != BodyData && r.Body != BodyParams:
		return InvalidField("request.body", "%q is not a body; known: %s, %s, %s", r.Body, BodyEnvelope, BodyData, BodyParams)
	case r.Missing != "" && r.Missing != MissingError && r.Missing != MissingEmpty:
		return InvalidField("request.missing", "%q is not known; known: %s, %s", r.Missing, MissingError, MissingEmpty)
	case r.HTTPVersion != "" && r.HTTPVersion != HTTPVersionAuto && r.HTTPVersion != HTTPVersion1:
		return InvalidField("request.http_version", "%q is not known; known: %s, %s", r.HTTPVersion, HTTPVersionAuto, HTTPVersion1)
	}
	checks := []func() error{r.validateContentType, r.validateParams, r.Envelope.validate, r.XML.validate, r.validateSOAP, r.validateHeaders}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return validateTemplateURL("request.url", r.URL)
}

// InQuery reports whether the request's params are its query string, and it has no body.
func (r *Request) InQuery() bool {
	return r.Body == BodyParams && (r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodDelete)
}

// Format is the format of a body.
type Format string

// The formats of bodies that Switchboard writes.
const (
	FormatJSON  Format = "json"
	FormatForm  Format = "form"
	FormatXML   Format = "xml"
	FormatOther Format = "other" // none of them: the event's bytes may be sent as such, params may not
)

// defaultContentType is the content type of JSON.
const defaultContentType = "application/json"

// Format returns the format that the content type asks for.
func (r *Request) Format() Format {
	switch media := r.mediaType(); {
	case media == defaultContentType || strings.HasSuffix(media, "+json"):
		return FormatJSON
	case media == "application/x-www-form-urlencoded":
		return FormatForm
	case media == "application/xml" || media == "text/xml" || strings.HasSuffix(media, "+xml"):
		return FormatXML
	}
	return FormatOther
}

// mediaType returns the content type without its parameters; empty if it is invalid.
func (r *Request) mediaType() string {
	if r.ContentType == defaultContentType { // the usual case, and each attempt asks several times
		return r.ContentType
	}
	media, _, err := mime.ParseMediaType(r.ContentType)
	if err != nil {
		return ""
	}
	return media
}

// charset returns the parameter charset of the content type; empty: it has none.
func (r *Request) charset() string {
	if !strings.Contains(r.ContentType, ";") {
		return ""
	}
	_, parameters, _ := mime.ParseMediaType(r.ContentType)
	return parameters["charset"]
}

func (r *Request) validateContentType() error {
	const field = "request.content_type"
	format := r.Format()
	switch {
	case !isHeaderValue(r.ContentType) || !strings.Contains(r.mediaType(), "/"):
		return InvalidField(field, "is not a media type")
	case !IsUTF8(r.charset()):
		return InvalidField(field, "has a charset in which the body is not written: it is always UTF-8, and charset=utf-8 says so")
	case r.InQuery() && format != FormatJSON && format != FormatForm: // JSON is the default content type
		return InvalidField(field, "does not fit: with %s the params are the query string, and there is no body", r.Method)
	case r.Body == BodyParams && format == FormatOther:
		return InvalidField(field, "does not fit: params are written as JSON, as XML or as application/x-www-form-urlencoded")
	}
	return nil
}

func (r *Request) validateParams() error {
	const field = "request.params"
	params := bytes.TrimSpace(r.Params)
	given := len(params) > 0 && string(params) != "null"
	switch {
	case !given && r.Body == BodyParams:
		return InvalidField(field, "is required by the body %s", BodyParams)
	case !given:
		return nil
	case r.Body != BodyParams:
		return InvalidField(field, "is for the body %s only; this one is %s", BodyParams, r.Body)
	case len(params) > MaxParams:
		return InvalidField(field, "is longer than %d bytes", MaxParams)
	case params[0] != '{' && params[0] != '[' || !json.Valid(params):
		return InvalidField(field, "is neither a JSON object nor an array")
	case params[0] != '{' && (r.InQuery() || r.Format() == FormatForm):
		return InvalidField(field, "must be an object: a query string or form has names for all that it holds")
	}
	return nil
}

func (e *EnvelopeFields) validate() error {
	if e == nil {
		return nil
	}
	if !slices.Contains([]TimeFormat{"", TimeFormatRFC3339, TimeFormatUnix, TimeFormatUnixMillis}, e.TimeFormat) {
		return InvalidField("request.envelope.time_format", "%q is not known; known: %s, %s, %s", e.TimeFormat, TimeFormatRFC3339, TimeFormatUnix, TimeFormatUnixMillis)
	}
	seen := map[string]bool{}
	for _, f := range []struct{ field, name string }{{"id", e.ID}, {"type", e.Type}, {"timestamp", e.Timestamp}, {"data", e.Data}} {
		switch {
		case f.name == "":
			continue
		case seen[f.name]:
			return InvalidField("request.envelope."+f.field, "has the name of another field")
		case len(f.name) > maxFieldName || strings.ContainsFunc(f.name, IsControl):
			return InvalidField("request.envelope."+f.field, "is not the name of a field")
		}
		seen[f.name] = true
	}
	return nil
}

func (x *XMLStyle) validate() error {
	switch {
	case x == nil:
		return nil
	case x.Root != "" && !IsXMLName(x.Root):
		return InvalidField("request.xml.root", "is not the name of an XML element")
	case len(x.Elements) > MaxXMLNames:
		return InvalidField("request.xml.elements", "has more than %d entries", MaxXMLNames)
	case len(x.JSON) > MaxXMLNames:
		return InvalidField("request.xml.json", "has more than %d entries", MaxXMLNames)
	}
	return nil
}

func (r *Request) validateSOAP() error {
	s := r.SOAP
	if s == nil {
		return nil
	}
	media, known := map[string]string{SOAP11: "text/xml", SOAP12: "application/soap+xml"}[s.Version]
	switch {
	case !known:
		return InvalidField("request.soap.version", "%q is not known; known: %s, %s", s.Version, SOAP11, SOAP12)
	case r.mediaType() != media:
		return InvalidField("request.content_type", "does not fit: SOAP %s is sent as %s", s.Version, media)
	case r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodDelete:
		return InvalidField("request.method", "does not fit: a SOAP message is a body, which %s does not carry", r.Method)
	case len(s.Action) > MaxURL || strings.ContainsFunc(s.Action, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
		return InvalidField("request.soap.action", "is not a URI")
	case len(s.Namespace) > MaxURL || strings.ContainsFunc(s.Namespace, func(r rune) bool { return r <= ' ' || r > '~' }):
		return InvalidField("request.soap.namespace", "is not a URI")
	case s.Elements != "" && s.Elements != SOAPQualified && s.Elements != SOAPUnqualified:
		return InvalidField("request.soap.elements", "%q is not known; known: %s, %s", s.Elements, SOAPQualified, SOAPUnqualified)
	case s.Elements == SOAPUnqualified && s.Namespace == "":
		return InvalidField("request.soap.elements", "needs the namespace: without one no element has any")
	case len(s.Parameters) > MaxSOAPParameters:
		return InvalidField("request.soap.parameters", "has more than %d entries", MaxSOAPParameters)
	}
	for name, value := range s.Parameters {
		if !IsXMLName(name) {
			return InvalidField("request.soap.parameters", "%q is not the name of an XML element", name)
		}
		if len(value) > MaxHeaderValue {
			return InvalidField("request.soap.parameters."+name, "is longer than %d bytes", MaxHeaderValue)
		}
		if !isXMLText(value) {
			return InvalidField("request.soap.parameters."+name, "holds a character that XML cannot hold")
		}
	}
	return nil
}

// isXMLText reports whether XML can have the text, escaped if necessary.
func isXMLText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool {
		return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF
	})
}
