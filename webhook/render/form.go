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

// form writes an object as a form or a query: a=1&b[c]=2. A member of an object is a[b]. An array
// of scalars repeats a[]; any other array numbers its items, a[0][b]. An empty object or array has
// no fields, and null is empty.
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
	out     []byte
	skipped int // bytes of the names of empty objects and arrays, which write nothing
	limit   int // of out and skipped together
}

func (w *formWriter) field(name string, value any) error {
	switch value := value.(type) {
	case *document.Object:
		if value.Len() == 0 {
			return w.skip(name)
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
			return w.skip(name)
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
	return w.checkLimit()
}

// skip counts the name of an empty object or array. Many of them under a long name take as much
// work as output, but would never reach the limit without this.
func (w *formWriter) skip(name string) error {
	w.skipped += len(name)
	return w.checkLimit()
}

func (w *formWriter) checkLimit() error {
	if len(w.out)+w.skipped > w.limit {
		return fmt.Errorf("is longer than %d KiB once it is written", w.limit>>10)
	}
	return nil
}

// isFlat reports whether an array only holds scalars.
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

// scalar returns a scalar as text; null is empty.
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
