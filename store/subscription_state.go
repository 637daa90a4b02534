package store

import (
	"cmp"
	"context"
	"fmt"

	"github.com/seed-49a43567/switchboard"
)

// ChangeSubscriptionState brings a subscription to the state that the action leads to: see
// [switchboard.Subscription.ChangeState]. If it becomes active, a release is stored, and the caller
// starts the operation of that id in Temporal; otherwise the id is empty. The health of its
// endpoint is then forgotten, because a person who resumes a subscription wants it to be tried.
func (s *Store) ChangeSubscriptionState(ctx context.Context, caller switchboard.Caller, id string, act switchboard.SubscriptionAction, reason string) (sub switchboard.Subscription, operationID string, err error) {
	err = s.tx(ctx, "change the state of a subscription", func(ctx context.Context, tx transaction) error {
		if sub, err = s.lockSubscription(ctx, tx, caller, id); err != nil {
			return err
		}
		before := sub
		if err := sub.ChangeState(s.now(), act, clean(reason), clean(stateBy(caller))); err != nil {
			return err
		}
		if err := saveState(ctx, tx, sub); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, caller, subscriptionEntry(&sub, switchboard.AuditVerb(act), reason, stateChanges(&before, &sub))); err != nil {
			return err
		}
		switch sub.State {
		case switchboard.SubscriptionDisabled:
			return s.announce(ctx, tx, switchboard.NewSubscriptionDisabled(&sub))
		case switchboard.SubscriptionActive:
			operationID, err = s.reopenSubscription(ctx, tx, id, fmt.Sprintf("%sd by %s", act, sub.StateBy),
				action(caller, switchboard.ActionRelease, cmp.Or(reason, "the subscription is active again")))
			return err
		}
		return nil
	})
	return sub, operationID, err
}

// stateBy names who changes the state of a subscription, for those who see the subscription.
func stateBy(caller switchboard.Caller) string {
	return cmp.Or(caller.Person, caller.KeyID, switchboard.ActorSwitchboard)
}

// saveState stores the state of a subscription that is locked.
func saveState(ctx context.Context, tx transaction, sub switchboard.Subscription) error {
	_, err := tx.ExecContext(ctx, "UPDATE subscriptions SET state = $2, state_reason = $3, state_since = $4, state_by = $5, flow = flow + 1 WHERE id = $1",
		sub.ID, string(sub.State), sub.StateReason, sub.StateSince, sub.StateBy)
	return err
}

// reopenSubscription forgets the health of the endpoint of a subscription that is active again, and
// starts the release of what is held. reason says why it is active.
func (s *Store) reopenSubscription(ctx context.Context, tx transaction, id, reason string, by switchboard.Action) (operationID string, err error) {
	if _, err := s.startAfresh(ctx, tx, id, "the subscription was "+reason); err != nil {
		return "", err
	}
	return s.startRelease(ctx, tx, id, by)
}
