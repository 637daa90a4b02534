package api

import (
	"context"
	"errors"

	"github.com/seed-49a43567/switchboard"
)

// notChallenged is the reason of a subscription that is unverified until it answers the challenge.
const notChallenged = "the address has not answered the challenge yet"

// unverify makes a subscription unverified if its address must answer a challenge. This includes
// disabled subscriptions: an address that answers wants our requests. Paused ones are refused,
// because an operator who paused a subscription must not find it running.
func unverify(before, after *switchboard.Subscription) error {
	same := before.Verification == switchboard.VerificationChallenge && before.Request.URL == after.Request.URL
	switch {
	case after.Verification != switchboard.VerificationChallenge || same:
		return nil
	case after.State == switchboard.SubscriptionPaused:
		return switchboard.Errorf(switchboard.CodeConflict, "the subscription is paused, and a new address has to answer a challenge: resume it first")
	}
	after.State, after.StateReason = switchboard.SubscriptionUnverified, notChallenged
	return nil
}

type verifyInput struct {
	ID string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	payload[verificationInput]
}

// verificationInput has no fields yet.
type verificationInput struct{}

func (s *server) verifySubscription(ctx context.Context, caller switchboard.Caller, in *verifyInput) (*reply[subscription], error) {
	sub, err := s.verify(ctx, caller, in.ID)
	if err == nil {
		err = s.addKeys(ctx, caller, &sub)
	}
	if err != nil {
		return nil, err
	}
	return &reply[subscription]{Body: subscriptionFor(caller)(&sub)}, nil
}

// verify challenges an unverified subscription and records the result. A subscription that no
// longer requires verification becomes active without a challenge.
func (s *server) verify(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	sub, err := s.Store.SubscriptionWithSecrets(ctx, caller, id)
	if err != nil || sub.State != switchboard.SubscriptionUnverified {
		return sub, err
	}
	if err := sub.CheckReadable(); err != nil {
		return sub, err
	}
	reason := ""
	if sub.Verification == switchboard.VerificationChallenge {
		if reason, err = s.challenge(ctx, sub); err != nil {
			return sub, err
		}
	}
	sub, operation, err := s.Store.RecordVerification(ctx, caller, id, sub.Version, reason)
	if err == nil {
		s.operate(ctx, operation)
	}
	return sub, err
}

// challenge returns what came back instead of the answer, or "" if the answer was right.
func (s *server) challenge(ctx context.Context, sub switchboard.Subscription) (reason string, err error) {
	err = s.Sender.Challenge(ctx, sub)
	if fault, ok := errors.AsType[*switchboard.Error](err); ok && fault.Code == switchboard.CodeInvalid {
		return fault.Field + " " + fault.Message, nil
	}
	return "", err
}

// verifySaved verifies a subscription that was just stored. It returns no error, because the caller
// must learn that the subscription is stored, and may request another challenge.
func (s *server) verifySaved(ctx context.Context, caller switchboard.Caller, sub switchboard.Subscription) switchboard.Subscription {
	if sub.State != switchboard.SubscriptionUnverified {
		return sub
	}
	verified, err := s.verify(ctx, caller, sub.ID)
	if err != nil {
		s.Logger.WarnContext(ctx, "a subscription was stored, and not verified", "subscription", sub.ID, "error", err)
		return sub
	}
	verified.Secrets = sub.Secrets
	return verified
}
