package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// parkedFor is how long a delivery that an attempt has parked stays parked at least. Before that,
// its workflow may not have ended, and the next one could not start.
const parkedFor = 250 * time.Millisecond

// waitsForTurn is [switchboard.IsQueueReason] in SQL. The reasons are not an argument, so that
// Postgres sees that it can use the index deliveries_releasable.
var waitsForTurn = "state = 'held' AND reason IN ('" + strings.Join(switchboard.QueueReasons(), "', '") + "')"

// The deliveries of a subscription that wait for their turn. Deliveries that were parked when they
// were accepted have no workflow.
var (
	nextQueuedQuery = "SELECT " + fields("deliveries", rowFields, "") + ` FROM deliveries
WHERE subscription_id = $1 AND ` + waitsForTurn + ` AND (parked_at = created_at OR parked_at <= $2) ORDER BY id LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED`
	anyQueuedQuery = "SELECT 1 FROM deliveries WHERE subscription_id = $1 AND " + waitsForTurn + " LIMIT 1"
)

// ReleaseNext releases the oldest deliveries of the subscription that wait for their turn, in
// order: as many as room says and as the rate limit allows in that time. Each is due at its turn.
// If the caller does not dispatch it, the relay does a little later. When none waits any more, new
// deliveries no longer wait.
func (s *Store) ReleaseNext(ctx context.Context, subscriptionID string, ahead time.Duration, room func(switchboard.Subscription, switchboard.Health) int) ([]switchboard.Delivery, error) {
	var released []switchboard.Delivery
	var behind []string // they wait for an earlier delivery of their key
	empty := false
	err := s.tx(ctx, "release queued deliveries", func(ctx context.Context, tx transaction) error {
		released, behind, empty = nil, nil, false
		conditions, err := lockFlow(ctx, tx, subscriptionID, shared)
		if err != nil || conditions.Queue == "" {
			return err
		}
		now := s.now()
		conditions.Queue = ""
		if switchboard.Admit(now, conditions).Kind != switchboard.AdmissionSend {
			return nil // the queue continues when that ends
		}
		limit := room(*conditions.Subscription, *conditions.Health)
		if limit <= 0 {
			return nil
		}
		var rows []*row
		if err := tx.SelectContext(ctx, &rows, nextQueuedQuery, subscriptionID, now.Add(-parkedFor), limit); err != nil {
			return err
		}
		// After the last turns of a rate limit the next request must wait for its turn too.
		empty = len(rows) == 0 || len(rows) < limit && !conditions.Subscription.RateLimit.IsSet()
		if rows, behind, err = firstOfKeys(ctx, tx, rows); err != nil {
			return err
		}
		released, err = s.releaseInTurn(ctx, tx, now, conditions, ahead, rows)
		return err
	})
	for _, id := range behind {
		if err == nil {
			err = s.blockBehind(ctx, id)
		}
	}
	if err == nil && empty {
		err = s.clearQueueReason(ctx, subscriptionID)
	}
	return released, err
}

// firstOfKeys leaves out deliveries, which are locked, that must wait for an earlier one of their
// key, and returns the ids of those. It does not lock their keys: a new delivery enters a queue at
// its end, so the first of a queue stays the first.
func firstOfKeys(ctx context.Context, tx transaction, rows []*row) (first []*row, behind []string, err error) {
	ordered := slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return !r.Ordered })
	before := map[string]string{}
	if err := findBefore(ctx, tx, before, ordered); err != nil || len(before) == 0 {
		return rows, nil, err
	}
	for _, r := range rows {
		if before[r.ID] == "" {
			first = append(first, r)
		} else {
			behind = append(behind, r.ID)
		}
	}
	return first, behind, nil
}

// blockBehind makes a delivery that waits for its turn wait for the earlier one of its key instead.
func (s *Store) blockBehind(ctx context.Context, id string) error {
	return s.tx(ctx, "block delivery", func(ctx context.Context, tx transaction) error {
		conditions, err := lockFlowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := s.lockDelivery(ctx, tx, switchboard.Caller{}, id)
		if err != nil || r.State != switchboard.StateHeld || r.Reason == switchboard.ReasonOperator {
			return err
		}
		before, err := predecessors(ctx, tx, r)
		if err != nil || before[id] == "" {
			return err
		}
		was, now := r.Delivery, s.now()
		conditions.Delivery, conditions.Predecessor = &was, before[id]
		if err := r.Release(now, now, switchboard.Admit(now, conditions)); err != nil {
			return err
		}
		return s.saveTransition(ctx, tx, switchboard.Caller{}, switchboard.Action{}, was, r)
	})
}

// releaseInTurn releases the deliveries, which are locked, whose turn comes in that time.
func (s *Store) releaseInTurn(ctx context.Context, tx transaction, now time.Time, conditions switchboard.Conditions, ahead time.Duration, rows []*row) ([]switchboard.Delivery, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	sub := conditions.Subscription
	from, wait, reason := now, time.Duration(0), switchboard.ReasonWaitingForSlot
	if sub.RateLimit.IsSet() {
		taken, err := selectTurns(ctx, tx, map[string]turnsAsked{sub.ID: {sub.RateLimit, len(rows)}}, ahead)
		if err != nil {
			return nil, err
		}
		rows = rows[:min(len(rows), taken[sub.ID].granted)]
		// The wait counts from the moment that the turns were taken, which may come long after now: others lock
		// them too.
		from, wait, reason = s.now(), taken[sub.ID].first, switchboard.ReasonRateLimited
	}
	before := map[string]switchboard.State{}
	var released []switchboard.Delivery
	for _, r := range rows {
		before[r.ID] = r.State
		at := from.Add(max(0, wait)).Truncate(time.Microsecond)
		conditions.Delivery = &r.Delivery
		a := switchboard.Admit(now, conditions)
		// If the time of an ordered delivery is over, its attempt ends it. Here its key would be
		// locked after it, in the wrong order.
		if a.Kind == switchboard.AdmissionSend || a.Kind == switchboard.AdmissionEnd && r.Ordered {
			a = switchboard.Admission{Kind: switchboard.AdmissionDefer, Reason: reason, Until: at}
		}
		if err := r.Release(now, at.Add(switchboard.DispatchGrace), a); err != nil {
			return nil, err
		}
		if r.State.HasNextAttempt() {
			released = append(released, r.Delivery)
		}
		if sub.RateLimit.IsSet() {
			wait += sub.RateLimit.Interval()
		}
	}
	return released, s.saveTransitions(ctx, tx, switchboard.Action{}, before, rows...)
}

// clearQueueReason lets new deliveries be sent at once again, unless deliveries wait.
func (s *Store) clearQueueReason(ctx context.Context, subscriptionID string) error {
	return s.tx(ctx, "end queue", func(ctx context.Context, tx transaction) error {
		conditions, err := lockFlow(ctx, tx, subscriptionID, exclusive)
		if err != nil || conditions.Queue == "" {
			return err
		}
		var waiting []int
		if err := tx.SelectContext(ctx, &waiting, anyQueuedQuery, subscriptionID); err != nil || len(waiting) > 0 {
			return err
		}
		return s.setQueueReason(ctx, tx, subscriptionID, "")
	})
}
