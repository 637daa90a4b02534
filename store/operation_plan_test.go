package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// stored makes deliveries of the subscription in that state, one a minute from that time on, and
// returns their ids, which sort by time like those of accepted deliveries.
func (b *bundle) stored(sub switchboard.Subscription, state switchboard.State, count int, from time.Time) (ids []string) {
	b.t.Helper()
	var times []string
	for i := range count {
		at := from.Add(time.Duration(i) * time.Minute)
		ids, times = append(ids, switchboard.NewID(switchboard.DeliveryPrefix, at)), append(times, at.Format(time.RFC3339Nano))
	}
	_, err := b.sql.Exec(`
WITH n AS (SELECT id, at::timestamptz AS at, row_number() OVER () AS i FROM unnest($3::text[], $4::text[]) AS n(id, at)),
made AS (INSERT INTO events (id, tenant, type, created_at, occurred_at, data) SELECT 'evt_' || id, $2, 'ticket.created', at, at, '{}' FROM n)
INSERT INTO deliveries (id, tenant, state, reason, next_attempt_at, completed_at, parked_at, held_until, blocked_by, attempts_made, last_failure, last_status_code, event_type, host, method, created_at, event_id, subscription_id)
SELECT id, $2, $5, CASE WHEN $5 IN ('pending', 'delivered') THEN '' ELSE 'operator' END, CASE WHEN $5 IN ('pending', 'retrying') THEN at + interval '100 years' END,
	CASE WHEN $5 IN ('delivered', 'failed', 'cancelled') THEN at END, CASE WHEN $5 IN ('held', 'blocked') THEN at END, CASE WHEN $5 IN ('held', 'blocked') THEN at + interval '100 years' END,
	CASE WHEN $5 = 'blocked' THEN 'dlv_x' ELSE '' END, CASE WHEN $5 IN ('pending', 'held', 'blocked') THEN 0 ELSE 1 END, CASE WHEN $5 IN ('retrying', 'failed') THEN 'http_5xx' ELSE '' END,
	CASE WHEN $5 IN ('retrying', 'failed') THEN 503 ELSE 0 END, 'ticket.created', 'crm.example.com', 'POST', at, 'evt_' || id, $1 FROM n`,
		sub.ID, sub.Tenant, pq.Array(ids), pq.Array(times), state)
	must(b.t, err)
	return ids
}

// requestFor asks for an operation with an action and a filter.
func requestFor(action switchboard.ActionKind, filter switchboard.Selection) switchboard.OperationRequest {
	return switchboard.OperationRequest{Action: action, Filter: filter, Reason: "a reason"}
}

func supporter() switchboard.Caller {
	return switchboard.Caller{KeyID: "key_support", Role: switchboard.RoleSupport}
}

// everyState makes three deliveries of acme in each state, the newest an hour ago.
func everyState(t *testing.T) (*bundle, switchboard.Subscription) {
	t.Helper()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	for i, state := range switchboard.States() {
		b.stored(sub, state, 3, b.clock().Add(-time.Duration(i+2)*time.Hour))
	}
	return b, sub
}

// TestPlanCounts: it counts what the action applies to, and says what it leaves out.
func TestPlanCounts(t *testing.T) {
	t.Parallel()
	b, sub := everyState(t)
	failed, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{States: []switchboard.State{switchboard.StateFailed}}, switchboard.PageRequest{})
	must(t, err)
	three := switchboard.PlanCount{Value: 3, Exact: true}
	for _, c := range []struct {
		name     string
		action   switchboard.ActionKind
		filter   switchboard.Selection
		count    int
		excluded []string
	}{
		{"retry", switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"}, 6, []string{"pending: the filter has to name this state", "held: a retry does not apply to this state", "blocked: a retry does not apply to this state", "delivered: the filter has to name this state", "cancelled: the filter has to name this state"}},
		{"retry of named states", switchboard.ActionRetry, switchboard.Selection{Subscription: sub.ID, States: []switchboard.State{"delivered", "held"}}, 3, []string{"held: a retry does not apply to this state"}},
		{"cancel", switchboard.ActionCancel, switchboard.Selection{Host: "CRM.example.com"}, 12, []string{"delivered: a cancel does not apply to this state", "failed: a cancel does not apply to this state", "cancelled: a cancel does not apply to this state"}},
		{"hold", switchboard.ActionHold, switchboard.Selection{EventType: "Ticket.created", States: []switchboard.State{"retrying"}}, 3, nil},
		{"release", switchboard.ActionRelease, switchboard.Selection{Text: "ticket", States: []switchboard.State{"held"}}, 3, nil},
		{"some ids", switchboard.ActionRetry, switchboard.Selection{IDs: []string{failed.Items[0].ID, failed.Items[0].ID, failed.Items[2].ID, "dlv_none"}}, 2, nil},
		{"a status code", switchboard.ActionRetry, switchboard.Selection{StatusCode: 503}, 6, nil},
		{"a failure and a time", switchboard.ActionRetry, switchboard.Selection{Failure: "http_5xx", After: b.clock().Add(-4 * time.Hour)}, 3, nil},
		{"replay", switchboard.ActionReplay, switchboard.Selection{Subscription: sub.ID}, 21, nil},
		{"replay of a time", switchboard.ActionReplay, switchboard.Selection{Subscription: sub.ID, Before: b.clock().Add(-4 * time.Hour)}, 12, nil},
		{"nothing", switchboard.ActionRetry, switchboard.Selection{Tenant: "nobody"}, 0, nil},
	} {
		plan, err := b.PlanOperation(t.Context(), root(), requestFor(c.action, c.filter))
		must(t, err)
		equal(t, c.name, plan.Count, switchboard.PlanCount{Value: c.count, Exact: true})
		var excluded []string
		for _, e := range plan.Excluded {
			excluded = append(excluded, e.Why)
			equal(t, c.name+": "+e.Why, e.Count, three)
		}
		equal(t, c.name+": excluded", excluded, c.excluded)
		// Of those between, two may be the same one if the deliveries are not spread evenly.
		if n := len(plan.Sample) + len(plan.SampleEvents); n < min(c.count, 6) || n > min(c.count, 10) {
			t.Errorf("%s: a sample of %d", c.name, n)
		}
	}
}

