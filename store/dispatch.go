package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

// The outbox: dispatch_at is when a relay starts a delivery's workflow, or wakes the workflow of a
// cancelled or held delivery so that it ends. The functions in this file change only that column,
// and no state, unless they park a delivery.

// Each relay claims every second. Planning one of these queries for every partition costs more than
// running it, so they are prepared. Almost always nothing is due, which anyDueQuery finds out
// without a transaction.
//
// IS TRUE prevents Postgres from using the index of dispatch_at, which has all deliveries with a
// later date, and the index of next_attempt_at.
const (
	anyDueQuery = "SELECT 1 FROM deliveries WHERE dispatch_at <= $1 LIMIT 1"

	leaseQuery = "UPDATE deliveries SET dispatch_at = $4 WHERE id = ANY($1) AND id >= $2 AND id <= $3 AND (dispatch_at IS NOT NULL) IS TRUE"

	dispatchedQuery = `
UPDATE deliveries d SET dispatch_at = NULL FROM unnest($1::text[], $4::int[], $5::bool[]) AS n(id, generation, ended)
WHERE d.id = n.id AND d.id = ` + lockedInOrder + ` AND d.id >= $2 AND d.id <= $3 AND d.generation = n.generation AND (d.state NOT IN ('pending', 'retrying')) = n.ended AND (d.dispatch_at IS NOT NULL) IS TRUE`

	dispatchNowQuery = "UPDATE deliveries SET dispatch_at = $4 WHERE id = " + lockedInOrder + " AND id >= $2 AND id <= $3 AND (next_attempt_at IS NOT NULL) IS TRUE"
)

var dueQuery = "SELECT " + fields("deliveries", deliveryFields, "") + " FROM deliveries WHERE dispatch_at <= $1 ORDER BY dispatch_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED"

// ClaimDispatches takes the deliveries that have been due to be dispatched for longest. Nobody else
// gets them during the lease. It parks deliveries that may not be sent any more, which costs less
// than a workflow that would do so.
func (s *Store) ClaimDispatches(ctx context.Context, limit int, lease time.Duration) ([]switchboard.Delivery, error) {
	now := s.now()
	var due []int
	if err := s.list(ctx, "claim dispatches", &due, anyDueQuery, now); err != nil || len(due) == 0 {
		return []switchboard.Delivery{}, err
	}
	claimed, err := s.lease(ctx, now, limit, lease)
	if err != nil {
		return claimed, err
	}
	return s.parkClaimed(ctx, claimed)
}

func (s *Store) lease(ctx context.Context, now time.Time, limit int, lease time.Duration) ([]switchboard.Delivery, error) {
	claimed := []switchboard.Delivery{}
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

// closedQuery finds the subscriptions among $1 that get nothing now, or whose deliveries are
// ordered.
const closedQuery = `
SELECT s.id FROM subscriptions s LEFT JOIN subscription_health h ON h.subscription_id = s.id
WHERE s.id = ANY($1) AND (s.state <> 'active' OR h.breaker = 'open' OR h.queue_reason <> '') ORDER BY s.id`

// resentQuery finds the resends among the deliveries $1.
const resentQuery = "SELECT delivery_id FROM resends WHERE delivery_id = ANY($1)"

// parkClaimed parks the claimed deliveries that may not be sent now, and returns the rest. A resend
// may go to another endpoint, whose state the subscription does not have, so its attempt decides.
func (s *Store) parkClaimed(ctx context.Context, claimed []switchboard.Delivery) ([]switchboard.Delivery, error) {
	bySubscription := map[string][]string{}
	for _, d := range claimed {
		if d.State.HasNextAttempt() {
			bySubscription[d.SubscriptionID] = append(bySubscription[d.SubscriptionID], d.ID)
		}
	}
	var closed []string
	if err := s.list(ctx, "find what may not be dispatched", &closed, closedQuery, pq.Array(slices.Collect(maps.Keys(bySubscription)))); err != nil {
		return nil, err
	}
	parked := map[string]bool{}
	for _, id := range closed {
		ids := bySubscription[id]
		var resent []string
		if err := s.list(ctx, "find resends", &resent, resentQuery, pq.Array(ids)); err != nil {
			return nil, err
		}
		ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(resent, id) })
		if err := s.parkDispatched(ctx, id, ids, parked); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(claimed, func(d switchboard.Delivery) bool { return parked[d.ID] }), nil
}

