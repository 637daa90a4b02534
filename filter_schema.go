package switchboard

import (
	"maps"
	"slices"
	"strings"
)

// schemaPart is a part of the JSON Schema of an event type, whose catalogue has seen to
// it that it refers to parts of its own only, and to none that holds it.
type schemaPart struct {
	root, node any
	event      bool // it stands for the whole event, whose data the schema describes
}

// schema returns the part as an object; nil: it lets everything stand there, or nothing.
func (s schemaPart) schema() map[string]any {
	object, _ := s.node.(map[string]any)
	return object
}

// alternatives are the parts that a value may have to fit: itself, what it refers to, and
// the elements of a list, which filters look into.
func (s schemaPart) alternatives() []schemaPart {
	all := []schemaPart{s}
	var inner []any
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := s.schema()[keyword].([]any)
		inner = append(inner, list...)
	}
	for _, keyword := range []string{"if", "then", "else", "items"} {
		inner = append(inner, s.schema()[keyword])
	}
	if ref, ok := s.schema()["$ref"].(string); ok {
		inner = append(inner, s.follow(ref))
	}
	for _, node := range inner {
		if node != nil {
			all = append(all, s.part(node).alternatives()...)
		}
	}
	return all
}

// part is another part of the same document.
func (s schemaPart) part(node any) schemaPart { return schemaPart{root: s.root, node: node} }

// follow returns what a reference such as #/$defs/Child leads to; nil: it is unknown here.
func (s schemaPart) follow(ref string) any {
	node := s.root
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	for name := range strings.SplitSeq(pointer, "/") {
		object, _ := node.(map[string]any)
		node = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return node
}

// member returns what the schema says of the member of that name, and the names that it
// knows. open: every name may stand there.
func (s schemaPart) member(name string) (parts []schemaPart, known []string, open bool) {
	if s.event {
		if name == "data" {
			parts = append(parts, s.part(s.root))
		}
		return parts, nil, false
	}
	described := false
	for _, a := range s.alternatives() {
		properties, _ := a.schema()["properties"].(map[string]any)
		described = described || properties != nil
		if node, ok := properties[name]; ok {
			parts = append(parts, s.part(node))
		}
		known = slices.AppendSeq(known, maps.Keys(properties))
		_, patterns := a.schema()["patternProperties"]
		further, given := a.schema()["additionalProperties"]
		open = open || patterns || given && further != false
	}
	kinds := map[string]bool{}
	return parts, known, open || !described && (!s.kinds(kinds) || kinds["an object"])
}

// kinds adds the kinds that a value may have, and those of a list's elements; false: it
// may be anything, as far as the schema says.
func (s schemaPart) kinds(to map[string]bool) bool {
	if s.schema() == nil {
		return false
	}
	types, _ := s.schema()["type"].([]any)
	if one, ok := s.schema()["type"].(string); ok {
		types = []any{one}
	}
	for _, t := range types {
		switch t {
		case "string":
			to[kind("")] = true
		case "integer", "number":
			to[kind(decimal{})] = true
		case "boolean":
			to[kind(false)] = true
		case "object":
			to[kind(map[string]any{})] = true
		case "array":
			to[kind([]any{})] = true
			if !s.part(s.schema()["items"]).kinds(to) {
				return false
			}
		}
	}
	if len(types) > 0 {
		return true
	}
	if ref, ok := s.schema()["$ref"].(string); ok {
		return s.part(s.follow(ref)).kinds(to)
	}
	both := []any{s.schema()["then"], s.schema()["else"]}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if list, _ := s.schema()[keyword].([]any); len(list) > 0 {
			both = list
		}
	}
	for _, node := range both {
		if !s.part(node).kinds(to) {
			return false
		}
	}
	return true
}
