package catalogue

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxSteps limits the work of one validation. A step applies one part of the schema to one value.
// The validator can neither be interrupted nor stop at the first violation, and it keeps an error
// for each violated part, so the work is counted in advance. Measured on one core: 90,000 steps
// that all fail take 0.15 s and 32 MB (BenchmarkWorstValidation); the most expensive sample of the
// five platforms takes 134 steps.
const MaxSteps = 100_000

// How much other work counts as one step. Each value was measured.
const (
	charsPerStep  = 64      // of a number, a name, or a string that is compared or counted
	regexpPerStep = 1 << 10 // instructions of a pattern times characters
)

// stepBudget is the number of steps that a validation has left.
type stepBudget struct{ left int }

// spend takes steps and reports whether any are left.
func (b *stepBudget) spend(steps int) bool {
	b.left = max(b.left-steps, 0) // not below 0, so that sums cannot overflow
	return b.left > 0
}

// costOf counts the maximum number of steps of a validation of the value, up to limit. It visits
// what the validator visits and allocates nothing.
func costOf(schema *jsonschema.Schema, value any, limit int) int {
	b := &stepBudget{left: limit}
	b.schema(schema, value)
	return limit - b.left
}

// schema spends the cost of applying the schema to the value. It reports whether any steps
// are left, as all methods below do.
func (b *stepBudget) schema(s *jsonschema.Schema, value any) bool {
	if s == nil || s.Bool != nil {
		return b.spend(1)
	}
	// A comparison never reads more of the value than there is.
	if s.Enum != nil && !b.spend(len(s.Enum.Values)*b.comparison(value)) || s.Const != nil && !b.spend(b.comparison(value)) {
		return false
	}
	if !b.spend(1+len(s.Required)) || !b.value(s, value) {
		return false
	}
	for _, parts := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, {s.Ref, s.Not, s.If, s.Then, s.Else}} {
		for _, part := range parts {
			if part != nil && !b.schema(part, value) {
				return false
			}
		}
	}
	return true
}

func (b *stepBudget) value(s *jsonschema.Schema, value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return b.object(s, value)
	case []any:
		return b.array(s, value)
	case string:
		return b.spend(len(value)/charsPerStep) && b.matching(s.Pattern, value)
	case json.Number:
		return b.spend(sizeOf(value))
	}
	return true
}

func (b *stepBudget) object(s *jsonschema.Schema, object map[string]any) bool {
	for name, member := range object {
		if part := s.Properties[name]; part != nil && !b.schema(part, member) {
			return false
		}
		for pattern, part := range s.PatternProperties {
			if !b.matching(pattern, name) || !b.schema(part, member) {
				return false
			}
		}
		if part, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && !b.schema(part, member) {
			return false
		}
		if s.UnevaluatedProperties != nil && !b.schema(s.UnevaluatedProperties, member) {
			return false
		}
		if s.PropertyNames != nil && !b.schema(s.PropertyNames, name) {
			return false
		}
		if !b.spend(1) {
			return false
		}
	}
	for _, required := range s.DependentRequired {
		if !b.spend(1 + len(required)) {
			return false
		}
	}
	for _, part := range s.DependentSchemas {
		if !b.schema(part, object) {
			return false
		}
	}
	return true
}

func (b *stepBudget) array(s *jsonschema.Schema, array []any) bool {
	comparisons := 2
	if len(array) <= pairwise {
		comparisons = len(array)
	}
	if s.UniqueItems && !b.spend(b.comparison(array)*comparisons) {
		return false
	}
	for i, item := range array {
		if i < len(s.PrefixItems) && !b.schema(s.PrefixItems[i], item) {
			return false
		}
		for _, part := range []*jsonschema.Schema{s.Items2020, s.Contains, s.UnevaluatedItems} {
			if part != nil && !b.schema(part, item) {
				return false
			}
		}
	}
	return true
}

// pairwise is the number of elements up to which the validator finds equal ones by comparing all
// pairs. It puts more elements into a table.
const pairwise = 20

// comparison is the cost of comparing the value with another one, at most what is left.
func (b *stepBudget) comparison(value any) int {
	inner := &stepBudget{left: b.left}
	inner.compare(value)
	return b.left - inner.left
}

func (b *stepBudget) compare(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if !b.spend(len(name)/charsPerStep) || !b.compare(member) {
				return false
			}
		}
	case []any:
		for _, member := range value {
			if !b.compare(member) {
				return false
			}
		}
	case string:
		return b.spend(1 + len(value)/charsPerStep)
	case json.Number:
		return b.spend(1 + sizeOf(value))
	}
	return b.spend(1)
}

// sizeOf is the cost of calculating with a number, in addition to one step: the validator writes
// out all its digits, including those of the exponent.
func sizeOf(number json.Number) int {
	text := number.String()
	digits := len(text)
	if e := strings.IndexAny(text, "eE"); e >= 0 {
		exponent, _ := strconv.Atoi(text[e+1:]) // checked by checkNumbers
		digits += max(exponent, -exponent)
	}
	return digits / charsPerStep
}

// pattern is a regular expression that knows its size.
type pattern struct {
	*regexp.Regexp
	instructions int
}

func (b *stepBudget) matching(compiled jsonschema.Regexp, text string) bool {
	p, ok := compiled.(pattern)
	return !ok || b.spend(1+p.instructions*len(text)/regexpPerStep)
}
