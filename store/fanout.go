package store

import (
	"context"
	"slices"
	"strings"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
)

// candidatesQuery reads the subscriptions that an event may go to: those of the tenants $1 with a
// pattern of $2, and those with an id of $3. Each part uses an index of its own; one condition for
// both would use none.
const candidatesQuery = `
SELECT ` + candidateColumns + ` FROM subscriptions s
WHERE s.deleted_at IS NULL AND s.tenant = ANY($1) AND s.patterns && $2
UNION ALL
SELECT ` + candidateColumns + ` FROM subscriptions s
WHERE s.deleted_at IS NULL AND s.id = ANY($3) AND (s.tenant = ANY($1) AND s.patterns && $2) IS NOT TRUE`

const candidateColumns = "s.id, s.tenant, s.events, s.filter, s.state, s.method, s.url, s.flow, s.ordered, s.supersede, s.deliver_within_us, s.hold_for_us, " + healthColumn

// candidate is a subscription that an event may go to, with the fields that a new delivery needs.
type candidate struct {
	ID     string
	Tenant string
	Events pq.StringArray
	Filter string
	State  switchboard.SubscriptionState
	Method string
	URL    string
	Flow   int // counts changes of everything that decides whether its deliveries may be sent

	Ordered         bool
	Supersede       bool
	DeliverWithinUS int64
	HoldForUS       int64
	Health          []byte // JSON; null: it is healthy
}

// matchSubscriptions finds the subscriptions that each event goes to.
func (s *Store) matchSubscriptions(ctx context.Context, db querier, all []*pendingEvent) error {
	var tenants, patterns, only []string
	for _, p := range all {
		if p.only != "" {
			only = append(only, p.only)
		} else if err := p.caller.CheckTenant(p.event.Tenant); err != nil {
			p.acceptance.Err = err
		} else {
			tenants = append(tenants, p.event.Tenant)
			patterns = append(patterns, patternsOf(p.event.Type)...)
		}
	}
	var found []candidate
	err := db.SelectContext(ctx, &found, candidatesQuery,
		pq.Array(unique(tenants)), pq.Array(unique(patterns)), pq.Array(unique(only)))
	if err != nil {
		return err
	}
	ofTenant := map[string][]candidate{}
	for _, c := range found {
		ofTenant[c.Tenant] = append(ofTenant[c.Tenant], c)
	}
	// The filters of one tenant must not delay the others in the batch. The filters of an event
	// share a budget, and all events of a tenant share one too.
	events, budgets := map[string]int{}, map[string]*filter.SharedBudget{}
	for _, p := range all {
		events[p.event.Tenant]++
	}
	for tenant, n := range events {
		budgets[tenant] = filter.NewSharedBudget(n)
	}
	for _, p := range all {
		input, budget := filter.NewInput(&p.event), budgets[p.event.Tenant].ForEvent()
		p.matched = nil
		for _, c := range ofTenant[p.event.Tenant] {
			if !p.eligible(c) {
				continue
			}
			verdict := filter.VerdictMatched
			if p.only == "" {
				verdict = s.filters.of(c.Filter).Verdict(input, budget)
			}
			if verdict == filter.VerdictUndecided {
				p.acceptance.Undecided = append(p.acceptance.Undecided, c.ID)
			}
			if verdict.Delivers() {
				p.matched = append(p.matched, c)
			}
		}
		if p.only != "" && len(p.matched) == 0 {
			p.acceptance.Err = noSubscription(p.only)
		}
	}
	return nil
}

// eligible reports whether the event goes to a subscription of its tenant, without regard to the
// subscription's filter.
func (p *pendingEvent) eligible(c candidate) bool {
	if p.only != "" {
		return p.only == c.ID && p.caller.Sees(c.Tenant)
	}
	if p.except == c.ID {
		return false
	}
	wants := switchboard.Subscription{Events: c.Events}
	return wants.Wants(p.event.Type)
}

// patternsOf lists the patterns that match the type: a.b.c, a.b.*, a.* and *, in lower case; * does
// not match operational types. It limits which rows are read and locked; Wants decides.
func patternsOf(eventType string) []string {
	eventType = strings.ToLower(eventType)
	patterns := []string{eventType}
	if !switchboard.IsOperational(eventType) {
		patterns = append(patterns, "*")
	}
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
