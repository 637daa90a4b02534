package store

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

// DeleteSubscription removes a subscription from sight and cancels its open
// deliveries; of very many only the first ones, and [Store.CancelDeleted] the rest.
// The rows stay, because deliveries name them.
func (s *Store) DeleteSubscription(ctx context.Context, caller switchboard.Caller, id, reason string) error {
	err := s.tx(ctx, "delete subscription", func(ctx context.Context, tx transaction) error {
		if _, err := s.lockSubscription(ctx, tx, caller, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE subscriptions SET deleted_at = $2, updated_at = $2, version = version + 1 WHERE id = $1", id, s.now())
		return err
	})
	if err != nil {
		return err
	}
	// An error here is none of the caller's: the subscription is deleted, and what is still
	// open of it is left to CancelDeleted, as it is of very many.
	_, _ = s.sweep(ctx, cancellation(action(caller, switchboard.ActionCancel, reason)), id)
	return nil
}

// CancelDeleted cancels what is still open of deleted subscriptions, and returns how many
// deliveries those were. If there are very many, a call does only some of them.
func (s *Store) CancelDeleted(ctx context.Context) (int, error) {
	action := switchboard.Action{Actor: switchboard.ActorSwitchboard, Kind: switchboard.ActionCancel, Reason: "its subscription is deleted"}
	return s.sweepAll(ctx, cancellation(action), isOpen, "deleted_at IS NOT NULL")
}

// cancellation cancels the open deliveries of a deleted subscription. Their workflows,
// where one is open, are to end.
func cancellation(action switchboard.Action) sweep {
	return sweep{
		which: isOpen,
		change: "state = 'cancelled', reason = '" + switchboard.ReasonSubscriptionDeleted + "', next_attempt_at = NULL, completed_at = $3, " +
			"dispatch_at = CASE WHEN d.next_attempt_at IS NOT NULL THEN n.turn END",
		ends:   true,
		action: action,
	}
}
