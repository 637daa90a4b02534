package render

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// Names for elements that have none in the document.
const (
	defaultRoot   = "request" // the outermost element
	itemName      = "item"    // an array in an array
	messagePrefix = "n"       // of a namespace that only the outermost element has
)

// The namespaces of SOAP's envelopes.
const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"
)

// writeXML writes a document as XML, inside a SOAP envelope if there is one. A member of
// an object becomes an element with its name, or an attribute if the style says so. An
// array repeats its element; a nested array has elements named item. null is empty.
//
// Names that XML does not allow are escaped. Characters that XML cannot hold, such as NUL,
// and bytes that are not UTF-8 become U+FFFD: the alternative is to lose the message.
func writeXML(value any, request *switchboard.Request, parameters []soapParameter) ([]byte, error) {
	w := newXMLWriter(request)
	root, value := rootOf(value, w.style.Root)
	outer := &outermost{tag: w.tag(root), parameters: parameters}
	if w.style.Root != "" {
		outer.tag = root
	}
	w.out.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	end := ""
	if soap := request.SOAP; soap != nil {
		envelope := soap11
		if soap.Version == switchboard.SOAP12 {
			envelope = soap12
		}
		w.out.WriteString(`<soap:Envelope xmlns:soap="` + envelope + `"><soap:Body>`)
		outer.namespace, outer.only, end = soap.Namespace, soap.Elements == switchboard.SOAPUnqualified, `</soap:Body></soap:Envelope>`
	}
	if err := w.element("", root, value, outer); err != nil {
		return nil, err
	}
	w.out.WriteString(end)
	return w.out.Bytes(), nil
}

// checkXML returns an error if a name in the request's own params is not valid in XML. Their author
// can choose another name. The names in an event's data are given, and are escaped instead.
func checkXML(params any, request *switchboard.Request) error {
	w := newXMLWriter(request)
	w.strict = true
	root, value := rootOf(params, w.style.Root)
	return w.element("", root, value, &outermost{tag: w.tag(root)})
}

func newXMLWriter(request *switchboard.Request) *xmlWriter {
	style := request.XML
	if style == nil {
		style = &switchboard.XMLStyle{}
	}
	return &xmlWriter{
		style: style, elements: set(style.Elements), json: set(style.JSON),
		own: request.Body == switchboard.BodyParams, tags: map[string]string{},
	}
}

func set(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}

// rootOf returns the name and value of the outermost element. The name is name if given, or that of
// the document's only member, or a default.
func rootOf(value any, name string) (string, any) {
	if name != "" {
		return name, value
	}
	if object, ok := value.(*document.Object); ok && object.Len() == 1 {
		only := object.Names()[0]
		member, _ := object.Get(only)
		if _, several := member.([]any); !several {
			return only, member
		}
	}
	return defaultRoot, value
}

type xmlWriter struct {
	out            bytes.Buffer
	style          *switchboard.XMLStyle
	elements, json map[string]bool   // names, or "parent.name"
	own            bool              // the names are the subscription's own: valid XML names are not escaped
	tags           map[string]string // how names are written
	strict         bool              // a name that XML does not allow is an error
	refused        error             // the first of these errors
}

// tag returns a name as it is written in XML.
func (w *xmlWriter) tag(name string) string {
	tag, known := w.tags[name]
	if known {
		return tag
	}
	tag = name
	if !w.own || !switchboard.IsXMLName(name) {
		tag = switchboard.EscapeXMLName(name)
	}
	if w.strict && w.refused == nil && !switchboard.IsXMLName(name) {
		w.refused = fmt.Errorf("has the name %.50q, which cannot be that of an XML element or attribute", name)
	}
	w.tags[name] = tag
	return tag
}

// outermost has the properties of the outermost element only.
type outermost struct {
	tag        string
	namespace  string // empty: none
	only       bool   // the namespace is not the default of the inner elements
	parameters []soapParameter
}