// parkDispatched parks the deliveries of a subscription that have no workflow yet and may not be
// sent in its current state and health. It adds them to parked.
func (s *Store) parkDispatched(ctx context.Context, subscriptionID string, ids []string, parked map[string]bool) error {
	return s.tx(ctx, "park what is to be dispatched", func(ctx context.Context, tx transaction) error {
		conditions, err := lockFlow(ctx, tx, subscriptionID, shared)
		if err != nil {
			return err
		}
		rows, err := lockInQueues(ctx, tx, ids...)
		if err != nil {
			return err
		}
		states, now := map[string]switchboard.State{}, s.now()
		var changed []*row
		for _, id := range ids {
			r := rows[id]
			if r == nil || r.DispatchAt.IsZero() || !r.State.HasNextAttempt() {
				continue
			}
			before := r.Delivery
			conditions.Delivery = &before
			if conditions.Queue = ""; r.Generation == 1 && r.AttemptsMade == 0 { // others have had their turn
				conditions.Queue = conditions.Health.QueueReason
			}
			if a := switchboard.Admit(now, conditions); a.Kind == switchboard.AdmissionPark {
				r.Hold(now, r.Generation, a)
				states[id], changed = before.State, append(changed, r)
			}
		}
		if err := s.saveTransitions(ctx, tx, bySwitchboard(switchboard.ActionHold, "nothing is sent to its endpoint now"), states, changed...); err != nil {
			return err
		}
		for _, r := range changed {
			parked[r.ID] = true
		}
		return nil
	})
}

// MarkDispatched records that Temporal knows these generations of deliveries. It has no effect on a
// later generation, and a start has no effect on a cancellation or a hold. Concurrent callers share
// a transaction.
func (s *Store) MarkDispatched(ctx context.Context, deliveries []switchboard.Delivery) error {
	_, err := do(ctx, s.dispatched, "mark deliveries dispatched", deliveries)
	return err
}

func (s *Store) markAll(ctx context.Context, calls [][]switchboard.Delivery) ([]batch.Result[struct{}], error) {
	deliveries := slices.Concat(calls...)
	ids, generations, ended := make([]string, len(deliveries)), make([]int64, len(deliveries)), make([]bool, len(deliveries))
	for i, d := range deliveries {
		ids[i], generations[i], ended[i] = d.ID, int64(d.Generation), !d.State.HasNextAttempt()
	}
	least, greatest := bounds(ids)
	_, err := s.exec(ctx, "mark deliveries dispatched", dispatchedQuery, pq.Array(ids), least, greatest, pq.Array(generations), pq.Array(ended))
	return make([]batch.Result[struct{}], len(calls)), err
}

// DispatchNow makes the deliveries that wait for an attempt due to be dispatched, and wakes the
// relays. Concurrent callers share a transaction, because Postgres commits transactions that notify
// one after the other.
func (s *Store) DispatchNow(ctx context.Context, ids []string) error {
	_, err := do(ctx, s.dispatches, "dispatch deliveries", ids)
	return err
}

func (s *Store) dispatchAll(ctx context.Context, calls [][]string) ([]batch.Result[struct{}], error) {
	ids := slices.Concat(calls...)
	least, greatest := bounds(ids)
	return make([]batch.Result[struct{}], len(calls)), s.tx(ctx, "dispatch deliveries", func(ctx context.Context, tx transaction) error {
		if _, err := tx.ExecContext(ctx, dispatchNowQuery, pq.Array(ids), least, greatest, s.now()); err != nil {
			return err
		}
		return notify(ctx, tx, dispatchChannel, "")
	})
}
