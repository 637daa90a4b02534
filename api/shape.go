package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// shapePart describes one value in JSON that the caller may not read.
type shapePart struct {
	Path   string `json:"path" doc:"Path of the value; empty: the whole document" example:"ticket.subject"`
	Type   string `json:"type" enum:"object,array,string,number,boolean,null" doc:"Type of the value" example:"string"`
	Length *int   `json:"length,omitempty" doc:"Length of a string in characters, of an array in elements, of an object in members" example:"15"`
}

const (
	maxShapeParts = 200
	unknownName   = "…"
)

// schemaNames are the names of members that may be shown, because they occur in the catalogue.
type schemaNames map[string]bool

// namesOf returns the names in the catalogue's schemas of an event type.
func (s *server) namesOf(eventType string) schemaNames {
	names := schemaNames{}
	for _, t := range s.Catalogue.EventTypes("") {
		var schema any
		if strings.EqualFold(t.Name, eventType) && json.Unmarshal(t.Schema, &schema) == nil {
			names.add(schema)
		}
	}
	return names
}

// add adds the names of all properties, at any depth of the schema.
func (n schemaNames) add(schema any) {
	switch schema := schema.(type) {
	case []any:
		for _, part := range schema {
			n.add(part)
		}
	case map[string]any:
		if properties, ok := schema["properties"].(map[string]any); ok {
			for name := range properties {
				n[name] = true
			}
		}
		for _, part := range schema {
			n.add(part)
		}
	}
}

// shapeOf lists the values in a JSON document in their order, or returns nil if it is not JSON. It
// reads tokens, which keep the order.
func shapeOf(document []byte, names schemaNames) []shapePart {
	if !json.Valid(document) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	w := shapeWalk{decoder: decoder, names: names}
	w.value("")
	return w.parts
}

type shapeWalk struct {
	decoder *json.Decoder
	names   schemaNames
	parts   []shapePart
}

// value reads one value with the given path to its end.
func (w *shapeWalk) value(path string) {
	token, err := w.decoder.Token()
	if err != nil {
		return // the document is valid
	}
	at := len(w.parts)
	if at < maxShapeParts {
		w.parts = append(w.parts, shapePart{Path: path, Type: "null"})
	}
	length := -1
	kind := "null"
	switch token := token.(type) {
	case json.Delim:
		kind, length = w.members(path, token)
	case string:
		kind, length = "string", utf8.RuneCountInString(token)
	case json.Number:
		kind = "number"
	case bool:
		kind = "boolean"
	}
	if at >= maxShapeParts {
		return
	}
	w.parts[at].Type = kind
	if length >= 0 {
		w.parts[at].Length = &length
	}
}

// members reads and counts the members of an object or an array.
func (w *shapeWalk) members(path string, start json.Delim) (kind string, count int) {
	for kind = "array"; w.decoder.More(); count++ {
		if start == '[' {
			w.value(path + "[" + strconv.Itoa(count) + "]")
			continue
		}
		name, _ := w.decoder.Token()
		text, _ := name.(string)
		if !w.names[text] {
			text = unknownName
		}
		w.value(strings.TrimPrefix(path+"."+text, "."))
	}
	_, _ = w.decoder.Token() // the end
	if start == '{' {
		kind = "object"
	}
	return kind, count
}
