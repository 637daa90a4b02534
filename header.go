package switchboard

import (
	"net/textproto"
	"regexp"
	"strings"
)

var headerNamePattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// validateHeaders checks the headers. Names are literal. Values are templates, and are
// checked like the text that they become.
func (r *Request) validateHeaders() error {
	if len(r.Headers) > MaxHeaders {
		return InvalidField("request.headers", "has more than %d headers", MaxHeaders)
	}
	seen := map[string]bool{}
	for name, value := range r.Headers {
		field := "request.headers." + name
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case len(name) > maxFieldName:
			return InvalidField("request.headers", "has a name longer than %d bytes", maxFieldName)
		case !headerNamePattern.MatchString(name):
			return InvalidField("request.headers", "%q is not a header name", name)
		case seen[canonical]:
			return InvalidField(field, "is given twice")
		case canonical == "Content-Type":
			return InvalidField(field, "may not be set: it is request.content_type")
		case canonical == "Soapaction" && r.SOAP != nil:
			return InvalidField(field, "may not be set: it is request.soap.action")
		case reservedHeader(canonical):
			return InvalidField(field, "may not be set: Switchboard or HTTP itself decides it")
		case len(value) > MaxHeaderValue:
			return InvalidField(field, "is longer than %d bytes", MaxHeaderValue)
		case !isHeaderValue(value):
			return InvalidField(field, "holds characters that a header may not hold")
		}
		seen[canonical] = true
	}
	return nil
}

// ValidateOwnHeader checks the name of a header that Switchboard sets itself, such as a signature
// or a credential.
func ValidateOwnHeader(field, name string) error {
	switch {
	case name == "":
		return InvalidField(field, "is required")
	case len(name) > MaxName || !headerNamePattern.MatchString(name):
		return InvalidField(field, "is not a header name")
	case reservedHeader(textproto.CanonicalMIMEHeaderKey(name)):
		return InvalidField(field, "may not be %s: Switchboard or HTTP itself decides that header", name)
	}
	return nil
}

// reservedHeader reports whether only Switchboard may set the header: headers that frame the
// request, that a proxy acts on, that carry our signature, or that make net/http consider a POST
// safe to send twice.
func reservedHeader(canonical string) bool {
	switch canonical {
	case "Host", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Te", "Trailer",
		"Connection", "Keep-Alive", "Upgrade", "Expect", "Accept-Encoding", "Idempotency-Key", "X-Idempotency-Key",
		"Proxy-Authorization", "Proxy-Authenticate", "Proxy-Connection":
		return true
	}
	return strings.HasPrefix(canonical, "Webhook-")
}

// SensitiveHeader reports whether the header's values are probably credentials. They are
// masked wherever they are shown.
func SensitiveHeader(name string) bool {
	name = strings.ToLower(name)
	for _, mark := range []string{"auth", "cookie", "token", "secret", "pass", "key", "credential", "session"} {
		if strings.Contains(name, mark) {
			return true
		}
	}
	return false
}

// PlainHeader reports whether a caller who may not read payloads may see the header's value: it
// says how a body is sent, and never what is in it.
func PlainHeader(name string) bool {
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Content-Type", "Content-Length", "Date", "Server", "Retry-After", "Webhook-Id", "Webhook-Timestamp", "X-Request-Id":
		return true
	}
	return false
}

// MaskHeaders returns a copy in which the values of sensitive headers are masked.
func MaskHeaders(headers map[string]string) map[string]string {
	masked := make(map[string]string, len(headers))
	for name, value := range headers {
		if SensitiveHeader(name) {
			value = Mask
		}
		masked[name] = value
	}
	return masked
}

func isHeaderValue(s string) bool {
	return s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return IsControl(r) && r != '\t' })
}
