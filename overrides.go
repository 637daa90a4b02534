package switchboard

import (
	"maps"
	"net/textproto"
	"slices"
)

// Overrides are the changes of the request in a resend, only for its delivery. A zero member stays
// as the subscription has it.
type Overrides struct {
	URL     string   `json:"url,omitempty"`
	Headers Headers  `json:"headers,omitempty"` // added to those of the subscription, or replacing them
	Body    *string  `json:"body,omitempty"`    // the bytes of the body
	Timeout Duration `json:"timeout,omitempty"` // of each attempt, under any load
}

// RevealedOverrides are [Overrides] whose headers are marshalled in clear, for the store, which
// encrypts them. They are read as Overrides.
type RevealedOverrides struct {
	Overrides
	Headers map[string]string `json:"headers,omitempty"`
}

// Revealed returns the overrides with the values of all headers.
func (o Overrides) Revealed() RevealedOverrides { return RevealedOverrides{o, o.Headers} }

// Names lists the changed parts.
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

// Apply returns the subscription with the changes of the resend, except for the body. At another
// address it has no sensitive header of the subscription and no authentication. The caller takes
// care of the secrets.
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

// Resend asks for a copy of a delivery.
type Resend struct {
	ID        string // of the copy, from the caller's Idempotency-Key; empty: a new one
	Reason    string
	Expect    Expectation // of the original
	Overrides Overrides
	Elsewhere bool // it goes to another scheme, host or port, whose health is unknown
}

// CheckResend refuses a resend that the caller may not ask for: with another URL or body, the
// caller would send a message of its own in the customer's name.
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
