package store

import (
	"context"
	"fmt"

	"switchboard"
)

// Endpoint returns a subscription with the signing secrets that are valid, the
// current one first.
func (s *Store) Endpoint(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	sub, err := s.Subscription(ctx, caller, id)
	if err != nil {
		return sub, err
	}
	var text []byte
	if err := s.get(ctx, &text, noSubscription(id), "SELECT "+secretsColumn+" FROM subscriptions s WHERE s.id = $1", id, s.now()); err != nil {
		return sub, err
	}
	sub.Secrets, err = s.keys.secrets(id, text)
	return sub, err
}

// Verified notes how the challenge of an unverified subscription ended. Without a
// reason against it, it becomes active, and what was held for it is released;
// otherwise it stays unverified for that reason. version is the one whose address
// was asked; another one is a Conflict for the field "version". One that is not
// unverified stays as it is.
func (s *Store) Verified(ctx context.Context, caller switchboard.Caller, id string, version int, reason string) (switchboard.Subscription, error) {
	var sub switchboard.Subscription
	err := s.tx(ctx, func(ctx context.Context, tx transaction) error {
		var err error
		if sub, err = s.lockSubscription(ctx, tx, caller, id); err != nil {
			return err
		}
		if sub.Version != version {
			return &switchboard.Error{Code: switchboard.Conflict, Field: "version",
				Message: fmt.Sprintf("the subscription was changed to version %d while its address was asked: ask again", sub.Version)}
		}
		if sub.State != switchboard.Unverified {
			return nil
		}
		sub.StateReason = clean(reason)
		if reason == "" {
			sub.State = switchboard.Active
		}
		_, err = tx.ExecContext(ctx, "UPDATE subscriptions SET state = $2, state_reason = $3 WHERE id = $1", id, string(sub.State), sub.StateReason)
		return err
	})
	if err != nil {
		return switchboard.Subscription{}, err
	}
	if sub.State == switchboard.Active {
		// What is left of it, if this fails, is the reconciler's.
		_, _ = s.ReleaseVerified(ctx)
	}
	return sub, nil
}

// releaseLimit bounds one transaction of releases.
const releaseLimit = 1000

const releaseQuery = `
UPDATE deliveries SET state = 'pending', reason = '', next_attempt_at = $2, start_due_at = $2, run = run + 1, run_id = '', attempts_before = attempts_made
WHERE id = ANY(ARRAY(
	SELECT d.id FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
	WHERE d.state = 'held' AND d.state <> 'delivered' AND d.reason = $1 AND (s.state = 'active' OR s.deleted_at IS NOT NULL)
	ORDER BY d.id LIMIT $3 FOR NO KEY UPDATE OF d SKIP LOCKED))
RETURNING id`

// ReleaseVerified sets going what was held for subscriptions that are verified by
// now, or deleted, and returns how many deliveries those were. The relay starts
// them; those of a deleted subscription are cancelled then.
func (s *Store) ReleaseVerified(ctx context.Context) (int, error) {
	for total := 0; ; {
		var released []string
		err := s.tx(ctx, func(ctx context.Context, tx transaction) error {
			released = nil
			err := tx.SelectContext(ctx, &released, releaseQuery, switchboard.ReasonSubscriptionUnverified, s.now(), releaseLimit)
			if err != nil || len(released) == 0 {
				return err
			}
			action := switchboard.Action{Actor: switchboard.ActorSwitchboard, Verb: switchboard.VerbRelease, Reason: "what it was held for is over"}
			if err := s.insertActions(ctx, tx, action, released...); err != nil {
				return err
			}
			return notify(ctx, tx, startChannel, "")
		})
		total += len(released)
		if err != nil || len(released) < releaseLimit {
			return total, err
		}
	}
}
