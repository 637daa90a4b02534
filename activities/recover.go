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
	// NextRecovery does the step that is due, and returns what to wait for next.
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
	Now func() time.Time // the clock of the store's dates
}

// lateClockMargin is added to the difference when this process's clock is behind Temporal's,
// because the difference is measured without the time that Temporal takes to hand over an activity.
const lateClockMargin = time.Second

// RecoverEndpoint does the step that is due for an unhealthy endpoint, such as letting a probe
// through, and returns what its workflow has to wait for next. It may be repeated at any time.
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
	if behind > 0 && !step.WaitUntil.IsZero() { // the workflow waits by Temporal's clock: it must not come back before that date by ours
		step.WaitUntil = step.WaitUntil.Add(behind + lateClockMargin)
	}
	return step, nil
}
