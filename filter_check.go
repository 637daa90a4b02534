package switchboard

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Bounds of checking a filter while somebody waits for it to be saved.
const (
	maxCheckedSamples = 200
	maxCheckedBytes   = 4 << 20 // of the samples together
	maxCheckExplained = 20      // samples of which the closest is looked for
	maxCheckedValues  = 2000    // that samples have in one place
	maxFilterWarnings = 10
)

// Check holds the filter against what is known of the event types whose events it is to
// narrow, and returns warnings: of members that no sample and no schema has, of values
// that are of another kind there, or that it takes none of the samples. No event need be
// as the samples are, so that nothing of it is an error.
func (f Filter) Check(tenant string, types []EventType) (warnings []string) {
	if f.root == nil {
		return nil
	}
	c := &filterCheck{}
	at := sampled{}
	size := 0
	for _, t := range types {
		c.platforms = append(c.platforms, t.Platform)
		for _, data := range t.AllSamples() {
			if size += len(data); size > maxCheckedBytes || len(c.samples) == maxCheckedSamples {
				at.cut = true
				break
			}
			c.samples = append(c.samples, sampleOf{t.Name, NewSample(tenant, t.Name, data)})
		}
		var schema any
		if t.Schema != nil && json.Unmarshal(t.Schema, &schema) == nil {
			at.schemas = append(at.schemas, schemaPart{root: schema, event: true})
		}
	}
	if len(c.samples) == 0 {
		return nil
	}
	slices.Sort(c.platforms)
	c.platforms = slices.Compact(c.platforms)
	for _, s := range c.samples {
		at.values = append(at.values, s.document)
	}
	f.root.check(c, at)
	if len(c.warnings) == 0 && !at.cut {
		c.none(f)
	}
	return c.warnings
}

// filterCheck collects what is strange about a filter.
type filterCheck struct {
	samples   []sampleOf
	platforms []string // whose samples they are
	warnings  []string
}

// sampleOf is a sample of an event type.
type sampleOf struct {
	eventType string
	document  *Document
}

// sampled is what is known of one place of the events.
type sampled struct {
	path    string
	values  []any        // that samples have there, and the elements of lists among them
	cut     bool         // not all of them are here: nothing is said of what is not
	schemas []schemaPart // what schemas say of it
}

func (c *filterCheck) warn(place, format string, args ...any) {
	if len(c.warnings) == maxFilterWarnings {
		c.warnings[maxFilterWarnings-1] = "there are more warnings of the filter than these"
		return
	}
	c.warnings = append(c.warnings, shortened(place)+": "+fmt.Sprintf(format, args...))
}

// where says what the samples are of.
func (c *filterCheck) where() string {
	return "the samples of these events (" + strings.Join(c.platforms, ", ") + ")"
}

// none warns of a filter that takes none of the samples, with the reason of the one that
// fails the fewest conditions.
func (c *filterCheck) none(f Filter) {
	left := NewEffort()
	for _, s := range c.samples {
		if f.Verdict(s.document, left).Delivers() {
			return
		}
	}
	least, nearest, reason := -1, "", ""
	left = &Effort{left: explainEffort}
	for _, s := range c.samples[:min(len(c.samples), maxCheckExplained)] {
		_, findings := f.root.explain(s.document, "", left)
		failed := slices.DeleteFunc(findings, func(f Finding) bool { return f.Holds || f.Undecided })
		if len(failed) > 0 && (least < 0 || len(failed) < least) {
			least, nearest, reason = len(failed), s.eventType, failed[len(failed)-1].Text
		}
	}
	c.warn(filterField, "takes none of the %d samples of these events (%s), which is well if it asks for other values; nearest is %s: %s",
		len(c.samples), strings.Join(c.platforms, ", "), nearest, reason)
}

func (c every) check(to *filterCheck, at sampled) {
	for _, part := range c.parts {
		part.check(to, at)
	}
}

func (c either) check(to *filterCheck, at sampled) {
	for _, part := range c.parts {
		part.check(to, at)
	}
}

func (c not) check(to *filterCheck, at sampled) { c.part.check(to, at) }

func (c named) check(to *filterCheck, at sampled) {
	next := sampled{path: memberPath(at.path, c.name), cut: at.cut}
	var known []string
	open := false
	for _, v := range at.values {
		m := member(v, c.name)
		if _, gone := m.(absent); !gone {
			next.add(m)
		} else if object, ok := v.(map[string]any); ok && len(known) < maxCheckedValues {
			known = slices.AppendSeq(known, maps.Keys(object))
		}
	}
	for _, s := range at.schemas {
		parts, names, any := s.member(c.name)
		next.schemas, known, open = append(next.schemas, parts...), append(known, names...), open || any
	}
	switch {
	case len(next.values) > 0 || len(next.schemas) > 0:
		c.part.check(to, next)
	case !open && !at.cut && !strings.HasPrefix(at.path, "metadata"):
		to.unknown(c, next.path, known)
	}
}

// unknown warns of a member that is not among the known ones.
func (c *filterCheck) unknown(n named, path string, known []string) {
	meant := ""
	if len(c.warnings) < maxFilterWarnings { // to look for it takes its time
		slices.Sort(known)
		if near := Nearest(n.name, slices.Compact(known)); near != "" {
			meant = "; is " + Clip(near, maxShown) + " meant?"
		}
	}
	c.warn(n.place, "%s is in none of %s%s", path, c.where(), meant)
}

// add adds a value, and the elements of a list, which filters look into.
func (s *sampled) add(v any) {
	if len(s.values) == maxCheckedValues {
		s.cut = true
		return
	}
	s.values = append(s.values, v)
	list, _ := v.([]any)
	for _, element := range list {
		if s.add(element); s.cut {
			return
		}
	}
}

func (c comparison) check(to *filterCheck, at sampled) {
	if c.operator == opExist || at.cut {
		return
	}
	found := map[string]bool{}
	for _, v := range at.values {
		found[kind(v)] = true
	}
	for _, s := range at.schemas {
		if !s.kinds(found) {
			return
		}
	}
	delete(found, "") // of metadata that samples do not have
	delete(found, kind(nil))
	strange := slices.DeleteFunc(c.kinds(), func(wanted string) bool { return found[wanted] || wanted == kind(nil) })
	if len(found) == 0 || len(strange) == 0 {
		return
	}
	to.warn(c.place, "%s is %s in %s, which is not compared with %s", at.path,
		strings.Join(slices.Sorted(maps.Keys(found)), " or "), to.where(), strings.Join(strange, " or "))
}
