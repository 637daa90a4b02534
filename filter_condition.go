package switchboard

import (
	"regexp"
	"slices"
	"strings"
)

// condition is a part of a filter: something that a value of the event fulfils or
// does not.
type condition interface {
	holds(v any, left *effort) bool
	// explain says the same with the reasons; path is where in the event v stands.
	explain(v any, path string, left *effort) (bool, []Finding)
}

// effort is what holding a filter against an event may still cost: an element of a
// list that is looked at costs one, a regular expression by its size and the text's.
// Once it is used up, no further element is looked at, and no text matches. Without
// it, a list of 100,000 numbers and 200 conditions took seconds, while other tenants'
// events waited.
type effort int

// maxEffort takes some ten milliseconds.
const maxEffort effort = 100_000

// spend reports whether that much was left, and takes it.
func (e *effort) spend(cost int) bool {
	*e -= effort(cost)
	return *e >= 0
}

// anyOf reports whether one of the elements fulfils f, as far as the effort goes.
func (e *effort) anyOf(list []any, f func(v any, left *effort) bool) bool {
	return slices.ContainsFunc(list, func(v any) bool { return e.spend(1) && f(v, e) })
}

// every is an object of a filter, or an $and: all of its parts hold.
type every struct {
	parts  []condition
	fields bool   // names fields: of a list, one element must fulfil all of it
	place  string // in the filter
}

func (c every) holds(v any, left *effort) bool {
	if list, ok := v.([]any); ok && c.fields {
		return left.anyOf(list, c.holds)
	}
	for _, part := range c.parts {
		if !part.holds(v, left) {
			return false
		}
	}
	return true
}

// either is an $or: one of its parts holds.
type either struct {
	parts []condition
	place string
}

func (c either) holds(v any, left *effort) bool {
	return slices.ContainsFunc(c.parts, func(part condition) bool { return part.holds(v, left) })
}

// not is a $not.
type not struct {
	part  condition
	place string
}

func (c not) holds(v any, left *effort) bool { return !c.part.holds(v, left) }

// named is what the member of that name must fulfil.
type named struct {
	name string
	part condition
}

func (c named) holds(v any, left *effort) bool { return c.part.holds(member(v, c.name), left) }

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
	steps    int    // of the pattern, for each byte of a text
	written  string // what is wanted, as JSON
	place    string
}

func (c comparison) holds(v any, left *effort) bool {
	switch c.operator {
	case opExist:
		_, gone := v.(absent)
		return gone != c.wanted.(bool)
	case opNotEqual, opNotIn:
		return !c.some(v, left)
	}
	return c.some(v, left)
}

// some reports whether the value itself or, in a list, one of its elements is what
// the operator names: for $ne and $nin, what it forbids.
func (c comparison) some(v any, left *effort) bool {
	if c.fulfilled(v, left) {
		return true
	}
	list, _ := v.([]any)
	return left.anyOf(list, c.some)
}

func (c comparison) fulfilled(v any, left *effort) bool {
	switch c.operator {
	case opEqual, opNotEqual:
		return equal(v, c.wanted)
	case opIn, opNotIn:
		key, ok := scalar(v)
		return ok && c.among[key]
	case opStartsWith, opEndsWith, opRegex:
		s, ok := text(v)
		return ok && c.fulfilledBy(s, left)
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

func (c comparison) fulfilledBy(s string, left *effort) bool {
	switch c.operator {
	case opStartsWith:
		return strings.HasPrefix(s, c.wanted.(string))
	case opEndsWith:
		return strings.HasSuffix(s, c.wanted.(string))
	default: // opRegex
		const stepsPerEffort = 64
		return len(s) <= maxRegexText && left.spend(len(s)*c.steps/stepsPerEffort) && c.pattern.MatchString(s)
	}
}
