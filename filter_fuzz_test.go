package switchboard

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
)

func fuzzFilters() []string {
	return []string{
		`{"data":{"ticket":{"channel":"whatsapp","priority":{"$gte":3}}},"metadata":{"type":{"$startsWith":"ticket."}},"$or":[{"data":{"a":1}},{"metadata":{"key":"1"}}]}`,
		`{"data":{"a":{"$in":[1,"x",null,true],"$nin":[1.0]},"b":{"c":{"$exist":false}}}}`, `{"$not":{"data":{"a":{"$regex":"^(a|b)+$"}}}}`,
		`{"data":{"items":{"sku":"a","$not":{"n":{"$ne":1e5}}}}}`, `{"metadata":{"occurred_at":{"$gt":"2026-03-01T12:00:00Z"}}}`, `{"data":{"$eq":[{"a":[null]}]}}`, `{"$and":[{"data":5}]}`, `{}`,
	}
}

// What is read once is read again, and as the same.
func FuzzParseFilter(f *testing.F) {
	for _, document := range fuzzFilters() {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		filter, err := ParseFilter(document)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != CodeInvalid || !strings.HasPrefix(e.Field, filterField) {
				t.Fatalf("%q: %v", document, err)
			}
			return
		}
		written, err := filter.MarshalJSON()
		if err != nil || !json.Valid(written) {
			t.Fatalf("%q is written as %q, %v", document, written, err)
		}
		again, err := ParseFilter(written)
		if err != nil || !again.Equal(filter) || again.IsZero() != filter.IsZero() {
			t.Fatalf("%q is not read again: %v", written, err)
		}
	})
}

// Verdict and Explain agree, and $not turns the answer around.
func FuzzFilterMatch(f *testing.F) {
	for _, document := range fuzzFilters() {
		for _, data := range []string{`{"ticket":{"channel":"whatsapp","priority":3}}`, `{"a":["x",[1]],"items":[{"sku":"a","n":100000},{}],"b":{"c":null}}`, `5`, `[[{"a":1}]]`} {
			f.Add(document, data)
		}
	}
	f.Fuzz(func(t *testing.T, document, data string) {
		filter, err := ParseFilter([]byte(document))
		if err != nil || filter.IsZero() {
			t.Skip()
		}
		e := filterEvent(data)
		got := filter.Verdict(NewDocument(e), NewEffort())
		if explained, findings := filter.explain(NewDocument(e)); explained != got && explained != VerdictUndecided && got != VerdictUndecided || len(findings) == 0 {
			t.Errorf("%s of %s: %d, and explained as %d by %v", document, data, got, explained, findings)
		}
		opposite, err := ParseFilter([]byte(`{"$not":` + filter.document + `}`))
		if err != nil {
			return
		}
		if not := opposite.Verdict(NewDocument(e), NewEffort()); not != got.opposite() && not != VerdictUndecided && got != VerdictUndecided {
			t.Errorf("%s of %s: %d, and its $not %d", document, data, got, not)
		}
	})
}

func FuzzDecimal(f *testing.F) {
	for _, pair := range [][2]string{{"0", "-0.0e5"}, {"1", "1.0"}, {"10", "1e1"}, {"0.001", "1E-3"}, {"-2", "-10"}, {"9007199254740993", "9007199254740992"}, {"0.1", "0"}, {"-0.1", "0"}, {"100", "99.99"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := rational(a), rational(b)
		if x == nil || y == nil {
			t.Skip()
		}
		one, other := newDecimal(json.Number(a)), newDecimal(json.Number(b))
		if got, want := one.compare(other), x.Cmp(y); got != want {
			t.Errorf("%s against %s: %d; want %d", a, b, got, want)
		}
		if (one == other) != (x.Cmp(y) == 0) {
			t.Errorf("%s and %s: %+v and %+v", a, b, one, other)
		}
	})
}

// rational reads a number in JSON's syntax whose exponent is small; nil: it is none.
func rational(s string) *big.Rat {
	var n json.Number
	if json.Unmarshal([]byte(s), &n) != nil || strings.HasPrefix(s, `"`) || strings.TrimSpace(s) != s || n == "" {
		return nil
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 && len(s)-i > 5 {
		return nil
	}
	r, _ := new(big.Rat).SetString(s)
	return r
}
