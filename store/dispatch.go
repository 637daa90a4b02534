package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// The outbox: dispatch_at says when a relay starts a delivery's workflow, or wakes that of a
// cancelled or held delivery so that it ends. What is here changes that column alone, and no state.

// Each relay claims every second. To plan one of these for every partition costs more than to run
// it, so that they are prepared. Nearly always nothing is due, which anyDueQuery finds out without
// a transaction.
//
// IS TRUE keeps Postgres from the index of dispatch_at, which holds all that wait for a later date.
const (
	anyDueQuery = "SELECT 1 FROM deliveries WHERE dispatch_at <= $1 LIMIT 1"

	leaseQuery = "UPDATE deliveries SET dispatch_at = $4 WHERE id = ANY($1) AND id >= $2 AND id <= $3 AND (dispatch_at IS NOT NULL) IS TRUE"

	dispatchedQuery = `
UPDATE deliveries d SET dispatch_at = NULL FROM unnest($1::text[], $4::int[], $5::bool[]) AS n(id, generation, ended)
WHERE d.id = n.id AND d.id = ` + lockedInOrder + ` AND d.id >= $2 AND d.id <= $3 AND d.generation = n.generation AND (d.state NOT IN ('pending', 'retrying')) = n.ended AND (d.dispatch_at IS NOT NULL) IS TRUE`
)

var dueQuery = "SELECT " + fields("deliveries", deliveryFields, "") + " FROM deliveries WHERE dispatch_at <= $1 ORDER BY dispatch_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"

// ClaimDispatches takes the deliveries that have been due to be dispatched for longest. For the
// lease nobody else gets them.
func (s *Store) ClaimDispatches(ctx context.Context, limit int, lease time.Duration) ([]switchboard.Delivery, error) {
	now := s.now()
	claimed := []switchboard.Delivery{}
	var due []int
	if err := s.list(ctx, "claim dispatches", &due, anyDueQuery, now); err != nil || len(due) == 0 {
		return claimed, err
	}
	err := s.tx(ctx, "claim dispatches", func(ctx context.Context, tx transaction) error {
		claimed = claimed[:0]
		if err := tx.SelectContext(ctx, &claimed, dueQuery, now, limit); err != nil || len(claimed) == 0 {
			return err
		}
		ids := make([]string, len(claimed))
		for i, d := range claimed {
			ids[i] = d.ID
		}
		least, greatest := bounds(ids)
		_, err := tx.ExecContext(ctx, leaseQuery, pq.Array(ids), least, greatest, now.Add(lease))
		return err
	})
	return claimed, err
}

// MarkDispatched records that Temporal knows of these generations of deliveries. One that an
// operator has replaced meanwhile does not cover the next, and a start does not cover the cancellation
// or the hold.
func (s *Store) MarkDispatched(ctx context.Context, deliveries []switchboard.Delivery) error {
	ids, generations, ended := make([]string, len(deliveries)), make([]int64, len(deliveries)), make([]bool, len(deliveries))
	for i, d := range deliveries {
		ids[i], generations[i], ended[i] = d.ID, int64(d.Generation), !d.State.HasNextAttempt()
	}
	least, greatest := bounds(ids)
	_, err := s.exec(ctx, "mark deliveries dispatched", dispatchedQuery, pq.Array(ids), least, greatest, pq.Array(generations), pq.Array(ended))
	return err
}

// DispatchNow makes those of the deliveries that wait for an attempt due to be dispatched, and
// wakes the relays. IS TRUE keeps Postgres from the index of next_attempt_at, which holds all
// that wait for an attempt.
func (s *Store) DispatchNow(ctx context.Context, ids []string) error {
	least, greatest := bounds(ids)
	return s.tx(ctx, "dispatch deliveries", func(ctx context.Context, tx transaction) error {
		_, err := tx.ExecContext(ctx, "UPDATE deliveries SET dispatch_at = $4 WHERE id = "+lockedInOrder+" AND id >= $2 AND id <= $3 AND (next_attempt_at IS NOT NULL) IS TRUE",
			pq.Array(ids), least, greatest, s.now())
		if err != nil {
			return err
		}
		return notify(ctx, tx, dispatchChannel, "")
	})
}
