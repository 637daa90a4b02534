package switchboard

import (
	"regexp"
	"strings"
)

var templatePattern = regexp.MustCompile(placeholderPattern.String() + "|" + tagPattern.String())

// SplitQuery splits a URL, whose path and query may be templates, in front of the
// question mark that begins its query; query is empty where there is none.
func SplitQuery(rawURL string) (before, query string) {
	if !strings.Contains(rawURL, "?") {
		return rawURL, "" // as most are, and each attempt asks
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

// MaskQuery returns the URL with its query's values masked: many receivers know the
// sender by a token in there. The parameters' names stay; one without a value is masked
// whole, since it may be the token.
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

// maskPattern is the mask, also as programs write it that encode a query anew.
var maskPattern = regexp.MustCompile(`(?i)(\[|%5B)redacted(\]|%5D)`)

// HoldsMask reports whether a parameter of the URL's query is a mask, which somebody
// copied who may not see the value, perhaps by a program that encodes its brackets.
func HoldsMask(rawURL string) bool {
	_, query := SplitQuery(rawURL)
	return maskPattern.MatchString(query)
}
