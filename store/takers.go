package store

import (
	"context"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
)

// takersQuery reads the subscriptions that may take an event: the active and
// unverified ones of the tenants $1 with a pattern of $2, and those with an id of $3.
// Each part has an index of its own, which one condition for both would not.
const takersQuery = `
SELECT id, tenant, events, filter, state, method, url FROM subscriptions
WHERE deleted_at IS NULL AND tenant = ANY($1) AND state IN ('active', 'unverified') AND patterns && $2
UNION
SELECT id, tenant, events, filter, state, method, url FROM subscriptions
WHERE deleted_at IS NULL AND id = ANY($3)`

// taker is what a new delivery needs to know of its subscription.
type taker struct {
	ID     string
	Tenant string
	Events pq.StringArray
	Filter string
	State  switchboard.SubscriptionState
	Method string
	URL    string
}

// findTakers finds the subscriptions that each event goes to.
func (s *Store) findTakers(ctx context.Context, db session, all []*posted) error {
	var tenants, patterns, only []string
	for _, p := range all {
		switch {
		case p.only != "":
			only = append(only, p.only)
		case !p.caller.Sees(p.event.Tenant):
			p.acceptance.Err = &switchboard.Error{Code: switchboard.CodeForbidden, Field: "tenant", Message: "is not the tenant of this key"}
		default:
			tenants = append(tenants, p.event.Tenant)
			patterns = append(patterns, patternsOf(p.event.Type)...)
		}
	}
	var found []taker
	err := db.SelectContext(ctx, &found, takersQuery,
		pq.Array(unique(tenants)), pq.Array(unique(patterns)), pq.Array(unique(only)))
	if err != nil {
		return err
	}
	ofTenant := map[string][]taker{}
	for _, t := range found {
		ofTenant[t.Tenant] = append(ofTenant[t.Tenant], t)
	}
	// One tenant's filters must not keep the others of the batch waiting: they share the
	// budget of an event, and its events that of the tenant, however many they are.
	events, budgets := map[string]int{}, map[string]*filter.SharedBudget{}
	for _, p := range all {
		events[p.event.Tenant]++
	}
	for tenant, n := range events {
		budgets[tenant] = filter.NewSharedBudget(n)
	}
	for _, p := range all {
		input, budget := filter.NewInput(&p.event), budgets[p.event.Tenant].ForEvent()
		p.takers = nil
		for _, t := range ofTenant[p.event.Tenant] {
			if !p.goesTo(t) {
				continue
			}
			verdict := filter.VerdictMatched
			if p.only == "" {
				verdict = s.filters.of(t.Filter).Verdict(input, budget)
			}
			if verdict == filter.VerdictUndecided {
				p.acceptance.Undecided = append(p.acceptance.Undecided, t.ID)
			}
			if verdict.Delivers() {
				p.takers = append(p.takers, t)
			}
		}
		if p.only != "" && len(p.takers) == 0 {
			p.acceptance.Err = noSubscription(p.only)
		}
	}
	return nil
}

// goesTo reports whether a subscription of the event's tenant is to have it, its filter
// aside.
func (p *posted) goesTo(t taker) bool {
	if p.only != "" {
		return p.only == t.ID && p.caller.Sees(t.Tenant)
	}
	wants := switchboard.Subscription{Events: t.Events}
	return (t.State == switchboard.SubscriptionActive || t.State == switchboard.SubscriptionUnverified) && wants.Wants(p.event.Type)
}

// patternsOf lists what can stand in a subscription's patterns for it to want the
// type: a.b.c, a.b.*, a.* and *, in lower case. It narrows what is read and locked;
// Wants decides.
func patternsOf(eventType string) []string {
	eventType = strings.ToLower(eventType)
	patterns := []string{eventType, "*"}
	for i, r := range eventType {
		if r == '.' {
			patterns = append(patterns, eventType[:i]+".*")
		}
	}
	return patterns
}

func unique(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}
