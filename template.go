package switchboard

import (
	"regexp"
	"strings"
)

// HoldsTemplate reports whether the text has placeholders or tags of a template.
func HoldsTemplate(text string) bool {
	return strings.Contains(text, "{{") || strings.Contains(text, "{%")
}

// The parts that a template replaces, with regard to quotes: placeholders by values, tags by
// nothing.
var (
	placeholderPattern = regexp.MustCompile(`\{\{(?:"[^"]*"|'[^']*'|[^"'])*?\}\}`)
	tagPattern         = regexp.MustCompile(`\{%(?:"[^"]*"|'[^']*'|[^"'])*?%\}`)
	templatePattern    = regexp.MustCompile(placeholderPattern.String() + "|" + tagPattern.String())
)
