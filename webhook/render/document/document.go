// Package document holds JSON values as they were written: members keep their order and
// numbers keep their text, so 1.10 and numbers beyond 2^53 are the same in the event and in
// the request.
//
// A value is nil, a bool, a [json.Number], a string, a []any of values, or an *[Object].
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/seed-49a43567/switchboard"
)

// MaxNesting limits the depth of objects and arrays: the depth of an event's data, and an envelope
// around them.
const MaxNesting = switchboard.MaxNesting + 1

// ErrNesting is the error of a document that is nested deeper.
var ErrNesting = fmt.Errorf("is nested deeper than %d levels", MaxNesting)

// Object is a JSON object. If a name occurs twice, the last value counts.
type Object struct {
	names  []string
	values map[string]any
}

// Set sets the value of the member. A new member comes last.
func (o *Object) Set(name string, value any) {
	if o.values == nil {
		o.values = map[string]any{}
	}
	if _, known := o.values[name]; !known {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// Get returns the member of that name.
func (o *Object) Get(name string) (value any, found bool) {
	value, found = o.values[name]
	return value, found
}

// Names returns the names of the members in order. Do not change it.
func (o *Object) Names() []string { return o.names }

// Len is the number of members.
func (o *Object) Len() int { return len(o.names) }

// Decode reads one JSON value.
func Decode(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	value, err := decode(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("holds more than one JSON value")
	}
	return value, nil
}

func decode(decoder *json.Decoder, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	delim, opens := token.(json.Delim)
	if !opens {
		return token, nil
	}
	if depth == MaxNesting {
		return nil, ErrNesting
	}
	if delim == '{' {
		return decodeObject(decoder, depth)
	}
	array := []any{}
	for decoder.More() {
		value, err := decode(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err = decoder.Token()
	return array, err
}

func decodeObject(decoder *json.Decoder, depth int) (any, error) {
	object := &Object{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder allows nothing else
		value, err := decode(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		object.Set(name, value)
	}
	_, err := decoder.Token()
	return object, err
}

// Append appends the value as compact JSON text.
func Append(b []byte, value any) []byte {
	switch value := value.(type) {
	case bool:
		if value {
			return append(b, "true"...)
		}
		return append(b, "false"...)
	case json.Number:
		return append(b, value...)
	case string:
		return appendString(b, value)
	case []any:
		b = append(b, '[')
		for i, item := range value {
			if i > 0 {
				b = append(b, ',')
			}
			b = Append(b, item)
		}
		return append(b, ']')
	case *Object:
		b = append(b, '{')
		for i, name := range value.names {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, name), ':')
			b = Append(b, value.values[name])
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// appendString appends the string as JSON. Unlike [json.Marshal] it does not escape & < >: a
// webhook's body is not part of an HTML page.
func appendString(b []byte, s string) []byte {
	if !slices.ContainsFunc([]byte(s), func(c byte) bool { return c < ' ' || c == '"' || c == '\\' || c >= 0x7f }) {
		return append(append(append(b, '"'), s...), '"')
	}
	text, _ := switchboard.EncodeJSON(s) // a string can always be encoded
	return append(b, text...)
}
