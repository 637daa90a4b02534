package render

import (
	"maps"
	"slices"
	"strconv"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// params renders the params leaf by leaf. Every string in them is a template, and its value never
// leaves its place, whatever it contains. Names are literal.
func (p *rendering) params() (any, error) {
	return eachLeaf(p.request.Params, func(field, source string) (any, error) {
		return p.value(field, source)
	})
}

// eachLeaf returns the params with every string replaced by f's result for it. field is the path,
// as "request.params.address.street".
func eachLeaf(params []byte, f func(field, source string) (any, error)) (any, error) {
	const field = "request.params"
	decoded, err := document.Decode(params)
	if err != nil {
		return nil, inField(field, err)
	}
	w := &leafWalker{each: f}
	return w.walk(field, decoded, 0)
}

// maxName limits a name in the params, in bytes, because errors and warnings quote it.
const maxName = 200

type leafWalker struct {
	each func(field, source string) (any, error)
	seen int
}

func (w *leafWalker) walk(field string, value any, depth int) (any, error) {
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

// value renders a template. A placeholder that stands alone keeps the type of its value.
func (p *rendering) value(field, source string) (any, error) {
	if !switchboard.HoldsTemplate(source) {
		return source, nil
	}
	template, err := p.renderer.parse(source)
	if err != nil {
		return nil, inField(field, err)
	}
	value, err := template.Value(p.run())
	return value, inField(field, err)
}

// text renders a template as text; escape is applied to the values of its placeholders.
func (p *rendering) text(field, source string, escape func(string) string) (string, error) {
	if !switchboard.HoldsTemplate(source) {
		return source, nil
	}
	template, err := p.renderer.parse(source)
	if err != nil {
		return "", inField(field, err)
	}
	run := p.run()
	run.Escape = escape
	text, err := template.Render(run)
	return text, inField(field, err)
}

// soapParameter is an element of a SOAP message next to its body.
type soapParameter struct{ name, text string }

// soapParameters renders the parameters of the SOAP message, in the order of their names.
func (p *rendering) soapParameters() ([]soapParameter, error) {
	if p.request.SOAP == nil {
		return nil, nil
	}
	templates := p.request.SOAP.Parameters
	var rendered []soapParameter
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		text, err := p.text("request.soap.parameters."+name, templates[name], nil)
		if err != nil {
			return nil, err
		}
		rendered = append(rendered, soapParameter{name, text})
	}
	return rendered, nil
}
