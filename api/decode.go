package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// maxNesting is how deep a body's values may be nested: as deep as data that can be
// rendered.
const maxNesting = switchboard.MaxNesting

// shape is what decoding knows of a struct: its fields by their JSON names.
type shape struct{ fields map[string]member }

type member struct {
	index  int
	kind   memberKind
	clears bool   // of an object: null is something else than to leave it out
	posted bool   // an event's data: any JSON is kept
	nested *shape // of an object
	want   string // what the field takes, for the error
}

type memberKind int

const (
	leaf    memberKind = iota // left to encoding/json
	object                    // a struct or a pointer to one
	raw                       // json.RawMessage: kept as it came
	moment                    // time.Time, or a pointer to one
	rawList                   // []rawEvent: each kept as it came
)

// shapeOf reads a struct's tags once, when its operation is registered.
func shapeOf(t reflect.Type) *shape {
	s := &shape{fields: map[string]member{}}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		m := member{index: i, want: want(f.Type)}
		base := f.Type
		if base.Kind() == reflect.Pointer {
			base = base.Elem()
		}
		switch {
		case base == reflect.TypeFor[json.RawMessage]():
			m.kind, m.posted = raw, name == "data"
		case base == reflect.TypeFor[[]rawEvent]():
			m.kind = rawList
		case base == reflect.TypeFor[time.Time]():
			m.kind = moment
		case base.Kind() == reflect.Struct:
			m.kind, m.nested = object, shapeOf(base)
			m.clears = f.Type.Implements(reflect.TypeFor[interface{ clear() }]())
		}
		s.fields[name] = m
	}
	return s
}

// want says in words what a field of that type takes.
func want(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[switchboard.Duration]():
		return `a duration such as "5s" or "1h30m"`
	case reflect.TypeFor[[]rawEvent]():
		return "a list of events"
	case reflect.TypeFor[time.Time]():
		return `a time in RFC 3339, such as "2026-01-31T12:00:00Z"`
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list of " + strings.TrimPrefix(want(t.Elem()), "a ") + "s"
	case reflect.Map:
		return "an object whose values are strings"
	}
	return "an object"
}

// decodeBody reads a JSON object into a struct, strictly: see the package's
// conventions. Errors name the path of the field, and never repeat its value.
func decodeBody(s *shape, body []byte, into reflect.Value) error {
	if len(body) == 0 {
		return malformed("a JSON body is required")
	}
	if !json.Valid(body) {
		var ignored json.RawMessage
		if e, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(body, &ignored)); ok {
			return malformed("the body is not valid JSON: see byte %d", e.Offset)
		}
		return malformed("the body is not valid JSON")
	}
	if body[0] != '{' {
		return switchboard.Errorf(switchboard.CodeInvalid, "the body must be a JSON object")
	}
	return s.decode(body, into, "")
}

func malformed(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, switchboard.Errorf(switchboard.CodeInvalid, format, args...)}
}

// decode reads the object at the start of data, which is valid JSON.
func (s *shape) decode(data []byte, into reflect.Value, path string) error {
	r := reader{data: data, pos: 1}
	var seen uint64 // by index; no body has more than 64 fields
	for r.next() != '}' {
		name := unquote(r.value())
		r.next() // the colon
		r.pos++
		value := r.value()
		m, known := s.fields[name]
		field := path + clip(name)
		switch {
		case !known:
			return switchboard.InvalidField(field, "is not a known field")
		case seen&(1<<m.index) != 0:
			return switchboard.InvalidField(field, "is given twice")
		case r.deepest > maxNesting && m.kind != rawList: // whose events are asked one by one
			return switchboard.InvalidField(field, "is nested deeper than %d levels", maxNesting)
		}
		seen |= 1 << m.index
		if err := m.set(into.Field(m.index), value, field); err != nil {
			return err
		}
		if r.next() == ',' {
			r.pos++
		}
	}
	return nil
}

