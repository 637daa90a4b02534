package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard/activities"
)

// reconcileTimeout bounds one pass: a thousand overdue deliveries, a few calls each.
const reconcileTimeout = 2 * time.Minute

// Reconcile makes one pass of the reconciler. A Temporal Schedule starts it.
func Reconcile(ctx workflow.Context) (activities.ReconcileResult, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: reconcileTimeout,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1}, // the schedule's next pass follows soon
	})
	var r *activities.Reconciler
	var result activities.ReconcileResult
	err := workflow.ExecuteActivity(ctx, r.Reconcile).Get(ctx, &result)
	return result, err
}
