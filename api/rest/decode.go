package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed-49a43567/switchboard"
)

// maxNesting limits the nesting of a body's values to that of data that can be rendered.
const maxNesting = switchboard.MaxNesting

// Decode decodes a JSON object into a struct as strictly as a body, see the package's conventions.
func Decode[T any](body []byte, into *T) error {
	return decodeBody(shapeOf(reflect.TypeFor[T]()), body, reflect.ValueOf(into).Elem())
}

// Raw is an element of a list that is decoded separately, so that a malformed element does not make
// the others fail.
type Raw[T any] struct {
	bytes []byte
	shape *shape
}

// Decode decodes the element as strictly as a body.
func (r Raw[T]) Decode() (T, error) {
	var out T
	return out, decodeBody(r.shape, r.bytes, reflect.ValueOf(&out).Elem())
}

// Schema documents the element.
func (Raw[T]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

func (r *Raw[T]) set(bytes []byte, s *shape) { r.bytes, r.shape = bytes, s }
func (r *Raw[T]) elementType() reflect.Type  { return reflect.TypeFor[T]() }

// element is implemented by pointers to a [Raw].
type element interface {
	set(bytes []byte, s *shape)
	elementType() reflect.Type
}

// shape describes a struct for decoding: its fields by their JSON names. An operation reads it from
// the tags once, when it is registered. [Decode] does so at each call.
type shape struct{ fields map[string]member }

type member struct {
	index    []int
	number   int // index of the member in its struct
	kind     memberKind
	nonzero  bool   // zero stands for a missing member, so it cannot be given
	verbatim bool   // of raw JSON: kept whatever its strings contain
	nested   *shape // of an object, or of a list's elements
	most     int    // of a list: its maximum length; 0: any
	want     string // what the field accepts, for the error
}

// Source is embedded by an object whose original text is needed too.
type Source struct{ text json.RawMessage }

// Source returns the object as it was written.
func (s *Source) Source() json.RawMessage { return s.text }

func (s *Source) keep(text []byte) { s.text = text }

type memberKind int

const (
	leaf    memberKind = iota // left to encoding/json
	object                    // a struct or a pointer to one
	raw                       // json.RawMessage: kept as it came
	moment                    // time.Time, or a pointer to one
	rawList                   // a list of Raw
)

// shapeOf reads the tags of a struct and of its embedded structs. verbatim:"true" marks JSON that
// is stored as it came, such as the data of events. maxItems limits a list of [Raw].
// readOnly:"true" marks members that only answers have. A duration, and a member with a default, a
// minimum or nonzero:"true", cannot be given as zero.
func shapeOf(t reflect.Type) *shape {
	s := &shape{fields: map[string]member{}}
	for number, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous || name == "-" || f.Tag.Get("readOnly") == "true" {
			continue
		}
		m := member{index: f.Index, number: number, want: want(f.Type)}
		m.nonzero = f.Tag.Get("default")+f.Tag.Get("minimum")+f.Tag.Get("nonzero") != "" || f.Type == reflect.TypeFor[switchboard.Duration]()
		base := f.Type
		if base.Kind() == reflect.Pointer {
			base = base.Elem()
		}
		switch {
		case base == reflect.TypeFor[json.RawMessage]():
			m.kind, m.verbatim = raw, f.Tag.Get("verbatim") == "true"
		case isRawList(base):
			m.kind, m.nested = rawList, shapeOf(reflect.New(base.Elem()).Interface().(element).elementType())
			m.most, _ = strconv.Atoi(f.Tag.Get("maxItems"))
		case base == reflect.TypeFor[time.Time]():
			m.kind = moment
		case base.Kind() == reflect.Struct:
			m.kind, m.nested = object, shapeOf(base)
		}
		s.fields[name] = m
	}
	return s
}

func isRawList(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && reflect.PointerTo(t.Elem()).Implements(reflect.TypeFor[element]())
}

