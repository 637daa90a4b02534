package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// readOf returns how many rows of the table, or of its partitions, the plan has read.
func (n planNode) readOf(table string) (rows float64) {
	if strings.HasPrefix(n.Relation, table) {
		rows = (n.Rows + n.Removed) * n.Loops
	}
	for _, p := range n.Plans {
		rows += p.readOf(table)
	}
	return rows
}

// TestStepsReadTheNewestItems: they read no other deliveries of a large operation.
func TestStepsReadTheNewestItems(t *testing.T) {
	t.Parallel()
	const most = 1000
	a := manyDays(t)
	a.fillConsole()
	a.exec("INSERT INTO operation_items (operation_id, delivery_id, outcome, before) SELECT 'op_2', id, 'done', '{}' FROM deliveries")
	a.exec("ANALYZE operation_items")
	for name, s := range store.OperationItemQueries("op_2") {
		s.Settings = "SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan"
		plan := a.explained(s)
		if items, deliveries := plan.readOf("operation_items"), plan.readOf("deliveries"); items != most || deliveries != most {
			t.Errorf("%s reads %.0f items and %.0f deliveries, want %d: %+v", name, items, deliveries, most, plan)
		}
		for _, fault := range plan.faults(most) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// sends dispatches due deliveries, and sends those with these ids.
func (b *bundle) sends(ids ...string) {
	b.t.Helper()
	b.dispatched(b.Store)
	for _, id := range ids {
		sent, err := b.makeAttempt(b.Store, id)
		must(b.t, err)
		equal(b.t, id+" is sent", sent, true)
	}
}

// TestOperationDatesNoMoreThanIsSent: at most as many are unsent as may be in flight, and a hundred
// more.
func TestOperationDatesNoMoreThanIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	ids := b.stored(sub, switchboard.StateFailed, 400, b.clock().Add(-24*time.Hour))
	r := requestFor(switchboard.ActionRetry, switchboard.Selection{Subscription: sub.ID})
	r.Rate = 100
	o, err := b.StartOperation(t.Context(), root(), "", r)
	must(t, err)
	step := func(what string, changed int, wait time.Duration) {
		t.Helper()
		p := b.step(b.Store, o.ID)
		equal(t, what, []any{p.Changed, time.Duration(p.Wait), p.Finished}, []any{changed, wait, false})
	}
	step("at first", 100, 500*time.Millisecond)
	step("dated, and not sent", 0, 250*time.Millisecond)
	b.advance(2 * time.Second)
	b.dispatched(b.Store)
	step("dispatched, and not sent", 0, time.Second)
	must(t, second(b.QueueDelivery(t.Context(), b.read(ids[99]), switchboard.Admit(b.clock(), switchboard.Conditions{Full: true}))))
	b.sends(ids[:8]...)
	step("a few are sent", 0, time.Second)
	b.sends(ids[8:50]...)
	step("half of them are sent", 66, 250*time.Millisecond)
	b.advance(time.Second)
	b.dispatched(b.Store)
	b.changeState(sub, switchboard.PauseSubscription)
	for _, id := range ids[50:99] {
		must(t, second(b.HoldDelivery(t.Context(), b.read(id), switchboard.Conditions{})))
	}
	b.changeState(sub, switchboard.ResumeSubscription)
	step("held for something else", 49, 250*time.Millisecond)
}

// TestOperationKeepsALowRate: deliveries that are sent and still running do not delay it.
func TestOperationKeepsALowRate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "none")
	b.stored(sub, switchboard.StateFailed, 100, b.clock().Add(-24*time.Hour))
	r := requestFor(switchboard.ActionRetry, switchboard.Selection{Subscription: sub.ID})
	r.Rate = 10
	o, err := b.StartOperation(t.Context(), root(), "", r)
	must(t, err)
	from := b.clock()
	for range 6 {
		wait := b.step(b.Store, o.ID).Wait
		b.dispatched(b.Store)
		b.advance(time.Duration(wait))
	}
	var dated []time.Time
	must(t, b.sql.Select(&dated, "SELECT next_attempt_at FROM deliveries WHERE state = 'pending' ORDER BY id"))
	for i, at := range dated {
		if want := from.Add(time.Duration(i) * 100 * time.Millisecond); !at.Equal(want) {
			t.Fatalf("delivery %d is due at %s; want %s", i, at, want)
		}
	}
	if len(dated) < 60 {
		t.Errorf("%d are dated", len(dated))
	}
}
