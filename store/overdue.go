package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Lists and the metric count every delivery whose date has passed, whatever the cause: a
// worker, Temporal or the relay. A relay that claims a delivery and fails to start it moves
// dispatch_at each time, so that column does not tell. The reconciler leaves the deliveries
// that are to be dispatched to the relay.
const (
	overdue           = "next_attempt_at < " // a time that is StuckAfter ago
	overdueDispatched = "dispatch_at IS NULL AND " + overdue
)

// Overdue returns deliveries that were dispatched and whose date passed more than slack ago,
// the longest overdue first, from the one after that delivery on; its zero value is before all.
// Deliveries that were accepted together have the same date, so the id breaks ties.
func (s *Store) Overdue(ctx context.Context, slack time.Duration, after switchboard.Delivery, limit int) ([]switchboard.Delivery, error) {
	found := []switchboard.Delivery{}
	err := s.list(ctx, "list overdue deliveries", &found, "SELECT "+fields("deliveries", deliveryFields, "")+` FROM deliveries
WHERE `+overdueDispatched+`$1 AND (next_attempt_at, id) > ($2, $3) ORDER BY next_attempt_at, id LIMIT $4`,
		s.now().Add(-slack), after.NextAttemptAt, after.ID, limit)
	return found, err
}

// Stats counts what is open. Each claim of a relay moves dispatch_at, so the date of the next
// attempt tells how long a delivery has waited for its workflow. Like a search it may take long,
// and uses the connections of searches.
func (s *Store) Stats(ctx context.Context) (switchboard.Stats, error) {
	now := s.now()
	var counts []struct {
		State  string
		Count  int
		Oldest float64 // the longest that one of them is late, in seconds
	}
	const late, backlog = "late", "backlog"
	err := s.search(ctx, "count open deliveries", &counts, `
SELECT state, count(*), 0::float8 AS oldest FROM deliveries
WHERE state NOT IN ('pending', 'delivered') AND state IN ('retrying', 'held', 'blocked') GROUP BY state -- each part has an index of its own
UNION ALL SELECT 'pending', count(*), 0 FROM deliveries WHERE next_attempt_at IS NOT NULL AND state = 'pending' HAVING count(*) > 0
UNION ALL SELECT '`+late+`', count(*), 0 FROM deliveries WHERE `+overdue+`$1
UNION ALL SELECT '`+backlog+`', count(*), coalesce(extract(epoch FROM $2 - min(next_attempt_at)), 0) FROM deliveries
	WHERE dispatch_at IS NOT NULL AND (next_attempt_at < $3 OR state = 'cancelled' AND dispatch_at <= $2)`, now.Add(-switchboard.StuckAfter), now, now.Add(-switchboard.DispatchWithin))
	stats := switchboard.Stats{Open: map[switchboard.State]int{}}
	for _, state := range switchboard.States() {
		if !state.Final() {
			stats.Open[state] = 0
		}
	}
	for _, c := range counts {
		switch c.State {
		case late:
			stats.Overdue = c.Count
		case backlog:
			stats.RelayBacklog, stats.RelayOldest = c.Count, time.Duration(c.Oldest*float64(time.Second))
		default:
			stats.Open[switchboard.State(c.State)] = c.Count
		}
	}
	return stats, err
}
