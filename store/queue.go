package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The deliveries of a subscription that exceed its rate_limit or max_in_flight wait in order of
// their ids. While there are any, its health has a queue_reason.

// QueueDelivery parks a delivery of that generation that exceeds a limit of its subscription. What
// is accepted from then on waits behind it. If it may not be sent for another reason by now, that
// one parks it.
func (s *Store) QueueDelivery(ctx context.Context, loaded switchboard.Delivery, admission switchboard.Admission) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "queue delivery", func(ctx context.Context, tx transaction) error {
		sub, health, err := lockFlow(ctx, tx, loaded.SubscriptionID, func(h switchboard.Health) bool { return h.QueueReason == "" })
		if err != nil {
			return err
		}
		if health.QueueReason == "" {
			if err := s.setQueueReason(ctx, tx, sub.ID, admission.Reason); err != nil {
				return err
			}
		}
		_, d, err = s.transit(ctx, tx, switchboard.Caller{}, loaded.ID, switchboard.Action{}, func(d *switchboard.Delivery, now time.Time) error {
			a := switchboard.Admit(now, switchboard.Conditions{Subscription: &sub, Health: &health, Delivery: d})
			if a.Kind == switchboard.AdmissionSend {
				a = admission
			}
			if a.Kind == switchboard.AdmissionEnd {
				d.Close(now, loaded.Generation, a.State, a.Reason)
			} else {
				d.Hold(now, loaded.Generation, a)
			}
			return nil
		})
		return err
	})
	return d, err
}

// flowRow is what decides about the deliveries of a subscription.
type flowRow struct {
	switchboard.Subscription
	HoldForUS int64
	Rate      []byte // its rate_limit as JSON; null: it has none
}

// lockFlow keeps what decides about the deliveries of a subscription from being changed until the
// transaction ends, and reads it: under a lock that others may share, unless the caller is to
// change it. What it reads of the health is not older than the lock.
func lockFlow(ctx context.Context, tx transaction, id string, changes func(switchboard.Health) bool) (switchboard.Subscription, switchboard.Health, error) {
	health, err := selectHealth(ctx, tx, id)
	if err != nil {
		return switchboard.Subscription{}, health, err
	}
	lock := "FOR SHARE"
	if changes(health) {
		lock = "FOR NO KEY UPDATE"
	}
	var rows []flowRow
	err = tx.SelectContext(ctx, &rows, "SELECT id, tenant, state, coalesce(deleted_at, "+zeroTime+") AS deleted_at, max_in_flight, hold_for_us, document -> 'rate_limit' AS rate "+
		"FROM subscriptions WHERE id = $1 "+lock, id)
	if err != nil {
		return switchboard.Subscription{}, health, err
	}
	if len(rows) == 0 {
		return switchboard.Subscription{}, health, noSubscription(id)
	}
	sub := rows[0].Subscription
	sub.HoldFor = switchboard.Duration(time.Duration(rows[0].HoldForUS) * time.Microsecond)
	if len(rows[0].Rate) > 0 {
		if err := json.Unmarshal(rows[0].Rate, &sub.RateLimit); err != nil {
			return sub, health, fmt.Errorf("the rate limit of a subscription cannot be read: %w", err)
		}
	}
	health, err = selectHealth(ctx, tx, id)
	return sub, health, err
}

// selectHealth reads the health of a subscription.
func selectHealth(ctx context.Context, db selector, id string) (switchboard.Health, error) {
	var rows [][]byte
	if err := db.SelectContext(ctx, &rows, "SELECT row_to_json(h) FROM subscription_health h WHERE subscription_id = $1", id); err != nil || len(rows) == 0 {
		return switchboard.Health{}, err
	}
	return parseHealth(rows[0])
}

// bumpFlow locks a subscription and says that what decides about its deliveries changes.
func bumpFlow(ctx context.Context, tx transaction, subscriptionID string) error {
	_, err := tx.ExecContext(ctx, "UPDATE subscriptions SET flow = flow + 1 WHERE id = $1", subscriptionID)
	return err
}

// setQueueReason says why deliveries of the subscription, which is locked, wait in order.
func (s *Store) setQueueReason(ctx context.Context, tx transaction, subscriptionID, reason string) error {
	if err := bumpFlow(ctx, tx, subscriptionID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
INSERT INTO subscription_health (subscription_id, queue_reason, window_at, updated_at) VALUES ($1, $2, $3, $3)
ON CONFLICT (subscription_id) DO UPDATE SET queue_reason = excluded.queue_reason, updated_at = excluded.updated_at`, subscriptionID, reason, s.now())
	return err
}

// SetSlow says for all processes whether the endpoint of a subscription is slow.
func (s *Store) SetSlow(ctx context.Context, subscriptionID string, slow bool) error {
	return s.tx(ctx, "set class of an endpoint", func(ctx context.Context, tx transaction) error {
		health, err := selectHealth(ctx, tx, subscriptionID)
		if err != nil || health.Slow == slow {
			return err
		}
		if err := bumpFlow(ctx, tx, subscriptionID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
INSERT INTO subscription_health (subscription_id, slow, window_at, updated_at) SELECT id, $2, $3, $3 FROM subscriptions WHERE id = $1
ON CONFLICT (subscription_id) DO UPDATE SET slow = excluded.slow, updated_at = excluded.updated_at`, subscriptionID, slow, s.now())
		if err != nil {
			return err
		}
		return forgetHealthy(ctx, tx, subscriptionID)
	})
}

// forgetHealthy deletes the health of a subscription if there is nothing to say of it.
func forgetHealthy(ctx context.Context, tx transaction, subscriptionID string) error {
	_, err := tx.ExecContext(ctx, `
DELETE FROM subscription_health WHERE subscription_id = $1 AND breaker = 'closed' AND failing_since IS NULL AND deferred_until IS NULL
	AND queue_reason = '' AND NOT slow AND probe_delivery_id = '' AND failures = 0 AND previous_failures = 0`, subscriptionID)
	return err
}