// set puts a value into its field.
func (m *member) set(into reflect.Value, value []byte, path string) error {
	wrong := switchboard.InvalidField
	if m.kind != object && m.kind != rawList && !utf8.Valid(value) {
		return wrong(path, "is not valid UTF-8")
	}
	if m.kind != object && m.kind != rawList && !m.posted && halfPair(value) {
		return wrong(path, "%s", halfPairFound)
	}
	switch m.kind {
	case raw:
		into.SetBytes(value)
	case rawList:
		return setList(into, value, path, m.want)
	case moment:
		return setTime(into, value, path, m.want)
	case object:
		if bytes.Equal(value, []byte("null")) {
			if m.clears {
				into.Set(reflect.New(into.Type().Elem()))
				into.Interface().(interface{ clear() }).clear()
			}
			return nil
		}
		if value[0] != '{' {
			return wrong(path, "must be %s", m.want)
		}
		if into.Kind() == reflect.Pointer {
			into.Set(reflect.New(into.Type().Elem()))
			into = into.Elem()
		}
		return m.nested.decode(value, into, path+".")
	default:
		if err := json.Unmarshal(value, into.Addr().Interface()); err != nil {
			return wrong(path, "must be %s", m.want)
		}
	}
	return nil
}

// setTime reads a time; null leaves the field as it is.
func setTime(into reflect.Value, value []byte, path, want string) error {
	if bytes.Equal(value, []byte("null")) {
		return nil
	}
	if value[0] != '"' {
		return switchboard.InvalidField(path, "must be %s", want)
	}
	at, err := switchboard.ParseTime(unquote(value))
	if err != nil {
		return switchboard.InvalidField(path, "%s", err.Error())
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.ValueOf(&at))
	} else {
		into.Set(reflect.ValueOf(at))
	}
	return nil
}

// setList cuts a list into its values, and stops at one more than a batch may have.
func setList(into reflect.Value, value []byte, path, want string) error {
	if value[0] != '[' {
		return switchboard.InvalidField(path, "must be %s", want)
	}
	var list []rawEvent
	r := reader{data: value, pos: 1}
	for r.next() != ']' {
		list = append(list, rawEvent(r.value()))
		if len(list) > switchboard.MaxBatch {
			return &switchboard.Error{Code: switchboard.CodeTooLarge, Field: path, Message: fmt.Sprintf("has more than %d entries", switchboard.MaxBatch)}
		}
		if r.next() == ',' {
			r.pos++
		}
	}
	into.Set(reflect.ValueOf(list))
	return nil
}

// reader walks over valid JSON without taking it apart.
type reader struct {
	data    []byte
	pos     int
	deepest int // nesting of the last value
}

// next moves to the next byte that is not white space and returns it.
func (r *reader) next() byte {
	for ; ; r.pos++ {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
}

// value moves behind the next value and returns its exact bytes.
func (r *reader) value() []byte {
	first := r.next()
	start, depth := r.pos, 0
	r.deepest = 0
	for ; r.pos < len(r.data); r.pos++ {
		switch r.data[r.pos] {
		case '"':
			r.skipString()
		case '{', '[':
			depth++
			r.deepest = max(r.deepest, depth)
			continue
		case '}', ']':
			if depth == 0 {
				return r.data[start:r.pos:r.pos] // behind a number or a word
			}
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return r.data[start:r.pos:r.pos]
			}
			continue
		default:
			continue
		}
		if depth == 0 && (first == '"' || first == '{' || first == '[') {
			r.pos++
			break
		}
	}
	return r.data[start:r.pos:r.pos]
}

// skipString moves to the closing quote.
func (r *reader) skipString() {
	for r.pos++; r.data[r.pos] != '"'; r.pos++ {
		if r.data[r.pos] == '\\' {
			r.pos++
		}
	}
}

// unquote returns the text of a JSON string.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it is valid
	return s
}

// clip shortens a name that a caller made up, so that an answer does not send
// kilobytes of it back.
func clip(name string) string { return switchboard.Clip(name, 80) }
