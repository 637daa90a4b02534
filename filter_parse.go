package switchboard

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Bounds of a filter. An event is held against every filter of its tenant before
// it is accepted: what one may cost is bounded when it is saved.
const (
	maxFilter     = 16 << 10 // bytes as given
	maxDepth      = 20       // objects and lists inside one another
	maxConditions = 200      // operators in the document
	maxIn         = 500      // values of one $in or $nin
	maxRegex      = 256      // bytes of one pattern
	// maxRegexSteps bounds the instructions of all patterns of a filter together:
	// what matching costs is their number times the length of the text. A pattern has
	// about as many as it has letters, and a repetition as many as it unfolds to.
	maxRegexSteps = 500
)

// filterField is the name of a subscription's filter in errors.
const filterField = "filter"

// scope is what a condition of the filter is about: it decides what may be asked.
type scope int

const (
	wholeEvent scope = iota
	eventData        // a value of the data
	eventMetadata
	metadataText // a field of the metadata
	metadataType
	metadataTime
)

// filterParser reads a document in one pass, in the order in which it is written.
type filterParser struct {
	tokens     *json.Decoder
	depth      int
	conditions int
	steps      int // of the patterns so far
}

// newFilterParser makes a parser of a document that is valid JSON.
func newFilterParser(document string) *filterParser {
	p := &filterParser{tokens: json.NewDecoder(strings.NewReader(document))}
	p.tokens.UseNumber()
	return p
}

func (p *filterParser) parse() (condition, error) {
	return p.condition(wholeEvent, filterField)
}

// condition reads what the value in scope must fulfil.
func (p *filterParser) condition(s scope, place string) (condition, error) {
	token, err := p.next(place)
	switch {
	case err != nil:
		return nil, err
	case token == json.Delim('{'):
		return p.object(s, place)
	case s == wholeEvent || s == eventMetadata:
		return nil, InvalidField(place, "must be an object, as {%s}", exampleOf(s))
	}
	wanted, err := p.rest(token, place)
	if err != nil {
		return nil, err
	}
	return p.comparison(s, opEqual, wanted, place)
}

func exampleOf(s scope) string {
	if s == eventMetadata {
		return `"type":"ticket.created"`
	}
	return `"data":{"ticket":{"priority":3}}`
}

// object reads the conditions of an object whose brace is read.
func (p *filterParser) object(s scope, place string) (condition, error) {
	all := every{place: place}
	operators := false
	seen := map[string]bool{}
	for p.tokens.More() {
		name, err := p.name(place, seen)
		if err != nil {
			return nil, err
		}
		part, err := p.part(s, name, place)
		if err != nil {
			return nil, err
		}
		switch part.(type) {
		case named:
			all.fields = true
		case comparison:
			operators = true
		}
		if all.fields && operators {
			return nil, InvalidField(place, "holds fields and operators side by side: put one of them into an $and")
		}
		all.parts = append(all.parts, part)
	}
	if len(all.parts) == 0 {
		return nil, InvalidField(place, "is empty: name a field or an operator; to ask for the empty object itself, write {\"$eq\":{}}")
	}
	return all, p.end(place)
}

// part reads what stands under a name of an object of the filter.
func (p *filterParser) part(s scope, name, place string) (condition, error) {
	place += "." + name
	switch {
	case name == "$and":
		parts, err := p.list(s, place)
		return every{parts: parts, place: place}, err
	case name == "$or":
		parts, err := p.list(s, place)
		return either{parts: parts, place: place}, err
	case name == "$not":
		part, err := p.condition(s, place)
		return not{part: part, place: place}, err
	case strings.HasPrefix(name, "$"):
		return p.operator(s, name, place)
	}
	inner, err := scopeOf(s, name, place)
	if err != nil {
		return nil, err
	}
	part, err := p.condition(inner, place)
	return named{name: name, part: part, place: place}, err
}

// scopeOf returns the scope of the field of that name.
func scopeOf(s scope, name, place string) (scope, error) {
	metadata := []string{"id", "type", "key", "tenant", "occurred_at"}
	switch {
	case strings.Contains(name, "."):
		return 0, InvalidField(place, "names are nested, not joined by dots: write {\"ticket\":{\"priority\":3}} for ticket.priority")
	case s == wholeEvent && name == "data", s == eventData:
		return eventData, nil
	case s == wholeEvent && name == "metadata":
		return eventMetadata, nil
	case s == wholeEvent:
		return 0, InvalidField(place, "is not known here; known: data, metadata, $and, $or, $not")
	case s == eventMetadata && name == "occurred_at":
		return metadataTime, nil
	case s == eventMetadata && name == "type":
		return metadataType, nil
	case s == eventMetadata && slices.Contains(metadata, name):
		return metadataText, nil
	case s == eventMetadata:
		return 0, InvalidField(place, "is not a field of the metadata; known: %s", strings.Join(metadata, ", "))
	}
	return 0, InvalidField(place, "the metadata are texts, which have no fields")
}

// list reads the conditions of an $and or $or.
func (p *filterParser) list(s scope, place string) ([]condition, error) {
	token, err := p.next(place)
	if err != nil {
		return nil, err
	}
	if token != json.Delim('[') {
		return nil, InvalidField(place, "must be a list of conditions")
	}
	var parts []condition
	for p.tokens.More() {
		part, err := p.condition(s, place+"["+strconv.Itoa(len(parts))+"]")
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, InvalidField(place, "is empty: name at least one condition")
	}
	return parts, p.end(place)
}

// operator reads what an operator wants.
func (p *filterParser) operator(s scope, operator, place string) (condition, error) {
	if !slices.Contains(operators(), operator) {
		return nil, InvalidField(place, "is not an operator; known: %s, $and, $or, $not", strings.Join(operators(), ", "))
	}
	if s == wholeEvent || s == eventMetadata {
		return nil, InvalidField(place, "stands beside no field: ask it of a field, as {%s}", exampleOf(s))
	}
	token, err := p.next(place)
	if err != nil {
		return nil, err
	}
	wanted, err := p.rest(token, place)
	if err != nil {
		return nil, err
	}
	return p.comparison(s, operator, wanted, place)
}

func operators() []string {
	return []string{
		opEqual, opNotEqual, opGreater, opGreaterEqual, opLess, opLessEqual, opIn, opNotIn,
		opExist, opStartsWith, opEndsWith, opRegex,
	}
}
