package switchboard

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// condition is a part of a filter: something that a value of the event fulfils or
// does not.
type condition interface {
	holds(v any, left *Effort) bool
	// explain says the same with the reasons; path is where in the event v stands.
	explain(v any, path string, left *Effort) (bool, []Finding)
}

// Effort is what holding filters against an event may still cost. An element of a list
// that is looked at costs one, and so does each condition that is held against something
// in it; outside of lists conditions cost nothing, as a filter has few. A regular
// expression costs by its size and the text's, and what is very long by its length.
//
// Once it is used up, no further element is looked at, the one in which that happened
// fulfils nothing, no text matches a regular expression, and what is very long is not
// compared; all else is as ever. Without it, a list of 100,000 numbers and 200
// conditions took seconds, while other tenants' events waited.
type Effort struct {
	left   int // for the filter that is held against the event
	all    int // for it and those that follow
	inside int // of how many lists what is looked at stands
}

const (
	// maxEffort, of one filter, takes some ten milliseconds.
	maxEffort = 100_000
	// maxShared is what all filters may take for one event, ten of the longest: else it
	// would grow with the number of the tenant's subscriptions.
	maxShared = 10 * maxEffort
)

// NewEffort is the effort for one event, which its tenant's filters share.
func NewEffort() *Effort { return &Effort{left: maxEffort, all: maxShared} }

// share gives the next filter its part.
func (e *Effort) share(filter func() bool) bool {
	part := min(maxEffort, e.all)
	e.left = part
	defer func() { e.all -= part - max(e.left, 0) }()
	return filter()
}

// spend takes that much and reports whether it was left. What costs nothing is always
// left.
func (e *Effort) spend(cost int) bool {
	if cost == 0 {
		return true
	}
	e.left = max(e.left-cost, -1)
	return e.left >= 0
}

// condition spends what it costs to begin with a condition.
func (e *Effort) condition() bool { return e.inside == 0 || e.spend(1) }

// first returns the place of the first element that fulfils f, as far as the effort
// goes; -1: none does.
func (e *Effort) first(list []any, f func(v any, left *Effort) bool) int {
	e.inside++
	defer func() { e.inside-- }()
	for i, v := range list {
		if !e.spend(1) {
			return -1
		}
		if f(v, e) && e.left >= 0 {
			return i
		}
	}
	return -1
}

// anyOf reports whether one of the elements fulfils f, as far as the effort goes.
func (e *Effort) anyOf(list []any, f func(v any, left *Effort) bool) bool {
	return e.first(list, f) >= 0
}

// every is an object of a filter, or an $and: all of its parts hold.
type every struct {
	parts  []condition
	fields bool   // names fields: of a list, one element must fulfil all of it
	place  string // in the filter
}

func (c every) holds(v any, left *Effort) bool {
	if list, ok := v.([]any); ok && c.fields {
		return left.condition() && left.anyOf(list, c.holds)
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

func (c either) holds(v any, left *Effort) bool {
	return slices.ContainsFunc(c.parts, func(part condition) bool { return part.holds(v, left) })
}

// not is a $not.
type not struct {
	part  condition
	place string
}

func (c not) holds(v any, left *Effort) bool { return !c.part.holds(v, left) }

// named is what the member of that name must fulfil.
type named struct {
	name string
	part condition
}

func (c named) holds(v any, left *Effort) bool { return c.part.holds(member(v, c.name), left) }

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
	values   int    // in what is wanted, itself included
	written  string // what is wanted, as JSON
	place    string
}

func (c comparison) holds(v any, left *Effort) bool {
	found := left.condition()
	switch c.operator {
	case opExist:
		_, gone := v.(absent)
		return gone != c.wanted.(bool)
	case opNotEqual, opNotIn:
		return !found || !c.some(v, left)
	}
	return found && c.some(v, left)
}

// some reports whether the value itself or, in a list, one of its elements is what
// the operator names: for $ne and $nin, what it forbids.
func (c comparison) some(v any, left *Effort) bool {
	if left.spend(c.cost(v)) && c.fulfilled(v, left) {
		return true
	}
	list, ok := v.([]any)
	return ok && left.anyOf(list, c.some)
}

// cost is what comparing that value costs beside having come to it: nothing but for
// long ones. Numbers are taken apart, and what is looked up among others is hashed;
// all other comparing of texts ends where the filter's own text does.
func (c comparison) cost(v any) int {
	const (
		digitsPerEffort = 64
		bytesPerEffort  = 1024
		valuesPerEffort = 4
	)
	alike := false
	switch v := v.(type) {
	case json.Number:
		return len(v) / digitsPerEffort
	case string:
		if c.among != nil {
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

func (c comparison) fulfilled(v any, left *Effort) bool {
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

func (c comparison) fulfilledBy(s string, left *Effort) bool {
	switch c.operator {
	case opStartsWith:
		return strings.HasPrefix(s, c.wanted.(string))
	case opEndsWith:
		return strings.HasSuffix(s, c.wanted.(string))
	default: // opRegex
		const stepsPerEffort = 64
		return len(s) <= maxRegexText && left.spend(max(1, len(s)*c.steps/stepsPerEffort)) && c.pattern.MatchString(s)
	}
}
