package store

import (
	"context"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// bulkLimit bounds one bulk transition, because a caller waits for it: about a second.
	bulkLimit = 10 * batchLimit
	// dispatchSpacing is the time between the dispatches of two deliveries. A hundred a second
	// is far less than a relay does, so that nobody else's starts wait behind very many.
	dispatchSpacing = 10 * time.Millisecond
)

// bulkTransition is one transition of what may be very many deliveries of a subscription.
// Their dispatch dates lie dispatchSpacing apart.
type bulkTransition struct {
	where  string // which of its deliveries, in SQL
	apply  func(d *switchboard.Delivery, sub *switchboard.Subscription, now, dispatchAt time.Time) error
	action switchboard.Action
}

// The deliveries that bulk transitions look for, each with an index of its own.
const (
	isHeld = "state = 'held'"
)

// applyInBatches applies the transition to deliveries of the subscriptions, bulkLimit or a
// little more of them, and returns how many it has changed.
func (s *Store) applyInBatches(ctx context.Context, b bulkTransition, subscriptions ...string) (int, error) {
	total := 0
	for _, subscription := range subscriptions {
		from := s.now()
		for after, more := "", true; more; from = from.Add(batchLimit * dispatchSpacing) {
			last, found, changed, err := s.applyBatch(ctx, b, subscription, after, from)
			if total += changed; err != nil || total >= bulkLimit {
				return total, err
			}
			after, more = last, found == batchLimit
		}
	}
	return total, nil
}

// applyBatch applies the transition to the next deliveries of the subscription after an id, in
// one transaction. It returns the last one's id, and how many it has found and changed. They are
// dispatched from then on, or after the delivery before them, which an earlier bulk transition
// may have dated.
func (s *Store) applyBatch(ctx context.Context, b bulkTransition, subscription, after string, from time.Time) (last string, found, changed int, err error) {
	err = s.tx(ctx, "change deliveries of a subscription", func(ctx context.Context, tx transaction) error {
		sub := switchboard.Subscription{ID: subscription}
		err := tx.GetContext(ctx, &sub, "SELECT state, coalesce(deleted_at, "+zeroTime+") AS deleted_at FROM subscriptions WHERE id = $1 FOR SHARE", subscription)
		if err != nil {
			return err
		}
		// The limit is an argument so that Postgres walks the index: were it known to be more
		// than it believes to be there, Postgres would read and sort all that are left.
		var rows []*row
		err = tx.SelectContext(ctx, &rows, "SELECT "+fields("deliveries", rowFields, "")+
			" FROM deliveries WHERE subscription_id = $1 AND "+b.where+" AND id > $2 ORDER BY id LIMIT $3 FOR NO KEY UPDATE", subscription, after, batchLimit)
		if err != nil || len(rows) == 0 {
			found, changed = 0, 0
			return err
		}
		now := s.now()
		dispatchAt, err := nextDispatch(ctx, tx, subscription, rows[0].ID, slices.MaxFunc([]time.Time{from, now}, time.Time.Compare))
		if err != nil {
			return err
		}
		states, moved := map[string]switchboard.State{}, make([]*row, 0, len(rows))
		for _, r := range rows {
			was := r.Delivery
			if err := b.apply(&r.Delivery, &sub, now, dispatchAt); err != nil {
				return err
			}
			dispatchAt = dispatchAt.Add(dispatchSpacing)
			if r.Delivery != was {
				states[r.ID], moved = was.State, append(moved, r)
			}
		}
		last, found, changed = rows[len(rows)-1].ID, len(rows), len(moved)
		return s.saveTransitions(ctx, tx, b.action, states, moved...)
	})
	if err != nil {
		return "", 0, 0, err
	}
	return last, found, changed, nil
}

// nextDispatch is when the delivery with that id is dispatched: at that time, or after the
// delivery before it.
func nextDispatch(ctx context.Context, tx transaction, subscription, id string, at time.Time) (time.Time, error) {
	var before []time.Time
	err := tx.SelectContext(ctx, &before, "SELECT dispatch_at FROM deliveries WHERE dispatch_at IS NOT NULL AND id = "+
		"(SELECT id FROM deliveries WHERE subscription_id = $1 AND id < $2 ORDER BY id DESC LIMIT 1)", subscription, id)
	if len(before) > 0 && before[0].Add(dispatchSpacing).After(at) {
		at = before[0].Add(dispatchSpacing)
	}
	return at, err
}

// inAnyOrder is the query with its rows in any order, so that no subscription always comes after
// another that has very many.
func inAnyOrder(query string) string { return query + " ORDER BY random()" }

// applyToAll applies the transition to the subscriptions of that query, in any order.
func (s *Store) applyToAll(ctx context.Context, b bulkTransition, query string, args ...any) (int, error) {
	var found []string
	if err := s.list(ctx, "list subscriptions to change", &found, inAnyOrder(query), args...); err != nil {
		return 0, err
	}
	return s.applyInBatches(ctx, b, found...)
}
