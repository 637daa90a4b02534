package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The deliveries of a subscription that exceed its rate_limit or max_in_flight wait in the order of
// their ids. While some wait, its health has a queue_reason.

// QueueDelivery parks a delivery of that generation that exceeds a limit of its subscription.
// Deliveries that are accepted after that wait behind it. If the delivery may not be sent for
// another reason now, it is parked for that one.
func (s *Store) QueueDelivery(ctx context.Context, loaded switchboard.Delivery, admission switchboard.Admission) (d switchboard.Delivery, err error) {
	err = s.tx(ctx, "queue delivery", func(ctx context.Context, tx transaction) error {
		conditions, err := lockQueue(ctx, tx, loaded.SubscriptionID)
		if err != nil {
			return err
		}
		if conditions.Queue == "" {
			if err := s.setQueueReason(ctx, tx, loaded.SubscriptionID, admission.Reason); err != nil {
				return err
			}
		}
		conditions.Queue = ""
		_, d, err = s.transit(ctx, tx, switchboard.Caller{}, loaded.ID, switchboard.Action{}, func(d *switchboard.Delivery, now time.Time) error {
			conditions.Delivery = d
			a := switchboard.Admit(now, conditions)
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

// lockQueue locks a subscription: exclusively, if its queue begins now.
func lockQueue(ctx context.Context, tx transaction, subscriptionID string) (switchboard.Conditions, error) {
	health, err := selectHealth(ctx, tx, subscriptionID)
	if err != nil {
		return switchboard.Conditions{}, err
	}
	lock := shared
	if health.QueueReason == "" {
		lock = exclusive
	}
	return lockFlow(ctx, tx, subscriptionID, lock)
}

// selectHealth reads the health of a subscription.
func selectHealth(ctx context.Context, db selector, subscriptionID string) (switchboard.Health, error) {
	var rows [][]byte
	if err := db.SelectContext(ctx, &rows, "SELECT row_to_json(h) FROM subscription_health h WHERE subscription_id = $1", subscriptionID); err != nil || len(rows) == 0 {
		return switchboard.Health{}, err
	}
	return parseHealth(rows[0])
}

// bumpFlow locks a subscription, and counts a change of what decides about its deliveries.
func bumpFlow(ctx context.Context, tx transaction, subscriptionID string) error {
	_, err := tx.ExecContext(ctx, "UPDATE subscriptions SET flow = flow + 1 WHERE id = $1", subscriptionID)
	return err
}

// setQueueReason stores why deliveries of the subscription, which is locked, wait in order.
func (s *Store) setQueueReason(ctx context.Context, tx transaction, subscriptionID, reason string) error {
	if err := bumpFlow(ctx, tx, subscriptionID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
INSERT INTO subscription_health (subscription_id, queue_reason, window_at, updated_at) VALUES ($1, $2, $3, $3)
ON CONFLICT (subscription_id) DO UPDATE SET queue_reason = excluded.queue_reason, updated_at = excluded.updated_at`, subscriptionID, reason, s.now())
	return err
}

// SetSlow stores, for all processes, whether the endpoint of a subscription is slow.
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
		return err
	})
}
