package store

import (
	"cmp"
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// Retry sets a delivery going again. A final one becomes pending for a new run
// with the policy's attempts before it, and reopened is true; one that waits for
// its next attempt is due now. One that is held or blocked, or whose subscription
// is deleted, is a Conflict.
func (s *Store) Retry(ctx context.Context, caller switchboard.Caller, id, reason string) (d switchboard.Delivery, reopened bool, err error) {
	now := s.now()
	err = s.tx(ctx, "retry delivery", func(ctx context.Context, tx transaction) error {
		deleted, err := lockSubscriptionOf(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := lockDelivery(ctx, tx, caller, id)
		switch {
		case err != nil:
			return err
		case deleted:
			return switchboard.Errorf(switchboard.CodeConflict, "the subscription of delivery %s is deleted", id)
		case r.State.Final():
			r.reopen(now)
			r.Generation++
			r.TemporalRunID = "" // no Temporal run has it before the next one does
			r.DispatchAt = now.Add(startGrace)
			reopened = true
		case r.State.HasNextAttempt():
			r.NextAttemptAt = now
			if !r.DispatchAt.IsZero() { // it waits for its turn behind others that were released
				r.DispatchAt = now
			}
			reopened = false
		default:
			return switchboard.Errorf(switchboard.CodeConflict, "delivery %s is %s (%s) and cannot be retried", id, r.State, r.Reason)
		}
		d = r.Delivery
		if err := s.saveWithAction(ctx, tx, r, action(caller, switchboard.ActionRetry, reason)); err != nil {
			return err
		}
		return notify(ctx, tx, startChannel, "")
	})
	return d, reopened && err == nil, err
}

// Cancel ends an open delivery. One that is cancelled already stays as it is; one
// that was delivered or failed is a Conflict. The relay ends the workflow that the
// caller has not ended within a few seconds.
func (s *Store) Cancel(ctx context.Context, caller switchboard.Caller, id, reason string) (switchboard.Delivery, error) {
	var d switchboard.Delivery
	err := s.tx(ctx, "cancel delivery", func(ctx context.Context, tx transaction) error {
		r, err := lockDelivery(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		if r.State == switchboard.StateCancelled {
			d = r.Delivery
			return nil
		}
		if r.State.Final() {
			return switchboard.Errorf(switchboard.CodeConflict, "delivery %s is %s already", id, r.State)
		}
		now := s.now()
		r.close(switchboard.StateCancelled, switchboard.ReasonOperator, now)
		r.DispatchAt = now.Add(startGrace)
		d = r.Delivery
		if err := s.saveWithAction(ctx, tx, r, action(caller, switchboard.ActionCancel, reason)); err != nil {
			return err
		}
		return notify(ctx, tx, cancelChannel, id)
	})
	return d, err
}

// Settle moves an open delivery to a final state, or holds one that has a date, if it is
// still in that run. Otherwise it is returned unchanged. The workflow run of one that is
// held ends; whoever releases it gives it the next.
func (s *Store) Settle(ctx context.Context, deliveryID string, run int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error) {
	if state == switchboard.StateHeld {
		return s.change(ctx, deliveryID, action, "", func(r *row, _ time.Time) bool {
			if !r.State.HasNextAttempt() || r.Generation != run {
				return false
			}
			r.hold(reason)
			return true
		})
	}
	return s.change(ctx, deliveryID, action, cancelChannel, func(r *row, now time.Time) bool {
		if r.State.Final() || r.Generation != run {
			return false
		}
		r.close(state, reason, now)
		return true
	})
}

// Postpone dates the next attempt of a delivery anew, for that reason, unless somebody has
// done so since it was loaded. It reports whether it has changed anything.
func (s *Store) Postpone(ctx context.Context, d switchboard.Delivery, until time.Time, reason string) (bool, error) {
	changed, err := s.exec(ctx, "postpone delivery", `UPDATE deliveries SET next_attempt_at = $4, reason = $5
WHERE id = $1 AND generation = $2 AND next_attempt_at = $3 AND (reason <> $5 OR next_attempt_at <> $4)`, d.ID, d.Generation, d.NextAttemptAt, until, clean(reason))
	return changed > 0, err
}

// Reopen lets the Temporal run runID have the delivery, because its workflow was
// reset, and sets it going again if it is final at that moment. The workflow is
// running, so nothing starts it. It returns the delivery unchanged if that run has
// it already, so that what ends later stays ended, and never sets one going again
// whose subscription is deleted.
func (s *Store) Reopen(ctx context.Context, deliveryID, runID string, action switchboard.Action) (switchboard.Delivery, error) {
	var d switchboard.Delivery
	err := s.tx(ctx, "reopen delivery", func(ctx context.Context, tx transaction) error {
		deleted, err := lockSubscriptionOf(ctx, tx, deliveryID)
		if err != nil {
			return err
		}
		r, err := lockDelivery(ctx, tx, switchboard.Caller{}, deliveryID)
		if err != nil {
			return err
		}
		if d = r.Delivery; r.TemporalRunID == runID {
			return nil
		}
		r.TemporalRunID = runID
		if r.State.Final() && !deleted {
			r.reopen(s.now())
		}
		d = r.Delivery
		return s.saveWithAction(ctx, tx, r, action)
	})
	return d, err
}

// change applies a change to a delivery, whosever it is. The change says whether
// it did anything; then the action is kept and the channel, if any, told.
func (s *Store) change(ctx context.Context, id string, action switchboard.Action, channel string, apply func(*row, time.Time) bool) (switchboard.Delivery, error) {
	var d switchboard.Delivery
	err := s.tx(ctx, "change delivery", func(ctx context.Context, tx transaction) error {
		r, err := lockDelivery(ctx, tx, switchboard.Caller{}, id)
		if err != nil {
			return err
		}
		changed := apply(r, s.now())
		d = r.Delivery
		if !changed {
			return nil
		}
		if err := s.saveWithAction(ctx, tx, r, action); err != nil || channel == "" {
			return err
		}
		return notify(ctx, tx, channel, id)
	})
	return d, err
}

// reopen makes a final delivery pending, due now, with all of the policy's
// attempts before it.
func (r *row) reopen(now time.Time) {
	r.State, r.Reason, r.Permanent = switchboard.StatePending, "", false
	r.PriorAttempts = r.AttemptsMade
	r.NextAttemptAt, r.CompletedAt, r.DispatchAt = now, time.Time{}, time.Time{}
}

// hold takes a delivery's date from it, for that reason.
func (r *row) hold(reason string) {
	r.State, r.Reason = switchboard.StateHeld, reason
	r.NextAttemptAt, r.DispatchAt = time.Time{}, time.Time{}
}

// close makes a delivery final.
func (r *row) close(state switchboard.State, reason string, now time.Time) {
	r.State, r.Reason = state, reason
	r.NextAttemptAt, r.CompletedAt, r.DispatchAt = time.Time{}, now, time.Time{}
}

// lockDelivery locks a delivery that the caller sees.
func lockDelivery(ctx context.Context, tx transaction, caller switchboard.Caller, id string) (*row, error) {
	rows, err := lockDeliveries(ctx, tx, []string{id})
	if err != nil {
		return nil, err
	}
	if r := rows[id]; r != nil && caller.Sees(r.Tenant) {
		return r, nil
	}
	return nil, noDelivery(id)
}

// lockSubscriptionOf keeps the subscription of a delivery from being deleted until
// the transaction ends, and reports whether it is already. Of a delivery that does
// not exist it is not.
func lockSubscriptionOf(ctx context.Context, tx transaction, deliveryID string) (deleted bool, err error) {
	var found []bool
	err = tx.SelectContext(ctx, &found, `
SELECT s.deleted_at IS NOT NULL FROM subscriptions s JOIN deliveries d ON d.subscription_id = s.id
WHERE d.id = $1 FOR SHARE OF s`, deliveryID)
	return len(found) > 0 && found[0], err
}

// saveWithAction saves a changed delivery and what was done to it.
func (s *Store) saveWithAction(ctx context.Context, tx transaction, r *row, action switchboard.Action) error {
	if err := saveDeliveries(ctx, tx, r); err != nil {
		return err
	}
	if err := announceAnswers(ctx, tx, r); err != nil {
		return err
	}
	return s.insertActions(ctx, tx, action, r.ID)
}

// insertActions keeps the same action for several deliveries. Without a time it is now.
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
func action(caller switchboard.Caller, verb switchboard.ActionKind, reason string) switchboard.Action {
	return switchboard.Action{Actor: cmp.Or(caller.KeyID, switchboard.ActorSwitchboard), Person: caller.Person, Kind: verb, Reason: reason}
}
