package liquid

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"switchboard/webhook/document"
)

// filter is a function of the language, with how many arguments it takes.
type filter struct {
	least, most int
	apply       func(a *application, input any) (any, error)
}

func (f filter) takes() string {
	if f.least == f.most {
		return fmt.Sprint(f.least)
	}
	return fmt.Sprintf("%d to %d", f.least, f.most)
}

// filters are those that templates know; the table is never changed. What is not here
// would make or walk arrays, which a leaf of a request has no use for.
var filters = map[string]filter{
	"append":        {1, 1, ofText(func(s string, arg []string) string { return s + arg[0] })},
	"prepend":       {1, 1, ofText(func(s string, arg []string) string { return arg[0] + s })},
	"replace":       {2, 2, replace(-1)},
	"replace_first": {2, 2, replace(1)},
	"remove":        {1, 1, replace(-1)},
	"remove_first":  {1, 1, replace(1)},
	"split":         {1, 1, cut},
	"slice":         {1, 2, slice},
	"truncate":      {0, 2, truncate},

	"upcase":         {0, 0, ofText(func(s string, _ []string) string { return strings.ToUpper(s) })},
	"downcase":       {0, 0, ofText(func(s string, _ []string) string { return strings.ToLower(s) })},
	"capitalize":     {0, 0, ofText(func(s string, _ []string) string { return capitalize(s) })},
	"strip":          {0, 0, ofText(func(s string, _ []string) string { return strings.TrimSpace(s) })},
	"lstrip":         {0, 0, ofText(func(s string, _ []string) string { return strings.TrimLeftFunc(s, unicode.IsSpace) })},
	"rstrip":         {0, 0, ofText(func(s string, _ []string) string { return strings.TrimRightFunc(s, unicode.IsSpace) })},
	"strip_newlines": {0, 0, ofText(func(s string, _ []string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) })},
	"escape":         {0, 0, ofText(func(s string, _ []string) string { return html.EscapeString(s) })},
	"url_encode":     {0, 0, ofText(func(s string, _ []string) string { return url.QueryEscape(s) })},
	"base64_encode":  {0, 0, ofText(func(s string, _ []string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })},
	"json":           {0, 0, toJSON},

	"default": {1, 1, orDefault},
	"size":    {0, 0, size},
	"first":   {0, 0, element(0)},
	"last":    {0, 0, element(-1)},
	"join":    {0, 1, join},
	"date":    {1, 1, date},

	"plus":       {1, 1, plus},
	"minus":      {1, 1, minus},
	"times":      {1, 1, times},
	"divided_by": {1, 1, dividedBy},
	"modulo":     {1, 1, modulo},
	"abs":        {0, 0, abs},
	"ceil":       {0, 0, ceil},
	"floor":      {0, 0, floor},
	"round":      {0, 1, round},
}

// application is one use of a filter.
type application struct {
	*renderer
	args []any
}

var errLong = fmt.Errorf("takes and makes values of at most %d KiB", MaxValue>>10)

// text is the value as text, within bounds and paid for.
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

