package store

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

// DeleteSubscription hides a subscription, and stores the operation that cancels its open
// deliveries, which the caller starts in Temporal. The row stays, because deliveries refer to it.
func (s *Store) DeleteSubscription(ctx context.Context, caller switchboard.Caller, id, reason string) (operationID string, err error) {
	err = s.tx(ctx, "delete subscription", func(ctx context.Context, tx transaction) error {
		sub, err := s.lockSubscription(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE subscriptions SET deleted_at = $2, updated_at = $2, version = version + 1, flow = flow + 1 WHERE id = $1", id, s.now())
		if err != nil {
			return err
		}
		if err := s.audit(ctx, tx, caller, subscriptionEntry(&sub, switchboard.AuditDelete, reason, nil)); err != nil {
			return err
		}
		operationID, err = s.startCancel(ctx, tx, id, action(caller, switchboard.ActionCancel, reason))
		return err
	})
	return operationID, err
}

// cancelLimit bounds how many deliveries a step of an erasure cancels: about a second's work.
const cancelLimit = 10 * batchLimit

// cancelOpenOf cancels open deliveries of deleted subscriptions, without an operation of their own,
// and returns how many. If there are very many, a call cancels only some.
func (s *Store) cancelOpenOf(ctx context.Context, subscriptions []string) (cancelled int, err error) {
	for _, id := range subscriptions {
		by := bySwitchboard(switchboard.ActionCancel, "its subscription is deleted")
		o := operationRow{Operation: switchboard.Operation{SubscriptionID: id, Action: by.Kind, State: switchboard.OperationRunning, Actor: by.Actor, Reason: by.Reason}}
		for o.State == switchboard.OperationRunning && cancelled < cancelLimit {
			next := o
			err := s.tx(ctx, "cancel deliveries of a subscription", func(ctx context.Context, tx transaction) error {
				next = o
				conditions, err := lockFlow(ctx, tx, id, shared)
				if err != nil {
					return err
				}
				_, err = s.step(ctx, tx, conditions, &next, batchLimit)
				return err
			})
			if err != nil {
				return cancelled, err
			}
			cancelled += next.Done - o.Done
			o = next
		}
	}
	return cancelled, nil
}
