package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

func fuzzFilters() []string {
	return []string{
		`{"data":{"ticket":{"channel":"whatsapp","priority":{"$gte":3}}},"metadata":{"type":{"$startsWith":"ticket."}},"$or":[{"data":{"a":1}},{"metadata":{"key":"1"}}]}`,
		`{"data":{"a":{"$in":[1,"x",null,true],"$nin":[1.0]},"b":{"c":{"$exist":false}}}}`,
		`{"$not":{"data":{"a":{"$regex":"^(a|b)+$"}}}}`,
		`{"data":{"items":{"sku":"a","$not":{"n":{"$ne":1e5}}}}}`,
		`{"metadata":{"occurred_at":{"$gt":"2026-03-01T12:00:00Z"}}}`,
		`{"data":{"$eq":[{"a":[null]}]}}`,
		`{"$and":[{"data":5}]}`,
		`{}`,
	}
}

// A document that was parsed can be parsed again, with the same result.
func FuzzParse(f *testing.F) {
	for _, document := range fuzzFilters() {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		filter, err := Parse(document)
		if err != nil {
			if e, ok := errors.AsType[*switchboard.Error](err); !ok || e.Code != switchboard.CodeInvalid || !strings.HasPrefix(e.Field, field) {
				t.Fatalf("%q: %v", document, err)
			}
			return
		}
		written := filter.Document()
		if !filter.IsZero() && !json.Valid(written) {
			t.Fatalf("%q is written as %q", document, written)
		}
		again, err := Parse(written)
		if err != nil || !bytes.Equal(again.Document(), written) || again.IsZero() != filter.IsZero() {
			t.Fatalf("%q is not read again: %v", written, err)
		}
	})
}

// Verdict and Explain agree, and $not inverts the answer.
func FuzzMatch(f *testing.F) {
	for _, document := range fuzzFilters() {
		for _, data := range []string{`{"ticket":{"channel":"whatsapp","priority":3}}`, `{"a":["x",[1]],"items":[{"sku":"a","n":100000},{}],"b":{"c":null}}`, `5`, `[[{"a":1}]]`} {
			f.Add(document, data)
		}
	}
	f.Fuzz(func(t *testing.T, document, data string) {
		filter, err := Parse([]byte(document))
		if err != nil || filter.IsZero() {
			t.Skip()
		}
		e := eventOf(data)
		got := filter.Verdict(NewInput(e), NewBudget())
		if explained, findings := filter.explain(NewInput(e)); explained != got && explained != VerdictUndecided && got != VerdictUndecided || len(findings) == 0 {
			t.Errorf("%s of %s: %d, and explained as %d by %v", document, data, got, explained, findings)
		}
		opposite, err := Parse([]byte(`{"$not":` + filter.document + `}`))
		if err != nil {
			return
		}
		if not := opposite.Verdict(NewInput(e), NewBudget()); not != got.negated() && not != VerdictUndecided && got != VerdictUndecided {
			t.Errorf("%s of %s: %d, and its $not %d", document, data, got, not)
		}
	})
}
