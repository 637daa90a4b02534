package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

const (
	// operateStepTimeout bounds one step, which is one transaction of at most a thousand rows.
	operateStepTimeout = time.Minute
	// operateStepsPerRun keeps the history short: a step and its wait are at most 11 events.
	operateStepsPerRun = 500
)

// Operate runs an operation step by step until it is complete. Its input and results only have ids
// and counts. The position of the operation is in Postgres, so a step may be repeated, and another
// run may continue.
func Operate(ctx workflow.Context, in activities.OperateInput) (switchboard.OperationProgress, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: operateStepTimeout,
		HeartbeatTimeout:    activities.StepHeartbeatTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 30 * time.Second},
	})
	var o *activities.Operator
	resumed := workflow.GetSignalChannel(ctx, ResumeSignal)
	for range operateStepsPerRun {
		var progress switchboard.OperationProgress
		if err := workflow.ExecuteActivity(ctx, o.OperateStep, in).Get(ctx, &progress); err != nil {
			return progress, err
		}
		if progress.Finished {
			if resumed.ReceiveAsync(nil) { // it was paused during the step, and resumed since
				continue
			}
			return progress, nil
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%s: %d of %d done, %d skipped, %d failed",
			progress.Action, progress.Done, progress.Total, progress.Skipped, progress.Failed))
		if progress.Wait > 0 {
			if err := workflow.Sleep(ctx, time.Duration(progress.Wait)); err != nil {
				return progress, err
			}
		}
	}
	return switchboard.OperationProgress{}, workflow.NewContinueAsNewError(ctx, Operate, in)
}
