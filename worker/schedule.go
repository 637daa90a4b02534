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

// The ids of the schedules.
const (
	ReconcileSchedule = "switchboard-reconcile"
	RetainSchedule    = "switchboard-retain"
	RollUpSchedule    = "switchboard-roll-up"
)

// schedule starts a workflow at regular times, and skips one while the last still runs.
type schedule struct {
	id         string
	every      time.Duration
	workflow   any
	workflowID string
	timeout    time.Duration // of a run; 0: none
}

func schedules() []schedule {
	return []schedule{
		{ReconcileSchedule, 15 * time.Second, workflows.Reconcile, "reconcile", 5 * time.Minute},
		{RollUpSchedule, 15 * time.Second, workflows.RollUp, "roll-up", 10 * time.Minute},
		{RetainSchedule, time.Hour, workflows.Retain, "retain", 0},
	}
}

// ensureSchedules creates the schedules, or brings them up to date.
func ensureSchedules(ctx context.Context, c client.Client) error {
	var errs []error
	for _, s := range schedules() {
		errs = append(errs, s.ensure(ctx, c))
	}
	return errors.Join(errs...)
}

func (s schedule) ensure(ctx context.Context, c client.Client) error {
	spec := client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: s.every}}}
	policy := client.SchedulePolicies{Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: s.every}
	action := &client.ScheduleWorkflowAction{
		ID: s.workflowID, Workflow: s.workflow, TaskQueue: workflows.TaskQueue, WorkflowRunTimeout: s.timeout,
	}
	_, err := c.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: s.id, Spec: spec, Action: action, Overlap: policy.Overlap, CatchupWindow: policy.CatchupWindow,
	})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return c.ScheduleClient().GetHandle(ctx, s.id).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			updated := in.Description.Schedule
			updated.Spec, updated.Policy, updated.Action = &spec, &policy, action
			return &client.ScheduleUpdate{Schedule: &updated}, nil
		},
	})
}
