package filter

import (
	"encoding/json"
	"regexp"
	"strings"
)

// condition is a node of a parsed filter.
type condition interface {
	match(v any, budget *Budget) Verdict
	// explain matches and explains the result. path is the position of v in the event.
	explain(v any, path string, budget *Budget) (Verdict, []Finding)
	// check warns of what no known event satisfies.
	check(c *checker, at sampled)
}

// conjunction is an object of a filter, or an $and: all of its parts must hold.
type conjunction struct {
	parts    []condition
	fields   bool   // it names fields: one element of a list must satisfy all of it
	location string // in the filter
}

func (c conjunction) match(v any, budget *Budget) Verdict {
	if list, ok := v.([]any); ok && c.fields {
		if !budget.spendCondition() {
			return VerdictUndecided
		}
		_, verdict := budget.firstMatch(list, c.match)
		return verdict
	}
	verdict := VerdictMatched
	for _, part := range c.parts {
		if verdict = min(verdict, part.match(v, budget)); verdict == VerdictRejected {
			break
		}
	}
	return verdict
}

// disjunction is an $or: one of its parts must hold.
type disjunction struct {
	parts    []condition
	location string
}

func (c disjunction) match(v any, budget *Budget) Verdict {
	verdict := VerdictRejected
	for _, part := range c.parts {
		if verdict = max(verdict, part.match(v, budget)); verdict == VerdictMatched {
			break
		}
	}
	return verdict
}

// negation is a $not.
type negation struct {
	part     condition
	location string
}

func (c negation) match(v any, budget *Budget) Verdict { return c.part.match(v, budget).negated() }

// fieldCondition is the condition of one field.
type fieldCondition struct {
	name     string
	part     condition
	location string
}

func (c fieldCondition) match(v any, budget *Budget) Verdict {
	return c.part.match(member(v, c.name), budget)
}

// comparison is an operator with its operand.
type comparison struct {
	*operator
	scope    scope
	wanted   any            // the operand, unless it is a list of scalars
	among    map[any]bool   // the operand if it is a list of scalars
	pattern  *regexp.Regexp // the operand if it is a regular expression
	steps    int            // of the pattern, for each byte of a text; 0: it is plain text
	size     int            // number of values in the operand, including itself
	written  string         // the operand as JSON
	location string
}

// fold reports whether texts are compared without case. Operands are then in lower case, and
// patterns ignore case.
func (c *comparison) fold() bool { return c.scope == scopeType }

func (c *comparison) match(v any, budget *Budget) Verdict {
	affordable := budget.spendCondition()
	if _, ok := v.(unknown); ok {
		return VerdictUndecided
	}
	if c.presence {
		return verdictOf(c.test(c, v))
	}
	if !affordable {
		return VerdictUndecided
	}
	if s, ok := v.(string); ok && c.fold() && c.pattern == nil {
		v = strings.ToLower(s)
	}
	if c.none {
		return c.matchAny(v, budget).negated()
	}
	return c.matchAny(v, budget)
}

// matchAny tests the value itself and, if it is a list, its elements up to the first that passes.
func (c *comparison) matchAny(v any, budget *Budget) Verdict {
	itself := VerdictUndecided
	if budget.spend(c.cost(v)) {
		itself = verdictOf(c.test(c, v))
	}
	list, ok := v.([]any)
	if !ok || itself == VerdictMatched {
		return itself
	}
	_, elements := budget.firstMatch(list, c.matchAny)
	return max(itself, elements)
}

// cost is the extra cost of one test, which is 0 except for long values and regular expressions.
// Numbers are read digit by digit, and values that are looked up in a list are hashed. Every other
// comparison of texts stops at the operand's length.
func (c *comparison) cost(v any) int {
	const (
		digitsPerUnit = 64
		bytesPerUnit  = 1024
		valuesPerUnit = 4
		stepsPerUnit  = 64 // Go's engine takes 2 to 20 ns for a step
	)
	sameLength := false
	switch v := v.(type) {
	case json.Number:
		return len(v) / digitsPerUnit
	case string:
		switch {
		case c.pattern != nil:
			return max(1, len(v)*c.steps/stepsPerUnit, len(v)/bytesPerUnit)
		case c.among != nil || c.fold():
			return len(v) / bytesPerUnit
		}
	case []any:
		wanted, ok := c.wanted.([]any)
		sameLength = ok && len(wanted) == len(v)
	case map[string]any:
		wanted, ok := c.wanted.(map[string]any)
		sameLength = ok && len(wanted) == len(v)
	}
	if sameLength {
		return c.size / valuesPerUnit
	}
	return 0
}
