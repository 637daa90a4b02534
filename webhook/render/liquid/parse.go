package liquid

import (
	"fmt"
	"strings"
)

// Parse parses a template. Its errors are written for the template's author.
func Parse(source string) (*Template, error) {
	if len(source) > MaxTemplate {
		return nil, fmt.Errorf("is a template of more than %d bytes", MaxTemplate)
	}
	pieces, err := split(source)
	if err != nil {
		return nil, err
	}
	p := &parser{pieces: pieces}
	nodes, end, err := p.sequence(0)
	switch {
	case err != nil:
		return nil, err
	case end.name != "":
		return nil, fmt.Errorf("{%% %s %%} stands alone", end.name)
	}
	return &Template{nodes: nodes, paths: p.paths, filters: p.filters}, nil
}

// parser goes through the pieces of a template.
type parser struct {
	pieces  []piece
	paths   []Path
	filters []string
}

// command is a tag: its name and its arguments.
type command struct{ name, rest string }

// sequence parses up to the end of the template, or up to a tag of the enclosing command, and
// returns that tag.
func (p *parser) sequence(depth int) (nodes []node, end command, err error) {
	if depth > maxNesting {
		return nil, command{}, fmt.Errorf("nests tags deeper than %d levels", maxNesting)
	}
	for len(p.pieces) > 0 {
		next := p.pieces[0]
		p.pieces = p.pieces[1:]
		var parsed node
		switch next.kind {
		case plain:
			parsed = text(next.text)
		case placeholder:
			parsed, err = p.placeholder(next.text)
		case tag:
			length := nameEnd(next.text)
			c := command{next.text[:length], next.text[length:]}
			switch c.name {
			case "if", "unless":
				parsed, err = p.conditional(c, depth)
			case "case":
				parsed, err = p.choice(c, depth)
			case "elsif", "else", "when", "endif", "endunless", "endcase":
				return nodes, c, nil
			default:
				return nil, command{}, fmt.Errorf("may not hold the tag %q: templates know if, unless and case", head(next.text))
			}
		}
		if err != nil {
			return nil, command{}, err
		}
		nodes = append(nodes, parsed)
	}
	return nodes, command{}, nil
}

func (p *parser) placeholder(source string) (node, error) {
	e := &expression{source: source}
	value, err := e.filtered()
	if err == nil {
		err = e.end()
	}
	p.paths = append(p.paths, e.paths...)
	p.filters = append(p.filters, e.filters...)
	return output{value}, err
}

// conditional parses everything after {% if … %} up to {% endif %}, and the same for unless.
func (p *parser) conditional(open command, depth int) (node, error) {
	parsed := conditional{}
	for at := open; ; {
		condition, err := p.condition(at)
		if err != nil {
			return nil, err
		}
		if at == open && open.name == "unless" {
			condition = not{condition}
		}
		body, end, err := p.sequence(depth + 1)
		if err != nil {
			return nil, err
		}
		parsed.branches = append(parsed.branches, branch{condition, body})
		switch {
		case end.name == "end"+open.name:
			return parsed, nil
		case at.name == "else" || end.name != "elsif" && end.name != "else":
			return nil, notClosed(open, end)
		}
		at = end
	}
}

// condition parses the arguments of if, unless or elsif. else has no condition and always holds.
func (p *parser) condition(c command) (value, error) {
	e := &expression{source: c.rest}
	if c.name == "else" {
		return literal{true}, e.end()
	}
	parsed, err := e.condition(0)
	if err == nil {
		err = e.end()
	}
	p.paths = append(p.paths, e.paths...)
	return parsed, err
}

// choice parses everything after {% case … %} up to {% endcase %}.
func (p *parser) choice(open command, depth int) (node, error) {
	subject, err := p.operands(open)
	if err != nil {
		return nil, err
	}
	before, at, err := p.sequence(depth + 1)
	if err != nil {
		return nil, err
	}
	for _, n := range before {
		if s, ok := n.(text); !ok || strings.TrimSpace(string(s)) != "" {
			return nil, fmt.Errorf("holds something between {%% case %%} and its first {%% when %%}")
		}
	}
	parsed := choice{subject: subject[0]}
	for at.name != "endcase" {
		var of []value
		switch at.name {
		case "when":
			of, err = p.operands(at)
		case "else":
			err = (&expression{source: at.rest}).end()
		default:
			err = notClosed(open, at)
		}
		if err != nil {
			return nil, err
		}
		body, end, err := p.sequence(depth + 1)
		if err != nil {
			return nil, err
		}
		parsed.options = append(parsed.options, option{of: of, body: body})
		if at.name == "else" && end.name != "endcase" {
			return nil, notClosed(open, end)
		}
		at = end
	}
	return parsed, nil
}

// operands parses the values after when, separated by commas or "or". case has exactly one.
func (p *parser) operands(c command) ([]value, error) {
	e := &expression{source: c.rest}
	var all []value
	for {
		operand, err := e.operand()
		if err != nil {
			return nil, err
		}
		all = append(all, operand)
		if c.name == "case" || !e.symbol(",") && !e.word("or") {
			p.paths = append(p.paths, e.paths...)
			return all, e.end()
		}
	}
}

func notClosed(open, end command) error {
	if end.name == "" {
		return fmt.Errorf("{%% %s %%} is not closed by {%% end%s %%}", open.name, open.name)
	}
	return fmt.Errorf("{%% %s %%} may not stand there inside {%% %s %%}", end.name, open.name)
}
