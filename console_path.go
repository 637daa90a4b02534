package switchboard

import (
	"net/url"
	"path"
	"strings"
	"unicode"
)

// ConsolePath is the path of the console's first page; all others are below it.
const ConsolePath = "/console"

// CheckConsolePath refuses a text that is not the path of one of the console's pages, with or
// without a query. A browser takes a path that begins with // or has a backslash as another host.
func CheckConsolePath(field, to string) error {
	wrong := InvalidField(field, "must be a path of the console, as %s/deliveries", ConsolePath)
	if strings.Contains(to, "//") || strings.ContainsRune(to, '\\') || strings.ContainsFunc(to, unicode.IsControl) {
		return wrong
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Fragment != "" || strings.ContainsRune(u.Path, '\\') || path.Clean(u.Path) != u.Path {
		return wrong
	}
	if u.Path != ConsolePath && !strings.HasPrefix(u.Path, ConsolePath+"/") {
		return wrong
	}
	return nil
}
