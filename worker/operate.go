package worker

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// Operate starts the workflow of an operation, whose id is the operation's, unless it runs. It may
// be repeated. An operation that was stored and whose workflow could not be started is the
// reconciler's.
func (e *Engine) Operate(ctx context.Context, operationID string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	o, err := e.outbox.Operation(ctx, switchboard.Caller{Role: switchboard.RoleAdmin}, operationID)
	if err != nil {
		return err
	}
	_, err = e.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: operationID, TaskQueue: workflows.TaskQueue, StaticSummary: fmt.Sprintf("%s · %s", o.Action, o.SubscriptionID),
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(tenantAttribute.ValueSet(o.Tenant), subscriptionAttribute.ValueSet(o.SubscriptionID)),
		Priority:                 temporal.Priority{FairnessKey: fairnessKey(o.Tenant)},
	}, workflows.Operate, activities.OperateInput{OperationID: operationID})
	return err
}
