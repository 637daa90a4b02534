package liquid

import (
	"encoding/base64"
	"fmt"
	"html"
	"net/url"
	"strings"
	"unicode"
)

// filter is a function of the language: its arguments, how many of them are required, and its
// result for a value.
type filter struct {
	least  int
	params []parameter
	apply  func(a *application, input any) (any, error)
}

// takes says how many arguments the filter takes.
func (f filter) takes() string {
	if f.least == len(f.params) {
		return fmt.Sprint(f.least)
	}
	return fmt.Sprintf("%d to %d", f.least, len(f.params))
}

// defaultFilter tests whether there is a value. Before it, and as its argument, a placeholder
// without a value is nil.
const defaultFilter = "default"

func takes(params ...parameter) []parameter { return params }

// filters is the table of the filters; it never changes. Filters that make or iterate over arrays
// are missing, because a leaf of a request does not need them.
var filters = map[string]filter{
	"append":        {1, takes(anything), ofText(func(s string, arg []string) string { return s + arg[0] })},
	"prepend":       {1, takes(anything), ofText(func(s string, arg []string) string { return arg[0] + s })},
	"replace":       {1, takes(anything, anything), replace(-1)},
	"replace_first": {1, takes(anything, anything), replace(1)},
	"remove":        {1, takes(anything), replace(-1)},
	"remove_first":  {1, takes(anything), replace(1)},
	"split":         {1, takes(anything), cut},
	"slice":         {1, takes(aWhole, aWhole), slice},
	"truncate":      {0, takes(aWhole, anything), truncate},

	"upcase":         {0, nil, ofText(func(s string, _ []string) string { return strings.ToUpper(strings.ReplaceAll(s, "ß", "SS")) })},
	"downcase":       {0, nil, ofText(func(s string, _ []string) string { return strings.ToLower(s) })},
	"capitalize":     {0, nil, ofText(func(s string, _ []string) string { return capitalize(s) })},
	"strip":          {0, nil, ofText(func(s string, _ []string) string { return strings.TrimSpace(s) })},
	"lstrip":         {0, nil, ofText(func(s string, _ []string) string { return strings.TrimLeftFunc(s, unicode.IsSpace) })},
	"rstrip":         {0, nil, ofText(func(s string, _ []string) string { return strings.TrimRightFunc(s, unicode.IsSpace) })},
	"strip_newlines": {0, nil, ofText(func(s string, _ []string) string { return stripNewlines(s) })},
	"escape":         {0, nil, ofText(func(s string, _ []string) string { return escape(s) })},
	"url_encode":     {0, nil, ofText(func(s string, _ []string) string { return url.QueryEscape(s) })},
	"base64_encode":  {0, nil, ofText(func(s string, _ []string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })},
	"json":           {0, nil, toJSON},

	defaultFilter: {1, takes(anything), orDefault},
	"size":        {0, nil, size},
	"first":       {0, nil, element(0)},
	"last":        {0, nil, element(-1)},
	"join":        {0, takes(anything), join},
	"date":        {1, takes(aFormat), date},

	"plus":       {1, takes(aNumber), ofNumbers(always(decimal.plus))},
	"minus":      {1, takes(aNumber), ofNumbers(always(decimal.minus))},
	"times":      {1, takes(aNumber), ofNumbers(always(decimal.times))},
	"divided_by": {1, takes(aDivisor), ofNumbers(divide)},
	"modulo":     {1, takes(aDivisor), ofNumbers(modulo)},
	"at_least":   {1, takes(aNumber), ofNumbers(always(atLeast))},
	"at_most":    {1, takes(aNumber), ofNumbers(always(atMost))},
	"abs":        {0, nil, ofNumber(absolute)},
	"ceil":       {0, nil, ofNumber(decimal.ceil)},
	"floor":      {0, nil, ofNumber(decimal.floor)},
	"round":      {0, takes(aPlace), round},
}

// application is one use of a filter.
type application struct {
	*renderer
	name string
	args []any
}

// notice says that the filter was probably not meant for this value.
func (a *application) notice(format string, args ...any) {
	if a.Notice != nil {
		a.Notice("the filter " + a.name + " " + fmt.Sprintf(format, args...))
	}
}

// noValueError is the error of a filter that has no result for the event's values, for example
// because it would divide by zero. It counts as a placeholder without a value: if the run is
// lenient, or the filter default follows, it renders as nothing.
type noValueError struct{ reason string }

func (e *noValueError) Error() string { return e.reason }

var errLong = fmt.Errorf("takes and makes values of at most %d KiB", MaxValue>>10)

// text returns the value as text, within the limits, and spends its length.
func (a *application) text(v any) (string, error) {
	size := sizeOf(v, MaxValue+8)
	if err := a.Budget.spend(size); err != nil {
		return "", err
	}
	if size > MaxValue+8 {
		return "", errLong
	}
	return a.bounded(textOf(v))
}

func (a *application) bounded(s string) (string, error) {
	if len(s) > MaxValue {
		return "", errLong
	}
	return s, a.Budget.spend(len(s))
}

// allText returns the value and the arguments as text.
func (a *application) allText(input any) (s string, args []string, err error) {
	if s, err = a.text(input); err != nil {
		return "", nil, err
	}
	args = make([]string, len(a.args))
	for i, arg := range a.args {
		if args[i], err = a.text(arg); err != nil {
			return "", nil, err
		}
	}
	return s, args, nil
}

// ofText makes a filter from a function from text to text whose result is at most a few times as
// long.
func ofText(f func(s string, args []string) string) func(*application, any) (any, error) {
	return func(a *application, input any) (any, error) {
		s, args, err := a.allText(input)
		if err != nil {
			return nil, err
		}
		return a.bounded(f(s, args))
	}
}

// replace makes the filters that replace up to so many occurrences of a text, by default with the
// empty text.
func replace(times int) func(*application, any) (any, error) {
	return func(a *application, input any) (any, error) {
		s, args, err := a.allText(input)
		if err != nil {
			return nil, err
		}
		search, by := args[0], ""
		if len(args) > 1 {
			by = args[1]
		}
		n := strings.Count(s, search)
		if times > 0 {
			n = min(n, times)
		}
		if len(s)+n*(len(by)-len(search)) > MaxValue {
			return nil, errLong
		}
		return a.bounded(strings.Replace(s, search, by, n))
	}
}

// escape escapes the characters of HTML in the way of Ruby and JavaScript.
func escape(s string) string { return strings.ReplaceAll(html.EscapeString(s), "&#34;", "&quot;") }

// stripNewlines removes line breaks. A carriage return alone does not count as one.
func stripNewlines(s string) string { return strings.NewReplacer("\r\n", "", "\n", "").Replace(s) }
