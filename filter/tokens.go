package filter

import (
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
)

// next reads a token and counts the depth.
func (p *parser) next(location string) (json.Token, error) {
	token, err := p.tokens.Token()
	if err != nil {
		return nil, switchboard.InvalidField(location, "is not JSON")
	}
	switch token {
	case json.Delim('{'), json.Delim('['):
		if p.depth++; p.depth > maxDepth {
			return nil, switchboard.InvalidField(field, "is nested more than %d levels deep", maxDepth)
		}
	case json.Delim('}'), json.Delim(']'):
		p.depth--
	}
	return token, nil
}

// end reads the bracket that closes an object or a list.
func (p *parser) end(location string) error {
	_, err := p.next(location)
	return err
}

// name reads the name of an object's next member.
func (p *parser) name(location string, seen map[string]bool) (string, error) {
	token, err := p.next(location)
	if err != nil {
		return "", err
	}
	name, _ := token.(string)
	if seen[name] {
		return "", switchboard.InvalidField(location+"."+name, "is given twice")
	}
	seen[name] = true
	return name, nil
}

// rest reads the remainder of the value whose first token has been read.
func (p *parser) rest(first json.Token, location string) (any, error) {
	switch first {
	case json.Delim('['):
		list := []any{}
		for p.tokens.More() {
			v, err := p.value(location)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, p.end(location)
	case json.Delim('{'):
		object := map[string]any{}
		seen := map[string]bool{}
		for p.tokens.More() {
			name, err := p.name(location, seen)
			if err != nil {
				return nil, err
			}
			if object[name], err = p.value(location); err != nil {
				return nil, err
			}
		}
		return object, p.end(location)
	}
	return first, nil
}

func (p *parser) value(location string) (any, error) {
	first, err := p.next(location)
	if err != nil {
		return nil, err
	}
	return p.rest(first, location)
}
