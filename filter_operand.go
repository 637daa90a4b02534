package switchboard

import (
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
)

// comparison makes the comparison of an operator out of what it wants.
func (p *filterParser) comparison(s scope, operator string, wanted any, place string) (condition, error) {
	if p.conditions++; p.conditions > maxConditions {
		return nil, InvalidField(filterField, "has more than %d conditions", maxConditions)
	}
	c := comparison{operator: operator, fold: s == metadataType, values: values(wanted), written: encode(wanted), place: place}
	var err error
	switch operator {
	case opExist:
		if _, ok := wanted.(bool); !ok {
			err = InvalidField(place, "must be true or false")
		}
		c.wanted = wanted
	case opStartsWith, opEndsWith, opRegex:
		if text, ok := wanted.(string); !ok {
			err = InvalidField(place, "must be a text")
		} else if c.wanted = wanted; c.fold {
			c.wanted = strings.ToLower(text)
		}
	case opIn, opNotIn:
		c.among, err = among(s, wanted, place)
	case opGreater, opGreaterEqual, opLess, opLessEqual:
		if c.wanted, err = operand(s, wanted, place); err == nil && !ordered(c.wanted) {
			err = InvalidField(place, "must be a number or a text: nothing else has an order")
		}
	default:
		c.wanted, err = operand(s, wanted, place)
	}
	if err == nil && operator == opRegex {
		c.pattern, c.steps, err = p.pattern(s, wanted.(string), place)
	}
	return c, err
}

// values counts the values in a JSON value, itself included.
func values(v any) int {
	count := 1
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			count += values(element)
		}
	case map[string]any:
		for _, member := range v {
			count += values(member)
		}
	}
	return count
}

// among reads the list of an $in or $nin.
func among(s scope, wanted any, place string) (map[any]bool, error) {
	list, ok := wanted.([]any)
	if !ok || len(list) == 0 || len(list) > maxIn {
		return nil, InvalidField(place, "must be a list of 1 to %d values", maxIn)
	}
	keys := make(map[any]bool, len(list))
	for i, v := range list {
		element := place + "[" + strconv.Itoa(i) + "]"
		v, err := operand(s, v, element)
		if err != nil {
			return nil, err
		}
		key, ok := scalar(v)
		if !ok {
			return nil, InvalidField(element, "must be a text, a number, a boolean or null")
		}
		keys[key] = true
	}
	return keys, nil
}

// operand turns a JSON value into what the scope's values are compared with.
func operand(s scope, v any, place string) (any, error) {
	if s == eventData {
		return exact(v, place)
	}
	written, ok := v.(string)
	if !ok {
		return nil, InvalidField(place, "must be a text: the metadata are texts")
	}
	switch s {
	case metadataText:
		return written, nil
	case metadataType:
		return strings.ToLower(written), nil
	}
	at, err := time.Parse(time.RFC3339, written)
	if err != nil {
		return nil, InvalidField(place, "must be a time in RFC 3339, as 2026-03-01T12:00:00Z")
	}
	return at, nil
}

// exact replaces the numbers in a JSON value by decimals.
func exact(v any, place string) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		d := newDecimal(v)
		if d.point > maxExponent || d.point < -maxExponent {
			return nil, InvalidField(place, "holds a number beyond 10 to the ±%d", maxExponent)
		}
		return d, nil
	case []any:
		for i := range v {
			if v[i], err = exact(v[i], place); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = exact(v[name], place); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func ordered(v any) bool {
	switch v.(type) {
	case decimal, string, time.Time:
		return true
	}
	return false
}

// pattern compiles a regular expression within the filter's bound, and returns the steps
// that it takes for each byte of a text.
func (p *filterParser) pattern(s scope, expression, place string) (*regexp.Regexp, int, error) {
	if len(expression) > maxRegex {
		return nil, 0, InvalidField(place, "is longer than %d bytes", maxRegex)
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil, 0, InvalidField(place, "is not a regular expression in RE2's syntax: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	simple := parsed.Simplify()
	program, err := syntax.Compile(simple)
	if err != nil {
		return nil, 0, InvalidField(place, "is not a regular expression in RE2's syntax")
	}
	steps := len(program.Inst)
	if p.steps += steps; p.steps > maxRegexSteps {
		return nil, 0, InvalidField(place, "makes the regular expressions of the filter too large: they unfold to %d steps; the limit is %d", p.steps, maxRegexSteps)
	}
	if simple.Op == syntax.OpLiteral && simple.Flags&syntax.FoldCase == 0 {
		steps = 0 // the engine looks for the text itself
	}
	if s == metadataType {
		expression = "(?i)" + expression
	}
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return nil, 0, InvalidField(place, "is not a regular expression in RE2's syntax")
	}
	return compiled, steps, nil
}
