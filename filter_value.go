package switchboard

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// An event's values are those of encoding/json with json.Number, and time.Time. In
// a filter, decimal stands for json.Number, so that it is read once.

// equal compares a value that was found with one that a filter wants.
func equal(found, wanted any) bool {
	switch w := wanted.(type) {
	case nil:
		return found == nil
	case bool:
		b, ok := found.(bool)
		return ok && b == w
	case []any:
		list, ok := found.([]any)
		return ok && slices.EqualFunc(list, w, equal)
	case map[string]any:
		return equalObject(found, w)
	}
	order, ok := compare(found, wanted)
	return ok && order == 0
}

func equalObject(found any, wanted map[string]any) bool {
	object, ok := found.(map[string]any)
	if !ok || len(object) != len(wanted) {
		return false
	}
	for name, w := range wanted {
		if v, ok := object[name]; !ok || !equal(v, w) {
			return false
		}
	}
	return true
}

// compare orders a value that was found against a number, text or time that a
// filter wants; ok is false if they have no order.
func compare(found, wanted any) (order int, ok bool) {
	switch w := wanted.(type) {
	case decimal:
		if n, ok := found.(json.Number); ok {
			return newDecimal(n).compare(w), true
		}
	case string:
		if s, ok := found.(string); ok {
			return strings.Compare(s, w), true
		}
	case time.Time:
		if t, ok := found.(time.Time); ok {
			return t.Compare(w), true
		}
	}
	return 0, false
}

// scalar returns what stands for a value among the keys of a map, the same for
// all spellings of a number or time; ok is false if it is a list, an object or absent.
func scalar(v any) (key any, ok bool) {
	switch v := v.(type) {
	case nil, bool, string, decimal:
		return v, true
	case json.Number:
		return newDecimal(v), true
	case time.Time:
		return v.Round(0).UTC(), true
	}
	return nil, false
}

// text returns a text, or the text of a time.
func text(v any) (s string, ok bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), true
	}
	return "", false
}
