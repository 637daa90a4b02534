package console

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard/client"
)

// documentOf is a new subscription as it was typed. What was left empty is not in it.
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

// patchOf is what changes a subscription whose members were shown as base to what was typed: a JSON
// merge patch of the members that differ.
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
		case now == nil && f.Path == "auth.type": // the others are nothing without it
			put(patch, "auth", nil)
		case now == nil && f.Path == "rate_limit.per_second":
			put(patch, "rate_limit", nil)
		case now != nil && (f.Kind == fieldPairs || f.Kind == fieldObject):
			put(patch, f.Path, mergePatch(decoded(before), decoded(now)))
		default:
			put(patch, f.Path, now)
		}
	}
	// A timeout that is given without adaptive is fixed: here both stand in the form.
	if _, given := patch["adaptive"]; patch["timeout"] != nil && !given && typed["adaptive.enabled"] == "true" {
		put(patch, "adaptive.enabled", true)
	}
	return patch, nil
}

// put sets a member by its path. Below a member that is null there is nothing to set.
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

// decoded is a value of a form as maps and slices. Numbers stay as they were written.
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

// mergePatch is the merge patch (RFC 7396) that makes one value of another.
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

// conflictRow is a member that two people have changed, or one of them.
type conflictRow struct {
	Path   string
	Before string // as it was when the form was opened
	Yours  string
	Stored string // as it is by now
	Both   bool   // both have changed it, to different values: yours is in the form
}

// mergeForms brings together what was typed into a form that showed base, and what is stored by now:
// what was typed stays, and what was not touched becomes what is stored. The rows are what differs.
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
