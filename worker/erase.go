package worker

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// Erase starts the workflow of an erasure, unless it runs or has run. The workflow's id is the
// erasure's, and Temporal gets nothing else. If Temporal is away, it returns Unavailable, and may
// be repeated.
func (e *Engine) Erase(ctx context.Context, erasureID string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err := e.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: erasureID, TaskQueue: workflows.TaskQueue, StaticSummary: "erases what Postgres says",
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}, workflows.Erase, activities.EraseInput{ErasureID: erasureID})
	if err != nil {
		return &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "the erasure is noted, and Temporal did not start it: ask for it again", Err: err}
	}
	return nil
}
