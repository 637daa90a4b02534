package store

import (
	"context"
	"encoding/json"
	"fmt"
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
// the subscription's: its state and limits, whether it is deleted, for how long it holds, and the health of its
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
		Tenant      string
		State       switchboard.SubscriptionState
		DeletedAt   time.Time
		MaxInFlight int
		Rate        []byte // its rate_limit as JSON; null: it has none
		HoldForUS   int64
		Health      []byte
	}
	if err := tx.GetContext(ctx, &row, flowQuery, subscriptionID); err != nil {
		return switchboard.Conditions{}, err
	}
	sub := &switchboard.Subscription{
		ID: subscriptionID, Tenant: row.Tenant, State: row.State, DeletedAt: row.DeletedAt, MaxInFlight: row.MaxInFlight,
		HoldFor: switchboard.Duration(time.Duration(row.HoldForUS) * time.Microsecond),
	}
	if len(row.Rate) > 0 {
		if err := json.Unmarshal(row.Rate, &sub.RateLimit); err != nil {
			return switchboard.Conditions{}, fmt.Errorf("the rate limit of a subscription cannot be read: %w", err)
		}
	}
	health, err := parseHealth(row.Health)
	return switchboard.Conditions{Subscription: sub, Health: &health, Queue: health.QueueReason}, err
}

var flowQuery = "SELECT " + fields("s", "tenant state deleted_at? max_in_flight hold_for_us", "") + ", s.document -> 'rate_limit' AS rate, " + healthColumn + " FROM subscriptions s WHERE id = $1"

// lockFlowOf is a shared lockFlow for the subscription of a delivery.
func lockFlowOf(ctx context.Context, tx transaction, deliveryID string) (switchboard.Conditions, error) {
	var found []string
	if err := tx.SelectContext(ctx, &found, "SELECT subscription_id FROM deliveries WHERE id = $1", deliveryID); err != nil {
		return switchboard.Conditions{}, err
	}
	if len(found) == 0 {
		return switchboard.Conditions{}, noDelivery(deliveryID)
	}
	return lockFlow(ctx, tx, found[0], shared)
}