// texts are the arguments as text.
func (a *application) texts() ([]string, error) {
	all := make([]string, len(a.args))
	for i, arg := range a.args {
		var err error
		if all[i], err = a.text(arg); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// whole is the argument of that place as a whole number, or what stands in for it.
func (a *application) whole(place, absent int) (int, error) {
	if place >= len(a.args) {
		return absent, nil
	}
	n, ok := wholeOf(a.args[place])
	if !ok || n > 1<<30 || n < -1<<30 {
		return 0, errors.New("needs a whole number as argument")
	}
	return int(n), nil
}

// ofText makes a filter of a function from text to text that makes at most a few
// times of what it takes.
func ofText(f func(s string, args []string) string) func(*application, any) (any, error) {
	return func(a *application, input any) (any, error) {
		s, err := a.text(input)
		if err != nil {
			return nil, err
		}
		args, err := a.texts()
		if err != nil {
			return nil, err
		}
		return a.bounded(f(s, args))
	}
}

// replace makes the filters that put a text in another's place, at most so many
// times; without a second argument it is the empty one.
func replace(times int) func(*application, any) (any, error) {
	return func(a *application, input any) (any, error) {
		s, err := a.text(input)
		if err != nil {
			return nil, err
		}
		args, err := a.texts()
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

func capitalize(s string) string {
	first, length := utf8.DecodeRuneInString(s)
	if length == 0 {
		return s
	}
	return string(unicode.ToUpper(first)) + s[length:]
}

// cut is the filter split: the text between each two separators.
func cut(a *application, input any) (any, error) {
	const header = 16 // bytes of memory for each part
	s, err := a.text(input)
	if err != nil {
		return nil, err
	}
	separator, err := a.texts()
	if err != nil {
		return nil, err
	}
	if err := a.Budget.spend(header * (strings.Count(s, separator[0]) + 1)); err != nil {
		return nil, err
	}
	parts := []any{}
	for part := range strings.SplitSeq(s, separator[0]) {
		parts = append(parts, part)
	}
	for len(parts) > 0 && parts[len(parts)-1] == "" { // as Liquid does
		parts = parts[:len(parts)-1]
	}
	return parts, nil
}

// slice takes so many characters, one if not told, from an offset on, which counts
// from the end if negative.
func slice(a *application, input any) (any, error) {
	s, err := a.text(input)
	if err != nil {
		return nil, err
	}
	from, err := a.whole(0, 0)
	if err != nil {
		return nil, err
	}
	length, err := a.whole(1, 1)
	if err != nil {
		return nil, err
	}
	runes := []rune(s)
	if from < 0 {
		from += len(runes)
	}
	if from < 0 || from > len(runes) || length < 0 {
		return "", nil
	}
	return string(runes[from:min(from+length, len(runes))]), nil
}

// truncate cuts a text to so many characters, 50 if not told, the mark of the cut included.
func truncate(a *application, input any) (any, error) {
	s, err := a.text(input)
	if err != nil {
		return nil, err
	}
	length, err := a.whole(0, 50)
	if err != nil {
		return nil, err
	}
	mark := "..."
	if len(a.args) > 1 {
		if mark, err = a.text(a.args[1]); err != nil {
			return nil, err
		}
	}
	runes := []rune(s)
	if len(runes) <= length {
		return s, nil
	}
	return a.bounded(string(runes[:max(0, length-utf8.RuneCountInString(mark))]) + mark)
}

func toJSON(a *application, input any) (any, error) {
	if _, err := a.text(input); err != nil { // bounds the value before it is written
		return nil, err
	}
	if s, ok := input.(special); ok {
		input = textOf(s)
	}
	return a.bounded(string(document.Append(nil, input)))
}

// orDefault stands in for what is missing, null, false or empty.
func orDefault(a *application, input any) (any, error) {
	if input == false || input == nil || empty.fits(input) {
		return a.args[0], nil
	}
	return input, nil
}

func size(a *application, input any) (any, error) {
	n := 0
	switch input := input.(type) {
	case []any:
		n = len(input)
	case *document.Object:
		n = input.Len()
	default:
		s, err := a.text(input)
		if err != nil {
			return nil, err
		}
		n = utf8.RuneCountInString(s)
	}
	return json.Number(fmt.Sprint(n)), nil
}

// element makes the filter that takes that element of an array; -1 is the last.
func element(index int) func(*application, any) (any, error) {
	return func(_ *application, input any) (any, error) {
		array, ok := input.([]any)
		if !ok {
			return nil, errors.New("needs an array")
		}
		if len(array) == 0 {
			return nil, nil
		}
		return array[(index+len(array))%len(array)], nil
	}
}

func join(a *application, input any) (any, error) {
	array, ok := input.([]any)
	if !ok {
		return nil, errors.New("needs an array")
	}
	separator := " "
	if len(a.args) > 0 {
		var err error
		if separator, err = a.text(a.args[0]); err != nil {
			return nil, err
		}
	}
	var b strings.Builder
	for i, item := range array {
		s, err := a.text(item)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteString(separator)
		}
		b.WriteString(s)
		if b.Len() > MaxValue {
			return nil, errLong
		}
	}
	return b.String(), nil
}