// element writes one element. outer is nil for all but the outermost one.
func (w *xmlWriter) element(parent, name string, value any, outer *outermost) error {
	var tag string
	if outer != nil {
		tag = w.open(outer)
	} else {
		tag = w.tag(name)
		w.out.WriteString("<" + tag)
	}
	object, isObject := value.(*document.Object)
	asJSON := isContainer(value) && w.is(w.json, parent, name)
	if isObject && !asJSON {
		w.attributesOf(name, object)
	}
	if w.out.Len() > maxEncoded {
		return errEncoded
	}
	before := w.out.Len()
	w.out.WriteByte('>')
	if err := w.content(name, value, asJSON); err != nil {
		return err
	}
	if outer != nil {
		for _, p := range outer.parameters {
			w.out.WriteString("<" + p.name)
			begun := w.out.Len()
			w.out.WriteByte('>')
			w.text([]byte(p.text))
			w.end(p.name, begun)
		}
	}
	w.end(tag, before)
	if w.out.Len() > maxEncoded {
		return errEncoded
	}
	return w.refused
}

// end writes the end of the element whose start tag ends at begun.
func (w *xmlWriter) end(tag string, begun int) {
	if w.out.Len() == begun+1 {
		w.out.Truncate(begun)
		w.out.WriteString("/>")
		return
	}
	w.out.WriteString("</" + tag + ">")
}

// open writes the beginning of the outermost element with its namespace, and returns its tag. A
// default namespace also applies to all inner elements, a namespace with a prefix does not.
func (w *xmlWriter) open(outer *outermost) (tag string) {
	tag, declaration := outer.tag, "xmlns"
	if outer.only {
		tag, declaration = messagePrefix+":"+tag, "xmlns:"+messagePrefix
	}
	w.out.WriteString("<" + tag)
	if outer.namespace != "" {
		w.attribute(declaration, outer.namespace)
	}
	return tag
}

// content writes the content of an element.
func (w *xmlWriter) content(name string, value any, asJSON bool) error {
	if asJSON {
		w.text(document.Append(nil, value))
		return nil
	}
	switch value := value.(type) {
	case *document.Object:
		for _, key := range value.Names() {
			member, _ := value.Get(key)
			if w.isAttribute(name, key, member) {
				continue
			}
			if err := w.member(name, key, member); err != nil {
				return err
			}
		}
		return nil
	case []any:
		for _, item := range value {
			if err := w.element(name, itemName, item, nil); err != nil {
				return err
			}
		}
		return nil
	}
	w.text([]byte(scalar(value)))
	return nil
}

// member writes the element of an object's member, or one element for each item of an array.
func (w *xmlWriter) member(parent, name string, value any) error {
	array, ok := value.([]any)
	if !ok || w.is(w.json, parent, name) {
		return w.element(parent, name, value, nil)
	}
	for _, item := range array {
		if err := w.element(parent, name, item, nil); err != nil {
			return err
		}
	}
	return nil
}

// attributesOf writes the attributes of an object's element. All have different names: a name that
// equals the escaped form of another is escaped too.
func (w *xmlWriter) attributesOf(name string, object *document.Object) {
	written := map[string]bool{}
	for _, key := range object.Names() {
		member, _ := object.Get(key)
		if !w.isAttribute(name, key, member) {
			continue
		}
		tag := w.tag(key)
		for written[tag] {
			tag = switchboard.EscapeXMLName(tag)
		}
		written[tag] = true
		w.attribute(tag, scalar(member))
	}
}

func (w *xmlWriter) isAttribute(parent, name string, value any) bool {
	return w.style.Attributes && !isContainer(value) && !w.is(w.elements, parent, name)
}

func (w *xmlWriter) is(names map[string]bool, parent, name string) bool {
	return names[name] || names[parent+"."+name]
}

func (w *xmlWriter) attribute(name, value string) {
	w.out.WriteString(" " + name + `="`)
	w.text([]byte(value))
	w.out.WriteByte('"')
}

// text writes escaped text.
func (w *xmlWriter) text(s []byte) {
	_ = xml.EscapeText(&w.out, s) // writing to memory cannot fail
}
