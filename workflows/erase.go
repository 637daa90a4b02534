package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

const (
	// eraseStepTimeout bounds one step: it deletes rows for 15 s, or vacuums their tables.
	eraseStepTimeout = time.Hour
	// eraseStepsPerRun keeps the history short.
	eraseStepsPerRun = 500
	// eraseWait is the time between two checks whether the workflows of cancelled deliveries have
	// ended.
	eraseWait = 2 * time.Second
)

// Erase erases a tenant, or the content of one event, step by step. Its input and results only have
// ids and counts. It ends when everything is erased, even if Postgres is unavailable for a long
// time.
func Erase(ctx workflow.Context, in activities.EraseInput) (switchboard.ErasureProgress, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: eraseStepTimeout,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: 30 * time.Second},
	})
	var e *activities.Eraser
	for range eraseStepsPerRun {
		var progress switchboard.ErasureProgress
		if err := workflow.ExecuteActivity(ctx, e.EraseStep, in).Get(ctx, &progress); err != nil || progress.Finished {
			return progress, err
		}
		if progress.Waiting > 0 {
			if err := workflow.Sleep(ctx, eraseWait); err != nil {
				return progress, err
			}
		}
	}
	return switchboard.ErasureProgress{}, workflow.NewContinueAsNewError(ctx, Erase, in)
}
