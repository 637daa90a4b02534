package store

import (
	"context"
	"fmt"

	"github.com/seed-49a43567/switchboard"
)

// RecordVerification stores the result of the challenge of an unverified subscription. Without a
// reason it becomes active, a release of what was held is stored, and the caller starts that
// operation in Temporal. With a reason it stays unverified for that reason. version is the one
// whose address was asked; if there is another one, it is a Conflict for the field "version". A
// subscription that is not unverified stays as it is.
func (s *Store) RecordVerification(ctx context.Context, caller switchboard.Caller, id string, version int, reason string) (sub switchboard.Subscription, operationID string, err error) {
	err = s.tx(ctx, "record verification", func(ctx context.Context, tx transaction) error {
		operationID = ""
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
		before := sub
		if sub.StateReason = clean(reason); reason == "" {
			sub.State, sub.StateSince, sub.StateBy = switchboard.SubscriptionActive, s.now(), clean(stateBy(caller))
		}
		if err := saveState(ctx, tx, sub); err != nil {
			return err
		}
		if err := s.audit(ctx, tx, caller, subscriptionEntry(&sub, switchboard.AuditVerify, "", stateChanges(&before, &sub))); err != nil || reason != "" {
			return err
		}
		operationID, err = s.reopenSubscription(ctx, tx, id, "verified", bySwitchboard(switchboard.ActionRelease, "what it was held for is over"))
		return err
	})
	return sub, operationID, err
}
