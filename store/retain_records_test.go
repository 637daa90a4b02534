package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestPruneOperations: an operation is deleted as long after its end as failed deliveries.
func TestPruneOperations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := switchboard.Retention{Delivered: 30 * testDay, Failed: 90 * testDay}
	sub := b.subscribe("acme", "*")
	b.changeState(sub, switchboard.PauseSubscription)
	finished := b.changeState(sub, switchboard.ResumeSubscription)
	b.operate(finished)
	other := b.subscribe("acme", "*")
	b.changeState(other, switchboard.PauseSubscription)
	running := b.changeState(other, switchboard.ResumeSubscription)
	for _, c := range []struct {
		days time.Duration
		rows int64
	}{{89, 0}, {2, 1}, {300, 0}} { // a running operation is never deleted
		b.advance(testDay * c.days)
		step, more, err := b.PruneRecords(t.Context(), r)
		must(t, err)
		equal(t, "step", []any{step.Step, step.Rows, more}, []any{"prune records", c.rows, false})
	}
	var left []string
	must(t, b.sql.Select(&left, "SELECT id FROM operations"))
	equal(t, "left", left, []string{running})
}

// TestPruneIdleKeys: a key without an open delivery is deleted, and each other one stays.
func TestPruneIdleKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.ordering("acme", byKey)
	open := b.acceptKeyed("acme", "open")[0]
	for _, row := range []struct{ key, last string }{
		{"gone", "dlv_0"},     // its delivery is missing
		{"none", ""},          // a crash left it empty
		{"outdated", open.ID}, // the last delivery is of another key
	} {
		must(t, second(b.sql.Exec("INSERT INTO ordering_keys (subscription_id, key, last_delivery, last_position) VALUES ($1, $2, $3, 7)", sub.ID, row.key, row.last)))
	}
	must(t, second(b.sql.Exec("UPDATE ordering_keys SET last_delivery = 'dlv_0' WHERE key = 'open'"))) // its queue is not empty all the same
	step, _, err := b.PruneRecords(t.Context(), switchboard.Retention{})
	must(t, err)
	equal(t, "deleted", step.Rows, int64(2))
	var left []string
	must(t, b.sql.Select(&left, "SELECT key FROM ordering_keys ORDER BY key"))
	equal(t, "left", left, []string{"open", "outdated"})
}
