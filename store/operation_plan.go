package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

const (
	// planTimeout is how long counting the deliveries of a plan may take.
	planTimeout = 30 * time.Second
	// If that was too short, they are counted up to planAtLeast, for at most planAtLeastTimeout.
	planAtLeast        = 100_000
	planAtLeastTimeout = 5 * time.Second
	// The excluded deliveries are counted up to planExcluded, each part for at most
	// excludedTimeout: an order of magnitude is enough.
	planExcluded    = 10_000
	excludedTimeout = time.Second
	// planParts is how many parts of a count a plan shows.
	planParts = 20
	// A sample has this many of the newest and of the oldest, and this many between them.
	sampleEnds, sampleBetween = 3, 4
	sampleTimeout             = 2 * time.Second
)

// planned is an operation that is not started yet, as its plan stores it. Its id becomes that of
// the operation, so that a plan is started only once.
type planned struct {
	ID        string                 `json:"id"`
	Action    switchboard.ActionKind `json:"action"`
	Filter    switchboard.Selection  `json:"filter"`
	Tenant    string                 `json:"tenant"`
	BoundID   string                 `json:"bound_id"`
	Rate      float64                `json:"rate"`
	Count     switchboard.PlanCount  `json:"count"`
	Total     int                    `json:"total"`  // matches, including those that it will skip; 0: not known
	KeyID     string                 `json:"key_id"` // of the caller
	ExpiresAt time.Time              `json:"expires_at"`
}

// planGroup is a group of deliveries or events that a plan counts.
type planGroup struct {
	State, LastFailure, SubscriptionID, Tenant, EventType string
	Erased                                                bool // there is nothing to send
	Count                                                 int
	Lo, Hi                                                string    // ids of deliveries
	First, Last                                           time.Time // times of events
}

// PlanOperation returns what an operation would do. It changes nothing.
func (s *Store) PlanOperation(ctx context.Context, caller switchboard.Caller, r switchboard.OperationRequest) (switchboard.OperationPlan, error) {
	p, plan, err := s.planOperation(ctx, caller, r)
	if err != nil {
		return plan, err
	}
	if p.Action != switchboard.ActionReplay {
		if err := s.excludeStates(ctx, p, &plan); err != nil {
			return plan, err
		}
	}
	plan.Plan, err = s.sealPlan(p)
	return plan, err
}

// planOperation counts what an operation would act on.
func (s *Store) planOperation(ctx context.Context, caller switchboard.Caller, r switchboard.OperationRequest) (planned, switchboard.OperationPlan, error) {
	select {
	case s.planning <- struct{}{}:
		defer func() { <-s.planning }()
	case <-time.After(callTimeout):
		return planned{}, switchboard.OperationPlan{}, switchboard.Errorf(switchboard.CodeOverloaded, "other plans are being counted: try again in a minute")
	case <-ctx.Done():
		return planned{}, switchboard.OperationPlan{}, mapError(ctx, "plan an operation", ctx.Err())
	}
	now := s.now()
	p := planned{
		ID: switchboard.NewID(switchboard.OperationPrefix, now), Action: r.Action, Filter: r.Filter, Tenant: caller.Tenant, BoundID: idBound(now), Rate: r.Rate,
		KeyID: caller.KeyID, ExpiresAt: now.Add(switchboard.PlanLifetime),
	}
	if p.Rate == 0 {
		p.Rate = r.Action.OperationRate()
	}
	if err := s.narrow(ctx, caller, &p); err != nil {
		return p, switchboard.OperationPlan{}, err
	}
	plan := switchboard.OperationPlan{ExpiresAt: p.ExpiresAt, Action: p.Action, Filter: p.Filter, BoundID: p.BoundID, Rate: p.Rate, Limit: itemLimit(caller)}
	count := s.countDeliveries
	if p.Action == switchboard.ActionReplay {
		count = s.countEvents
	}
	err := count(ctx, &p, &plan)
	p.Count = plan.Count
	return p, plan, err
}

// itemLimit returns how many deliveries an operation of the caller may have; 0: any number.
func itemLimit(caller switchboard.Caller) int {
	if caller.Role == switchboard.RoleAdmin {
		return 0
	}
	return switchboard.MaxSupportItems
}

