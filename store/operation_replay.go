package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// selectedEvents returns the events for a replay to the subscription: those of its tenant with a
// type that it takes. The replay applies the subscription's filter to each of them later.
func (s *Store) selectedEvents(ctx context.Context, f *switchboard.Selection, bound string) (selected, error) {
	var subs []struct {
		Tenant   string
		Patterns pq.StringArray
	}
	if err := s.search(ctx, "select events", &subs, "SELECT tenant, patterns FROM subscriptions WHERE id = $1", f.Subscription); err != nil {
		return selected{}, err
	}
	if len(subs) == 0 {
		return selected{}, noSubscription(f.Subscription)
	}
	c := &conditions{}
	c.add("tenant = ?", subs[0].Tenant)
	c.equal("id", f.Event)
	c.anyCase("type", f.EventType)
	c.equal("key", f.Key)
	c.times(timeSpan{f.After, f.Before})
	c.add("created_at < ?", boundTime(bound))
	c.taken(subs[0].Patterns)
	return selected{"events", c, ""}, nil
}

// taken keeps events whose types match one of the patterns, which are in lower case.
func (c *conditions) taken(patterns []string) {
	const lower = `lower(type COLLATE "C")`
	var terms, exact, prefixes []string
	for _, p := range patterns {
		prefix, wild := strings.CutSuffix(p, "*")
		switch {
		case p == "*":
			terms = append(terms, lower+" NOT LIKE '"+switchboard.OperationalPrefix+"%'")
		case wild:
			prefixes = append(prefixes, strings.NewReplacer(`\`, `\\`, `_`, `\_`, `%`, `\%`).Replace(prefix)+"%")
		default:
			exact = append(exact, p)
		}
	}
	terms = append(terms, c.term(lower+" = ANY(?)", pq.Array(exact)), c.term(lower+" LIKE ANY(?)", pq.Array(prefixes)))
	c.terms = append(c.terms, "("+strings.Join(terms, " OR ")+")")
}

// countEvents fills in the plan of a replay.
func (s *Store) countEvents(ctx context.Context, p *planned, plan *switchboard.OperationPlan) error {
	q, err := s.selectedEvents(ctx, &p.Filter, p.BoundID)
	if err != nil {
		return err
	}
	var until time.Time
	if err := s.get(ctx, "plan an operation", &until, nil, "SELECT payloads_until FROM retention"); err != nil {
		return err
	}
	c := q.where.with()
	erased := c.term("(erased_at IS NOT NULL OR created_at < ?)", until)
	var groups []planGroup
	err = s.selectWithin(ctx, "", planTimeout, &groups,
		"SELECT type AS event_type, "+erased+" AS erased, count(*), min(created_at) AS first, max(created_at) AS last FROM events"+c.where()+" GROUP BY 1, 2", c.args...)
	if isTooSlow(err) {
		plan.Count, err = s.countAtLeast(ctx, q, planAtLeast, planAtLeastTimeout)
		return err
	}
	if err != nil {
		return err
	}
	types, excluded := map[string]int{}, map[string]int{}
	plan.Count.Exact = true
	for _, g := range groups {
		p.Total += g.Count
		if g.Erased {
			excluded["their data are erased"] += g.Count
			continue
		}
		plan.Count.Value += g.Count
		types[g.EventType] += g.Count
	}
	if plan.Count.Value > 0 {
		plan.BySubscription = []switchboard.PlanPart{{Value: p.Filter.Subscription, Count: plan.Count.Value}}
		plan.ByTenant = []switchboard.PlanPart{{Value: p.Tenant, Count: plan.Count.Value}}
	}
	plan.ByEventType = largest(types)
	exclude(plan, excluded)
	return s.sampleEvents(ctx, q, groups, plan)
}

// sampleEvents reads some of the events: the newest, others at even distances, and the oldest.
func (s *Store) sampleEvents(ctx context.Context, q selected, groups []planGroup, plan *switchboard.OperationPlan) error {
	if len(groups) == 0 {
		return nil
	}
	first, last := groups[0].First, groups[0].Last
	for _, g := range groups {
		if g.First.Before(first) {
			first = g.First
		}
		last = latest(last, g.Last)
	}
	read := func(term string, from time.Time, order string, limit int) error {
		c := q.where.with()
		c.add(term, from)
		var found []switchboard.Event
		err := s.selectWithin(ctx, "", max(sampleTimeout, s.countTime), &found, c.query(fields("events", "id tenant type key created_at occurred_at", ""), "events", order, limit), c.args...)
		if isTooSlow(err) {
			return nil // a smaller sample is no error
		}
		for _, e := range found {
			if !containsEvent(plan.SampleEvents, e) {
				plan.SampleEvents = append(plan.SampleEvents, e)
			}
		}
		return err
	}
	if err := read("created_at <= ?", last, "created_at DESC, id DESC", sampleEnds); err != nil {
		return err
	}
	for i := range sampleBetween {
		at := last.Add(-last.Sub(first) / (sampleBetween + 1) * time.Duration(i+1))
		if err := read("created_at <= ?", at, "created_at DESC, id DESC", 1); err != nil {
			return err
		}
	}
	if err := read("created_at >= ?", first, "created_at, id", sampleEnds); err != nil {
		return err
	}
	slices.SortFunc(plan.SampleEvents, func(a, b switchboard.Event) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return nil
}

func containsEvent(events []switchboard.Event, e switchboard.Event) bool {
	for _, other := range events {
		if cmp.Or(cmp.Compare(other.ID, e.ID), other.CreatedAt.Compare(e.CreatedAt)) == 0 {
			return true
		}
	}
	return false
}
