package store

import (
	"context"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Lists and the metric count every delivery whose date has passed, whatever the cause: a worker,
// Temporal or the relay. dispatch_at cannot show this, because a relay that claims a delivery and
// fails to start it moves that column each time. The reconciler leaves deliveries with a pending
// dispatch to the relay.
const (
	overdue           = "next_attempt_at < " // a time that is StuckAfter ago
	overdueDispatched = "dispatch_at IS NULL AND " + overdue
)

var overdueQuery = "SELECT " + fields("deliveries", deliveryFields, "") + ` FROM deliveries
WHERE ` + overdueDispatched + `$1 AND (next_attempt_at, id) > ($2, $3) ORDER BY next_attempt_at, id LIMIT $4`

// Overdue returns dispatched deliveries whose date passed more than slack ago, the longest overdue
// first, beginning with the one after that delivery; its zero value means the beginning. Deliveries
// that were accepted together have the same date, so the id breaks ties.
func (s *Store) Overdue(ctx context.Context, slack time.Duration, after switchboard.Delivery, limit int) ([]switchboard.Delivery, error) {
	found := []switchboard.Delivery{}
	err := s.list(ctx, "list overdue deliveries", &found, overdueQuery, s.now().Add(-slack), after.NextAttemptAt, after.ID, limit)
	return found, err
}

// statsQuery counts these in addition to the states.
const countLate, countBacklog, countBreaker = "late", "backlog", "breaker "

// statsQuery counts what is open at the time $1. What was due at $2 is overdue, and the relay is
// late with what was due at $3. The times are in a table, so that they do not affect the plan.
// Otherwise Postgres plans again at every call, which takes 0.1 s with 41 partitions.
const statsQuery = `
WITH t AS MATERIALIZED (SELECT $1::timestamptz AS now, $2::timestamptz AS overdue, $3::timestamptz AS dispatched)
SELECT state, count(*), 0::float8 AS oldest, min(id) AS least FROM deliveries
WHERE state NOT IN ('pending', 'delivered') AND state IN ('retrying', 'held', 'blocked') GROUP BY state -- each part has an index of its own
UNION ALL SELECT 'pending', count(*), 0, min(id) FROM deliveries WHERE next_attempt_at IS NOT NULL AND state = 'pending' HAVING count(*) > 0
UNION ALL SELECT '` + countBreaker + `' || last_failure_reason, count(*), 0, '' FROM subscription_health WHERE breaker <> 'closed' GROUP BY last_failure_reason
UNION ALL SELECT '` + countLate + `', count(*), 0, '' FROM t, deliveries WHERE ` + overdue + `t.overdue
UNION ALL SELECT '` + countBacklog + `', count(*), coalesce(extract(epoch FROM max(t.now - next_attempt_at)), 0), '' FROM t, deliveries
	WHERE dispatch_at IS NOT NULL AND (next_attempt_at < t.dispatched OR state IN ('cancelled', 'held') AND dispatch_at <= t.now)`

// Stats counts what is open. Each claim of a relay moves dispatch_at, so the date of the next
// attempt shows how long a delivery has waited for its workflow. It may take long, so it uses the
// connections of searches.
func (s *Store) Stats(ctx context.Context) (switchboard.Stats, error) {
	now := s.now()
	var counts []struct {
		State  string
		Count  int
		Oldest float64 // seconds that the latest of them is late
		Least  string  // the least id
	}
	err := s.search(ctx, "count open deliveries", &counts, statsQuery, now, now.Add(-switchboard.StuckAfter), now.Add(-switchboard.DispatchWithin))
	stats := noStats()
	for _, c := range counts {
		if reason, ok := strings.CutPrefix(c.State, countBreaker); ok {
			stats.Breakers[reason] = c.Count
			continue
		}
		switch c.State {
		case countLate:
			stats.Overdue = c.Count
		case countBacklog:
			stats.RelayBacklog, stats.RelayOldest = c.Count, time.Duration(c.Oldest*float64(time.Second))
		default:
			stats.Open[switchboard.State(c.State)] = c.Count
			stats.Oldest = older(stats.Oldest, c.Least)
		}
	}
	return stats, err
}

// older returns the id of the delivery that was accepted first; empty: there is none.
func older(a, b string) string {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}
