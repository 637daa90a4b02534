package filter

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The values of an event are those of encoding/json with json.Number, and time.Time. A filter has
// switchboard.Decimal in place of json.Number, so that each number is parsed once.

// equal compares a value of the event with the operand of a filter.
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

// compare orders a value of the event against an operand that is a number, text or time. ok is
// false if their kinds differ: such values have no order.
func compare(found, wanted any) (order int, ok bool) {
	switch w := wanted.(type) {
	case switchboard.Decimal:
		if n, ok := found.(json.Number); ok {
			return switchboard.ParseDecimal(n).Compare(w), true
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

// scalar returns the map key of a value, which is the same for all spellings of a number or time.
// ok is false for a list, an object or an absent value.
func scalar(v any) (key any, ok bool) {
	switch v := v.(type) {
	case nil, bool, string, switchboard.Decimal:
		return v, true
	case json.Number:
		return switchboard.ParseDecimal(v), true
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

// kind names the kind of a value. It is empty for an absent or unknown value.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number, switchboard.Decimal:
		return "a number"
	case string, time.Time:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return ""
}

// size counts the values in a JSON value, including itself.
func size(v any) int {
	count := 1
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			count += size(element)
		}
	case map[string]any:
		for _, member := range v {
			count += size(member)
		}
	}
	return count
}
