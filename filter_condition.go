package switchboard

import (
	"encoding/json"
	"regexp"
	"strings"
)

// condition is a part of a filter: something that a value of the event fulfils or
// does not.
type condition interface {
	holds(v any, left *Effort) Verdict
	// explain says the same with the reasons; path is where in the event v stands.
	explain(v any, path string, left *Effort) (Verdict, []Finding)
	// check notes in c what no known event fulfils.
	check(c *filterCheck, at sampled)
}

// every is an object of a filter, or an $and: all of its parts hold.
type every struct {
	parts  []condition
	fields bool   // names fields: of a list, one element must fulfil all of it
	place  string // in the filter
}

func (c every) holds(v any, left *Effort) Verdict {
	if list, ok := v.([]any); ok && c.fields {
		if !left.condition() {
			return VerdictUndecided
		}
		_, verdict := left.first(list, c.holds)
		return verdict
	}
	verdict := VerdictMatched
	for _, part := range c.parts {
		if verdict = min(verdict, part.holds(v, left)); verdict == VerdictRejected {
			break
		}
	}
	return verdict
}

// either is an $or: one of its parts holds.
type either struct {
	parts []condition
	place string
}

func (c either) holds(v any, left *Effort) Verdict {
	verdict := VerdictRejected
	for _, part := range c.parts {
		if verdict = max(verdict, part.holds(v, left)); verdict == VerdictMatched {
			break
		}
	}
	return verdict
}

// not is a $not.
type not struct {
	part  condition
	place string
}

func (c not) holds(v any, left *Effort) Verdict { return c.part.holds(v, left).opposite() }

// named is what the member of that name must fulfil.
type named struct {
	name  string
	part  condition
	place string
}

func (c named) holds(v any, left *Effort) Verdict { return c.part.holds(member(v, c.name), left) }

// Operators that look at a value.
const (
	opEqual        = "$eq"
	opNotEqual     = "$ne"
	opGreater      = "$gt"
	opGreaterEqual = "$gte"
	opLess         = "$lt"
	opLessEqual    = "$lte"
	opIn           = "$in"
	opNotIn        = "$nin"
	opExist        = "$exist"
	opStartsWith   = "$startsWith"
	opEndsWith     = "$endsWith"
	opRegex        = "$regex"
)

// comparison is an operator that looks at a value, with what it wants.
type comparison struct {
	operator string
	wanted   any          // a bool for $exist, a list for $in and $nin
	among    map[any]bool // what is wanted by $in and $nin
	pattern  *regexp.Regexp
	steps    int    // of the pattern, for each byte of a text; 0: it is a mere text
	fold     bool   // of a name whose case does not matter: what is wanted is in lower case
	values   int    // in what is wanted, itself included
	written  string // what is wanted, as JSON
	place    string
}

func (c comparison) holds(v any, left *Effort) Verdict {
	found := left.condition()
	switch v := v.(type) {
	case unspecified:
		return VerdictUndecided
	case absent:
		if c.operator == opExist {
			return verdictOf(c.wanted == false)
		}
	case string:
		if c.fold && c.pattern == nil { // a pattern does not look at the case
			return c.of(strings.ToLower(v), found, left)
		}
	}
	return c.of(v, found, left)
}

func (c comparison) of(v any, found bool, left *Effort) Verdict {
	switch {
	case c.operator == opExist:
		return verdictOf(c.wanted == true)
	case !found:
		return VerdictUndecided
	case c.operator == opNotEqual || c.operator == opNotIn:
		return c.some(v, left).opposite()
	}
	return c.some(v, left)
}

// some reports whether the value itself or, in a list, one of its elements is what
// the operator names: for $ne and $nin, what it forbids.
func (c comparison) some(v any, left *Effort) Verdict {
	itself := VerdictUndecided
	if left.spend(c.cost(v)) {
		itself = verdictOf(c.fulfilled(v))
	}
	list, ok := v.([]any)
	if !ok || itself == VerdictMatched {
		return itself
	}
	_, elements := left.first(list, c.some)
	return max(itself, elements)
}

// cost is what comparing that value costs beside having come to it: nothing but for
// long ones, and regular expressions. Numbers are taken apart, and what is looked up
// among others is hashed; all other comparing of texts ends where the filter's own text
// does.
func (c comparison) cost(v any) int {
	const (
		digitsPerEffort = 64
		bytesPerEffort  = 1024
		valuesPerEffort = 4
		stepsPerEffort  = 64 // Go's engine takes 2 to 20 ns for a step
	)
	alike := false
	switch v := v.(type) {
	case json.Number:
		return len(v) / digitsPerEffort
	case string:
		switch {
		case c.pattern != nil:
			return max(1, len(v)*c.steps/stepsPerEffort, len(v)/bytesPerEffort)
		case c.among != nil || c.fold:
			return len(v) / bytesPerEffort
		}
	case []any:
		wanted, ok := c.wanted.([]any)
		alike = ok && len(wanted) == len(v)
	case map[string]any:
		wanted, ok := c.wanted.(map[string]any)
		alike = ok && len(wanted) == len(v)
	}
	if alike {
		return c.values / valuesPerEffort
	}
	return 0
}

func (c comparison) fulfilled(v any) bool {
	switch c.operator {
	case opEqual, opNotEqual:
		return equal(v, c.wanted)
	case opIn, opNotIn:
		key, ok := scalar(v)
		return ok && c.among[key]
	case opStartsWith, opEndsWith, opRegex:
		s, ok := text(v)
		return ok && c.fulfilledBy(s)
	}
	order, ok := compare(v, c.wanted)
	switch c.operator {
	case opGreater:
		return ok && order > 0
	case opGreaterEqual:
		return ok && order >= 0
	case opLess:
		return ok && order < 0
	default: // opLessEqual
		return ok && order <= 0
	}
}

func (c comparison) fulfilledBy(s string) bool {
	switch c.operator {
	case opStartsWith:
		return strings.HasPrefix(s, c.wanted.(string))
	case opEndsWith:
		return strings.HasSuffix(s, c.wanted.(string))
	default: // opRegex
		return c.pattern.MatchString(s)
	}
}
