package store

import (
	"cmp"
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// Retry makes a delivery due now, or starts its next generation, which nextGeneration reports:
// see [switchboard.Delivery.Retry].
func (s *Store) Retry(ctx context.Context, caller switchboard.Caller, id, reason string) (d switchboard.Delivery, nextGeneration bool, err error) {
	err = s.tx(ctx, "retry delivery", func(ctx context.Context, tx transaction) error {
		deleted, err := lockSubscriptionOf(ctx, tx, id)
		if err != nil {
			return err
		}
		before, after, err := s.transit(ctx, tx, caller, id, action(caller, switchboard.ActionRetry, reason), func(d *switchboard.Delivery, now time.Time) error {
			if d.State.Final() {
				if err := refuseErased(ctx, tx, id); err != nil {
					return err
				}
			}
			return d.Retry(now, deleted)
		})
		d, nextGeneration = after, after.Generation != before.Generation
		return err
	})
	return d, nextGeneration && err == nil, err
}

// Reset gives the delivery to the Temporal run that a reset of its workflow made: see
// [switchboard.Delivery.Reset].
func (s *Store) Reset(ctx context.Context, deliveryID, temporalRunID string, action switchboard.Action) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "reset delivery", func(ctx context.Context, tx transaction) error {
		deleted, err := lockSubscriptionOf(ctx, tx, deliveryID)
		if err != nil {
			return err
		}
		_, d, err = s.transit(ctx, tx, switchboard.Caller{}, deliveryID, action, func(d *switchboard.Delivery, now time.Time) error {
			erased := refuseErased(ctx, tx, deliveryID)
			if erased != nil && !isRefused(erased) {
				return erased
			}
			d.Reset(now, temporalRunID, deleted || erased != nil)
			return nil
		})
		return err
	})
	return d, err
}

// Cancel ends an open delivery for an operator. The relay ends the workflow that the caller
// has not ended within the grace.
func (s *Store) Cancel(ctx context.Context, caller switchboard.Caller, id, reason string) (switchboard.Delivery, error) {
	return s.change(ctx, caller, id, action(caller, switchboard.ActionCancel, reason), func(d *switchboard.Delivery, now time.Time) error {
		return d.Cancel(now, switchboard.ReasonOperator, now.Add(switchboard.DispatchGrace))
	})
}

// CloseDelivery moves an open delivery of that generation to a final state. Any other is returned
// unchanged.
func (s *Store) CloseDelivery(ctx context.Context, deliveryID string, generation int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error) {
	return s.change(ctx, switchboard.Caller{}, deliveryID, action, func(d *switchboard.Delivery, now time.Time) error {
		d.Close(now, generation, state, reason)
		return nil
	})
}

// HoldDelivery parks a delivery of that generation that waits for an attempt. Any other is returned
// unchanged.
func (s *Store) HoldDelivery(ctx context.Context, deliveryID string, generation int, admission switchboard.Admission, action switchboard.Action) (switchboard.Delivery, error) {
	return s.change(ctx, switchboard.Caller{}, deliveryID, action, func(d *switchboard.Delivery, now time.Time) error {
		d.Hold(now, generation, admission)
		return nil
	})
}

// Postpone changes the date of a delivery's next attempt, for that reason, unless somebody has
// done so since it was loaded. It reports whether it has changed anything.
func (s *Store) Postpone(ctx context.Context, loaded switchboard.Delivery, until time.Time, reason string) (changed bool, err error) {
	err = s.tx(ctx, "postpone delivery", func(ctx context.Context, tx transaction) error {
		before, after, err := s.transit(ctx, tx, switchboard.Caller{}, loaded.ID, switchboard.Action{}, func(d *switchboard.Delivery, _ time.Time) error {
			d.Postpone(loaded.NextAttemptAt, until, clean(reason))
			return nil
		})
		changed = after != before
		return err
	})
	return changed, err
}

// StartNextGeneration dispatches a delivery of that generation that waits for an attempt, and
// whose workflow is gone.
func (s *Store) StartNextGeneration(ctx context.Context, deliveryID string, generation int) error {
	_, err := s.change(ctx, switchboard.Caller{}, deliveryID, switchboard.Action{}, func(d *switchboard.Delivery, now time.Time) error {
		d.StartNextGeneration(now, generation)
		return nil
	})
	return err
}

