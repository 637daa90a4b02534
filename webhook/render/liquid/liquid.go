// Package liquid renders the small part of the Liquid language that a webhook's
// templates need: placeholders with filters, and the conditions if, unless and case.
//
//	Dear {{ contact.first_name | default: "customer" }}
//	{% if ticket.priority > 3 %}urgent{% else %}{{ ticket.priority }}{% endif %}
//
// We have our own evaluator because no maintained one has limits. The nearest,
// osteele/liquid, has no limit of steps, memory or time, stops the process on a number that
// is too long, cannot distinguish null from missing, does not say which names a template
// reads, and rejects contact.czCol.15. The tests compare the two for every expression
// that both know.
//
// Everything here is limited, for every template and all data: the template's length and
// nesting when it is parsed, every value that a filter makes, and, by a [Budget], the work
// and output of all templates of one request.
package liquid

import (
	"errors"
	"slices"
)

// Limits of one template.
const (
	MaxTemplate = 8 << 10  // its length in bytes
	MaxValue    = 64 << 10 // of a value that a filter accepts or makes, in bytes of its text
	maxNesting  = 16       // of tags, parentheses, and names in a path
)

// Budget is what the templates of one request may still use. They share it.
type Budget struct {
	Work   int // about the number of bytes that are read; every step counts at least one
	Output int // in bytes
}

// NewBudget returns the budget of one request. Using it up takes tens of milliseconds.
func NewBudget() *Budget { return &Budget{Work: 4 << 20, Output: 256 << 10} }

// The errors of an exhausted budget.
var (
	ErrWork   = errors.New("the templates ask for too much work")
	ErrOutput = errors.New("the templates render more than 256 KiB")
)

func (b *Budget) spend(work int) error {
	if b.Work -= work + 1; b.Work < 0 {
		return ErrWork
	}
	return nil
}

func (b *Budget) produce(size int) error {
	if b.Output -= size; b.Output < 0 {
		return ErrOutput
	}
	return b.spend(size)
}

// Path is a placeholder's name, as contact.czCol.15.
type Path struct {
	Text string   // as written
	Keys []string // "contact", "czCol", "15"
}

// Scope looks up the values of placeholders. The values are those of package document.
type Scope interface {
	// Lookup returns the value at the path; found is false if there is none. An error means that
	// the path may not be read at all.
	Lookup(path Path) (value any, found bool, err error)
}

// MissingError is the error of a placeholder that has no value.
type MissingError struct{ Path Path }

func (e *MissingError) Error() string {
	return "the event has no value for {{ " + e.Path.Text + " }}"
}

// Template is a parsed template. It is immutable.
type Template struct {
	nodes   []node
	paths   []Path
	filters []string
}

// Paths returns all placeholders that the template reads, once for each occurrence.
func (t *Template) Paths() []Path { return t.paths }

// Uses reports whether the template uses the filter of that name anywhere.
func (t *Template) Uses(filter string) bool { return slices.Contains(t.filters, filter) }

// Single returns the placeholder if the whole template is one placeholder without a filter.
func (t *Template) Single() (Path, bool) {
	if len(t.nodes) != 1 {
		return Path{}, false
	}
	out, ok := t.nodes[0].(output)
	if !ok {
		return Path{}, false
	}
	read, ok := out.value.(read)
	return read.path, ok
}
