package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// Retry makes a delivery due, or starts its next generation: see [switchboard.Delivery.Retry]. An
// ordered one waits for the open deliveries of its key. start means that the caller starts the
// workflow of the next generation now.
func (s *Store) Retry(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (d switchboard.Delivery, start bool, err error) {
	asked := only(options)
	err = s.tx(ctx, "retry delivery", func(ctx context.Context, tx transaction) error {
		deleted, err := lockSubscriptionOf(ctx, tx, id)
		if err != nil {
			return err
		}
		r, err := s.lockDelivery(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		before, now, obstacles := r.Delivery, s.now(), switchboard.Obstacles{SubscriptionDeleted: deleted}
		if before.State.Final() {
			if obstacles.NothingToSend = refuseErased(ctx, tx, id); obstacles.NothingToSend != nil && !isRefused(obstacles.NothingToSend) {
				return obstacles.NothingToSend
			}
		}
		if err := asked.Expect.Act(now, &r.Delivery, func() error { return r.Retry(now, asked.RetryAt, obstacles) }); err != nil {
			return err
		}
		if err := enterAgain(ctx, tx, now, before, r); err != nil {
			return err
		}
		d = r.Delivery
		start = r.Generation != before.Generation && r.State.HasNextAttempt() && !r.NextAttemptAt.After(now)
		return s.saveAction(ctx, tx, caller, action(caller, switchboard.ActionRetry, reason), before, r)
	})
	return d, start && err == nil, err
}

// only returns the first options, or none.
func only(options []switchboard.ActionOptions) switchboard.ActionOptions {
	if len(options) == 0 {
		return switchboard.ActionOptions{}
	}
	return options[0]
}

// Reset gives the delivery to the Temporal run that a reset of its workflow made: see
// [switchboard.Delivery.Reset]. An ordered one waits for the open deliveries of its key; then that
// run ends.
func (s *Store) Reset(ctx context.Context, deliveryID, temporalRunID string, action switchboard.Action) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "reset delivery", func(ctx context.Context, tx transaction) error {
		deleted, err := lockSubscriptionOf(ctx, tx, deliveryID)
		if err != nil {
			return err
		}
		r, err := s.lockDelivery(ctx, tx, switchboard.Caller{}, deliveryID)
		if err != nil {
			return err
		}
		erased := refuseErased(ctx, tx, deliveryID)
		if erased != nil && !isRefused(erased) {
			return erased
		}
		before, now := r.Delivery, s.now()
		r.Reset(now, temporalRunID, deleted || erased != nil)
		if err := enterAgain(ctx, tx, now, before, r); err != nil {
			return err
		}
		d = r.Delivery
		return s.saveTransition(ctx, tx, byAction(action), action, before, r)
	})
	return d, err
}

// Cancel ends an open delivery for an operator. If the caller has not ended the workflow within the
// grace, the relay does.
func (s *Store) Cancel(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "cancel delivery", func(ctx context.Context, tx transaction) error {
		r, err := s.lockDelivery(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		before, now := r.Delivery, s.now()
		if err := only(options).Expect.Act(now, &r.Delivery, func() error {
			return r.Cancel(now, switchboard.ReasonOperator, now.Add(switchboard.DispatchGrace))
		}); err != nil {
			return err
		}
		d = r.Delivery
		return s.saveAction(ctx, tx, caller, action(caller, switchboard.ActionCancel, reason), before, r)
	})
	return d, err
}

// CloseDelivery moves an open delivery of that generation to a final state. It returns any other
// delivery unchanged.
func (s *Store) CloseDelivery(ctx context.Context, deliveryID string, generation int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error) {
	return s.change(ctx, switchboard.Caller{}, deliveryID, action, func(d *switchboard.Delivery, now time.Time) error {
		d.Close(now, generation, state, reason)
		return nil
	})
}

// HoldDelivery parks or ends a delivery that waits for an attempt, unless it may be sent now.
// conditions are those that the attempt knows. HoldDelivery locks the subscription and reads again
// what the subscription, its health and its key decide. So a release that has begun since the
// delivery was loaded either finds it parked, or the delivery is not parked. If nothing changes it
// returns the delivery as it is: it may be sent, or another generation works on it.
func (s *Store) HoldDelivery(ctx context.Context, loaded switchboard.Delivery, conditions switchboard.Conditions) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "hold delivery", func(ctx context.Context, tx transaction) error {
		flow, err := lockFlow(ctx, tx, loaded.SubscriptionID, shared)
		if err != nil {
			return err
		}
		conditions.Subscription, conditions.Health = flow.Subscription, flow.Health
		r, err := s.lockDelivery(ctx, tx, switchboard.Caller{}, loaded.ID)
		if err != nil {
			return err
		}
		before, now := r.Delivery, s.now()
		conditions.Delivery = &before
		action, admission := bySwitchboard(switchboard.ActionHold, ""), switchboard.Admit(now, conditions)
		switch admission.Kind {
		case switchboard.AdmissionPark:
			r.Hold(now, loaded.Generation, admission)
		case switchboard.AdmissionEnd:
			action.Kind = switchboard.ActionCancel
			r.Close(now, loaded.Generation, admission.State, admission.Reason)
		}
		action.Reason, d = admission.Detail, r.Delivery
		return s.saveTransition(ctx, tx, switchboard.Caller{}, action, before, r)
	})
	return d, err
}

