package rest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Prose holds the texts of the OpenAPI document.
type Prose struct {
	Overview   string
	Tags       []Tag                // groups of operations, in the document's order
	Operations map[string]Operation // by operation id
}

// Tag is a group of operations.
type Tag struct{ Name, Description string }

// Operation is the text about an operation.
type Operation struct {
	Tag, Summary, Description string
	Example                   json.RawMessage // of the body; nil: none
}

// ParseProse reads Markdown. The text before the first heading is the overview; "# Name" begins a
// tag, and "## operation-id: Summary" an operation of that tag. The first JSON block below an
// operation is the example of its body.
func ParseProse(markdown string) (Prose, error) {
	p := Prose{Operations: map[string]Operation{}}
	first, sections, _ := strings.Cut("\n"+markdown, "\n# ")
	p.Overview = strings.TrimSpace(first)
	for section := range strings.SplitSeq(sections, "\n# ") {
		parts := strings.Split(section, "\n## ")
		name, description, _ := strings.Cut(parts[0], "\n")
		tag := Tag{strings.TrimSpace(name), strings.TrimSpace(description)}
		p.Tags = append(p.Tags, tag)
		for _, part := range parts[1:] {
			heading, text, _ := strings.Cut(part, "\n")
			id, summary, named := strings.Cut(heading, ": ")
			if _, twice := p.Operations[id]; twice || !named {
				return p, fmt.Errorf("prose: %q is no heading of an operation, or its second one", heading)
			}
			op := Operation{Tag: tag.Name, Summary: summary}
			text, example, _ := strings.Cut(text, "\n```json\n")
			op.Description = strings.TrimSpace(text)
			if example != "" {
				example, _, _ = strings.Cut(example, "\n```")
				if !json.Valid([]byte(example)) {
					return p, fmt.Errorf("prose: the example of %s is not JSON", id)
				}
				op.Example = json.RawMessage(example)
			}
			p.Operations[id] = op
		}
	}
	return p, nil
}
