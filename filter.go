package switchboard

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Filter narrows the events of a subscription by their content. It is a JSON
// document that repeats the shape of what it asks for:
//
//	{"data": {"ticket": {"channel": "whatsapp", "priority": {"$gte": 3}}},
//	 "metadata": {"type": {"$startsWith": "ticket."}},
//	 "$or": [{"data": {"vip": true}}, {"metadata": {"key": "42"}}]}
//
// At the top stand data, the event's data, and metadata, the event's own fields:
// id, type, key, tenant and occurred_at. An object names fields, each with what it
// must fulfil, or holds operators, and everything in it must hold. A value in
// place of an object means $eq. Names are nested and never joined by dots.
//
//	$eq $ne                the value, in full: objects and lists deeply
//	$gt $gte $lt $lte      the order of numbers, and of texts by their bytes
//	$in $nin               one or none of a list of texts, numbers, booleans, nulls
//	$exist                 true or false: whether the field is there; null is
//	$startsWith $endsWith  of a text, case and all
//	$regex                 a part of a text matches, in RE2's syntax
//	$and $or $not          conditions of the place where they stand, at any level
//
// Numbers are compared exactly, however long. Values of different kinds are never
// equal and have no order: every operator fails, save $ne, $nin and $exist: false.
//
// A list fulfils an operator if it or one of its elements does; $ne and $nin ask
// that none is equal. Where an object of fields meets a list, one element must
// fulfil all of the object. The effort for one event is bounded, see [Effort]: a filter
// that uses it up is [Undecided], and takes the event.
//
// The metadata's type is a name that counts in any case, as in a subscription's events.
// docs/filters.md is the manual.
//
// The zero Filter takes every event. Filters are immutable.
type Filter struct {
	document string    // as written, without spaces; empty: none
	root     condition // nil: none
}

// ParseFilter reads a filter. An error names the place in the document, as
// "filter.data.ticket.priority.$gte". The empty object and null are the zero Filter.
func ParseFilter(document []byte) (Filter, error) {
	switch {
	case len(document) > maxFilter:
		return Filter{}, InvalidField(filterField, "is longer than %d bytes", maxFilter)
	case !json.Valid(document) || !utf8.Valid(document):
		return Filter{}, InvalidField(filterField, "is not a JSON document")
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		return Filter{}, InvalidField(filterField, "is not a JSON document")
	}
	if written := compact.String(); written != "{}" && written != "null" {
		root, err := newFilterParser(written).parse()
		if err != nil {
			return Filter{}, err
		}
		return Filter{document: written, root: root}, nil
	}
	return Filter{}, nil
}

// IsZero reports whether the filter takes every event because it asks for nothing.
func (f Filter) IsZero() bool { return f.root == nil }

// Equal reports whether both were written alike, save for spaces.
func (f Filter) Equal(other Filter) bool { return f.document == other.document }

// MarshalJSON writes the document as it was given, without spaces; the zero
// Filter is the empty object.
func (f Filter) MarshalJSON() ([]byte, error) {
	if f.IsZero() {
		return []byte("{}"), nil
	}
	return []byte(f.document), nil
}

// UnmarshalJSON reads a filter, as [ParseFilter] does.
func (f *Filter) UnmarshalJSON(document []byte) error {
	parsed, err := ParseFilter(document)
	if err != nil {
		return err
	}
	*f = parsed
	return nil
}

// Match reports whether the filter takes the event. Where several filters are
// asked about one event, [Filter.Verdict] decodes it once.
func (f Filter) Match(e *Event) bool { return f.Verdict(NewDocument(e), NewEffort()).Delivers() }

// Verdict says whether the filter takes the event of that document, with what is left of
// the effort that all filters may make for it.
func (f Filter) Verdict(d *Document, left *Effort) Verdict {
	if f.root == nil {
		return VerdictMatched
	}
	return left.share(func() Verdict { return f.root.holds(d, left) })
}
