package filter

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// anyOperand accepts every value that can be compared with the scope's values.
func anyOperand(_ *parser, c *comparison, given any) (err error) {
	c.wanted, err = c.convert(given, c.location)
	return err
}

// orderedOperand accepts a value that has an order.
func orderedOperand(p *parser, c *comparison, given any) error {
	if err := anyOperand(p, c, given); err != nil {
		return err
	}
	switch c.wanted.(type) {
	case switchboard.Decimal, string, time.Time:
		return nil
	}
	return switchboard.InvalidField(c.location, "must be a number or a text: nothing else has an order")
}

// listOperand accepts a list of scalars.
func listOperand(_ *parser, c *comparison, given any) error {
	list, ok := given.([]any)
	if !ok || len(list) == 0 || len(list) > maxIn {
		return switchboard.InvalidField(c.location, "must be a list of 1 to %d values", maxIn)
	}
	c.among = make(map[any]bool, len(list))
	for i, v := range list {
		location := c.location + "[" + strconv.Itoa(i) + "]"
		v, err := c.convert(v, location)
		if err != nil {
			return err
		}
		key, ok := scalar(v)
		if !ok {
			return switchboard.InvalidField(location, "must be a text, a number, a boolean or null")
		}
		c.among[key] = true
	}
	return nil
}

func booleanOperand(_ *parser, c *comparison, given any) error {
	if _, ok := given.(bool); !ok {
		return switchboard.InvalidField(c.location, "must be true or false")
	}
	c.wanted = given
	return nil
}

func textOperand(_ *parser, c *comparison, given any) error {
	text, ok := given.(string)
	if !ok {
		return switchboard.InvalidField(c.location, "must be a text")
	}
	if c.wanted = text; c.fold() {
		c.wanted = strings.ToLower(text)
	}
	return nil
}

// regexOperand compiles a regular expression within the filter's limit.
func regexOperand(p *parser, c *comparison, given any) error {
	expression, ok := given.(string)
	if !ok {
		return switchboard.InvalidField(c.location, "must be a text")
	}
	if len(expression) > maxRegex {
		return switchboard.InvalidField(c.location, "is longer than %d bytes", maxRegex)
	}
	pattern, steps, err := switchboard.CompileRegexp(expression)
	if err != nil {
		return switchboard.InvalidField(c.location, "is not a regular expression in RE2's syntax: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if p.steps += steps; p.steps > maxRegexSteps {
		return switchboard.InvalidField(c.location, "makes the regular expressions of the filter too large: they unfold to %d steps; the limit is %d", p.steps, maxRegexSteps)
	}
	if _, literal := pattern.LiteralPrefix(); literal {
		steps = 0 // the engine searches for the text itself
	}
	c.wanted, c.pattern, c.steps = given, pattern, steps
	if !c.fold() {
		return nil
	}
	if c.pattern, err = regexp.Compile("(?i)" + expression); err != nil {
		return switchboard.InvalidField(c.location, "is too large where case does not matter")
	}
	return nil
}

// convert turns a JSON value into the type of the values in the comparison's scope.
func (c *comparison) convert(v any, location string) (any, error) {
	if c.scope == scopeData {
		return exact(v, location)
	}
	text, ok := v.(string)
	if !ok {
		return nil, switchboard.InvalidField(location, "must be a text: the metadata are texts")
	}
	switch c.scope {
	case scopeText:
		return text, nil
	case scopeType:
		return strings.ToLower(text), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, switchboard.InvalidField(location, "must be a time in RFC 3339, as 2026-03-01T12:00:00Z")
	}
	return at, nil
}

// exact replaces the numbers in a JSON value with decimals.
func exact(v any, location string) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		d := switchboard.ParseDecimal(v)
		if e := d.Exponent(); e > maxExponent || e < -maxExponent {
			return nil, switchboard.InvalidField(location, "holds a number beyond 10 to the ±%d", maxExponent)
		}
		return d, nil
	case []any:
		for i := range v {
			if v[i], err = exact(v[i], location); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if v[name], err = exact(v[name], location); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
