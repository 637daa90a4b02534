package api

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

// stateInput requests a change of state that needs no reason.
type stateInput struct {
	ID string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	payload[reasonInput]
}

// stopInput requests a change of state after which deliveries are held.
type stopInput struct {
	ID string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	payload[requiredReasonInput]
}

func (s *server) pauseSubscription(ctx context.Context, caller switchboard.Caller, in *stopInput) (*reply[subscription], error) {
	return s.changeState(ctx, caller, in.ID, switchboard.PauseSubscription, in.JSON.Reason)
}

func (s *server) disableSubscription(ctx context.Context, caller switchboard.Caller, in *stopInput) (*reply[subscription], error) {
	return s.changeState(ctx, caller, in.ID, switchboard.DisableSubscription, in.JSON.Reason)
}

func (s *server) resumeSubscription(ctx context.Context, caller switchboard.Caller, in *stateInput) (*reply[subscription], error) {
	return s.changeState(ctx, caller, in.ID, switchboard.ResumeSubscription, in.JSON.Reason)
}

func (s *server) enableSubscription(ctx context.Context, caller switchboard.Caller, in *stateInput) (*reply[subscription], error) {
	return s.changeState(ctx, caller, in.ID, switchboard.EnableSubscription, in.JSON.Reason)
}

// changeState changes the state of a subscription, and starts the release that follows from the
// change.
func (s *server) changeState(ctx context.Context, caller switchboard.Caller, id string, action switchboard.SubscriptionAction, reason string) (*reply[subscription], error) {
	check := checkReason
	if action.RequiresReason() {
		check = checkRequiredReason
	}
	if err := check(reason); err != nil {
		return nil, err
	}
	sub, operation, err := s.Store.ChangeSubscriptionState(ctx, caller, id, action, reason)
	if err != nil {
		return nil, err
	}
	s.operate(ctx, operation)
	if sub.State != switchboard.SubscriptionActive {
		s.wakeRecovery(ctx, id)
	}
	if err := s.addKeys(ctx, caller, &sub); err != nil {
		return nil, err
	}
	return &reply[subscription]{Body: subscriptionFor(caller)(&sub)}, nil
}
