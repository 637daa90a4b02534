package store

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// RecordVerification stores how the challenge of an unverified subscription ended. Without a
// reason against it, it becomes active and what was held for it is released; otherwise it
// stays unverified for that reason. version is the one whose address was asked; another one is
// a Conflict for the field "version". A subscription that is not unverified stays as it is.
func (s *Store) RecordVerification(ctx context.Context, caller switchboard.Caller, id string, version int, reason string) (switchboard.Subscription, error) {
	var sub switchboard.Subscription
	err := s.tx(ctx, "record verification", func(ctx context.Context, tx transaction) error {
		var err error
		if sub, err = s.lockSubscription(ctx, tx, caller, id); err != nil {
			return err
		}
		if sub.Version != version {
			return &switchboard.Error{Code: switchboard.CodeConflict, Field: "version",
				Message: fmt.Sprintf("the subscription was changed to version %d while its address was asked: ask again", sub.Version)}
		}
		if sub.State != switchboard.SubscriptionUnverified {
			return nil
		}
		sub.StateReason = clean(reason)
		if reason == "" {
			sub.State = switchboard.SubscriptionActive
		}
		_, err = tx.ExecContext(ctx, "UPDATE subscriptions SET state = $2, state_reason = $3, state_since = CASE WHEN state = $2 THEN state_since ELSE $4 END, flow = flow + 1 WHERE id = $1",
			id, string(sub.State), sub.StateReason, s.now())
		return err
	})
	if err != nil {
		return switchboard.Subscription{}, err
	}
	if sub.State == switchboard.SubscriptionActive {
		// The caller does not see an error here: the subscription is verified, and
		// ReleaseVerified releases the deliveries that are left.
		_, _ = s.applyInBatches(ctx, release(), id)
	}
	return sub, nil
}

// heldOfVerified finds the verified subscriptions with held deliveries by going in the index from
// each subscription with held ones to the next, however many deliveries lie between.
const heldOfVerified = `
WITH RECURSIVE owner AS (
	(SELECT subscription_id AS id FROM deliveries WHERE ` + isHeld + ` ORDER BY subscription_id LIMIT 1)
	UNION ALL
	SELECT (SELECT subscription_id FROM deliveries WHERE ` + isHeld + ` AND subscription_id > owner.id ORDER BY subscription_id LIMIT 1)
	FROM owner WHERE owner.id IS NOT NULL)
SELECT id FROM subscriptions JOIN owner USING (id) WHERE state = 'active' AND deleted_at IS NULL`

// ReleaseVerified releases what is held for subscriptions that are verified by now, and
// returns how many deliveries those were. If there are very many, a call does only some of them.
func (s *Store) ReleaseVerified(ctx context.Context) (int, error) {
	return s.applyToAll(ctx, release(), heldOfVerified)
}

// release releases what was held until its subscription is verified.
func release() bulkTransition {
	return bulkTransition{
		where: isHeld + " AND reason = '" + switchboard.ReasonSubscriptionUnverified + "'",
		apply: func(d *switchboard.Delivery, sub *switchboard.Subscription, now, dispatchAt time.Time) error {
			return d.Release(now, dispatchAt, switchboard.Admit(now, switchboard.Conditions{Subscription: sub}))
		},
		action: switchboard.Action{Actor: switchboard.ActorSwitchboard, Kind: switchboard.ActionRelease, Reason: "what it was held for is over"},
	}
}
