package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

var flowQuery = "SELECT " + fields("s", "state deleted_at? hold_for_us", "") + ", " + healthColumn + " FROM subscriptions s WHERE id = $1"

// lockConditions keeps what decides about the deliveries of a subscription from being changed until
// the transaction ends, and returns it: its state, whether it is deleted, for how long it holds, and
// the health of its endpoint. It reads them after it has the lock: what a statement reads beside the
// row that it waits for is from before it waited.
func lockConditions(ctx context.Context, tx transaction, subscriptionID string) (switchboard.Conditions, error) {
	var found []string
	if err := tx.SelectContext(ctx, &found, "SELECT id FROM subscriptions WHERE id = $1 FOR SHARE", subscriptionID); err != nil {
		return switchboard.Conditions{}, err
	}
	if len(found) == 0 {
		return switchboard.Conditions{}, noSubscription(subscriptionID)
	}
	var row struct {
		State     switchboard.SubscriptionState
		DeletedAt time.Time
		HoldForUS int64
		Health    []byte
	}
	if err := tx.GetContext(ctx, &row, flowQuery, subscriptionID); err != nil {
		return switchboard.Conditions{}, err
	}
	health, err := parseHealth(row.Health)
	sub := &switchboard.Subscription{ID: subscriptionID, State: row.State, DeletedAt: row.DeletedAt, HoldFor: switchboard.Duration(time.Duration(row.HoldForUS) * time.Microsecond)}
	return switchboard.Conditions{Subscription: sub, Health: &health, Queue: health.QueueReason}, err
}

// lockConditionsOf is lockConditions for the subscription of a delivery.
func lockConditionsOf(ctx context.Context, tx transaction, deliveryID string) (switchboard.Conditions, error) {
	var found []string
	if err := tx.SelectContext(ctx, &found, "SELECT subscription_id FROM deliveries WHERE id = $1", deliveryID); err != nil {
		return switchboard.Conditions{}, err
	}
	if len(found) == 0 {
		return switchboard.Conditions{}, noDelivery(deliveryID)
	}
	return lockConditions(ctx, tx, found[0])
}
