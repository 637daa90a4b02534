package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// DeleteSubscription hides a subscription and cancels its open deliveries; of very many only
// the first, and [Store.CancelDeleted] the rest. The rows stay, because deliveries name them.
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
	// The caller does not see an error here: the subscription is deleted, and CancelDeleted
	// cancels the deliveries that are left.
	_, _ = s.applyInBatches(ctx, cancelDeleted(action(caller, switchboard.ActionCancel, reason)), id)
	return nil
}

// openOfDeleted finds the subscriptions deleted since $1 that have open deliveries. There are far
// fewer of them than subscriptions with open deliveries, and each is looked up in every partition.
const openOfDeleted = "SELECT id FROM subscriptions s WHERE deleted_at > $1 AND EXISTS (SELECT FROM deliveries d WHERE d.subscription_id = s.id AND d." + isOpen + ")"

// deletedWindow is for how long after its deletion a subscription is looked up: until the deliveries
// even of very many have long been cancelled, so that the cost does not grow with all that were
// ever deleted.
const deletedWindow = 90 * 24 * time.Hour

// CancelDeleted cancels what is still open of deleted subscriptions, and returns how many
// deliveries those were. If there are very many, a call does only some of them.
func (s *Store) CancelDeleted(ctx context.Context) (int, error) {
	action := switchboard.Action{Actor: switchboard.ActorSwitchboard, Kind: switchboard.ActionCancel, Reason: "its subscription is deleted"}
	return s.applyToAll(ctx, cancelDeleted(action), openOfDeleted, s.now().Add(-deletedWindow))
}

// cancelDeleted cancels the open deliveries of a deleted subscription.
func cancelDeleted(action switchboard.Action) bulkTransition {
	return bulkTransition{
		where: isOpen,
		apply: func(d *switchboard.Delivery, _ *switchboard.Subscription, now, dispatchAt time.Time) error {
			return d.Cancel(now, switchboard.ReasonSubscriptionDeleted, dispatchAt)
		},
		action: action,
	}
}
