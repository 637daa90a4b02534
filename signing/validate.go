package signing

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// maxPrefix limits [switchboard.Signature.Prefix], in characters.
const maxPrefix = 64

// SetDefaults sets the missing fields of the subscription's signature.
func SetDefaults(signature *switchboard.Signature) {
	signature.Scheme = cmp.Or(signature.Scheme, switchboard.DefaultScheme)
	if s := find(signature.Scheme); s != nil {
		signature.Header = cmp.Or(signature.Header, s.ownHeader)
	}
}

// Validate checks the subscription's signature settings, after [SetDefaults]. It refuses a
// signature that does not depend on the content: it would be the same for every request, and
// whoever has seen it could sign any other.
func Validate(sub *switchboard.Subscription) error {
	if err := validateSignature(&sub.Signature); err != nil {
		return err
	}
	if find(sub.Signature.Scheme).bodyOnly && sub.Request.InQuery() {
		return switchboard.InvalidField("signature.scheme", "%s signs the body alone, and a %s whose params are the query string has none: "+
			"send them with another request.method, as POST, or sign otherwise", sub.Signature.Scheme, sub.Request.Method)
	}
	return nil
}

func validateSignature(signature *switchboard.Signature) error {
	s := find(signature.Scheme)
	switch {
	case s == nil:
		return unknown(signature.Scheme)
	case s.ownHeader == "" && signature.Header != "":
		return foreign("signature.header")
	case s.ownHeader == "" && signature.Prefix != "":
		return foreign("signature.prefix")
	case s.ownHeader == "":
		return nil
	}
	if err := switchboard.ValidateOwnHeader("signature.header", signature.Header); err != nil {
		return err
	}
	if switchboard.LongerThan(signature.Prefix, maxPrefix) {
		return switchboard.InvalidField("signature.prefix", "is longer than %d characters", maxPrefix)
	}
	// A space at its end precedes the signature, as in "HMAC 0a1b…".
	if !switchboard.IsPrintableASCII(signature.Prefix) || strings.HasPrefix(signature.Prefix, " ") {
		return switchboard.InvalidField("signature.prefix", "must be printable ASCII and not begin with a space")
	}
	return nil
}

func unknown(name switchboard.Scheme) error {
	return switchboard.InvalidField("signature.scheme", "%q is not a scheme; known: %s", name, list(func(*scheme) bool { return true }))
}

// foreign is the error of a field that the scheme does not use.
func foreign(field string) error {
	return switchboard.InvalidField(field, "is for the scheme %s only", list(func(s *scheme) bool { return s.ownHeader != "" }))
}

// list names the schemes for which the function is true.
func list(holds func(*scheme) bool) string {
	var names []string
	for i := range schemes {
		if holds(&schemes[i]) {
			names = append(names, string(schemes[i].name))
		}
	}
	return strings.Join(names, ", ")
}

// Warnings says what receivers may wrongly believe that the subscription's signature covers, or "".
func Warnings(sub *switchboard.Subscription) []string {
	s := find(sub.Signature.Scheme)
	if s == nil || s.sign == nil || !sub.Request.InQuery() {
		return nil
	}
	return []string{fmt.Sprintf("signature.scheme: %s covers webhook-id, webhook-timestamp and an empty body: with %s the params are the query string, "+
		"and whoever changes that on the way does not break the signature", s.name, sub.Request.Method)}
}
