package rest

import (
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed-49a43567/switchboard"
)

// checkQuery refuses text that Postgres cannot store or compare. It also refuses a query string of
// which a part would be dropped silently: a malformed one, a parameter without a value (which is
// more often a script's empty variable than a request for everything), and a parameter that is
// given twice, unless it is repeatable. It leaves unknown parameters to huma.
func checkQuery(u url.URL, repeatable []string) error {
	if strings.ContainsRune(u.Path, 0) || !utf8.ValidString(u.Path) {
		return switchboard.Errorf(switchboard.CodeNotFound, "no id looks like this")
	}
	if u.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return malformed("the query string is malformed")
	}
	for name, values := range query {
		if len(values) > 1 && !slices.Contains(repeatable, name) {
			return switchboard.InvalidField(Clip(name), "is given twice")
		}
		for _, v := range values {
			switch {
			case strings.ContainsRune(v, 0) || !utf8.ValidString(v):
				return switchboard.InvalidField(Clip(name), "holds a NUL or is not valid UTF-8")
			case v == "":
				return switchboard.InvalidField(Clip(name), "is empty: give it a value, or leave it out")
			}
		}
	}
	return nil
}

// Clip shortens a name from the caller, so that an answer does not repeat kilobytes of it.
func Clip(name string) string { return switchboard.Clip(name, 80) }

// repeatable returns the query parameters of an operation's input that may be given more than once:
// those that the OpenAPI document shows as exploded lists.
func repeatable(input reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(input) {
		name, style, _ := strings.Cut(f.Tag.Get("query"), ",")
		if style == "explode" {
			names = append(names, name)
		}
	}
	return names
}

// TimeParam is a time in a query. It is parsed like times in bodies.
type TimeParam struct{ time.Time }

// Schema documents it as a time. The format is an extension, which the document shows but huma does
// not check: huma accepts fewer times than RFC 3339 does.
func (TimeParam) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{"format": "date-time"}}
}

// UnmarshalText parses the time. It allows for a common mistake: in a query string, an unescaped +
// means a blank.
func (t *TimeParam) UnmarshalText(text []byte) error {
	at, err := switchboard.ParseTime(string(text))
	if err != nil {
		if _, slip := switchboard.ParseTime(strings.Replace(string(text), " ", "+", 1)); slip == nil {
			return errors.New("has a blank where the + of its offset belongs: write it as %2B, since a bare + in a URL means a blank")
		}
		return err
	}
	t.Time = at
	return nil
}
