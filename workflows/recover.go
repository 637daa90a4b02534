package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

const (
	// recoverTimeout bounds one step: a transaction or two.
	recoverTimeout = 30 * time.Second
	// recoverRetryInterval is the longest time between two tries of a step that fails, for example
	// while Postgres is away.
	recoverRetryInterval = 30 * time.Second
	// recoverSteps is how many steps a run makes before it continues as a new one. A step has about
	// 15 events, so this is far below Temporal's limit.
	recoverSteps = 200
)

// RecoverResult is how the recovery of an endpoint ended.
type RecoverResult struct {
	// Breaker is the state of the breaker; empty: the endpoint is healthy, or nothing is sent to
	// it.
	Breaker   switchboard.BreakerState `json:"breaker,omitempty"`
	Operation string                   `json:"operation,omitempty"` // the release that was started at the end
}

// Recover returns an endpoint to service after its breaker opened or its receiver asked to be sent
// nothing for a time. It waits for the date of the next probe, lets the probe through and waits for
// its result. It ends when there is nothing to wait for: the breaker is closed or half open, or the
// subscription is not active. Every change of the endpoint's health sends a signal that wakes it.
func Recover(ctx workflow.Context, in activities.RecoverInput) (RecoverResult, error) {
	stepCtx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: recoverTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: recoverRetryInterval},
	})
	woken := workflow.GetSignalChannel(ctx, RecoverSignal)
	var a *activities.Recoverer
	var step switchboard.RecoveryStep
	for n := 0; ; n++ {
		takeAll(woken)
		if n >= recoverSteps || workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return RecoverResult{}, workflow.NewContinueAsNewError(ctx, Recover, in)
		}
		step = switchboard.RecoveryStep{}
		if err := workflow.ExecuteActivity(stepCtx, a.RecoverEndpoint, in).Get(ctx, &step); err != nil {
			return RecoverResult{}, err
		}
		if !step.WaitUntil.IsZero() {
			if err := waitForStep(ctx, woken, step); err != nil {
				return RecoverResult{}, err
			}
		} else if woken.Len() == 0 {
			return RecoverResult{Breaker: step.Breaker, Operation: step.Operation}, nil
		}
	}
}

// takeAll drops the signals so far: the next step sees the changes that they announced.
func takeAll(woken workflow.ReceiveChannel) {
	for woken.ReceiveAsync(nil) {
	}
}

// waitForStep returns at the date of the next step, or earlier if the health has changed.
func waitForStep(ctx workflow.Context, woken workflow.ReceiveChannel, step switchboard.RecoveryStep) error {
	timerCtx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimerWithOptions(timerCtx, step.WaitUntil.Sub(workflow.Now(ctx)), workflow.TimerOptions{Summary: step.WaitFor})
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(timer, func(workflow.Future) {})
	selector.AddReceive(woken, func(workflow.ReceiveChannel, bool) {})
	selector.Select(ctx)
	return ctx.Err()
}
