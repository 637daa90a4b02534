package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/seed-49a43567/switchboard"
)

// countBudget is how long a count takes at most. With an index that fits, ten thousand matches take
// about 15 ms; without one they would take seconds.
const countBudget = 300 * time.Millisecond

// countSettings make Postgres count by an index if there is one. Without them it reads a whole
// table for a condition that it considers common.
const countSettings = "SET LOCAL enable_seqscan = off; SET LOCAL max_parallel_workers_per_gather = 0; "

// countQuery counts the matches of a list up to a limit.
func (q *pageQuery) countQuery(limit int) (query string, args []any) {
	c := q.where.with()
	tail := " LIMIT " + c.term("?", limit)
	rows := c.union(func(where string) string { return "(SELECT 1 FROM " + q.table + where + tail + ")" })
	return "SELECT count(*) FROM (SELECT FROM (" + rows + ") AS matches" + tail + ") AS counted", c.args
}

// countMatches counts the matches of a list of deliveries, independent of the page; nil: they could
// not be counted in time.
func (s *Store) countMatches(ctx context.Context, q pageQuery) (*switchboard.Count, error) {
	query, args := q.countQuery(switchboard.MaxMatches + 1)
	var n int
	known, err := s.within(ctx, "count deliveries", countSettings, max(countBudget, s.countTime), func(ctx context.Context, tx *sqlx.Tx) error {
		return tx.GetContext(ctx, &n, query, args...)
	})
	if err != nil || !known {
		return nil, err
	}
	count := countUpTo(n, switchboard.MaxMatches)
	return &count, nil
}

// countUpTo makes a count, for which up to one more than the bound were found.
func countUpTo(n, bound int) switchboard.Count {
	return switchboard.Count{Value: min(n, bound), More: n > bound}
}

// within reads with its own settings. It reports false if Postgres does not answer within the
// budget; then nothing is known.
func (s *Store) within(ctx context.Context, operation, settings string, budget time.Duration, read func(context.Context, *sqlx.Tx) error) (known bool, err error) {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = withSettings(bounded, s.searches, fmt.Sprintf("%sSET LOCAL statement_timeout = %d", settings, budget.Milliseconds()), func(tx *sqlx.Tx) error { return read(bounded, tx) })
	if pq.As(err, pqerror.QueryCanceled) != nil && bounded.Err() == nil {
		return false, nil
	}
	return err == nil, mapError(ctx, operation, err)
}