// Postpone changes the date of a delivery's next attempt, for that reason, unless the date has
// changed since the delivery was loaded. It reports whether it changed anything.
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

// StartNextGeneration dispatches a delivery of that generation that waits for an attempt and has
// lost its workflow.
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

// transit locks a delivery that the caller sees and applies a transition of the lifecycle. If the
// delivery has changed, it saves it with the action.
func (s *Store) transit(ctx context.Context, tx transaction, caller switchboard.Caller, id string, action switchboard.Action, apply func(*switchboard.Delivery, time.Time) error) (before, after switchboard.Delivery, err error) {
	r, err := s.lockDelivery(ctx, tx, caller, id)
	if err != nil {
		return before, after, err
	}
	before = r.Delivery
	if err := apply(&r.Delivery, s.now()); err != nil {
		return before, before, err
	}
	return before, r.Delivery, s.saveTransition(ctx, tx, cmp.Or(caller, byAction(action)), action, before, r)
}

// lockDelivery locks a delivery that the caller sees, after its ordering key.
func (s *Store) lockDelivery(ctx context.Context, tx transaction, caller switchboard.Caller, id string) (*row, error) {
	rows, err := lockInQueues(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	r := rows[id]
	if r == nil || !caller.Sees(r.Tenant) {
		return nil, noDelivery(id)
	}
	return r, nil
}

// saveAction saves a delivery after an operator's action. It stores the action even if nothing has
// changed, for example if a second person cancels, so that it is known who asked for it and why.
func (s *Store) saveAction(ctx context.Context, tx transaction, caller switchboard.Caller, action switchboard.Action, before switchboard.Delivery, r *row) error {
	if r.Delivery == before {
		return s.insertActions(ctx, tx, action, r.ID)
	}
	return s.saveTransition(ctx, tx, caller, action, before, r)
}

// saveTransition is saveTransitions for one delivery, if it has changed. It also adds the entry of
// the audit.
func (s *Store) saveTransition(ctx context.Context, tx transaction, caller switchboard.Caller, action switchboard.Action, before switchboard.Delivery, r *row) error {
	if r.Delivery == before {
		return nil
	}
	if err := s.audit(ctx, tx, caller, deliveryEntry(&before, &r.Delivery, action)); err != nil {
		return err
	}
	return s.saveTransitions(ctx, tx, action, map[string]switchboard.State{r.ID: before.State}, r)
}

// saveTransitions saves deliveries after a transition, with the action if it has a kind, and
// notifies the processes that have to act now. from has the states before.
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
	if len(ended) > 0 { // running attempts must stop
		if err := notify(ctx, tx, cancelChannel, ended...); err != nil {
			return err
		}
	}
	if dispatch {
		if err := notify(ctx, tx, dispatchChannel, ""); err != nil {
			return err
		}
	}
	return s.leaveQueues(ctx, tx, slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return from[r.ID].Final() }))
}

// lockSubscriptionOf prevents the deletion of a delivery's subscription until the transaction ends,
// and reports whether it is deleted already. It reports false if there is no such delivery.
func lockSubscriptionOf(ctx context.Context, tx transaction, deliveryID string) (deleted bool, err error) {
	var found []bool
	err = tx.SelectContext(ctx, &found, `
SELECT s.deleted_at IS NOT NULL FROM subscriptions s JOIN deliveries d ON d.subscription_id = s.id
WHERE d.id = $1 FOR SHARE OF s`, deliveryID)
	return len(found) > 0 && found[0], err
}

// insertActions stores the same action for several deliveries. An action without a time gets the
// current one.
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

// action makes an action of the caller. Only our own commands have no key.
func action(caller switchboard.Caller, kind switchboard.ActionKind, reason string) switchboard.Action {
	return switchboard.Action{Actor: cmp.Or(caller.KeyID, switchboard.ActorSwitchboard), Person: caller.Person, Kind: kind, Reason: reason}
}
