package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// flowLock is how a transaction locks a subscription whose flow it reads.
type flowLock string

const (
	shared    flowLock = "FOR SHARE"         // prevents changes of its state and its health
	exclusive flowLock = "FOR NO KEY UPDATE" // to change them
)

// lockFlow locks a subscription, and returns those conditions of [switchboard.Admit] that belong to
// it: its state and limits, whether it is deleted, how long it holds, and the health of its
// endpoint. It reads them after it has the lock, because a statement that waits for a row reads
// other rows as they were before the wait.
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

// lockFlowOf is a shared lockFlow of a delivery's subscription.
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
