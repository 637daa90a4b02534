package worker

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
)

// RunningDeliveries returns the ids of the deliveries whose workflow runs. Temporal's index
// of workflows may be a moment late.
func (e *Engine) RunningDeliveries(ctx context.Context) (map[string]bool, error) {
	running := map[string]bool{}
	var token []byte
	for {
		page, err := e.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: e.namespace, Query: "WorkflowType = 'Deliver' AND ExecutionStatus = 'Running'", PageSize: 1000, NextPageToken: token,
		})
		if err != nil {
			return nil, err
		}
		for _, execution := range page.GetExecutions() {
			running[execution.GetExecution().GetWorkflowId()] = true
		}
		if token = page.GetNextPageToken(); len(token) == 0 {
			return running, nil
		}
	}
}
