package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// flowLock says how a subscription is locked whose flow a transaction reads.
type flowLock string

const (
	shared    flowLock = "FOR SHARE"         // its state and its health stay as they are
	exclusive flowLock = "FOR NO KEY UPDATE" // to change them
)

// lockFlow locks a subscription, and returns what [switchboard.Admit] decides by as far as it is
// the subscription's: its state, whether it is deleted, for how long it holds, and the health of its
// endpoint. It reads them after it has the lock: what a statement reads beside the row that it
// waits for is from before it waited.
func lockFlow(ctx context.Context, tx transaction, subscriptionID string, lock flowLock) (switchboard.Conditions, error) {
	var found []string
	if err := tx.SelectContext(ctx, &found, "SELECT id FROM subscriptions WHERE id = $1 "+string(lock), subscriptionID); err != nil {
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
	return switchboard.Conditions{Subscription: sub, Health: &health, Queue: slotQueue(health)}, err
}

var flowQuery = "SELECT " + fields("s", "state deleted_at? hold_for_us", "") + ", " + healthColumn + " FROM subscriptions s WHERE id = $1"

// slotQueue is why deliveries wait that the end of a request releases, and not an operation.
func slotQueue(health switchboard.Health) string {
	if health.QueueReason == switchboard.ReasonWaitingForSlot {
		return health.QueueReason
	}
	return ""
}

// clearQueue lets what is accepted for a subscription be sent at once again, since nothing waits
// any more. The transaction has the exclusive lock, or takes it: two that share it and do this at
// the same time are a deadlock, after which one of them is run again.
func clearQueue(ctx context.Context, tx transaction, subscriptionID string, now time.Time) error {
	if _, err := tx.ExecContext(ctx, "UPDATE subscriptions SET flow = flow + 1 WHERE id = $1", subscriptionID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE subscription_health SET queue_reason = '', updated_at = $2 WHERE subscription_id = $1", subscriptionID, now)
	return err
}
