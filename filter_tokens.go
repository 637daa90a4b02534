package switchboard

import "encoding/json"

// next reads a token, and counts how deep it stands.
func (p *filterParser) next(place string) (json.Token, error) {
	token, err := p.tokens.Token()
	if err != nil {
		return nil, InvalidField(place, "is not JSON")
	}
	switch token {
	case json.Delim('{'), json.Delim('['):
		if p.depth++; p.depth > maxDepth {
			return nil, InvalidField(filterField, "is nested more than %d levels deep", maxDepth)
		}
	case json.Delim('}'), json.Delim(']'):
		p.depth--
	}
	return token, nil
}

// end reads the bracket that closes an object or a list.
func (p *filterParser) end(place string) error {
	_, err := p.next(place)
	return err
}

// name reads the name of an object's next member.
func (p *filterParser) name(place string, seen map[string]bool) (string, error) {
	token, err := p.next(place)
	if err != nil {
		return "", err
	}
	name, _ := token.(string)
	if seen[name] {
		return "", InvalidField(place+"."+name, "is given twice")
	}
	seen[name] = true
	return name, nil
}

// rest reads the value whose first token is read.
func (p *filterParser) rest(first json.Token, place string) (any, error) {
	switch first {
	case json.Delim('['):
		list := []any{}
		for p.tokens.More() {
			v, err := p.value(place)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, p.end(place)
	case json.Delim('{'):
		object := map[string]any{}
		seen := map[string]bool{}
		for p.tokens.More() {
			name, err := p.name(place, seen)
			if err != nil {
				return nil, err
			}
			if object[name], err = p.value(place); err != nil {
				return nil, err
			}
		}
		return object, p.end(place)
	}
	return first, nil
}

func (p *filterParser) value(place string) (any, error) {
	first, err := p.next(place)
	if err != nil {
		return nil, err
	}
	return p.rest(first, place)
}
