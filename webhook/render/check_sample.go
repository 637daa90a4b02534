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
	Named     bool // the subscription names the type, and not only a pattern that it fits
	Data      json.RawMessage
}

// sampled is an event type with its samples.
type sampled struct {
	name    string
	named   bool
	samples []*placeholders
}

// Bounds of the trying of templates with samples.
const (
	maxTried     = 8        // samples of one event type for each template
	maxCheckWork = 32 << 20 // in the unit of [liquid.Budget], about a tenth of a second for all templates
	findWork     = 32       // of looking up one placeholder
	maxNotices   = 3        // for each template
)

func newCheck(request *switchboard.Request, useCase *switchboard.UseCase, samples []Sample) *check {
	c := &check{useCase: useCase, lenient: request.Missing == switchboard.MissingEmpty, work: maxCheckWork, lacking: map[string]string{}}
	for _, sample := range samples {
		event := &switchboard.Event{ID: "evt_sample", Type: sample.EventType, Data: sample.Data, OccurredAt: time.Now()}
		s := &placeholders{event: event, useCase: useCase, budget: liquid.NewBudget()}
		if s.decode() != nil {
			continue // a sample that is none is the catalogue's business
		}
		at := slices.IndexFunc(c.types, func(t *sampled) bool { return t.name == sample.EventType })
		if at < 0 {
			at = len(c.types)
			c.types = append(c.types, &sampled{name: sample.EventType})
		}
		c.types[at].named = c.types[at].named || sample.Named
		c.types[at].samples = append(c.types[at].samples, s)
	}
	return c
}

// render tries the template with the samples of each event type. What cannot be
// rendered with any of those that have its values, as where a filter divides by zero,
// is an error if the subscription names the type, or if nothing else can be rendered
// either; for one type among many of a pattern it is a warning, and so is a type whose
// samples all lack the values.
func (c *check) render(field string, template *liquid.Template) error {
	types := c.types
	if len(template.Paths()) == 0 { // the same with each
		nothing := &placeholders{event: &switchboard.Event{Data: []byte("{}")}, useCase: c.useCase, budget: liquid.NewBudget()}
		types = []*sampled{{named: true, samples: []*placeholders{nothing}}}
	}
	t := &trial{check: c, template: template, notices: map[string]bool{}}
	lacking := map[string]error{}
	var failed []string
	var failure error // of the first of them
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
				lacking[eventType.name] = result.missing
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
		c.lack(lacking, field)
	}
	switch {
	case failure == nil:
		return nil
	case !rendered:
		return failedFor(failed[0], failure)
	}
	c.warn(field, "cannot be rendered for "+several(failed)+", which the subscription takes by a pattern: "+failure.Error())
	return nil
}

// lack remembers the event types that a template cannot be rendered for, each with
// the first reason: one warning is for all of them.
func (c *check) lack(missing map[string]error, field string) {
	for eventType, err := range missing {
		if _, known := c.lacking[eventType]; !known {
			c.lacking[eventType] = shown(field) + ": " + err.Error()
		}
	}
}

// warnOfLacking warns of the event types whose samples lack a value of a template.
func (c *check) warnOfLacking() {
	if eventTypes := slices.Sorted(maps.Keys(c.lacking)); len(eventTypes) > 0 {
		c.warn("request", "deliveries of "+several(eventTypes)+" would fail, as at "+c.lacking[eventTypes[0]])
	}
}

// several names the first of several event types.
func several(eventTypes []string) string {
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

// trial is the trying of one template.
type trial struct {
	*check
	template *liquid.Template
	notices  map[string]bool
	texts    []string
}

// tried says how a template did with the samples of an event type.
type tried struct {
	rendered bool  // with one of them
	failure  error // with another one that has its values
	missing  error // of one that lacks them
}

// with tries the template with samples of a type, first with those that have most of
// its values: one without them renders, and says nothing.
func (t *trial) with(eventType *sampled) (result tried) {
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

// byValues are the samples, those first that have a value for most placeholders.
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

// notice remembers what a filter makes of a sample's value.
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
	return slices.ContainsFunc(c.types, func(t *sampled) bool {
		return slices.ContainsFunc(t.samples, func(s *placeholders) bool {
			_, found := s.find(keys)
			return found
		})
	})
}
