package filter

import (
	"maps"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// schemaNode is a node of the JSON Schema of an event type. The catalogue has checked that its
// references point into the same document, and to no node that contains them.
type schemaNode struct {
	root, node any
	event      bool // it stands for the whole event; the schema describes the event's data
}

// schema returns the node as an object, or nil if it allows every value or none.
func (s schemaNode) schema() map[string]any {
	object, _ := s.node.(map[string]any)
	return object
}

// alternatives returns the nodes that may apply to a value: the node itself, the nodes that it
// references, and those of a list's elements, because filters look into lists.
func (s schemaNode) alternatives() []schemaNode {
	all := []schemaNode{s}
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
			all = append(all, s.child(node).alternatives()...)
		}
	}
	return all
}

// child returns another node of the same document.
func (s schemaNode) child(node any) schemaNode { return schemaNode{root: s.root, node: node} }

// follow returns the target of a reference such as #/$defs/Child, or nil.
func (s schemaNode) follow(ref string) any {
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

// member returns the nodes that describe the member of that name, and the names that the schema
// knows. open: every other name is also allowed.
func (s schemaNode) member(name string) (nodes []schemaNode, known []string, open bool) {
	if s.event {
		if name == "data" {
			nodes = append(nodes, s.child(s.root))
		}
		return nodes, nil, false
	}
	described := false
	for _, a := range s.alternatives() {
		properties, _ := a.schema()["properties"].(map[string]any)
		described = described || properties != nil
		if node, ok := properties[name]; ok {
			nodes = append(nodes, s.child(node))
		}
		known = slices.AppendSeq(known, maps.Keys(properties))
		_, patterns := a.schema()["patternProperties"]
		further, given := a.schema()["additionalProperties"]
		open = open || patterns || given && further != false
	}
	kinds := map[string]bool{}
	return nodes, known, open || !described && (!s.kinds(kinds) || kinds["an object"])
}

// kinds adds the kinds that a value may have, and those of a list's elements. It returns false if
// the schema allows every kind.
func (s schemaNode) kinds(to map[string]bool) bool {
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
			to[kind(switchboard.Decimal{})] = true
		case "boolean":
			to[kind(false)] = true
		case "object":
			to[kind(map[string]any{})] = true
		case "array":
			to[kind([]any{})] = true
			if !s.child(s.schema()["items"]).kinds(to) {
				return false
			}
		}
	}
	if len(types) > 0 {
		return true
	}
	if ref, ok := s.schema()["$ref"].(string); ok {
		return s.child(s.follow(ref)).kinds(to)
	}
	both := []any{s.schema()["then"], s.schema()["else"]}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		if list, _ := s.schema()[keyword].([]any); len(list) > 0 {
			both = list
		}
	}
	for _, node := range both {
		if !s.child(node).kinds(to) {
			return false
		}
	}
	return true
}
