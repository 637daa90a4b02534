package webhook

import (
	"bytes"
	"encoding/xml"
	"fmt"

	"switchboard"
	"switchboard/webhook/document"
)

// The names of elements that the document does not name.
const (
	defaultRoot = "request"
	itemName    = "item"
)

// The namespaces of SOAP's envelopes.
const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"
)

// writeXML writes a document as XML, inside a SOAP envelope if there is one. A member
// of an object is an element of its name, or an attribute if the style says so; an
// array repeats its element, an array in an array has elements item; null is empty.
//
// A name that is none in XML is an error. A character that XML cannot hold, as NUL,
// becomes U+FFFD, as it also does where text is not UTF-8: a message is not worth
// losing for it, and nothing else of the value changes.
func writeXML(value any, style *switchboard.XMLStyle, soap *switchboard.SOAP, parameters []parameter) ([]byte, error) {
	if style == nil {
		style = &switchboard.XMLStyle{}
	}
	w := &xmlWriter{attributes: style.Attributes, elements: set(style.Elements), json: set(style.JSON)}
	root, value := rootOf(value, style.Root)
	w.out.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	namespace, end := "", ""
	if soap != nil {
		envelope := soap11
		if soap.Version == switchboard.SOAP12 {
			envelope = soap12
		}
		w.out.WriteString(`<soap:Envelope xmlns:soap="` + envelope + `"><soap:Body>`)
		namespace, end = soap.Namespace, `</soap:Body></soap:Envelope>`
	}
	if err := w.element("", root, value, namespace, parameters); err != nil {
		return nil, err
	}
	w.out.WriteString(end)
	return w.out.Bytes(), nil
}

func set(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}

// rootOf is the outermost element: of that name if there is one, else the document's
// only member, else a default.
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
	attributes     bool
	elements, json map[string]bool // names, or "parent.name"
}

// element writes one element. The message of a SOAP envelope has a namespace and
// parameters; others have none.
func (w *xmlWriter) element(parent, name string, value any, namespace string, parameters []parameter) error {
	if !switchboard.IsXMLName(name) {
		return fmt.Errorf("has the name %.50q, which cannot be that of an XML element or attribute", name)
	}
	w.out.WriteString("<" + name)
	if namespace != "" {
		w.attribute("xmlns", namespace)
	}
	object, isObject := value.(*document.Object)
	asJSON := isContainer(value) && w.is(w.json, parent, name)
	if isObject && !asJSON {
		if err := w.attributesOf(name, object); err != nil {
			return err
		}
	}
	before := w.out.Len()
	w.out.WriteByte('>')
	if err := w.content(name, value, asJSON); err != nil {
		return err
	}
	for _, p := range parameters {
		if err := w.element(name, p.name, p.text, "", nil); err != nil {
			return err
		}
	}
	if w.out.Len() == before+1 {
		w.out.Truncate(before)
		w.out.WriteString("/>")
	} else {
		w.out.WriteString("</" + name + ">")
	}
	if w.out.Len() > maxEncoded {
		return errEncoded
	}
	return nil
}

// content writes what stands inside an element.
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
			if err := w.element(name, itemName, item, "", nil); err != nil {
				return err
			}
		}
		return nil
	}
	w.text([]byte(scalar(value)))
	return nil
}

// member writes the element of an object's member; an array is as many elements as it
// has items.
func (w *xmlWriter) member(parent, name string, value any) error {
	array, ok := value.([]any)
	if !ok || w.is(w.json, parent, name) {
		return w.element(parent, name, value, "", nil)
	}
	for _, item := range array {
		if err := w.element(parent, name, item, "", nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *xmlWriter) attributesOf(name string, object *document.Object) error {
	for _, key := range object.Names() {
		member, _ := object.Get(key)
		if !w.isAttribute(name, key, member) {
			continue
		}
		if !switchboard.IsXMLName(key) {
			return fmt.Errorf("has the name %.50q, which cannot be that of an XML element or attribute", key)
		}
		w.attribute(key, scalar(member))
	}
	return nil
}

func (w *xmlWriter) isAttribute(parent, name string, value any) bool {
	return w.attributes && !isContainer(value) && !w.is(w.elements, parent, name)
}

func (w *xmlWriter) is(names map[string]bool, parent, name string) bool {
	return names[name] || names[parent+"."+name]
}

func (w *xmlWriter) attribute(name, value string) {
	w.out.WriteString(" " + name + `="`)
	w.text([]byte(value))
	w.out.WriteByte('"')
}

// text writes text so that it can be nothing else.
func (w *xmlWriter) text(s []byte) {
	_ = xml.EscapeText(&w.out, s) // into memory: it cannot fail
}
