package store_test

import (
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// read returns how many rows, or entries of an index, the plan has read.
func (n planNode) read() (rows float64) {
	if len(n.Plans) == 0 {
		return (n.Rows + n.Removed) * n.Loops
	}
	for _, p := range n.Plans {
		rows += p.read()
	}
	return rows
}

// TestOperatorsHoldsAreNotRead: a query for the oldest held delivery that may be released reads
// none of the earlier ones that an operator holds, which may be millions.
func TestOperatorsHoldsAreNotRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	b.many(sub, 3000)
	b.holdAll(sub, switchboard.ReasonOperator)
	for _, reason := range []string{switchboard.ReasonBreakerOpen, switchboard.ReasonRateLimited} {
		must(t, second(b.sql.Exec("UPDATE deliveries SET reason = $1 WHERE id LIKE '%_0000030__'", reason)))
		must(t, second(b.sql.Exec("ANALYZE deliveries")))
		for name, statement := range store.HeldStatements(sub.ID, b.clock()) {
			if read := b.explained(statement).read(); read > 10 {
				t.Errorf("%s reads %.0f rows to find one that is held: %s", name, read, reason)
			}
		}
	}
}
