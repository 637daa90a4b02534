package worker

import (
	"context"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// minWake is how far away the date of a waiting attempt must be for the reconciler to wake it. It
// is longer than any wait after an error of our own; a long wait for a slot is in the row.
const minWake = time.Minute

// Describe returns the state of the latest run of the delivery's workflow.
func (e *Engine) Describe(ctx context.Context, deliveryID string) (activities.WorkflowView, error) {
	found, err := e.client.DescribeWorkflowExecution(ctx, deliveryID, "")
	if isNotFound(err) {
		return activities.WorkflowView{Status: activities.WorkflowNotFound}, nil
	}
	if err != nil {
		return activities.WorkflowView{}, err
	}
	info := found.GetWorkflowExecutionInfo()
	view := activities.WorkflowView{Status: activities.WorkflowEnded, Generation: 1, TemporalRunID: info.GetExecution().GetRunId()}
	if memo, ok := info.GetMemo().GetFields()[workflows.GenerationMemo]; ok { // the first generation has none
		if err := converter.GetDefaultDataConverter().FromPayload(memo, &view.Generation); err != nil {
			return activities.WorkflowView{}, err
		}
	}
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		view.Status = statusOfRunning(found.GetPendingActivities())
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		view.Status = activities.WorkflowClosedExternally
	}
	return view, nil
}

func statusOfRunning(pending []*workflowpb.PendingActivityInfo) activities.WorkflowStatus {
	for _, p := range pending {
		switch p.GetState() {
		case enumspb.PENDING_ACTIVITY_STATE_PAUSED, enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
			// Our own pause is followed by an unpause, unless this process died in between.
			if p.GetPauseInfo().GetManual().GetIdentity() != operatorIdentity {
				return activities.WorkflowPaused
			}
			return activities.WorkflowBackingOff
		case enumspb.PENDING_ACTIVITY_STATE_SCHEDULED:
			if next := p.GetNextAttemptScheduleTime(); next != nil && time.Until(next.AsTime()) > minWake {
				return activities.WorkflowBackingOff
			}
		}
	}
	return activities.WorkflowRunning
}

// maxClosed is how many closed workflows are listed, latest first. Most are those of a deleted
// subscription, and further passes follow.
const maxClosed = 10_000

// ClosedExternally lists the deliveries whose workflow was cancelled or terminated since then,
// the latest of them if there are very many.
func (e *Engine) ClosedExternally(ctx context.Context, since time.Time) ([]string, error) {
	query := fmt.Sprintf("WorkflowType = 'Deliver' AND ExecutionStatus IN ('Terminated', 'Canceled') AND CloseTime > '%s'",
		since.UTC().Format(time.RFC3339))
	var ids []string
	var token []byte
	for {
		page, err := e.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: e.namespace, Query: query, PageSize: 1000, NextPageToken: token,
		})
		if err != nil {
			return nil, err
		}
		for _, execution := range page.GetExecutions() {
			ids = append(ids, execution.GetExecution().GetWorkflowId())
		}
		if token = page.GetNextPageToken(); len(token) == 0 || len(ids) >= maxClosed {
			return ids, nil
		}
	}
}

// Note stores details for the next execution of the activity that has the task.
func (e *Engine) Note(ctx context.Context, taskToken []byte, details any) error {
	return e.client.RecordActivityHeartbeat(ctx, taskToken, details)
}

// StartedElsewhere reports whether Temporal gave a task of that run of the delivery's workflow to
// another process. If several tasks in a row were lost, the history only has the first, and
// Temporal shows the current one without a name (server 1.32, workflow_task_state_machine.go): it
// may be this process's own.
func (e *Engine) StartedElsewhere(ctx context.Context, deliveryID, temporalRunID string) (bool, error) {
	events := e.client.GetWorkflowHistory(ctx, deliveryID, temporalRunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return false, err
		}
		if by := event.GetWorkflowTaskStartedEventAttributes().GetIdentity(); by != "" && by != e.identity {
			return true, nil
		}
	}
	return false, nil
}
