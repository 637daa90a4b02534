package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The store's own methods attempt, retry, cancel, reset and post old deliveries again, while two
// runs of retention replace their partitions, and while Postgres ends the connections of those runs
// at random. Nothing that must be kept is lost, and a verification in the meantime finds nothing
// wrong.
func TestRetentionUnderChurn(t *testing.T) {
	t.Parallel()
	// Delivered ones stay for longer than the idempotency window of the verification, which is 7
	// days, as the configuration requires. Otherwise the event of a known id may be gone. The clock
	// jumps by half a day below.
	r := switchboard.Retention{Delivered: 8 * testDay, Failed: 10 * testDay, Payloads: 2 * testDay}
	a := setupArchive(t, 12)
	sub := a.subscribe("acme", "other")
	a.fill(12)
	a.exec("UPDATE deliveries SET subscription_id = $1", sub.ID)
	a.exec("UPDATE subscriptions SET state = 'paused' WHERE id = $1", sub.ID) // so that a due one can be held
	var open []*churned
	for _, g := range a.rows {
		if g.endedAt.IsZero() {
			open = append(open, &churned{generated: g, actions: 1})
		}
	}
	slices.SortFunc(open, func(x, y *churned) int { return x.createdAt.Compare(y.createdAt) })

	a.tick() // so that the time of a visit differs from the one before, as it does outside of tests
	ctx, stop := context.WithCancel(t.Context())
	var done atomic.Int64
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 7))
			for pace := time.NewTicker(churnPace); ctx.Err() == nil; <-pace.C {
				i := random.IntN(len(open)/4)*4 + worker
				if err := a.change(open[i], random); err != nil {
					t.Errorf("%s of %s: %v", open[i].id, open[i].createdAt, err)
					return
				}
				done.Add(1)
			}
		})
	}
	var ends atomic.Int64
	group.Go(func() { // the holder of the advisory lock loses its connection, which has ended when the next statement begins
		for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			var ended int64
			must(t, a.sql.Get(&ended, `SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_locks WHERE locktype = 'advisory' AND granted
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND random() < 0.1`))
			ends.Add(ended)
		}
	})
	var verified atomic.Int64
	group.Go(func() {
		for ctx.Err() == nil {
			// With these settings nothing is late, even if no run has reached it yet.
			if report := a.verifyUnder(switchboard.Retention{Delivered: 30 * testDay, Failed: 90 * testDay, Payloads: 30 * testDay}); !report.Clean() {
				t.Errorf("meanwhile: %+v", report)
				return
			}
			verified.Add(1)
		}
	})
	// Three days' halves, and as long as it takes until enough has happened in the meantime.
	enough := func() bool { return done.Load() >= 100 && ends.Load() >= 5 && verified.Load() >= 2 || t.Failed() }
	for round := 0; round < 3 || !enough(); round++ {
		var runs sync.WaitGroup
		for range 2 {
			runs.Go(func() {
				for range 6 {
					a.tryToRetain(r)
				}
			})
		}
		runs.Wait()
		if round < 3 {
			a.at(a.clock().Add(testDay / 2))
		}
	}
	stop()
	group.Wait()
	t.Logf("%d changes, %d ends and %d verifications", done.Load(), ends.Load(), verified.Load())
	a.retain(r)
	a.retain(r)
	for _, c := range open {
		a.checkChurned(c)
	}
	a.checkPartitions()
	equal(t, "violations", a.verifyDatabase().Violations, []switchboard.Violation{})
}

// churned is a delivery with its number of actions.
type churned struct {
	*generated
	actions int
}

// change makes a random change of a delivery.
func (a *archive) change(c *churned, random *rand.Rand) error {
	ctx := a.t.Context()
	found, err := a.Find(ctx, []string{c.id})
	if err != nil || len(found) != 1 {
		return fmt.Errorf("found %d: %w", len(found), err)
	}
	before := found[0]
	if !before.State.Final() {
		loaded, err := a.LoadForAttempt(ctx, c.id)
		if err != nil {
			return fmt.Errorf("load: %w", err)
		}
		if string(loaded.Event.Data) != "payload of "+c.event {
			return fmt.Errorf("the event of a %s delivery has the data %q", before.State, loaded.Event.Data)
		}
	}
	after := before
	switch n := random.IntN(40); {
	case n < 20 || before.State.Final(): // an attempt may end after its delivery
		decision := switchboard.Decision{State: switchboard.StateRetrying, Wait: time.Hour}
		if n == 1 {
			decision = switchboard.Decision{State: switchboard.StateDelivered}
		}
		attempt := a.attempt(before, before.AttemptsMade+1, 503)
		after, err = a.Record(ctx, switchboard.Record{Attempt: attempt, Decision: decision, TemporalRunID: before.TemporalRunID, Generation: before.Generation})
		c.attempts++
	case n < 26 && before.State.HasNextAttempt():
		after, _, err = a.Retry(ctx, root(), c.id, "at once")
		c.actions++ // also if it is due already
	case n < 28:
		after, err = a.Cancel(ctx, root(), c.id, "over")
		c.actions++
	case n < 32:
		after, err = a.HoldDelivery(ctx, before, switchboard.Conditions{})
		if after != before {
			c.actions++
		}
	case n < 36:
		after, err = a.Reset(ctx, c.id, switchboard.NewID("run_", a.clock()), switchboard.Action{Actor: "cli", Kind: switchboard.ActionReset})
		c.actions++
	default:
		_, err = a.Postpone(ctx, before, a.clock().Add(time.Minute), "later")
	}
	if err != nil {
		return err
	}
	c.state = string(after.State)
	c.endedAt = after.CompletedAt
	if after.State.Final() {
		_, _, err := a.Retry(ctx, root(), c.id, "again")
		switch {
		case err == nil:
			c.actions++
			c.endedAt = time.Time{}
		case switchboard.CodeOf(err) != switchboard.CodeConflict:
			return err
		}
	}
	return nil
}

// checkChurned compares the stored delivery with the changes.
func (a *archive) checkChurned(c *churned) {
	a.t.Helper()
	detail, err := a.Delivery(a.t.Context(), root(), c.id)
	if err != nil {
		a.t.Errorf("the %s of %s that ended at %s: %v", c.state, c.createdAt, c.endedAt, err)
		return
	}
	if len(detail.Attempts) != c.attempts || detail.Delivery.AttemptsMade != c.attempts || len(detail.Actions) != c.actions {
		a.t.Errorf("the %s of %s that ended at %s: %d attempts (%d counted) of %d, %d actions of %d", c.state, c.createdAt, c.endedAt,
			len(detail.Attempts), detail.Delivery.AttemptsMade, c.attempts, len(detail.Actions), c.actions)
	}
}

// tryToRetain does what the workflow does, and gives up at the first error.
func (a *archive) tryToRetain(r switchboard.Retention) {
	ctx := a.t.Context()
	if _, err := a.MakePartitionsAhead(ctx, r); err != nil {
		return
	}
	visits, err := a.PlanVisits(ctx, r)
	if err != nil {
		return
	}
	for _, v := range visits {
		if _, err := a.Stage(ctx, v); err != nil {
			return
		}
		for range 50 {
			_, _, err := a.Swap(ctx, v)
			if err == nil {
				break
			}
			if !errors.Is(err, switchboard.ErrSwapDeferred) && !errors.Is(err, switchboard.ErrMaintenanceBusy) {
				return
			}
		}
		if _, err := a.DropReplaced(ctx); err != nil {
			return
		}
	}
	_, _, _ = a.PruneSurvivors(ctx, r)
}
