package activities

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
)

// RecoverInput is the input of the workflow that recovers an endpoint.
type RecoverInput struct {
	SubscriptionID string `json:"subscription_id"`
}

// RecoveryStore does what is due for unhealthy endpoints.
type RecoveryStore interface {
	// NextRecovery does what is due, and says what to wait for then.
	NextRecovery(ctx context.Context, subscriptionID string) (switchboard.RecoveryStep, error)
}

// Recoverer is the activity of the workflow that recovers an endpoint.
type Recoverer struct {
	Store  RecoveryStore
	Engine interface {
		// Operate starts the workflow of an operation.
		Operate(ctx context.Context, operationID string) error
	}
	Log *slog.Logger
	Now func() time.Time // the clock that the store's dates are of
}

// lateClockMargin is how much longer the workflow waits than this process's clock is behind Temporal's: the
// difference is known but for the time that Temporal takes to hand an activity over.
const lateClockMargin = time.Second

// RecoverEndpoint does what is due for an unhealthy endpoint, as to let a probe through, and says
// what its workflow waits for then. It may be repeated at any time.
func (r *Recoverer) RecoverEndpoint(ctx context.Context, in RecoverInput) (switchboard.RecoveryStep, error) {
	behind := activity.GetInfo(ctx).StartedTime.Sub(r.Now())
	step, err := r.Store.NextRecovery(ctx, in.SubscriptionID)
	if err != nil {
		r.Log.WarnContext(ctx, "endpoint not recovered yet", "subscription", in.SubscriptionID, "error", err)
		return step, temporal.NewApplicationError(infraMessage(err), infraErrorType)
	}
	switch {
	case step.Operation != "":
		r.Log.InfoContext(ctx, "release of what an endpoint had held", "subscription", in.SubscriptionID, "breaker", step.Breaker, "operation", step.Operation)
		if err := r.Engine.Operate(ctx, step.Operation); err != nil && !errors.Is(err, context.Canceled) {
			r.Log.WarnContext(ctx, "release left to the reconciler", "subscription", in.SubscriptionID, "operation", step.Operation, "error", err)
		}
	case step.WaitFor == switchboard.WaitForProbeResult:
		r.Log.InfoContext(ctx, "probe let through", "subscription", in.SubscriptionID, "delivery", step.Probe)
	}
	if behind > 0 && !step.WaitUntil.IsZero() { // the workflow waits by Temporal's clock: before that date it would ask again and again
		step.WaitUntil = step.WaitUntil.Add(behind + lateClockMargin)
	}
	return step, nil
}