// narrow limits the filter to what the caller may act on, and finds out whether that belongs to one
// tenant.
func (s *Store) narrow(ctx context.Context, caller switchboard.Caller, p *planned) error {
	if p.Filter.Tenant != "" {
		if err := caller.CheckTenant(p.Filter.Tenant); err != nil {
			return &switchboard.Error{Code: switchboard.CodeForbidden, Field: "filter.tenant", Message: "is outside this key's scope"}
		}
		p.Tenant = p.Filter.Tenant
	}
	if p.Filter.Subscription != "" {
		var tenants []string
		if err := s.search(ctx, "plan an operation", &tenants, "SELECT tenant FROM subscriptions WHERE id = $1 AND ($2 OR deleted_at IS NULL)", p.Filter.Subscription, p.Action != switchboard.ActionReplay); err != nil {
			return err
		}
		if len(tenants) == 0 || !caller.Sees(tenants[0]) || p.Tenant != "" && p.Tenant != tenants[0] {
			return switchboard.InvalidField("filter.subscription", "is no subscription of this scope")
		}
		p.Tenant = tenants[0]
	}
	p.Filter.Tenant = p.Tenant
	return nil
}

// countDeliveries fills in the counts of deliveries in the plan.
func (s *Store) countDeliveries(ctx context.Context, p *planned, plan *switchboard.OperationPlan) error {
	q, err := s.selectedDeliveries(ctx, p.Filter.Deliveries(p.Action), p.Tenant, p.BoundID)
	if err != nil {
		return err
	}
	var until time.Time
	if err := s.get(ctx, "plan an operation", &until, nil, "SELECT payloads_until FROM retention"); err != nil {
		return err
	}
	c := q.where.with()
	old := c.term("id < ? AND completed_at IS NOT NULL", idBound(until))
	const columns = "state, last_failure, subscription_id, tenant, "
	query := c.union(func(where string) string {
		return "SELECT " + columns + old + " AS erased, count(*), min(id) AS lo, max(id) AS hi FROM deliveries" + where + " GROUP BY 1, 2, 3, 4, 5"
	})
	var groups []planGroup
	err = s.selectWithin(ctx, "", planTimeout, &groups, query, c.args...)
	if isTooSlow(err) {
		plan.Count, err = s.countAtLeast(ctx, q, planAtLeast, planAtLeastTimeout)
		return err
	}
	if err != nil {
		return err
	}
	deleted, err := s.deletedOf(ctx, groups)
	if err != nil {
		return err
	}
	s.fold(p, plan, groups, deleted)
	return s.sample(ctx, q, groups, plan)
}

// deletedOf returns which of the groups' subscriptions are deleted.
func (s *Store) deletedOf(ctx context.Context, groups []planGroup) (map[string]bool, error) {
	ids := make([]string, len(groups))
	for i, g := range groups {
		ids[i] = g.SubscriptionID
	}
	var found []string
	err := s.search(ctx, "plan an operation", &found, "SELECT id FROM subscriptions WHERE id = ANY($1) AND deleted_at IS NOT NULL", pq.Array(unique(ids)))
	deleted := map[string]bool{}
	for _, id := range found {
		deleted[id] = true
	}
	return deleted, err
}

// fold adds up the groups of deliveries.
func (s *Store) fold(p *planned, plan *switchboard.OperationPlan, groups []planGroup, deleted map[string]bool) {
	parts := map[string]map[string]int{"state": {}, "failure": {}, "subscription": {}, "tenant": {}}
	excluded := map[string]int{}
	plan.Count.Exact = true
	for _, g := range groups {
		p.Total += g.Count
		switch {
		case deleted[g.SubscriptionID] && p.Action != switchboard.ActionCancel:
			excluded["their subscription is deleted"] += g.Count
			continue
		case g.Erased && p.Action == switchboard.ActionRetry:
			excluded[whyErased] += g.Count
			continue
		}
		plan.Count.Value += g.Count
		parts["state"][g.State] += g.Count
		parts["failure"][g.LastFailure] += g.Count
		parts["subscription"][g.SubscriptionID] += g.Count
		parts["tenant"][g.Tenant] += g.Count
	}
	delete(parts["failure"], "")
	plan.ByState, plan.ByFailure = largest(parts["state"]), largest(parts["failure"])
	plan.BySubscription, plan.ByTenant = largest(parts["subscription"]), largest(parts["tenant"])
	exclude(plan, excluded)
}

