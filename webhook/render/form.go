package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

var errForm = errors.New("must be an object to be written as a form or query: its members are the fields")

// form writes an object as a form, which is also how a query is written: a=1&b[c]=2.
// A member of an object is a[b]; an array of plain values repeats a[], any other
// numbers its items, a[0][b]. An empty object or array has no fields, and null is empty.
func form(value any, limit int) ([]byte, error) {
	object, ok := value.(*document.Object)
	if !ok {
		return nil, errForm
	}
	w := &formWriter{limit: limit}
	for _, name := range object.Names() {
		member, _ := object.Get(name)
		if err := w.field(name, member); err != nil {
			return nil, err
		}
	}
	return w.out, nil
}

type formWriter struct {
	out    []byte
	unseen int // bytes of the names that were made for items which write nothing
	limit  int
}

func (w *formWriter) field(name string, value any) error {
	switch value := value.(type) {
	case *document.Object:
		if value.Len() == 0 {
			return w.nothing(name)
		}
		for _, key := range value.Names() {
			member, _ := value.Get(key)
			if err := w.field(name+"["+key+"]", member); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if len(value) == 0 {
			return w.nothing(name)
		}
		flat := isFlat(value)
		for i, item := range value {
			index := ""
			if !flat {
				index = strconv.Itoa(i)
			}
			if err := w.field(name+"["+index+"]", item); err != nil {
				return err
			}
		}
		return nil
	}
	if len(w.out) > 0 {
		w.out = append(w.out, '&')
	}
	w.out = append(w.out, url.QueryEscape(name)...)
	w.out = append(w.out, '=')
	w.out = append(w.out, url.QueryEscape(scalar(value))...)
	return w.bounded()
}

// nothing is the field of an empty object or array. It counts by its name all the same:
// many of them under a long one are as much work as what is written, and never met the
// limit.
func (w *formWriter) nothing(name string) error {
	w.unseen += len(name)
	return w.bounded()
}

func (w *formWriter) bounded() error {
	if len(w.out)+w.unseen > w.limit {
		return fmt.Errorf("is longer than %d KiB once it is written", w.limit>>10)
	}
	return nil
}

// isFlat reports whether an array holds plain values only.
func isFlat(array []any) bool {
	for _, item := range array {
		if isContainer(item) {
			return false
		}
	}
	return true
}

func isContainer(value any) bool {
	switch value.(type) {
	case []any, *document.Object:
		return true
	}
	return false
}

// scalar is a plain value as text; null is the empty one.
func scalar(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case json.Number:
		return string(value)
	case bool:
		return strconv.FormatBool(value)
	}
	return ""
}