// want describes in words what a field of that type accepts.
func want(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[switchboard.Duration]():
		return `a duration such as "5s" or "1h30m"`
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

// decodeBody decodes a JSON object into a struct, strictly: see the package's conventions. Errors
// name the path of the field, and never quote its value.
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

// decode reads the object at the start of data, which is valid JSON.
func (s *shape) decode(data []byte, into reflect.Value, path string) error {
	if source, ok := into.Addr().Interface().(interface{ keep(text []byte) }); ok {
		source.keep(data)
	}
	r := reader{data: data, pos: 1}
	var seen uint64 // by number; no body has more than 64 fields
	for r.next() != '}' {
		name := unquote(r.value())
		r.next() // the colon
		r.pos++
		value := r.value()
		m, known := s.fields[name]
		field := path + Clip(name)
		switch {
		case !known:
			return switchboard.InvalidField(field, "is not a known field")
		case seen&(1<<m.number) != 0:
			return switchboard.InvalidField(field, "is given twice")
		case r.deepest > maxNesting && m.kind != rawList: // its elements are checked one by one
			return switchboard.InvalidField(field, "is nested deeper than %d levels", maxNesting)
		}
		seen |= 1 << m.number
		if err := m.set(into.FieldByIndex(m.index), value, field); err != nil {
			return err
		}
		if r.next() == ',' {
			r.pos++
		}
	}
	return nil
}

// set sets the field to the value.
func (m *member) set(into reflect.Value, value []byte, path string) error {
	wrong := switchboard.InvalidField
	if m.kind != object && m.kind != rawList && !utf8.Valid(value) {
		return wrong(path, "is not valid UTF-8")
	}
	if m.kind != object && m.kind != rawList && !m.verbatim && switchboard.LoneSurrogate(value) {
		return wrong(path, switchboard.LoneSurrogateFound)
	}
	switch m.kind {
	case raw:
		into.SetBytes(value)
	case rawList:
		return m.setList(into, value, path)
	case moment:
		return setTime(into, value, path, m.want)
	case object:
		if isNull(value) {
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
		// encoding/json would read null in a list as an empty string.
		if err := json.Unmarshal(value, into.Addr().Interface()); err != nil || reflect.Indirect(into).Kind() == reflect.Slice && holdsNull(value) {
			return wrong(path, "must be %s", m.want)
		}
		if name, twice := repeated(into, value); twice {
			return wrong(path+"."+Clip(name), "is given twice")
		}
		if m.nonzero && into.IsZero() && !isNull(value) {
			return wrong(path, "may be neither empty nor zero: leave it out for its default")
		}
	}
	return nil
}

// repeated returns a name that occurs twice in the object of a map. Only the last one would be
// read.
func repeated(into reflect.Value, object []byte) (name string, twice bool) {
	if reflect.Indirect(into).Kind() != reflect.Map || isNull(object) {
		return "", false
	}
	r, seen := reader{data: object, pos: 1}, map[string]bool{}
	for r.next() != '}' {
		if name = unquote(r.value()); seen[name] {
			return name, true
		}
		seen[name] = true
		r.next() // the colon
		r.pos++
		r.value()
		if r.next() == ',' {
			r.pos++
		}
	}
	return "", false
}

// holdsNull reports whether a valid list contains null.
func holdsNull(list []byte) bool {
	var elements []json.RawMessage
	_ = json.Unmarshal(list, &elements) // null is no list
	return slices.ContainsFunc(elements, func(e json.RawMessage) bool { return isNull(e) })
}

func isNull(value []byte) bool { return bytes.Equal(value, []byte("null")) }

// setTime reads a time. null does not change the field.
func setTime(into reflect.Value, value []byte, path, want string) error {
	if isNull(value) {
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

// setList splits a list into its elements, and stops at one more than it may have.
func (m *member) setList(into reflect.Value, value []byte, path string) error {
	if value[0] != '[' {
		return switchboard.InvalidField(path, "must be %s", m.want)
	}
	list := reflect.MakeSlice(into.Type(), 0, 0)
	r := reader{data: value, pos: 1}
	for r.next() != ']' {
		if m.most > 0 && list.Len() == m.most {
			return &switchboard.Error{Code: switchboard.CodeTooLarge, Field: path, Message: fmt.Sprintf("has more than %d entries", m.most)}
		}
		one := reflect.New(into.Type().Elem())
		one.Interface().(element).set(r.value(), m.nested)
		list = reflect.Append(list, one.Elem())
		if r.next() == ',' {
			r.pos++
		}
	}
	into.Set(list)
	return nil
}

// reader scans valid JSON without decoding it.
type reader struct {
	data    []byte
	pos     int
	deepest int // nesting of the last value
}

// next moves to the next byte that is not white space, and returns it.
func (r *reader) next() byte {
	for ; ; r.pos++ {
		switch c := r.data[r.pos]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
}

// value moves past the next value and returns its exact bytes.
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
				return r.data[start:r.pos:r.pos] // after a number or a word
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
