package liquid

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// Run is what a template is rendered with.
type Run struct {
	Scope   Scope
	Budget  *Budget
	Now     time.Time           // the meaning of the words now and today in a date
	Lenient bool                // a placeholder without a value renders as nothing
	Escape  func(string) string // applied to the output of placeholders, not to the text around them; nil: no escaping
	Notice  func(string)        // called for a value that a filter or comparison was probably not meant for; may be nil
}

// Render renders the template as text. A placeholder without a value is a *[MissingError], unless
// the run is lenient. In a condition and before the filter default it is nil.
func (t *Template) Render(run Run) (string, error) {
	r := &renderer{Run: run}
	err := r.all(t.nodes)
	return r.out.String(), err
}

// Value returns the typed value of a template that is a single placeholder. For any other template
// it returns the rendered text.
func (t *Template) Value(run Run) (any, error) {
	path, single := t.Single()
	if !single {
		return t.Render(run)
	}
	value, found, err := (&renderer{Run: run}).lookup(path)
	switch {
	case err != nil:
		return nil, err
	case !found && run.Lenient:
		return "", nil
	case !found:
		return nil, &MissingError{path}
	}
	return value, run.Budget.produce(sizeOf(value, run.Budget.Output))
}

// sizeOf returns the approximate length of the value's JSON text. It stops counting above the
// limit.
func sizeOf(value any, limit int) int {
	const frame = 4 // quotes, comma, colon
	size := frame
	switch value := value.(type) {
	case json.Number:
		size += len(value)
	case string:
		size += len(value)
	case []any:
		for i := 0; i < len(value) && size <= limit; i++ {
			size += sizeOf(value[i], limit-size)
		}
	case *document.Object:
		for i := 0; i < value.Len() && size <= limit; i++ {
			name := value.Names()[i]
			member, _ := value.Get(name)
			size += frame + len(name) + sizeOf(member, limit-size)
		}
	}
	return size
}

// renderer renders one template.
type renderer struct {
	Run
	out strings.Builder
}

// node is a part of a template.
type node interface{ render(r *renderer) error }

// value is an expression that has a value when the template is rendered.
type value interface {
	evaluate(r *renderer) (any, error)
}

type (
	text   string
	output struct{ value value }

	conditional struct{ branches []branch } // the first whose condition holds
	branch      struct {
		condition value
		body      []node
	}

	choice struct { // the first option whose values include the subject
		subject value
		options []option
	}
	option struct {
		of   []value // nil: else
		body []node
	}
)

func (r *renderer) all(nodes []node) error {
	for _, n := range nodes {
		if err := n.render(r); err != nil {
			return err
		}
	}
	return nil
}

func (t text) render(r *renderer) error {
	r.out.WriteString(string(t))
	return r.Budget.produce(len(t))
}

func (o output) render(r *renderer) error {
	v, err := o.value.evaluate(r)
	if err != nil {
		return err
	}
	// Checked before the text is made, because every placeholder may be a big object.
	if err := r.Budget.spend(sizeOf(v, r.Budget.Output)); err != nil {
		return err
	}
	s := textOf(v)
	if r.Escape != nil {
		s = r.Escape(s)
	}
	if err := r.Budget.produce(len(s)); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

func (c conditional) render(r *renderer) error {
	for _, b := range c.branches {
		v, err := r.tested(b.condition)
		if err != nil {
			return err
		}
		if holds(v) {
			return r.all(b.body)
		}
	}
	return nil
}

func (c choice) render(r *renderer) error {
	subject, err := r.tested(c.subject)
	if err != nil {
		return err
	}
	for _, o := range c.options {
		if o.of == nil {
			return r.all(o.body)
		}
		for _, candidate := range o.of {
			v, err := r.tested(candidate)
			if err != nil {
				return err
			}
			same, err := r.equal(subject, v)
			if err != nil {
				return err
			}
			if same {
				return r.all(o.body)
			}
		}
	}
	return nil
}

type (
	literal struct{ value any }
	read    struct{ path Path }

	filtered struct {
		input    value
		calls    []call
		defaults int // the number of calls up to and including the last filter default
	}
	call struct {
		name   string
		filter filter
		args   []value
	}

	logical struct { // all of the terms, or any
		all   bool
		terms []value
	}
	not        struct{ term value }
	comparison struct {
		operator    string
		left, right value
	}
)

func (l literal) evaluate(*renderer) (any, error) { return l.value, nil }

func (p read) evaluate(r *renderer) (any, error) {
	v, found, err := r.lookup(p.path)
	if err == nil && !found && !r.Lenient {
		err = &MissingError{p.path}
	}
	return v, err
}

func (r *renderer) lookup(path Path) (any, bool, error) {
	if err := r.Budget.spend(len(path.Text)); err != nil {
		return nil, false, err
	}
	return r.Scope.Lookup(path)
}

// tested evaluates an expression in which a missing value is nil and not an error.
func (r *renderer) tested(v value) (any, error) {
	if p, ok := v.(read); ok {
		v, _, err := r.lookup(p.path)
		return v, err
	}
	return v.evaluate(r)
}

func (f filtered) evaluate(r *renderer) (v any, err error) {
	if f.defaults > 0 {
		v, err = r.tested(f.input)
	} else {
		v, err = f.input.evaluate(r)
	}
	for i, c := range f.calls {
		if err != nil {
			return nil, err
		}
		if v, err = c.apply(r, v); err == nil {
			continue
		}
		if _, none := errors.AsType[*noValueError](err); none && (r.Lenient || i < f.defaults) {
			v, err = nil, nil
		}
	}
	return v, err
}

func (c call) apply(r *renderer, input any) (any, error) {
	if err := r.Budget.spend(len(c.name)); err != nil {
		return nil, err
	}
	args := make([]any, len(c.args))
	for i, arg := range c.args {
		var err error
		if c.name == defaultFilter {
			args[i], err = r.tested(arg)
		} else {
			args[i], err = arg.evaluate(r)
		}
		if err != nil {
			return nil, err
		}
	}
	v, err := c.filter.apply(&application{renderer: r, name: c.name, args: args}, input)
	if err != nil {
		return nil, fmt.Errorf("the filter %s %w", c.name, err)
	}
	return v, nil
}

func (l logical) evaluate(r *renderer) (any, error) {
	for _, term := range l.terms {
		v, err := r.tested(term)
		if err != nil || holds(v) != l.all {
			return !l.all, err
		}
	}
	return l.all, nil
}

func (n not) evaluate(r *renderer) (any, error) {
	v, err := r.tested(n.term)
	return !holds(v), err
}

// holds reports whether a value counts as true. All values do except nil and false.
func holds(v any) bool { return v != nil && v != false }

// textOf returns the value as text. For an object or array this is its JSON text.
func textOf(v any) string {
	switch v := v.(type) {
	case nil, special:
		return ""
	case string:
		return v
	case json.Number:
		return string(v)
	}
	return string(document.Append(nil, v))
}
