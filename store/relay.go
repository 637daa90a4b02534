package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// ClaimUntold takes those deliveries whose workflow has been due to be started, or
// ended because they are cancelled, for longest, and returns them in any order. For
// the lease nobody else gets them.
func (s *Store) ClaimDispatches(ctx context.Context, limit int, lease time.Duration) ([]switchboard.Delivery, error) {
	now := s.now()
	claimed := []switchboard.Delivery{}
	err := s.list(ctx, "claim dispatches", &claimed, `
WITH due AS MATERIALIZED (
	SELECT id FROM deliveries WHERE dispatch_at <= $1 ORDER BY dispatch_at LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED)
UPDATE deliveries SET dispatch_at = $2 FROM due WHERE deliveries.id = due.id
RETURNING `+fields("deliveries", deliveryFields, ""), now, now.Add(lease), limit)
	return claimed, err
}

// Whoever looks for what is stuck, and the metric, mean every delivery whose date has
// passed: who is to blame for it, a worker, Temporal or the relay, is what they want to
// find out. The start of one that the relay claims in vain is due anew each time, and
// says nothing of that. The reconciler leaves those to the relay.
const (
	overdue        = "next_attempt_at < " // a time that is StuckAfter ago
	overdueStarted = "dispatch_at IS NULL AND " + overdue
)

// Told notes that Temporal knows of these runs of deliveries. A run that an
// operator has overtaken meanwhile says nothing of the next, and a start nothing of
// the end. IS TRUE keeps Postgres from finding them by when their start is due, of which
// the index holds all that wait for their turn.
func (s *Store) MarkDispatched(ctx context.Context, deliveries []switchboard.Delivery) error {
	ids, runs, ended := make([]string, len(deliveries)), make([]int64, len(deliveries)), make([]bool, len(deliveries))
	for i, d := range deliveries {
		ids[i], runs[i], ended[i] = d.ID, int64(d.Generation), d.State == switchboard.StateCancelled
	}
	least, greatest := bounds(ids)
	return s.setStart(ctx, `
UPDATE deliveries d SET dispatch_at = NULL FROM unnest($1::text[], $4::int[], $5::bool[]) AS n(id, generation, ended)
WHERE d.id = n.id AND d.id = `+lockedInOrder+` AND d.id >= $2 AND d.id <= $3 AND d.generation = n.generation AND (d.state = 'cancelled') = n.ended AND (d.dispatch_at IS NOT NULL) IS TRUE`,
		false, pq.Array(ids), least, greatest, pq.Array(runs), pq.Array(ended))
}

// StartSoon makes the start of those of the deliveries that have a date due now,
// and wakes the relays. IS TRUE keeps Postgres from finding them by their date, of
// which the index holds all that had one lately.
func (s *Store) DispatchNow(ctx context.Context, ids []string) error {
	least, greatest := bounds(ids)
	return s.setStart(ctx, "UPDATE deliveries SET dispatch_at = $4 WHERE id = "+lockedInOrder+" AND id >= $2 AND id <= $3 AND (next_attempt_at IS NOT NULL) IS TRUE",
		true, pq.Array(ids), least, greatest, s.now())
}

// Restart gives a delivery that is still in that run and has a date its next run,
// whose start is due now, and wakes the relays.
func (s *Store) StartNextGeneration(ctx context.Context, deliveryID string, run int) error {
	return s.setStart(ctx, "UPDATE deliveries SET generation = generation + 1, temporal_run_id = '', dispatch_at = $3 WHERE id = $1 AND generation = $2 AND next_attempt_at IS NOT NULL", true, deliveryID, run, s.now())
}

func (s *Store) setStart(ctx context.Context, statement string, wake bool, args ...any) error {
	return s.tx(ctx, "change dispatch", func(ctx context.Context, tx transaction) error {
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil || !wake {
			return err
		}
		return notify(ctx, tx, startChannel, "")
	})
}

// Overdue returns deliveries that were started and whose date passed more than slack
// ago, the longest overdue first, from the one after behind; the zero value is before all.
// Deliveries that were accepted together have the same date, so the id breaks ties.
func (s *Store) Overdue(ctx context.Context, slack time.Duration, behind switchboard.Delivery, limit int) ([]switchboard.Delivery, error) {
	found := []switchboard.Delivery{}
	err := s.list(ctx, "list overdue deliveries", &found, "SELECT "+fields("deliveries", deliveryFields, "")+` FROM deliveries
WHERE `+overdueStarted+`$1 AND (next_attempt_at, id) > ($2, $3) ORDER BY next_attempt_at, id LIMIT $4`,
		s.now().Add(-slack), behind.NextAttemptAt, behind.ID, limit)
	return found, err
}

// Stats counts what is open. Each claim of a relay moves dispatch_at on, so the date of
// the next attempt says how long a delivery has waited for its workflow. Like a search it
// may take long, and leaves the connections of deliveries alone.
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
WHERE state <> 'delivered' AND state IN ('pending', 'retrying', 'held', 'blocked') GROUP BY state
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
