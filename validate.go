package switchboard

import (
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	methodPattern     = regexp.MustCompile(`^[A-Z]{1,20}$`)
	headerNamePattern = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	patternPattern    = regexp.MustCompile(`^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$`)
)

// Validate checks the subscription after [Subscription.SetDefaults]. Whether the
// URL's address may be reached is the egress guard's business, not checked here.
func (s *Subscription) Validate() error {
	checks := []func() error{
		func() error { return ValidateTenant(s.Tenant) },
		s.validateName,
		s.validateEvents,
		s.Request.Validate,
		s.Retry.validate,
		s.validateLimits,
		s.Signature.Validate,
		s.validateAuth,
		s.validateVerification,
		s.validateAdaptive,
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Subscription) validateName() error {
	switch {
	case strings.TrimSpace(s.Name) == "":
		return InvalidField("name", "is required")
	case len(s.Name) > MaxName:
		return InvalidField("name", "is longer than %d bytes", MaxName)
	case strings.ContainsFunc(s.Name, isControl):
		return InvalidField("name", "may not hold control characters")
	}
	return nil
}

func (s *Subscription) validateEvents() error {
	if len(s.Events) == 0 {
		return InvalidField("events", "is required: name event types, as ticket.created, or patterns, as ticket.* or *")
	}
	if len(s.Events) > MaxEvents {
		return InvalidField("events", "has more than %d entries", MaxEvents)
	}
	for _, pattern := range s.Events {
		if len(pattern) > MaxEventType || !patternPattern.MatchString(pattern) {
			return InvalidField("events", "%q is neither an event type, as ticket.created, nor a pattern, as ticket.* or *", pattern)
		}
	}
	return nil
}

func (s *Subscription) validateLimits() error {
	switch {
	case s.Timeout < MinTimeout || s.Timeout > MaxTimeout:
		return InvalidField("timeout", "must be from %s to %s", MinTimeout, MaxTimeout)
	case s.MaxInFlight < 1 || s.MaxInFlight > MaxMaxInFlight:
		return InvalidField("max_in_flight", "must be from 1 to %d", MaxMaxInFlight)
	case !slices.Contains([]SubscriptionState{Active, Paused, Disabled, Unverified}, s.State):
		return InvalidField("state", "%q is not a state", s.State)
	}
	return nil
}

// Validate checks that the request can be made at all. It is asked at save time,
// and again before each attempt, since a stored row may be older than a rule.
func (r *Request) Validate() error {
	switch {
	case !methodPattern.MatchString(r.Method):
		return InvalidField("request.method", "is not an HTTP method")
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		return InvalidField("request.method", "%s may not be sent", r.Method)
	case r.Body != Envelope && r.Body != DataBody:
		return InvalidField("request.body", "%q is not a body; known: %s, %s", r.Body, Envelope, DataBody)
	case !isHeaderValue(r.ContentType) || !strings.Contains(r.ContentType, "/"):
		return InvalidField("request.content_type", "is not a media type")
	}
	if err := ValidateURL("request.url", r.URL); err != nil {
		return err
	}
	return r.validateHeaders()
}

// ValidateURL checks the form of a receiver's address; field is what an error names.
func ValidateURL(field, raw string) error {
	if raw == "" {
		return InvalidField(field, "is required")
	}
	if len(raw) > MaxURL {
		return InvalidField(field, "is longer than %d bytes", MaxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || strings.ContainsFunc(raw, isControl):
		return InvalidField(field, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return InvalidField(field, "must start with http:// or https://")
	case u.User != nil:
		return InvalidField(field, "may not hold a user name or password")
	case u.Hostname() == "":
		return InvalidField(field, "names no host")
	case !isPort(u.Port()):
		return InvalidField(field, "names a port that does not exist")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return InvalidField(field, "may not hold a fragment")
	}
	return nil
}

// isPort reports whether s, as a URL holds it, is empty or from 1 to 65535.
func isPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && port > 0
}

func (r *Request) validateHeaders() error {
	if len(r.Headers) > MaxHeaders {
		return InvalidField("request.headers", "has more than %d headers", MaxHeaders)
	}
	seen := map[string]bool{}
	for name, value := range r.Headers {
		field := "request.headers." + name
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !headerNamePattern.MatchString(name):
			return InvalidField("request.headers", "%q is not a header name", name)
		case seen[canonical]:
			return InvalidField(field, "is given twice")
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

// reservedHeader names the headers that frame the request, that a proxy on the
// way acts on, or that carry our signature; content_type has a field of its own.
func reservedHeader(canonical string) bool {
	switch canonical {
	case "Host", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Te", "Trailer",
		"Connection", "Keep-Alive", "Upgrade", "Expect", "Accept-Encoding", "User-Agent",
		"Proxy-Authorization", "Proxy-Authenticate", "Proxy-Connection":
		return true
	}
	return strings.HasPrefix(canonical, "Webhook-")
}

// SensitiveHeader reports whether values of that header are credentials more
// often than not: they are masked wherever they are shown.
func SensitiveHeader(name string) bool {
	name = strings.ToLower(name)
	for _, mark := range []string{"auth", "cookie", "token", "secret", "pass", "key", "credential", "session"} {
		if strings.Contains(name, mark) {
			return true
		}
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
	return s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return isControl(r) && r != '\t' })
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }
