package switchboard

import (
	"cmp"
	"net/textproto"
	"slices"
)

// Scheme says how a request is signed.
type Scheme string

// The schemes. Requests of each carry webhook-id and webhook-timestamp, by which a
// receiver knows a delivery that it has already.
const (
	SchemeStandard        Scheme = "standard"         // Standard Webhooks v1: HMAC-SHA256 over id, timestamp and body
	SchemeStandardEd25519 Scheme = "standard-ed25519" // Standard Webhooks v1a: Ed25519 over the same
	SchemeHMACHex         Scheme = "hmac-sha256-hex"  // HMAC-SHA256 over the body alone, hexadecimal, in a header of one's choice
	SchemeNone            Scheme = "none"
)

// Schemes lists every scheme.
func Schemes() []Scheme {
	return []Scheme{SchemeStandard, SchemeStandardEd25519, SchemeHMACHex, SchemeNone}
}

// DefaultSignatureHeader holds the signature of [HMACHex] unless another is named.
const DefaultSignatureHeader = "X-Webhook-Signature"

// maxPrefix bounds [Signature.Prefix] in characters.
const maxPrefix = 64

// Signature says how the requests of a subscription are signed.
type Signature struct {
	Scheme Scheme `json:"scheme"`
	Header string `json:"header,omitempty"` // of HMACHex: the header that holds it
	Prefix string `json:"prefix,omitempty"` // of HMACHex: what stands before it, as "sha256="
}

func (s *Signature) setDefaults() {
	s.Scheme = cmp.Or(s.Scheme, SchemeStandard)
	if s.Scheme == SchemeHMACHex {
		s.Header = cmp.Or(s.Header, DefaultSignatureHeader)
	}
}

// Validate checks the signature by itself, after [Subscription.SetDefaults].
func (s *Signature) Validate() error {
	if !slices.Contains(Schemes(), s.Scheme) {
		return InvalidField("signature.scheme", "%q is not a scheme; known: %s, %s, %s, %s", s.Scheme, SchemeStandard, SchemeStandardEd25519, SchemeHMACHex, SchemeNone)
	}
	if s.Scheme != SchemeHMACHex {
		switch {
		case s.Header != "":
			return InvalidField("signature.header", "is for the scheme %s only", SchemeHMACHex)
		case s.Prefix != "":
			return InvalidField("signature.prefix", "is for the scheme %s only", SchemeHMACHex)
		}
		return nil
	}
	if err := checkOwnHeader("signature.header", s.Header); err != nil {
		return err
	}
	if LongerThan(s.Prefix, maxPrefix) {
		return InvalidField("signature.prefix", "is longer than %d characters", maxPrefix)
	}
	// A space at its end stands before the signature, as in "HMAC 0a1b…".
	if s.Prefix != "" && (!isVisible(s.Prefix) || s.Prefix[0] == ' ') {
		return InvalidField("signature.prefix", "must be printable ASCII and not begin with a space")
	}
	return nil
}

// validateSigning refuses a signature that says nothing of what is sent: it would be the
// same one with each request, and whoever has seen it could sign any other.
func (s *Subscription) validateSigning() error {
	if s.Signature.Scheme == SchemeHMACHex && s.Request.InQuery() {
		return InvalidField("signature.scheme", "%s signs the body alone, and a %s whose params are the query string has none: "+
			"send them with another request.method, as POST, or sign otherwise", SchemeHMACHex, s.Request.Method)
	}
	return nil
}

// checkOwnHeader checks the name of a header in which we put something of our own.
func checkOwnHeader(field, name string) error {
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

// isVisible reports whether s is printable ASCII; spaces count.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
