package liquid

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var errRange = errors.New("holds a range, which templates do not know")

// expression parses the inside of a placeholder, or what follows a tag's name.
type expression struct {
	source  string
	at      int
	paths   []Path
	filters []string // their names, once for each use
}

// filtered parses an operand and the filters that follow it.
func (e *expression) filtered() (value, error) {
	parsed, err := e.operand()
	if err != nil {
		return nil, err
	}
	f := filtered{input: parsed}
	for e.symbol("|") {
		c, err := e.filter()
		if err != nil {
			return nil, err
		}
		if f.calls = append(f.calls, c); c.name == defaultFilter {
			f.defaults = len(f.calls)
		}
	}
	if f.calls == nil {
		return parsed, nil
	}
	return f, nil
}

func (e *expression) filter() (call, error) {
	name := e.name()
	known, ok := filters[name]
	if !ok {
		return call{}, fmt.Errorf("uses %q, which is not a filter that templates know", name)
	}
	c := call{name: name, filter: known}
	if e.symbol(":") {
		for more := true; more; more = e.symbol(",") {
			arg, err := e.operand()
			if err != nil {
				return call{}, err
			}
			c.args = append(c.args, arg)
		}
	}
	if len(c.args) < known.least || len(c.args) > len(known.params) {
		return call{}, fmt.Errorf("gives the filter %s %d arguments; it takes %s", name, len(c.args), known.takes())
	}
	for i, arg := range c.args {
		if fixed, ok := arg.(literal); ok {
			if err := known.params[i](fixed.value); err != nil {
				return call{}, fmt.Errorf("gives the filter %s the argument %s, %w", name, quoted(fixed.value), err)
			}
		}
	}
	e.filters = append(e.filters, name)
	return c, nil
}

// condition parses comparisons joined by "and" or by "or". Implementations of Liquid differ in the
// meaning of the two together, so parentheses are required there.
func (e *expression) condition(depth int) (value, error) {
	first, err := e.comparison(depth)
	if err != nil {
		return nil, err
	}
	joined := logical{terms: []value{first}}
	for {
		isAnd := e.word("and")
		if !isAnd && !e.word("or") {
			break
		}
		if len(joined.terms) > 1 && joined.all != isAnd {
			return nil, errors.New(`mixes "and" with "or": put parentheses around the one that comes first`)
		}
		joined.all = isAnd
		term, err := e.comparison(depth)
		if err != nil {
			return nil, err
		}
		joined.terms = append(joined.terms, term)
	}
	if len(joined.terms) == 1 {
		return first, nil
	}
	return joined, nil
}

func (e *expression) comparison(depth int) (value, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("nests parentheses deeper than %d levels", maxNesting)
	}
	if e.symbol("(") {
		inner, err := e.condition(depth + 1)
		if err != nil {
			return nil, err
		}
		if !e.symbol(")") {
			return nil, e.unexpected()
		}
		return inner, nil
	}
	left, err := e.operand()
	if err != nil {
		return nil, err
	}
	for _, operator := range []string{"==", "!=", "<>", "<=", ">=", "<", ">"} {
		if e.symbol(operator) {
			return e.compared(left, operator)
		}
	}
	if e.word("contains") {
		return e.compared(left, "contains")
	}
	return left, nil
}

func (e *expression) compared(left value, operator string) (value, error) {
	right, err := e.operand()
	return comparison{operator: operator, left: left, right: right}, err
}

// operand parses a literal or a path.
func (e *expression) operand() (value, error) {
	e.space()
	rest := e.source[e.at:]
	first, _ := utf8.DecodeRuneInString(rest)
	switch {
	case rest == "":
		return nil, errors.New("has a placeholder, condition or filter that is not complete")
	case first == '"' || first == '\'':
		length := strings.IndexByte(rest[1:], rest[0])
		if length < 0 {
			return nil, fmt.Errorf("has a string that is not closed: %s", head(rest))
		}
		e.at += length + 2
		return literal{rest[1 : 1+length]}, nil
	case first == '-' || first >= '0' && first <= '9':
		return e.number()
	case first == '[' || isNameRune(first) && first != '-':
		return e.path()
	case first == '(' && strings.Contains(rest, ".."):
		return nil, errRange
	}
	return nil, e.unexpected()
}

