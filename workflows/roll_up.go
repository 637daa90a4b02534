package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

// rollUpTimeout bounds one pass: after a day without the workflow it counts a day.
const rollUpTimeout = 8 * time.Minute

// RollUp counts the attempts since its last run into the rollups, and each hour once more after its
// end. A Temporal Schedule starts it every 15 seconds.
func RollUp(ctx workflow.Context) (switchboard.RollupResult, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: rollUpTimeout, HeartbeatTimeout: activities.HeartbeatTimeout,
		RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}, // the schedule's next run follows soon
	})
	var c *activities.Counter
	var result switchboard.RollupResult
	err := workflow.ExecuteActivity(ctx, c.RollUp).Get(ctx, &result)
	return result, err
}
