package filter

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// Limits of a check. The caller who saves a filter waits for it.
const (
	maxSamples          = 200
	maxSampleBytes      = 4 << 20 // of the samples together
	maxExplainedSamples = 20      // samples that are explained to find the closest one
	maxSampledValues    = 2000    // values of the samples at one path
	maxWarnings         = 10
)

// Check compares the filter with the samples and schemas of the event types that the subscription
// receives. It warns of fields that no sample and no schema has, of values that have another kind
// there, and of a filter that matches no sample. These are no errors, because events may differ
// from the samples.
func (f Filter) Check(tenant string, types []switchboard.EventType) (warnings []string) {
	if f.root == nil {
		return nil
	}
	c := &checker{}
	at := sampled{}
	size := 0
	for _, t := range types {
		c.platforms = append(c.platforms, t.Platform)
		for _, data := range t.AllSamples() {
			if size += len(data); size > maxSampleBytes || len(c.samples) == maxSamples {
				at.truncated = true
				break
			}
			c.samples = append(c.samples, sample{t.Name, NewSample(tenant, t.Name, data)})
		}
		var schema any
		if t.Schema != nil && json.Unmarshal(t.Schema, &schema) == nil {
			at.schemas = append(at.schemas, schemaNode{root: schema, event: true})
		}
	}
	if len(c.samples) == 0 {
		return nil
	}
	slices.Sort(c.platforms)
	c.platforms = slices.Compact(c.platforms)
	for _, s := range c.samples {
		at.values = append(at.values, s.input)
	}
	f.root.check(c, at)
	if len(c.warnings) == 0 && !at.truncated {
		c.warnIfNoneMatches(f)
	}
	return c.warnings
}

// checker collects the warnings about a filter.
type checker struct {
	samples   []sample
	platforms []string // of the samples
	warnings  []string
}

type sample struct {
	eventType string
	input     *Input
}

// sampled is what is known about one path in the events.
type sampled struct {
	path      string
	values    []any        // of the samples, and the elements of lists among them
	truncated bool         // some values were omitted, so nothing can be said about missing ones
	schemas   []schemaNode // that describe the value
}

func (c *checker) warn(location, format string, args ...any) {
	if len(c.warnings) == maxWarnings {
		c.warnings[maxWarnings-1] = "there are more warnings of the filter than these"
		return
	}
	c.warnings = append(c.warnings, shortenMiddle(location)+": "+fmt.Sprintf(format, args...))
}

// source names the samples.
func (c *checker) source() string {
	return "the samples of these events (" + strings.Join(c.platforms, ", ") + ")"
}

// warnIfNoneMatches warns of a filter that matches no sample. The reason is that of the sample that
// fails the fewest conditions.
func (c *checker) warnIfNoneMatches(f Filter) {
	budget := NewBudget()
	for _, s := range c.samples {
		if f.Verdict(s.input, budget).Delivers() {
			return
		}
	}
	least, nearest, reason := -1, "", ""
	budget = &Budget{left: explainBudget}
	for _, s := range c.samples[:min(len(c.samples), maxExplainedSamples)] {
		_, findings := f.root.explain(s.input, "", budget)
		failed := slices.DeleteFunc(findings, func(f Finding) bool { return f.Holds || f.Undecided })
		if len(failed) > 0 && (least < 0 || len(failed) < least) {
			least, nearest, reason = len(failed), s.eventType, failed[len(failed)-1].Text
		}
	}
	c.warn(field, "takes none of the %d samples of these events (%s), which is fine if it asks for other values; nearest is %s: %s",
		len(c.samples), strings.Join(c.platforms, ", "), nearest, reason)
}

func (c conjunction) check(to *checker, at sampled) {
	for _, part := range c.parts {
		part.check(to, at)
	}
}

func (c disjunction) check(to *checker, at sampled) {
	for _, part := range c.parts {
		part.check(to, at)
	}
}

func (c negation) check(to *checker, at sampled) { c.part.check(to, at) }

func (c fieldCondition) check(to *checker, at sampled) {
	next := sampled{path: memberPath(at.path, c.name), truncated: at.truncated}
	var known []string
	open := false
	for _, v := range at.values {
		m := member(v, c.name)
		if _, gone := m.(absent); !gone {
			next.add(m)
		} else if object, ok := v.(map[string]any); ok && len(known) < maxSampledValues {
			known = slices.AppendSeq(known, maps.Keys(object))
		}
	}
	for _, s := range at.schemas {
		nodes, names, any := s.member(c.name)
		next.schemas, known, open = append(next.schemas, nodes...), append(known, names...), open || any
	}
	switch {
	case len(next.values) > 0 || len(next.schemas) > 0:
		c.part.check(to, next)
	case !open && !at.truncated && !strings.HasPrefix(at.path, "metadata"):
		to.warnUnknown(c, next.path, known)
	}
}

// warnUnknown warns of a field that is not among the known ones.
func (c *checker) warnUnknown(f fieldCondition, path string, known []string) {
	meant := ""
	if len(c.warnings) < maxWarnings { // the search takes time
		slices.Sort(known)
		if near := switchboard.Nearest(f.name, slices.Compact(known)); near != "" {
			meant = "; is " + switchboard.Clip(near, maxShown) + " meant?"
		}
	}
	c.warn(f.location, "%s is in none of %s%s", path, c.source(), meant)
}

// add adds a value, and the elements of a list, because filters look into lists.
func (s *sampled) add(v any) {
	if len(s.values) == maxSampledValues {
		s.truncated = true
		return
	}
	s.values = append(s.values, v)
	list, _ := v.([]any)
	for _, element := range list {
		if s.add(element); s.truncated {
			return
		}
	}
}

func (c *comparison) check(to *checker, at sampled) {
	if c.presence || at.truncated {
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
	delete(found, "") // metadata that samples do not have
	delete(found, kind(nil))
	strange := slices.DeleteFunc(c.kinds(), func(wanted string) bool { return found[wanted] || wanted == kind(nil) })
	if len(found) == 0 || len(strange) == 0 {
		return
	}
	to.warn(c.location, "%s is %s in %s, which is not compared with %s", at.path,
		strings.Join(slices.Sorted(maps.Keys(found)), " or "), to.source(), strings.Join(strange, " or "))
}
