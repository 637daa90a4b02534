package switchboard

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// ValidateURL checks the form of a receiver's address; field is what an error names.
func ValidateURL(field, raw string) error {
	if raw == "" {
		return InvalidField(field, "is required")
	}
	if LongerThan(raw, MaxURL) {
		return InvalidField(field, "is longer than %d characters", MaxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case !IsEscaped(raw[len(Address(raw)):]):
		return InvalidField(field, "%s", BadEscape)
	case err != nil || strings.ContainsFunc(raw, IsControl):
		return InvalidField(field, "is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return InvalidField(field, "must start with http:// or https://")
	case u.User != nil:
		return InvalidField(field, "may not hold a user name or password")
	case u.Hostname() == "":
		return InvalidField(field, "names no host")
	case !IsPort(u.Port()):
		return InvalidField(field, "names a port that does not exist")
	case u.Fragment != "" || strings.Contains(raw, "#"):
		return InvalidField(field, "may not hold a fragment")
	}
	return nil
}

// BadEscape says what is wrong with a URL that is not [IsEscaped].
const BadEscape = "holds a % that two hexadecimal digits do not follow: %25 is the percent sign itself"

// IsEscaped reports whether each percent sign of a path or query begins an escape
// (RFC 3986 2.1). One that does not is refused and not encoded: whether 50%20off is
// meant to hold a blank, only its author knows, and a value behind it could complete it.
func IsEscaped(text string) bool {
	for i := range len(text) {
		if text[i] == '%' && (i+2 >= len(text) || !isHex(text[i+1]) || !isHex(text[i+2])) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// IsPort reports whether a URL may have that port: none, or one from 1 to 65535.
func IsPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && port > 0
}

// Address returns what stands before path and query in a URL: scheme, host and port,
// as written. What follows may hold templates and be no URL yet.
func Address(rawURL string) string {
	_, rest, found := strings.Cut(rawURL, "://")
	if !found {
		return rawURL
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		return rawURL[:len(rawURL)-len(rest)+end]
	}
	return rawURL
}

// What a template puts its values in the place of, quotes respected: placeholders,
// and tags, which are nothing by themselves.
var (
	placeholderPattern = regexp.MustCompile(`\{\{(?:"[^"]*"|'[^']*'|[^"'])*?\}\}`)
	tagPattern         = regexp.MustCompile(`\{%(?:"[^"]*"|'[^']*'|[^"'])*?%\}`)
)

// validateTemplateURL checks the form of a URL whose path and query may be templates.
func validateTemplateURL(field, raw string) error {
	address := Address(raw)
	path := raw[len(address):]
	switch {
	case isTemplate(address):
		return InvalidField(field, "may hold placeholders in its path and query only: scheme, host and port are fixed")
	case !isTemplate(path):
		return ValidateURL(field, raw)
	case LongerThan(raw, MaxURL):
		return InvalidField(field, "is longer than %d characters", MaxURL)
	}
	path = placeholderPattern.ReplaceAllLiteralString(tagPattern.ReplaceAllLiteralString(path, ""), "x")
	return ValidateURL(field, address+path)
}

func isTemplate(s string) bool { return strings.Contains(s, "{{") || strings.Contains(s, "{%") }
