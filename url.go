package switchboard

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// ValidateURL checks the form of a receiver's URL. An error names the field.
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

// BadEscape is the message about a URL that is not [IsEscaped].
const BadEscape = "holds a % that two hexadecimal digits do not follow: %25 is the percent sign itself"

// IsEscaped reports whether each percent sign of a path or query starts an escape (RFC 3986,
// section 2.1). A URL with any other percent sign is refused, not encoded: only its author knows
// whether 50%20off means a space, and a value that follows could complete the escape.
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

// IsPort reports whether s may be the port of a URL: empty, or from 1 to 65535.
func IsPort(s string) bool {
	port, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && port > 0
}

// Address returns scheme, host and port of a URL as written. The rest may have templates, so
// that net/url could not parse it.
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

// validateTemplateURL checks the form of a URL whose path and query may be templates.
func validateTemplateURL(field, raw string) error {
	address := Address(raw)
	path := raw[len(address):]
	switch {
	case HoldsTemplate(address):
		return InvalidField(field, "may hold placeholders in its path and query only: scheme, host and port are fixed")
	case !HoldsTemplate(path):
		return ValidateURL(field, raw)
	case LongerThan(raw, MaxURL):
		return InvalidField(field, "is longer than %d characters", MaxURL)
	}
	path = placeholderPattern.ReplaceAllLiteralString(tagPattern.ReplaceAllLiteralString(path, ""), "x")
	return ValidateURL(field, address+path)
}

// SplitQuery splits a URL, whose path and query may be templates, before the question mark
// of its query. Without a query, query is empty.
func SplitQuery(rawURL string) (before, query string) {
	if !strings.Contains(rawURL, "?") {
		return rawURL, "" // the common case, checked at each attempt
	}
	at := 0
	for _, template := range append(templatePattern.FindAllStringIndex(rawURL, -1), []int{len(rawURL), len(rawURL)}) {
		if i := strings.IndexByte(rawURL[at:template[0]], '?'); i >= 0 {
			return rawURL[:at+i], rawURL[at+i:]
		}
		at = template[1]
	}
	return rawURL, ""
}

// MaskQuery masks the values of the URL's query, because for many receivers one of them is the
// token of the sender. The names of the parameters stay. A parameter without a value is masked
// whole, because it may be the token.
func MaskQuery(rawURL string) string {
	before, query := SplitQuery(rawURL)
	if len(query) <= 1 {
		return rawURL
	}
	parameters := strings.Split(templatePattern.ReplaceAllLiteralString(query[1:], "{{…}}"), "&")
	for i, parameter := range parameters {
		name, _, hasValue := strings.Cut(parameter, "=")
		switch {
		case hasValue:
			parameters[i] = name + "=" + Mask
		case parameter != "":
			parameters[i] = Mask
		}
	}
	return before + "?" + strings.Join(parameters, "&")
}

// MaskPath masks the path and the query of the URL, for callers who may not read payloads: both may
// have values of events, and tokens of senders.
func MaskPath(rawURL string) string {
	address := Address(rawURL)
	if rest := rawURL[len(address):]; rest == "" || rest == "/" {
		return rawURL
	}
	return address + "/" + Mask
}

// maskPattern is the mask, with or without percent-encoded brackets.
var maskPattern = regexp.MustCompile(`(?i)(\[|%5B)redacted(\]|%5D)`)

// HoldsMask reports whether the URL has a mask, in its query or in the place of its path: a caller
// who may not see the value has sent it back, maybe with a program that encodes brackets.
func HoldsMask(rawURL string) bool {
	before, query := SplitQuery(rawURL)
	at := maskPattern.FindStringIndex(before[len(Address(before)):])
	return maskPattern.MatchString(query) || at != nil && at[0] == len("/")
}
