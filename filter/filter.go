// Package filter is the language in which a subscription selects its events by their
// content: parse, match, explain, and check against known event types.
//
// A filter is a JSON document in the shape of the event:
//
//	{"data": {"ticket": {"channel": "whatsapp", "priority": {"$gte": 3}}},
//	 "metadata": {"type": {"$startsWith": "ticket."}},
//	 "$or": [{"data": {"vip": true}}, {"metadata": {"key": "42"}}]}
//
// The top level has data, the event's data, and metadata, the event's own fields. An
// object names fields, each with its condition, or holds operators; everything in it must
// hold. A value in place of an object means $eq. $and, $or and $not are allowed at any
// level. The operators are the rows of one table, in operators.go. docs/filters.md is the
// manual.
//
// A list satisfies a condition if the list itself or one of its elements does; for $ne and
// $nin, none may be equal. If an object of fields is matched against a list, one element
// must satisfy the whole object.
//
// The cost of matching is limited, see [Budget]. A filter that exhausts its budget is
// [VerdictUndecided], and the subscription gets the event.
package filter

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// Filter is a parsed filter. It is immutable. The zero Filter matches every event.
type Filter struct {
	document string    // as given, without white space; empty: none
	root     condition // nil: none
}

// Parse reads a filter. Its error names the location in the document, such as
// "filter.data.ticket.priority.$gte". Empty input, the empty object and null give the zero Filter.
func Parse(document []byte) (Filter, error) {
	if len(document) == 0 {
		return Filter{}, nil
	}
	var compact bytes.Buffer
	switch {
	case len(document) > maxDocument:
		return Filter{}, switchboard.InvalidField(field, "is longer than %d bytes", maxDocument)
	case !utf8.Valid(document) || json.Compact(&compact, document) != nil:
		return Filter{}, switchboard.InvalidField(field, "is not a JSON document")
	}
	text := compact.String()
	if text == "{}" || text == "null" {
		return Filter{}, nil
	}
	root, err := newParser(text).condition(scopeEvent, field)
	if err != nil {
		return Filter{}, err
	}
	return Filter{document: text, root: root}, nil
}

// IsZero reports whether the filter has no conditions, so that it matches every event.
func (f Filter) IsZero() bool { return f.root == nil }

// Document returns the filter as it was given, without white space, or nil for the zero Filter. It
// is the form in [switchboard.Subscription].
func (f Filter) Document() json.RawMessage {
	if f.IsZero() {
		return nil
	}
	return json.RawMessage(f.document)
}

// Match reports whether the event goes to the subscription. To match several filters against one
// event, use [Filter.Verdict] with one [Input], which decodes the event once.
func (f Filter) Match(e *switchboard.Event) bool {
	return f.Verdict(NewInput(e), NewBudget()).Delivers()
}

// Verdict matches the filter against the input, within its share of the budget.
func (f Filter) Verdict(in *Input, budget *Budget) Verdict {
	if f.root == nil {
		return VerdictMatched
	}
	return budget.share(func() Verdict { return f.root.match(in, budget) })
}

// Verdict is the result of matching a filter, or a part of it, against an event. The conjunction of
// several verdicts is the smallest, their disjunction the greatest, as in Kleene's three-valued
// logic.
type Verdict int8

// The verdicts.
const (
	VerdictRejected  Verdict = iota
	VerdictUndecided         // the budget was exhausted before the answer was known
	VerdictMatched
)

// Delivers reports whether the event goes to the subscription. An undecided event does: people can
// see and explain an unwanted event, but not a lost one.
func (v Verdict) Delivers() bool { return v != VerdictRejected }

// negated is the verdict of a $not. An undecided one stays undecided.
func (v Verdict) negated() Verdict { return VerdictMatched - v }

func verdictOf(holds bool) Verdict {
	if holds {
		return VerdictMatched
	}
	return VerdictRejected
}