const whyErased = "their payloads are erased, as they are older than the retention"

func exclude(plan *switchboard.OperationPlan, excluded map[string]int) {
	for _, part := range largest(excluded) {
		plan.Excluded = append(plan.Excluded, switchboard.PlanExclusion{Why: part.Value, Count: switchboard.PlanCount{Value: part.Count, Exact: true}})
	}
}

// largest returns the largest parts of a count.
func largest(counts map[string]int) []switchboard.PlanPart {
	parts := make([]switchboard.PlanPart, 0, len(counts))
	for value, count := range counts {
		parts = append(parts, switchboard.PlanPart{Value: value, Count: count})
	}
	slices.SortFunc(parts, func(a, b switchboard.PlanPart) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	return parts[:min(len(parts), planParts)]
}

// excludeStates counts deliveries that match the filter in states that the operation ignores.
func (s *Store) excludeStates(ctx context.Context, p planned, plan *switchboard.OperationPlan) error {
	f := p.Filter.Deliveries(p.Action)
	named, taken := p.Filter.States, f.States
	if len(named) == 0 {
		named = switchboard.States()
	}
	for _, state := range named {
		if slices.Contains(taken, state) {
			continue
		}
		f.States = []switchboard.State{state}
		q, err := s.selectedDeliveries(ctx, f, p.Tenant, p.BoundID)
		if err != nil {
			return err
		}
		count, err := s.countAtLeast(ctx, q, planExcluded, max(excludedTimeout, s.countTime))
		if err != nil {
			return err
		}
		if count.Value > 0 || !count.Exact {
			plan.Excluded = append(plan.Excluded, switchboard.PlanExclusion{Why: p.Filter.WhyNot(p.Action, state), Count: count})
		}
	}
	return nil
}

// countAtLeast counts up to that many rows, within that time. If either is exceeded, the count is
// not exact.
func (s *Store) countAtLeast(ctx context.Context, q selected, most int, timeout time.Duration) (switchboard.PlanCount, error) {
	c := q.where.with()
	limit := c.term("?", most+1)
	query := "SELECT count(*) FROM (" + c.union(func(where string) string { return "SELECT 1 FROM " + q.table + where }) + " LIMIT " + limit + ") AS found"
	var counts []int
	err := s.selectWithin(ctx, "", timeout, &counts, query, c.args...)
	switch {
	case isTooSlow(err):
		return switchboard.PlanCount{}, nil
	case err != nil:
		return switchboard.PlanCount{}, err
	}
	return switchboard.PlanCount{Value: min(counts[0], most), Exact: counts[0] <= most}, nil
}

// sample reads some of the deliveries: the newest, the oldest, and others at even distances between
// them.
func (s *Store) sample(ctx context.Context, q selected, groups []planGroup, plan *switchboard.OperationPlan) error {
	if len(groups) == 0 {
		return nil
	}
	lo, hi := groups[0].Lo, groups[0].Hi
	for _, g := range groups {
		lo, hi = min(lo, g.Lo), max(hi, g.Hi)
	}
	read := func(term, from, order string, limit int) error {
		c := q.where.with()
		c.add(term, from)
		var found []switchboard.Delivery
		err := s.selectWithin(ctx, q.settings, max(sampleTimeout, s.countTime), &found, c.query(fields("deliveries", deliveryFields, ""), "deliveries", order, limit), c.args...)
		if isTooSlow(err) {
			return nil // a smaller sample is no error
		}
		plan.Sample = append(plan.Sample, found...)
		return err
	}
	if err := read("id <= ?", hi, "id DESC", sampleEnds); err != nil {
		return err
	}
	first, last := boundTime(lo), boundTime(hi)
	for i := range sampleBetween {
		at := first.Add(last.Sub(first) / (sampleBetween + 1) * time.Duration(i+1))
		if err := read("id >= ?", max(idBound(at), lo), "id", 1); err != nil {
			return err
		}
	}
	if err := read("id >= ?", lo, "id", sampleEnds); err != nil {
		return err
	}
	slices.SortFunc(plan.Sample, func(a, b switchboard.Delivery) int { return cmp.Compare(b.ID, a.ID) })
	plan.Sample = shownAt(s.now(), slices.CompactFunc(plan.Sample, func(a, b switchboard.Delivery) bool { return a.ID == b.ID }))
	return nil
}
