package render

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/liquid"
)

// Sample is data that an event of a type may have.
type Sample struct {
	EventType string
	Named     bool // the subscription names the type itself, not only a pattern that matches it
	Data      json.RawMessage
}

// typeSamples are the samples of an event type.
type typeSamples struct {
	name    string
	named   bool // by the subscription
	samples []*placeholders
}

// Limits of the work of rendering templates with samples.
const (
	maxTried     = 8        // samples of one event type for each template
	maxCheckWork = 32 << 20 // of all templates, in the unit of [liquid.Budget]: about a tenth of a second
	findWork     = 32       // of looking up one placeholder
	maxNotices   = 3        // of filters, for each template
)

func newCheck(request *switchboard.Request, useCase *switchboard.UseCase, samples []Sample) *check {
	c := &check{useCase: useCase, lenient: request.Missing == switchboard.MissingEmpty, work: maxCheckWork, missing: map[string]string{}}
	for _, sample := range samples {
		event := &switchboard.Event{ID: "evt_sample", Type: sample.EventType, Data: sample.Data, OccurredAt: time.Now()}
		s := &placeholders{event: event, useCase: useCase, budget: liquid.NewBudget()}
		if s.decode() != nil {
			continue // the catalogue checks its samples
		}
		at := slices.IndexFunc(c.types, func(t *typeSamples) bool { return t.name == sample.EventType })
		if at < 0 {
			at = len(c.types)
			c.types = append(c.types, &typeSamples{name: sample.EventType})
		}
		c.types[at].named = c.types[at].named || sample.Named
		c.types[at].samples = append(c.types[at].samples, s)
	}
	return c
}

// render renders the template with the samples of each event type. It may fail with all samples of
// a type that have its values, for example because a filter divides by zero. That is an error if
// the subscription names the type, or if no other type can be rendered; for a type that only a
// pattern matches, it is a warning. If all samples of a type lack the values, that is also a
// warning.
func (c *check) render(field string, template *liquid.Template) error {
	types := c.types
	if len(template.Paths()) == 0 { // the same for every sample
		nothing := &placeholders{event: &switchboard.Event{Data: []byte("{}")}, useCase: c.useCase, budget: liquid.NewBudget()}
		types = []*typeSamples{{named: true, samples: []*placeholders{nothing}}}
	}
	t := &trial{check: c, template: template, notices: map[string]bool{}}
	missing := map[string]error{}
	var failed []string
	var failure error // the first one
	rendered := false
	for i, eventType := range types {
		if i > 0 && c.work <= 0 {
			break
		}
		result := t.with(eventType)
		rendered = rendered || result.rendered
		switch {
		case result.failure == nil:
			if !result.rendered && result.missing != nil {
				missing[eventType.name] = result.missing
			}
		case result.rendered:
			c.warn(field, fmt.Sprintf("cannot be rendered with some samples of %s: %s", eventType.name, result.failure))
		case eventType.named:
			return failedFor(eventType.name, result.failure)
		default:
			if failed = append(failed, eventType.name); failure == nil {
				failure = result.failure
			}
		}
	}
	for _, notice := range t.texts {
		c.warn(field, notice)
	}
	if rendered {
		c.noteMissing(missing, field)
	}
	switch {
	case failure == nil:
		return nil
	case !rendered:
		return failedFor(failed[0], failure)
	}
	c.warn(field, "cannot be rendered for "+firstOf(failed)+", which the subscription takes by a pattern: "+failure.Error())
	return nil
}

// noteMissing remembers the event types whose samples lack a value, each with the first error. One
// warning names them all.
func (c *check) noteMissing(missing map[string]error, field string) {
	for eventType, err := range missing {
		if _, known := c.missing[eventType]; !known {
			c.missing[eventType] = shown(field) + ": " + err.Error()
		}
	}
}

// warnOfMissing warns of the event types whose samples lack a value of a template.
func (c *check) warnOfMissing() {
	if eventTypes := slices.Sorted(maps.Keys(c.missing)); len(eventTypes) > 0 {
		c.warn("request", "deliveries of "+firstOf(eventTypes)+" would fail, as at "+c.missing[eventTypes[0]])
	}
}

// firstOf names the first event type and counts the others.
func firstOf(eventTypes []string) string {
	if len(eventTypes) == 1 {
		return eventTypes[0]
	}
	return fmt.Sprintf("%s and %d more event types", eventTypes[0], len(eventTypes)-1)
}

func failedFor(eventType string, err error) error {
	if eventType == "" {
		return err
	}
	return fmt.Errorf("cannot be rendered for %s: %w", eventType, err)
}

// trial renders one template with samples.
type trial struct {
	*check
	template *liquid.Template
	notices  map[string]bool // what filters say of values, each once
	texts    []string        // the same, with the event type
}

// trialResult is the result of a template with the samples of an event type.
type trialResult struct {
	rendered bool  // with one of them
	failure  error // with one that has all values
	missing  error // with one that lacks a value
}

// with renders the template with samples of a type. It begins with those that have most of its
// values: a sample without them may render and prove nothing.
func (t *trial) with(eventType *typeSamples) (result trialResult) {
	seen := 0
	for _, s := range t.byValues(eventType.samples) {
		if seen == maxTried || seen > 0 && t.work <= 0 {
			return result
		}
		run := liquid.Run{Scope: s, Budget: s.budget, Now: s.event.OccurredAt, Lenient: t.lenient, Notice: func(text string) { t.notice(eventType.name, text) }}
		before := s.budget.Work
		_, err := t.template.Value(run)
		t.work -= before - s.budget.Work
		if _, missing := errors.AsType[*liquid.MissingError](err); missing {
			result.missing = cmp.Or(result.missing, err)
			continue
		}
		seen++
		if err == nil {
			result.rendered = true
		} else if result.failure == nil {
			result.failure = err
		}
	}
	return result
}

// byValues sorts the samples by how many placeholders have a value, most first.
func (t *trial) byValues(samples []*placeholders) []*placeholders {
	if len(samples) == 1 {
		return samples
	}
	type counted struct {
		*placeholders
		values int
	}
	paths := t.template.Paths()
	all := make([]counted, len(samples))
	for i, s := range samples {
		all[i].placeholders = s
		if t.work -= findWork * len(paths); t.work <= 0 {
			continue
		}
		for _, path := range paths {
			if _, found, err := s.Lookup(path); found && err == nil {
				all[i].values++
			}
		}
	}
	slices.SortStableFunc(all, func(a, b counted) int { return cmp.Compare(b.values, a.values) })
	sorted := make([]*placeholders, len(samples))
	for i, s := range all {
		sorted[i] = s.placeholders
	}
	return sorted
}

// notice remembers what a filter says of a sample's value.
func (t *trial) notice(eventType, text string) {
	if t.notices[text] || len(t.texts) == maxNotices {
		return
	}
	t.notices[text] = true
	if eventType != "" {
		text += ", in a sample of " + eventType
	}
	t.texts = append(t.texts, text)
}

// anySample reports whether one of the samples has a value under those keys.
func (c *check) anySample(keys []string) bool {
	return slices.ContainsFunc(c.types, func(t *typeSamples) bool {
		return slices.ContainsFunc(t.samples, func(s *placeholders) bool {
			_, found := s.find(keys)
			return found
		})
	})
}
