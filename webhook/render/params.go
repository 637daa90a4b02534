package render

import (
	"maps"
	"slices"
	"strconv"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// params renders the params leaf by leaf: every string in them is a template, and
// what it renders stays in its place, whatever it holds. Names are literal.
func (p *rendering) params() (any, error) {
	return eachLeaf(p.request.Params, func(field, source string) (any, error) {
		return p.value(field, source)
	})
}

// eachLeaf returns the params with every string in them replaced by what f makes of
// it; field is its path, as "request.params.address.street".
func eachLeaf(params []byte, f func(field, source string) (any, error)) (any, error) {
	const field = "request.params"
	decoded, err := document.Decode(params)
	if err != nil {
		return nil, at(field, err)
	}
	w := &leaves{each: f}
	return w.walk(field, decoded, 0)
}

// maxName bounds a name in the params, in bytes: fields of errors are made of them.
const maxName = 200

type leaves struct {
	each func(field, source string) (any, error)
	seen int
}

func (w *leaves) walk(field string, value any, depth int) (any, error) {
	if depth > maxLeafNesting {
		return nil, switchboard.InvalidField("request.params", "is nested deeper than %d levels", maxLeafNesting)
	}
	switch value := value.(type) {
	case string:
		if w.seen++; w.seen > maxLeaves {
			return nil, switchboard.InvalidField("request.params", "holds more than %d strings", maxLeaves)
		}
		return w.each(field, value)
	case []any:
		rendered := make([]any, len(value))
		for i, item := range value {
			var err error
			if rendered[i], err = w.walk(field+"."+strconv.Itoa(i), item, depth+1); err != nil {
				return nil, err
			}
		}
		return rendered, nil
	case *document.Object:
		rendered := &document.Object{}
		for _, name := range value.Names() {
			if len(name) > maxName {
				return nil, switchboard.InvalidField(field, "has a name longer than %d bytes", maxName)
			}
			member, _ := value.Get(name)
			result, err := w.walk(field+"."+name, member, depth+1)
			if err != nil {
				return nil, err
			}
			rendered.Set(name, result)
		}
		return rendered, nil
	}
	return value, nil
}

// value renders a template that keeps the type of a placeholder that stands alone.
func (p *rendering) value(field, source string) (any, error) {
	if !switchboard.HoldsTemplate(source) {
		return source, nil
	}
	template, err := p.renderer.parse(source)
	if err != nil {
		return nil, at(field, err)
	}
	value, err := template.Value(p.run())
	return value, at(field, err)
}

// text renders a template as text; escape is applied to what its placeholders render.
func (p *rendering) text(field, source string, escape func(string) string) (string, error) {
	if !switchboard.HoldsTemplate(source) {
		return source, nil
	}
	template, err := p.renderer.parse(source)
	if err != nil {
		return "", at(field, err)
	}
	run := p.run()
	run.Escape = escape
	text, err := template.Render(run)
	return text, at(field, err)
}

// parameter is a further element of a SOAP message.
type parameter struct{ name, text string }

// soapParameters renders the parameters of the SOAP message, in the order of their names.
func (p *rendering) soapParameters() ([]parameter, error) {
	if p.request.SOAP == nil {
		return nil, nil
	}
	templates := p.request.SOAP.Parameters
	var rendered []parameter
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		text, err := p.text("request.soap.parameters."+name, templates[name], nil)
		if err != nil {
			return nil, err
		}
		rendered = append(rendered, parameter{name, text})
	}
	return rendered, nil
}
