package liquid

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// capitalize writes the first letter in upper case and the others in lower case.
func capitalize(s string) string {
	first, length := utf8.DecodeRuneInString(s)
	if length == 0 || first == utf8.RuneError {
		return s
	}
	return string(unicode.ToTitle(first)) + strings.ToLower(s[length:])
}

// cut is the filter split: it cuts a text at each separator. A single space separates at any
// white space, as in Ruby.
func cut(a *application, input any) (any, error) {
	const header = 16 // bytes of memory for each part
	s, separator, err := a.allText(input)
	if err != nil {
		return nil, err
	}
	pieces, count := strings.SplitSeq(s, separator[0]), strings.Count(s, separator[0])+1
	if separator[0] == " " {
		pieces, count = strings.FieldsSeq(s), len(s)/2+1
	}
	if err := a.Budget.spend(header * count); err != nil {
		return nil, err
	}
	parts := []any{}
	for part := range pieces {
		parts = append(parts, part)
	}
	for len(parts) > 0 && parts[len(parts)-1] == "" { // as in Liquid
		parts = parts[:len(parts)-1]
	}
	return parts, nil
}

// slice returns a number of characters of a text, or of items of an array, 1 by default, from an
// offset on. A negative offset counts from the end.
func slice(a *application, input any) (any, error) {
	from, length := a.whole(0, 0), a.whole(1, 1)
	if array, ok := input.([]any); ok {
		from, to, ok := within(len(array), from, length)
		if !ok {
			return []any{}, nil
		}
		return array[from:to:to], nil
	}
	s, err := a.text(input)
	if err != nil {
		return nil, err
	}
	runes := []rune(s)
	from, to, ok := within(len(runes), from, length)
	if !ok {
		return "", nil
	}
	return string(runes[from:to]), nil
}

// within returns the bounds of the part that begins at from. A negative from counts from the end.
// ok is false if there is no such part.
func within(size, from, length int) (start, end int, ok bool) {
	if from < 0 {
		from += size
	}
	if from < 0 || from > size || length < 0 {
		return 0, 0, false
	}
	return from, min(from+length, size), true
}

// truncate cuts a text to a number of characters, 50 by default, which includes the mark of the
// cut.
func truncate(a *application, input any) (any, error) {
	if input == nil {
		return nil, nil
	}
	s, err := a.text(input)
	if err != nil {
		return nil, err
	}
	length, mark := a.whole(0, 50), "..."
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
	if _, err := a.text(input); err != nil { // limits the value before it is written
		return nil, err
	}
	if s, ok := input.(special); ok {
		input = textOf(s)
	}
	return a.bounded(string(document.Append(nil, input)))
}

// orDefault replaces a value that is missing, null, false or empty.
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
	return json.Number(strconv.Itoa(n)), nil
}

// element makes the filter that returns that element of an array; -1 is the last. Other values have
// no elements.
func element(index int) func(*application, any) (any, error) {
	return func(a *application, input any) (any, error) {
		array, ok := input.([]any)
		if !ok && input != nil {
			a.notice("takes nothing out of %s: it is no array", quoted(input))
		}
		if len(array) == 0 {
			return nil, nil
		}
		return array[(index+len(array))%len(array)], nil
	}
}

// join writes the items of an array with a text between them. Items of nested arrays are written
// one by one, and a value that is not an array is a single item.
func join(a *application, input any) (any, error) {
	separator := " "
	if len(a.args) > 0 {
		var err error
		if separator, err = a.text(a.args[0]); err != nil {
			return nil, err
		}
	}
	if input == nil {
		return "", nil
	}
	j := joining{application: a, separator: separator}
	if err := j.add(input); err != nil {
		return nil, err
	}
	return j.out.String(), nil
}

type joining struct {
	*application
	separator string
	begun     bool
	out       strings.Builder
}

func (j *joining) add(item any) error {
	if array, ok := item.([]any); ok {
		for _, inner := range array {
			if err := j.add(inner); err != nil {
				return err
			}
		}
		return j.Budget.spend(0)
	}
	s, err := j.text(item)
	if err != nil {
		return err
	}
	if j.begun {
		j.out.WriteString(j.separator)
	}
	j.begun = true
	if j.out.WriteString(s); j.out.Len() > MaxValue {
		return errLong
	}
	return nil
}
