package filter

import (
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

const (
	maxShown    = 200 // bytes of a value
	maxLocation = 200 // bytes of a path, or of a condition's location
)

// shortenMiddle shortens the middle of a long path or location. Each finding repeats it, and its
// ends are more informative than its middle.
func shortenMiddle(path string) string {
	if len(path) <= maxLocation {
		return path
	}
	begin, end := maxLocation/2, len(path)-maxLocation/2
	for begin > 0 && !utf8.RuneStart(path[begin]) {
		begin--
	}
	for end < len(path) && !utf8.RuneStart(path[end]) {
		end++
	}
	return path[:begin] + "…" + path[end:]
}

// encode writes a value of an event or filter as JSON for people.
func encode(v any) string {
	b, err := switchboard.EncodeJSON(v)
	if err != nil {
		return "" // an Input: its parts are explained, but never the Input itself
	}
	return string(b)
}

// show writes a value as JSON, clipped. It encodes no more than it shows: every condition shows the
// value that it found, which may be long.
func show(v any) string {
	left := maxShown + utf8.UTFMax // a character that is cut in two is not shown
	return switchboard.Clip(encode(beginning(v, &left)), maxShown)
}

// beginning returns the first part of a value, which fills that many bytes of JSON.
func beginning(v any, left *int) any {
	*left--
	switch v := v.(type) {
	case string:
		return cut(v, left)
	case json.Number:
		return json.Number(cut(string(v), left))
	case []any:
		some := []any{}
		for i := 0; i < len(v) && *left > 0; i++ {
			some = append(some, beginning(v[i], left))
		}
		return some
	case map[string]any:
		some := map[string]any{}
		for _, name := range firstNames(v, *left) { // in JSON's order
			if *left <= 0 {
				break
			}
			shown := maxShown + utf8.UTFMax // not cut to what is left: it would sort before others
			part := cut(name, &shown)
			*left -= len(part)
			some[part] = beginning(v[name], left)
		}
		return some
	}
	return v
}

// firstNames returns the n names of an object that sort first, in order. It never holds more than n
// names: a few of thousands are shown.
func firstNames(object map[string]any, n int) []string {
	var names []string
	for name := range object {
		at, _ := slices.BinarySearch(names, name)
		if at >= n {
			continue
		}
		names = slices.Insert(names[:min(len(names), n-1)], at, name)
	}
	return names
}

func cut(s string, left *int) string {
	s = s[:min(len(s), max(*left, 0))]
	*left -= len(s)
	return s
}
