package store

import (
	"context"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// heartbeatQuery records that the worker $1 lives and counts $2 workers. It returns facts about
// the workers that were heard of since $3 microseconds ago, and deletes the others. The time is the
// database's, so that the workers' clocks do not matter. A statement does not see its own writes:
// the worker's own row is that of its previous heartbeat. After an outage of Postgres no worker was
// heard of: the statement neither deletes nor waits for a worker whose heartbeat is running.
const heartbeatQuery = `
WITH me AS (
	INSERT INTO workers AS w (id, joined_at, seen_at, counted, version, slots, slots_taken, slow_slots, slow_slots_taken)
	VALUES ($1, clock_timestamp(), clock_timestamp(), $2, $4, $5, $6, $7, $8)
	ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), counted = excluded.counted, version = excluded.version,
		slots = excluded.slots, slots_taken = excluded.slots_taken, slow_slots = excluded.slow_slots, slow_slots_taken = excluded.slow_slots_taken
	RETURNING joined_at),
gone AS (DELETE FROM workers WHERE id IN (
	SELECT id FROM workers WHERE id <> $1 AND seen_at < clock_timestamp() - $3 * interval '1 microsecond' FOR UPDATE SKIP LOCKED)),
others AS MATERIALIZED (SELECT id, joined_at, counted FROM workers WHERE id <> $1 AND seen_at >= clock_timestamp() - $3 * interval '1 microsecond')
SELECT 1 + count(others.id) AS live, count(others.id) FILTER (WHERE (others.joined_at, others.id) < (me.joined_at, $1)) AS rank,
	coalesce(min(others.counted) >= 1 + count(others.id), true) AS counted,
	ARRAY(SELECT h.subscription_id FROM subscription_health h JOIN subscriptions s ON s.id = h.subscription_id
		WHERE h.queue_reason <> '' AND h.breaker <> 'open' AND (h.deferred_until IS NULL OR h.deferred_until <= now()) AND s.state = 'active' AND s.deleted_at IS NULL) AS queued
FROM me LEFT JOIN others ON true GROUP BY me.joined_at`

// Heartbeat records that the worker lives and counts that many workers, with more facts about it,
// and returns the facts about the others.
func (s *Store) Heartbeat(ctx context.Context, workerID string, counted int, facts switchboard.WorkerFacts) (switchboard.Workers, error) {
	var rows []struct {
		Live, Rank int
		Counted    bool
		Queued     pq.StringArray
	}
	err := s.list(ctx, "heartbeat", &rows, heartbeatQuery, workerID, counted, switchboard.WorkerExpiry.Microseconds(),
		facts.Version, facts.Slots, facts.SlotsTaken, facts.SlowSlots, facts.SlowSlotsTaken)
	if err != nil || len(rows) == 0 {
		return switchboard.Workers{}, err
	}
	w := rows[0]
	return switchboard.Workers{Live: w.Live, Rank: w.Rank, Counted: w.Counted, Queued: w.Queued}, nil
}

// Leave records that the worker has ended.
func (s *Store) Leave(ctx context.Context, workerID string) error {
	_, err := s.exec(ctx, "worker left", "DELETE FROM workers WHERE id = $1", workerID)
	return err
}
