package filter

import (
	"slices"
	"strings"
)

// operator is everything that is specific to one operator. To add an operator, add a row to the
// table and a row to docs/filters.md.
type operator struct {
	name string
	// operand reads the operator's operand into the comparison.
	operand func(p *parser, c *comparison, given any) error
	// test reports whether one value of the event satisfies the comparison. For a list, it is
	// called with the list itself and with its elements.
	test func(c *comparison, v any) bool
	// none: neither the value nor any of its elements may pass the test.
	none bool
	// presence: the test also applies to fields that do not exist, and not to elements.
	presence bool
	// requirement describes in words what the operator requires, with its operand as JSON.
	requirement func(wanted string) string
	// doc completes "it holds if the value …" in docs/filters.md.
	doc string
}

// operators are the operators that test a value. $and, $or and $not combine conditions and are part
// of the grammar.
var operators = []operator{
	{name: "$eq", operand: anyOperand, test: equals, requirement: must("be"),
		doc: "equals the operand; objects and lists as a whole, at every level, and lists in order"},
	{name: "$ne", operand: anyOperand, test: equals, none: true, requirement: must("not be"),
		doc: "does not equal the operand, or does not exist"},
	{name: "$gt", operand: orderedOperand, test: ordered(func(order int) bool { return order > 0 }), requirement: must("be greater than"),
		doc: "is a greater number, or a text that sorts later by bytes"},
	{name: "$gte", operand: orderedOperand, test: ordered(func(order int) bool { return order >= 0 }), requirement: must("be at least"),
		doc: "is the same number or a greater one, or the same text or a later one"},
	{name: "$lt", operand: orderedOperand, test: ordered(func(order int) bool { return order < 0 }), requirement: must("be less than"),
		doc: "is a smaller number, or a text that sorts earlier by bytes"},
	{name: "$lte", operand: orderedOperand, test: ordered(func(order int) bool { return order <= 0 }), requirement: must("be at most"),
		doc: "is the same number or a smaller one, or the same text or an earlier one"},
	{name: "$in", operand: listOperand, test: isListed, requirement: must("be one of"),
		doc: "is in the list, which may have texts, numbers, booleans and nulls"},
	{name: "$nin", operand: listOperand, test: isListed, none: true, requirement: must("be none of"),
		doc: "is not in the list, or does not exist"},
	{name: "$exist", operand: booleanOperand, test: exists, presence: true, requirement: mustExist,
		doc: "exists (`true`) or does not (`false`); null exists"},
	{name: "$startsWith", operand: textOperand, test: onText(strings.HasPrefix), requirement: must("start with"),
		doc: "is a text that begins with the operand"},
	{name: "$endsWith", operand: textOperand, test: onText(strings.HasSuffix), requirement: must("end with"),
		doc: "is a text that ends with the operand"},
	{name: "$regex", operand: regexOperand, test: matchesPattern, requirement: must("match the regular expression"),
		doc: "is a text with a part that matches: [RE2's syntax](https://github.com/google/re2/wiki/Syntax), `(?i)` to ignore case, `^` and `$` to match the whole text"},
}

// Operators returns the names of all operators, including those that combine conditions.
func Operators() []string {
	var names []string
	for _, o := range operators {
		names = append(names, o.name)
	}
	return append(names, "$and", "$or", "$not")
}

// operatorOf returns the operator of that name, or nil.
func operatorOf(name string) *operator {
	i := slices.IndexFunc(operators, func(o operator) bool { return o.name == name })
	if i < 0 {
		return nil
	}
	return &operators[i]
}

func equals(c *comparison, v any) bool { return equal(v, c.wanted) }

func ordered(satisfies func(order int) bool) func(*comparison, any) bool {
	return func(c *comparison, v any) bool {
		order, ok := compare(v, c.wanted)
		return ok && satisfies(order)
	}
}

func isListed(c *comparison, v any) bool {
	key, ok := scalar(v)
	return ok && c.among[key]
}

func exists(c *comparison, v any) bool {
	_, gone := v.(absent)
	return c.wanted == !gone
}

func onText(satisfies func(found, wanted string) bool) func(*comparison, any) bool {
	return func(c *comparison, v any) bool {
		s, ok := text(v)
		return ok && satisfies(s, c.wanted.(string))
	}
}

func matchesPattern(c *comparison, v any) bool {
	s, ok := text(v)
	return ok && c.pattern.MatchString(s)
}

func must(do string) func(string) string {
	return func(wanted string) string { return "must " + do + " " + wanted }
}

func mustExist(wanted string) string {
	if wanted == "false" {
		return "must not exist"
	}
	return "must exist"
}