func (e *expression) number() (value, error) {
	start := e.at
	digits := func() (n int) {
		for ; e.at < len(e.source) && e.source[e.at] >= '0' && e.source[e.at] <= '9'; e.at++ {
			n++
		}
		return n
	}
	if e.source[e.at] == '-' {
		e.at++
	}
	if digits() == 0 {
		return nil, e.unexpected()
	}
	if rest := e.source[e.at:]; strings.HasPrefix(rest, ".") && !strings.HasPrefix(rest, "..") {
		e.at++
		if digits() == 0 {
			return nil, e.unexpected()
		}
	}
	return literal{json.Number(e.source[start:e.at])}, nil
}

// path parses a name and the keys below it: .name, .15, ["name"] or [15]. The first name may
// be in brackets too.
func (e *expression) path() (value, error) {
	start := e.at
	p := Path{}
	if e.symbol("[") {
		key, err := e.bracketed(start)
		if err != nil {
			return nil, err
		}
		p.Keys = []string{key}
	} else {
		p.Keys = []string{e.name()}
	}
	end := e.at
	for {
		var key string
		var err error
		switch {
		case e.symbol(".."):
			return nil, errRange
		case e.symbol("."):
			if key = e.name(); key == "" {
				return nil, e.unexpected()
			}
		case e.symbol("["):
			if key, err = e.bracketed(start); err != nil {
				return nil, err
			}
		default:
			p.Text = e.source[start:end]
			if known, ok := constant(p.Text); ok {
				return literal{known}, nil
			}
			e.paths = append(e.paths, p)
			return read{p}, nil
		}
		if p.Keys = append(p.Keys, key); len(p.Keys) > maxNesting {
			return nil, fmt.Errorf("has a name of more than %d parts", maxNesting)
		}
		end = e.at
	}
}

// bracketed parses a key in brackets of the path that starts there.
func (e *expression) bracketed(start int) (string, error) {
	index, err := e.operand()
	if err != nil {
		return "", err
	}
	fixed, ok := index.(literal)
	if !ok || !e.symbol("]") {
		return "", fmt.Errorf("has brackets that hold something else than a string or a number: %s", head(e.source[start:]))
	}
	return textOf(fixed.value), nil
}

// special is a literal that is a test instead of a value.
type special string

const (
	blank special = "blank" // nil, false, or only white space
	empty special = "empty" // "", [] or {}
)

func constant(name string) (value any, ok bool) {
	switch name {
	case "true":
		return true, true
	case "false":
		return false, true
	case "nil", "null":
		return nil, true
	case "blank":
		return blank, true
	case "empty":
		return empty, true
	}
	return nil, false
}

// name reads the letters, digits, _ and - that come next, if any.
func (e *expression) name() string {
	e.space()
	length := nameEnd(e.source[e.at:])
	e.at += length
	return e.source[e.at-length : e.at]
}

// word reads that word if it comes next.
func (e *expression) word(word string) bool {
	e.space()
	if rest := e.source[e.at:]; rest[:nameEnd(rest)] != word {
		return false
	}
	e.at += len(word)
	return true
}

// symbol reads that sign if it comes next.
func (e *expression) symbol(symbol string) bool {
	before := e.at
	e.space()
	if strings.HasPrefix(e.source[e.at:], symbol) {
		e.at += len(symbol)
		return true
	}
	e.at = before
	return false
}

func (e *expression) space() {
	for e.at < len(e.source) && strings.IndexByte(" \t\r\n", e.source[e.at]) >= 0 {
		e.at++
	}
}

// end returns an error unless everything has been parsed.
func (e *expression) end() error {
	if e.space(); e.at < len(e.source) {
		return e.unexpected()
	}
	return nil
}

func (e *expression) unexpected() error {
	if e.symbol("..") {
		return errRange
	}
	if e.space(); e.at >= len(e.source) {
		return fmt.Errorf("cannot be understood: %q is not complete", head(e.source))
	}
	return fmt.Errorf("cannot be understood from %q on", head(e.source[e.at:]))
}