// TestPlanParts: by state, failure, subscription and tenant; deliveries of a deleted subscription
// are left out.
func TestPlanParts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub, gone := b.subscribe("acme", "*"), b.subscribe("globex", "*")
	b.stored(sub, switchboard.StateFailed, 4, b.clock().Add(-time.Hour))
	b.stored(sub, switchboard.StateRetrying, 2, b.clock().Add(-time.Hour))
	b.stored(gone, switchboard.StateFailed, 5, b.clock().Add(-time.Hour))
	must(t, b.DeleteSubscription(t.Context(), root(), gone.ID, "left"))
	plan, err := b.PlanOperation(t.Context(), root(), requestFor(switchboard.ActionRetry, switchboard.Selection{Host: "crm.example.com"}))
	must(t, err)
	equal(t, "by state", plan.ByState, []switchboard.PlanPart{{Value: "failed", Count: 4}, {Value: "retrying", Count: 2}})
	equal(t, "by failure", plan.ByFailure, []switchboard.PlanPart{{Value: "http_5xx", Count: 6}})
	equal(t, "by tenant", plan.ByTenant, []switchboard.PlanPart{{Value: "acme", Count: 6}})
	equal(t, "by subscription", plan.BySubscription, []switchboard.PlanPart{{Value: sub.ID, Count: 6}})
	equal(t, "excluded", plan.Excluded, []switchboard.PlanExclusion{{Why: "their subscription is deleted", Count: switchboard.PlanCount{Value: 5, Exact: true}}})
}

// TestRefusedStarts: they store nothing, and name the field.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	b, _ := everyState(t)
	request := requestFor(switchboard.ActionRetry, switchboard.Selection{Tenant: "acme"})
	plan, err := b.PlanOperation(t.Context(), supporter(), request)
	must(t, err)
	late, err := b.PlanOperation(t.Context(), supporter(), request)
	must(t, err)
	none, err := b.PlanOperation(t.Context(), supporter(), requestFor(switchboard.ActionRetry, switchboard.Selection{Tenant: "nobody"}))
	must(t, err)
	b.advance(switchboard.PlanLifetime - time.Second)
	other, bound := supporter(), supporter()
	other.KeyID, bound.Tenant = "key_other", "globex"
	started, err := b.StartOperation(t.Context(), supporter(), plan.Plan, switchboard.OperationRequest{Reason: "r"})
	must(t, err)
	for _, c := range []struct {
		name   string
		caller switchboard.Caller
		plan   string
		code   switchboard.Code
		field  string
	}{
		{"started before", supporter(), plan.Plan, switchboard.CodeConflict, "plan"},
		{"of another key", other, late.Plan, switchboard.CodeForbidden, "plan"},
		{"of another scope", bound, late.Plan, switchboard.CodeForbidden, "plan"},
		{"no plan", supporter(), "nonsense", switchboard.CodeInvalid, "plan"},
		{"cut off", supporter(), late.Plan[:len(late.Plan)-2], switchboard.CodeInvalid, "plan"},
		{"about nothing", supporter(), none.Plan, switchboard.CodeInvalid, "filter"},
	} {
		refused(t, c.name, second(b.StartOperation(t.Context(), c.caller, c.plan, switchboard.OperationRequest{Reason: "r"})), c.code, c.field)
	}
	b.advance(time.Second)
	refused(t, "expired", second(b.StartOperation(t.Context(), supporter(), late.Plan, switchboard.OperationRequest{Reason: "r"})), switchboard.CodeInvalid, "plan")
	page, err := b.Operations(t.Context(), root(), switchboard.OperationFilter{}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "operations", len(page.Items), 1)
	equal(t, "the one that was started", page.Items[0].ID, started.ID)
}

// TestSupportLimit: support keys act on at most 10,000 at once, and admins on any number.
func TestSupportLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.stored(sub, switchboard.StateFailed, switchboard.MaxSupportItems, b.clock().Add(-10*24*time.Hour))
	filter := switchboard.Selection{Tenant: "acme", States: []switchboard.State{"failed"}}
	_, err := b.StartOperation(t.Context(), supporter(), "", requestFor(switchboard.ActionRetry, filter))
	must(t, err)
	b.stored(sub, switchboard.StateFailed, 1, b.clock().Add(-time.Hour))
	refused(t, "one more", second(b.StartOperation(t.Context(), supporter(), "", requestFor(switchboard.ActionRetry, filter))), switchboard.CodeForbidden, "filter")
	plan, err := b.PlanOperation(t.Context(), supporter(), requestFor(switchboard.ActionRetry, filter))
	must(t, err)
	equal(t, "plan", []int{plan.Count.Value, plan.Limit}, []int{switchboard.MaxSupportItems + 1, switchboard.MaxSupportItems})
	o, err := b.StartOperation(t.Context(), root(), "", requestFor(switchboard.ActionRetry, filter))
	must(t, err)
	equal(t, "by an admin", fmt.Sprint(o.State, o.Total, o.Rate), fmt.Sprint("running", switchboard.MaxSupportItems+1, 50))
}