// change is transit in a transaction of its own.
func (s *Store) change(ctx context.Context, caller switchboard.Caller, id string, action switchboard.Action, apply func(*switchboard.Delivery, time.Time) error) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "change delivery", func(ctx context.Context, tx transaction) error {
		_, d, err = s.transit(ctx, tx, caller, id, action, apply)
		return err
	})
	return d, err
}

// transit locks a delivery that the caller sees, applies a transition of the lifecycle, and
// saves the delivery with the action if that has changed it.
func (s *Store) transit(ctx context.Context, tx transaction, caller switchboard.Caller, id string, action switchboard.Action, apply func(*switchboard.Delivery, time.Time) error) (before, after switchboard.Delivery, err error) {
	rows, err := lockDeliveries(ctx, tx, []string{id})
	if err != nil {
		return before, after, err
	}
	r := rows[id]
	if r == nil || !caller.Sees(r.Tenant) {
		return before, after, noDelivery(id)
	}
	before = r.Delivery
	if err := apply(&r.Delivery, s.now()); err != nil {
		return before, before, err
	}
	if r.Delivery == before {
		return before, before, nil
	}
	return before, r.Delivery, s.saveTransitions(ctx, tx, action, map[string]switchboard.State{id: before.State}, r)
}

// saveTransitions saves deliveries after a transition, with the action if it has a kind, and
// notifies those who have something to do now. from are their states before.
func (s *Store) saveTransitions(ctx context.Context, tx transaction, action switchboard.Action, from map[string]switchboard.State, rows ...*row) error {
	if len(rows) == 0 {
		return nil
	}
	if err := saveDeliveries(ctx, tx, rows...); err != nil {
		return err
	}
	now, dispatch := s.now(), false
	ids, ended, failed := make([]string, len(rows)), []string{}, []*row{}
	for i, r := range rows {
		ids[i] = r.ID
		dispatch = dispatch || !r.DispatchAt.IsZero() && !r.DispatchAt.After(now)
		if r.State.Final() && !from[r.ID].Final() {
			ended = append(ended, r.ID)
		}
		if from[r.ID] != switchboard.StateFailed {
			failed = append(failed, r)
		}
	}
	if action.Kind != "" {
		if err := s.insertActions(ctx, tx, action, ids...); err != nil {
			return err
		}
	}
	if err := announceAnswers(ctx, tx, rows...); err != nil {
		return err
	}
	if err := s.announceFailed(ctx, tx, failed); err != nil {
		return err
	}
	if len(ended) > 0 { // attempts under way are to stop
		if err := notify(ctx, tx, cancelChannel, ended...); err != nil {
			return err
		}
	}
	if !dispatch {
		return nil
	}
	return notify(ctx, tx, dispatchChannel, "")
}

// lockSubscriptionOf keeps the subscription of a delivery from being deleted until the
// transaction ends, and reports whether it is already. It reports false if there is no such
// delivery.
func lockSubscriptionOf(ctx context.Context, tx transaction, deliveryID string) (deleted bool, err error) {
	var found []bool
	err = tx.SelectContext(ctx, &found, `
SELECT s.deleted_at IS NOT NULL FROM subscriptions s JOIN deliveries d ON d.subscription_id = s.id
WHERE d.id = $1 FOR SHARE OF s`, deliveryID)
	return len(found) > 0 && found[0], err
}

// insertActions stores the same action for several deliveries. Without a time it is now.
func (s *Store) insertActions(ctx context.Context, tx transaction, action switchboard.Action, deliveryIDs ...string) error {
	now := s.now()
	ids := make([]string, len(deliveryIDs))
	for i := range ids {
		ids[i] = switchboard.NewID(switchboard.ActionPrefix, now)
	}
	at := action.At
	if at.IsZero() {
		at = now
	}
	_, err := tx.ExecContext(ctx, `
INSERT INTO actions (id, delivery_id, at, actor, action, reason, person)
SELECT id, delivery_id, $3, $4, $5, $6, $7 FROM unnest($1::text[], $2::text[]) AS n(id, delivery_id)`,
		pq.Array(ids), pq.Array(deliveryIDs), at, action.Actor, string(action.Kind), clean(action.Reason), clean(action.Person))
	return err
}

// action is what the caller does. Only our own commands have no key.
func action(caller switchboard.Caller, kind switchboard.ActionKind, reason string) switchboard.Action {
	return switchboard.Action{Actor: cmp.Or(caller.KeyID, switchboard.ActorSwitchboard), Person: caller.Person, Kind: kind, Reason: reason}
}
