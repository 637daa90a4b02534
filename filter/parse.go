package filter

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// Limits of a filter. Every event is matched against all filters of its tenant before it is
// accepted, so the cost of a filter is limited when it is saved.
const (
	maxDocument   = 16 << 10 // bytes as given
	maxDepth      = 20       // objects and lists inside one another
	maxConditions = 200      // operators in the document
	maxIn         = 500      // values of one $in or $nin
	maxRegex      = 256      // bytes of one regular expression
	// maxRegexSteps limits the instructions of all regular expressions of a filter together. The
	// cost of matching is their number times the length of the text. An expression has about one
	// instruction for each letter, and a repetition has as many as it unfolds to.
	maxRegexSteps = 500
	// maxExponent limits the exponent of a number in a filter. The exponent of an event's number is
	// cut to 32 bits, and is then still beyond every number in a filter.
	maxExponent = 1_000_000_000
)

// field is the field of the subscription that errors name.
const field = "filter"

// scope is what a condition applies to. It decides which fields, operators and operands are
// allowed.
type scope int

const (
	scopeEvent    scope = iota // the whole event
	scopeData                  // a value of the data
	scopeMetadata              // the metadata
	scopeText                  // a field of the metadata
	scopeType                  // the event type, whose case does not matter
	scopeTime                  // the time of the event
)

// parser reads a document in one pass.
type parser struct {
	tokens     *json.Decoder
	depth      int
	conditions int
	steps      int // of the regular expressions so far
}

// newParser returns the parser of a document that is valid JSON.
func newParser(document string) *parser {
	p := &parser{tokens: json.NewDecoder(strings.NewReader(document))}
	p.tokens.UseNumber()
	return p
}

// condition reads the condition for a value in that scope.
func (p *parser) condition(s scope, location string) (condition, error) {
	token, err := p.next(location)
	switch {
	case err != nil:
		return nil, err
	case token == json.Delim('{'):
		return p.object(s, location)
	case s == scopeEvent || s == scopeMetadata:
		return nil, switchboard.InvalidField(location, "must be an object, as {%s}", exampleOf(s))
	}
	return p.comparison(s, operatorOf("$eq"), token, location)
}

func exampleOf(s scope) string {
	if s == scopeMetadata {
		return `"type":"ticket.created"`
	}
	return `"data":{"ticket":{"priority":3}}`
}

// object reads the conditions of an object after its opening brace.
func (p *parser) object(s scope, location string) (condition, error) {
	all := conjunction{location: location}
	operators := false
	seen := map[string]bool{}
	for p.tokens.More() {
		name, err := p.name(location, seen)
		if err != nil {
			return nil, err
		}
		part, err := p.member(s, name, location+"."+name)
		if err != nil {
			return nil, err
		}
		switch part.(type) {
		case fieldCondition:
			all.fields = true
		case *comparison:
			operators = true
		}
		if all.fields && operators {
			return nil, switchboard.InvalidField(location, "holds fields and operators side by side: put one of them into an $and")
		}
		all.parts = append(all.parts, part)
	}
	if len(all.parts) == 0 {
		return nil, switchboard.InvalidField(location, "is empty: name a field or an operator; to ask for the empty object itself, write {\"$eq\":{}}")
	}
	return all, p.end(location)
}

// member reads the value of an object's member.
func (p *parser) member(s scope, name, location string) (condition, error) {
	switch {
	case name == "$and":
		parts, err := p.list(s, location)
		return conjunction{parts: parts, location: location}, err
	case name == "$or":
		parts, err := p.list(s, location)
		return disjunction{parts: parts, location: location}, err
	case name == "$not":
		part, err := p.condition(s, location)
		return negation{part: part, location: location}, err
	case strings.HasPrefix(name, "$"):
		return p.operator(s, name, location)
	}
	inner, err := scopeOf(s, name, location)
	if err != nil {
		return nil, err
	}
	part, err := p.condition(inner, location)
	return fieldCondition{name: name, part: part, location: location}, err
}

// scopeOf returns the scope of the field of that name.
func scopeOf(s scope, name, location string) (scope, error) {
	switch {
	case strings.Contains(name, "."):
		return 0, switchboard.InvalidField(location, "names are nested, not joined by dots: write {\"ticket\":{\"priority\":3}} for ticket.priority")
	case s == scopeEvent && name == "data", s == scopeData:
		return scopeData, nil
	case s == scopeEvent && name == "metadata":
		return scopeMetadata, nil
	case s == scopeEvent:
		return 0, switchboard.InvalidField(location, "is not known here; known: data, metadata, $and, $or, $not")
	case s == scopeMetadata && name == "occurred_at":
		return scopeTime, nil
	case s == scopeMetadata && name == "type":
		return scopeType, nil
	case s == scopeMetadata && slices.Contains(metadataFields(), name):
		return scopeText, nil
	case s == scopeMetadata:
		return 0, switchboard.InvalidField(location, "is not a field of the metadata; known: %s", strings.Join(metadataFields(), ", "))
	}
	return 0, switchboard.InvalidField(location, "the metadata are texts, which have no fields")
}

// list reads the conditions of an $and or $or.
func (p *parser) list(s scope, location string) ([]condition, error) {
	token, err := p.next(location)
	if err != nil {
		return nil, err
	}
	if token != json.Delim('[') {
		return nil, switchboard.InvalidField(location, "must be a list of conditions")
	}
	var parts []condition
	for p.tokens.More() {
		part, err := p.condition(s, location+"["+strconv.Itoa(len(parts))+"]")
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, switchboard.InvalidField(location, "is empty: name at least one condition")
	}
	return parts, p.end(location)
}

// operator reads the operand of the operator of that name.
func (p *parser) operator(s scope, name, location string) (condition, error) {
	o := operatorOf(name)
	switch {
	case o == nil:
		return nil, switchboard.InvalidField(location, "is not an operator; known: %s", strings.Join(Operators(), ", "))
	case s == scopeEvent || s == scopeMetadata:
		return nil, switchboard.InvalidField(location, "stands beside no field: ask it of a field, as {%s}", exampleOf(s))
	}
	first, err := p.next(location)
	if err != nil {
		return nil, err
	}
	return p.comparison(s, o, first, location)
}

// comparison reads the operand whose first token is given.
func (p *parser) comparison(s scope, o *operator, first json.Token, location string) (condition, error) {
	operand, err := p.rest(first, location)
	if err != nil {
		return nil, err
	}
	if p.conditions++; p.conditions > maxConditions {
		return nil, switchboard.InvalidField(field, "has more than %d conditions", maxConditions)
	}
	c := &comparison{operator: o, scope: s, size: size(operand), written: encode(operand), location: location}
	return c, o.operand(p, c, operand)
}
