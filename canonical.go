package switchboard

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// EncodeJSON writes a value as JSON without HTML escapes: encoding/json writes <, > and & as
// six bytes each, which people cannot read, and which counts against limits.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// SameJSON reports whether two JSON texts have the same value. White space, the order of
// members, escapes and the spelling of numbers do not matter. Numbers are compared as exact
// decimals: 1, 1.0 and 10e-1 are equal, and 0.1 differs from the nearest float.
func SameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, ok := CanonicalJSON(a)
	if !ok {
		return false
	}
	y, ok := CanonicalJSON(b)
	return ok && bytes.Equal(x, y)
}

// CanonicalJSON writes a JSON text in a form that is the same for equal values. The form is
// for comparisons only: it is not that of RFC 8785. ok is false if the text is not JSON.
func CanonicalJSON(text []byte) (canonical []byte, ok bool) {
	if !json.Valid(text) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	w := canonicalWriter{tokens: d}
	w.value(w.next())
	return w.out, w.err == nil
}

type canonicalWriter struct {
	tokens *json.Decoder
	out    []byte
	err    error
}

func (w *canonicalWriter) next() json.Token {
	token, err := w.tokens.Token()
	if err != nil {
		w.err = err
	}
	return token
}

// value writes the value that begins with the token.
func (w *canonicalWriter) value(first json.Token) {
	switch v := first.(type) {
	case json.Delim:
		if v == '{' {
			w.object()
		} else {
			w.list()
		}
	case string:
		w.out = strconv.AppendQuote(w.out, v)
	case json.Number:
		w.out = append(w.out, canonicalNumber(v)...)
	case bool:
		w.out = strconv.AppendBool(w.out, v)
	default:
		w.out = append(w.out, "null"...)
	}
}

func (w *canonicalWriter) list() {
	w.out = append(w.out, '[')
	for w.err == nil && w.tokens.More() {
		w.value(w.next())
		w.out = append(w.out, ',')
	}
	w.next() // the bracket
	w.out = append(w.out, ']')
}

// object writes the members by name. Members of the same name keep their order, because
// parsers differ in which of them they use.
func (w *canonicalWriter) object() {
	type member struct {
		name       string
		start, end int // of its value
	}
	start := len(w.out)
	var members []member
	for w.err == nil && w.tokens.More() {
		name, _ := w.next().(string)
		from := len(w.out)
		w.value(w.next())
		members = append(members, member{name, from, len(w.out)})
	}
	w.next() // the brace
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	values := slices.Clone(w.out[start:])
	w.out = append(w.out[:start], '{')
	for _, m := range members {
		w.out = append(strconv.AppendQuote(w.out, m.name), ':')
		w.out = append(append(w.out, values[m.start-start:m.end-start]...), ',')
	}
	w.out = append(w.out, '}')
}

// canonicalNumber is the number's digits and exponent. A number with an exponent beyond 32
// bits equals only its own spelling.
func canonicalNumber(n json.Number) string {
	if _, exponent, ok := strings.Cut(strings.ToLower(string(n)), "e"); ok {
		if e, err := strconv.ParseInt(exponent, 10, 64); err != nil || e > math.MaxInt32 || e < math.MinInt32 {
			return string(n)
		}
	}
	d := ParseDecimal(n)
	sign := ""
	if d.negative {
		sign = "-"
	}
	return sign + d.digits + "e" + strconv.Itoa(d.point)
}
