package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Changes of a delivery around its end, between the steps of a visit, are not lost.
func TestRetentionKeepsWhatIsRecordedLate(t *testing.T) {
	t.Parallel()
	r := switchboard.Retention{Delivered: 2 * testDay, Failed: 4 * testDay}
	for _, c := range []struct {
		name             string
		ended            time.Duration                            // after the partition's beginning; 0: it is open
		before, meantime func(a *archive, d switchboard.Delivery) // the stage, and until the swap
	}{
		{"an attempt of what was cancelled before the stage", 0, (*archive).cancelNow, func(a *archive, d switchboard.Delivery) { a.record(d, d.AttemptsMade+1, 503) }},
		{"an attempt of what was cancelled since", 0, func(*archive, switchboard.Delivery) {}, func(a *archive, d switchboard.Delivery) {
			a.cancelNow(d)
			a.record(d, d.AttemptsMade+1, 503)
		}},
		{"an attempt that ends it", 0, func(*archive, switchboard.Delivery) {}, func(a *archive, d switchboard.Delivery) { a.record(d, d.AttemptsMade+1, 200) }},
		{"a reset of what was cancelled before", 0, (*archive).cancelNow, (*archive).resetNow},
		{"a reset of what failed three days before", 36 * time.Hour, func(*archive, switchboard.Delivery) {}, (*archive).resetNow},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := setupArchive(t, 4)
			g := generated{state: "retrying", createdAt: a.first.Add(time.Hour), attempts: 2}
			if c.ended > 0 {
				g.state, g.endedAt = "failed", a.first.Add(c.ended)
			}
			g.id = a.add(g).id
			d := a.read(g.id)
			ctx := t.Context()
			visits, err := a.PlanVisits(ctx, r)
			must(t, err)
			c.before(a, d)
			_, err = a.Stage(ctx, visits[0])
			must(t, err)
			c.meantime(a, d)
			want, err := a.Delivery(ctx, root(), d.ID)
			must(t, err)
			a.swap(visits[0])
			got, err := a.Delivery(ctx, root(), d.ID)
			must(t, err)
			equal(t, "after the swap", got, want)
		})
	}
}

func (a *archive) resetNow(d switchboard.Delivery) {
	a.t.Helper()
	_, err := a.Reset(a.t.Context(), d.ID, "another run", switchboard.Action{Actor: "cli", Kind: switchboard.ActionReset})
	must(a.t, err)
}

func (a *archive) cancelNow(d switchboard.Delivery) {
	a.t.Helper()
	_, err := a.Cancel(a.t.Context(), root(), d.ID, "over")
	must(a.t, err)
}

// A visit after that of another run has no effect: its partitions have been replaced.
func TestRetentionOfAnOvertakenVisit(t *testing.T) {
	t.Parallel()
	r := switchboard.Retention{Delivered: testDay, Failed: 2 * testDay}
	a := setupArchive(t, 6)
	a.fill(6)
	ctx := t.Context()
	visits, err := a.PlanVisits(ctx, r)
	must(t, err)
	narrow := visits[0] // into the first partition, which then covers less than it does now
	a.retain(r)
	before, err := a.Partitions(ctx)
	must(t, err)
	narrow.Parts, narrow.Hi = narrow.Parts[:1], a.first
	for _, table := range []string{"events", "deliveries", "attempts", "actions"} { // so that no row is in its way
		a.exec("DELETE FROM " + table + "_kept")
	}
	_, err = a.Stage(ctx, narrow)
	must(t, err)
	done, _, err := a.Swap(ctx, narrow)
	must(t, err)
	equal(t, "done", done, false)
	after, err := a.Partitions(ctx)
	must(t, err)
	equal(t, "the partitions", after, before)
}

// TestPruningLocksInOrder: it and others that lock the same deliveries by their ids wait for each
// other without a deadlock.
func TestPruningLocksInOrder(t *testing.T) {
	t.Parallel()
	r := switchboard.Retention{Delivered: 3 * testDay, Failed: 3 * testDay}
	a := setupArchive(t, 8)
	var ids []string
	for range 2 {
		ids = append(ids, a.add(generated{state: "held", createdAt: a.first.Add(time.Hour)}).id)
	}
	slices.Sort(ids)
	a.retain(r)
	for _, id := range []string{ids[1], ids[0]} { // the later one is first in the table
		a.exec("UPDATE deliveries SET state = 'cancelled', next_attempt_at = NULL, completed_at = $2, parked_at = NULL, held_until = NULL WHERE id = $1", id, a.clock())
	}
	a.at(a.clock().Add(8 * testDay))
	tx, err := a.sql.Beginx()
	must(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.Exec("SELECT FROM deliveries WHERE id = $1 FOR UPDATE", ids[0])
	must(t, err)
	pruned := make(chan error, 1)
	go func() { pruned <- third(a.PruneSurvivors(t.Context(), r)) }()
	a.awaitLockWait()
	_, err = tx.Exec("SELECT FROM deliveries WHERE id = $1 FOR UPDATE", ids[1])
	must(t, err)
	must(t, tx.Commit())
	must(t, next(t, "the end of pruning", pruned))
	a.noDeadlocks()
	var left int
	must(t, a.sql.Get(&left, "SELECT count(*) FROM deliveries"))
	equal(t, "deliveries that are left", left, 0)
}

// TestPruningWaitsForNoEventID: it skips an id that is being used again.
func TestPruningWaitsForNoEventID(t *testing.T) {
	t.Parallel()
	a := setupArchive(t, 8)
	for range 2 {
		a.add(generated{state: "delivered", createdAt: a.first.Add(time.Hour), endedAt: a.first.Add(2 * time.Hour)})
	}
	const left = "SELECT count(*) FROM event_ids"
	var before, after int
	must(t, a.sql.Get(&before, left))
	tx, err := a.sql.Beginx()
	must(t, err)
	defer func() { _ = tx.Rollback() }()
	must(t, second(tx.Exec("UPDATE event_ids SET created_at = $1 WHERE name = (SELECT min(name::text)::uuid FROM event_ids)", a.clock())))
	pruned := make(chan error, 1)
	go func() { pruned <- third(a.PruneEventIDs(t.Context(), testDay)) }()
	must(t, next(t, "the end of pruning", pruned))
	must(t, tx.Commit())
	must(t, a.sql.Get(&after, left))
	equal(t, "event ids before and after", []int{before, after}, []int{2, 1})
}
