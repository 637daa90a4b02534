package worker

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard/workflows"
)

const (
	// ReconcileSchedule is the id of the schedule that starts the reconciler.
	ReconcileSchedule = "switchboard-reconcile"
	// reconcileEvery is the time between two passes.
	reconcileEvery = 15 * time.Second
)

// ensureSchedule creates the reconciler's schedule, or brings it up to date.
func ensureSchedule(ctx context.Context, c client.Client) error {
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: reconcileEvery}}}
	policy := client.SchedulePolicies{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: reconcileEvery}
	action := &client.ScheduleWorkflowAction{
		ID: "reconcile", Workflow: workflows.Reconcile, TaskQueue: workflows.TaskQueue, WorkflowRunTimeout: 5 * time.Minute,
	}
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: ReconcileSchedule, Spec: spec, Action: action, Overlap: policy.Overlap, CatchupWindow: policy.CatchupWindow,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return c.ScheduleClient().GetHandle(ctx, ReconcileSchedule).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			schedule := in.Description.Schedule
			schedule.Spec, schedule.Policy, schedule.Action = &spec, &policy, action
			return &client.ScheduleUpdate{Schedule: &schedule}, nil
		},
	})
}
