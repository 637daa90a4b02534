package console

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard/client"
)

// documentOf returns the typed new subscription. Empty fields are not in it.
func documentOf(fields []formField, typed map[string]string) (client.Patch, error) {
	document := client.Patch{}
	for _, f := range fields {
		value, err := f.value(typed[f.Path])
		if err != nil {
			return nil, err
		}
		if value != nil {
			put(document, f.Path, value)
		}
	}
	return document, nil
}

// patchOf returns the change from base, the values that the form showed, to the typed values: a
// JSON merge patch of the members that differ.
func patchOf(fields []formField, base, typed map[string]string) (client.Patch, error) {
	patch := client.Patch{}
	for _, f := range fields {
		if typed[f.Path] == base[f.Path] {
			continue
		}
		now, err := f.value(typed[f.Path])
		if err != nil {
			return nil, err
		}
		before, err := f.value(base[f.Path])
		if err != nil {
			return nil, err
		}
		switch {
		case now == nil && f.Path == "auth.type": // the other members have no meaning without it
			put(patch, "auth", nil)
		case now == nil && f.Path == "rate_limit.per_second":
			put(patch, "rate_limit", nil)
		case now != nil && (f.Kind == fieldPairs || f.Kind == fieldObject):
			put(patch, f.Path, mergePatch(decoded(before), decoded(now)))
		default:
			put(patch, f.Path, now)
		}
	}
	// A timeout without adaptive is fixed. The form has both.
	if _, given := patch["adaptive"]; patch["timeout"] != nil && !given && typed["adaptive.enabled"] == "true" {
		put(patch, "adaptive.enabled", true)
	}
	return patch, nil
}

// put sets a member by its path. It sets nothing below a member that is null.
func put(into map[string]any, path string, value any) {
	name, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		into[name] = value
		return
	}
	inner, ok := into[name].(map[string]any)
	if _, null := into[name]; null && !ok {
		return
	}
	if !ok {
		inner = map[string]any{}
		into[name] = inner
	}
	put(inner, rest, value)
}

// decoded returns a value of a form as maps and slices. Numbers keep their spelling.
func decoded(value any) any {
	text, ok := value.(json.RawMessage)
	if !ok {
		return value
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	var out any
	_ = decoder.Decode(&out) // it is valid
	return out
}

// mergePatch returns the merge patch (RFC 7396) that turns one value into another.
func mergePatch(before, after any) any {
	was, ok := before.(map[string]any)
	is, both := after.(map[string]any)
	if !ok || !both {
		return after
	}
	patch := map[string]any{}
	for name := range was {
		if _, there := is[name]; !there {
			patch[name] = nil
		}
	}
	for name, value := range is {
		if old, there := was[name]; !there || !reflect.DeepEqual(old, value) {
			patch[name] = mergePatch(old, value)
		}
	}
	return patch
}

// conflictRow is a member that one or two people have changed.
type conflictRow struct {
	Path   string
	Before string // when the form was opened
	Yours  string
	Stored string // the current value
	Both   bool   // both have changed it, to different values: yours is in the form
}

// mergeForms merges what was typed into a form that showed base with what is stored now. Typed
// values stay, and untouched ones become the stored ones. The rows are the differences.
func mergeForms(fields []formField, base, typed, stored map[string]string) (merged map[string]string, rows []conflictRow) {
	merged = map[string]string{}
	for _, f := range fields {
		p := f.Path
		merged[p] = stored[p]
		mine, theirs := typed[p] != base[p], stored[p] != base[p]
		if mine {
			merged[p] = typed[p]
		}
		if !mine && !theirs {
			continue
		}
		row := conflictRow{Path: p, Before: base[p], Yours: typed[p], Stored: stored[p], Both: mine && theirs && typed[p] != stored[p]}
		if f.Kind == fieldSecret {
			row.Before, row.Yours, row.Stored = kept, "another "+kept, kept
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b conflictRow) int {
		switch {
		case a.Both == b.Both:
			return 0
		case a.Both:
			return -1
		}
		return 1
	})
	return merged, rows
}
