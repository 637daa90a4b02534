package switchboard

import (
	"maps"
	"net/textproto"
	"slices"
)

// Overrides are what a resend changes of the request, for its delivery alone. What is zero stays as
// the subscription has it.
type Overrides struct {
	URL     string   `json:"url,omitempty"`
	Headers Headers  `json:"headers,omitempty"` // added to those of the subscription, or in their place
	Body    *string  `json:"body,omitempty"`    // its bytes
	Timeout Duration `json:"timeout,omitempty"` // of each attempt, under any load
}

// RevealedOverrides are [Overrides] whose headers are marshalled as they are, for the store, which
// encrypts them. They are read as Overrides.
type RevealedOverrides struct {
	Overrides
	Headers map[string]string `json:"headers,omitempty"`
}

// Revealed shows the values of all headers.
func (o Overrides) Revealed() RevealedOverrides { return RevealedOverrides{o, o.Headers} }

// Names lists what is changed.
func (o *Overrides) Names() []string {
	names := []string{}
	for _, part := range []struct {
		name  string
		given bool
	}{{"url", o.URL != ""}, {"headers", len(o.Headers) > 0}, {"body", o.Body != nil}, {"timeout", o.Timeout != 0}} {
		if part.given {
			names = append(names, part.name)
		}
	}
	return names
}

// Apply returns the subscription as the resend has it, without the body. At another address it has no
// sensitive header of the subscription and no authentication; whoever calls it takes care of the
// secrets.
func (o *Overrides) Apply(sub Subscription, elsewhere bool) Subscription {
	headers := maps.Clone(sub.Request.Headers)
	if headers == nil {
		headers = Headers{}
	}
	maps.DeleteFunc(headers, func(name, _ string) bool {
		return elsewhere && SensitiveHeader(name) || slices.ContainsFunc(slices.Collect(maps.Keys(o.Headers)), func(given string) bool {
			return textproto.CanonicalMIMEHeaderKey(given) == textproto.CanonicalMIMEHeaderKey(name)
		})
	})
	maps.Copy(headers, o.Headers)
	sub.Request.Headers = headers
	if elsewhere {
		sub.Auth = Auth{}
	}
	if o.URL != "" {
		sub.Request.URL = o.URL
	}
	if o.Timeout != 0 {
		sub.Timeout, sub.Adaptive.MinimumTimeout = o.Timeout, o.Timeout
	}
	return sub
}

// Resend is a copy of a delivery that somebody asks for.
type Resend struct {
	ID        string // of the copy, of the caller's Idempotency-Key; empty: a new one
	Reason    string
	Expect    Expectation // of the original
	Overrides Overrides
	Elsewhere bool // it goes to another scheme, host or port, of whose health nothing is known
}

// CheckResend refuses a resend that the caller may not ask for: another URL or body is a message of
// the caller's own in the customer's name.
func (c Caller) CheckResend(o *Overrides) error {
	if err := c.CheckAction(ActionResend); err != nil {
		return err
	}
	field := "url"
	switch {
	case o.URL == "" && o.Body == nil, c.ReadPayload && c.Role != RoleSupport:
		return nil
	case o.URL == "":
		field = "body"
	}
	return &Error{Code: CodeForbidden, Field: field, Message: "may be changed by an admin, or by an integrator of the tenant, whose key may read payloads"}
}
