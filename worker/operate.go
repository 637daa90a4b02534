package worker

import (
	"cmp"
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// Operate starts the workflow of an operation, unless it runs. The workflow's id is the
// operation's. It may be repeated. If it fails after the operation was stored, the reconciler
// starts the workflow.
func (e *Engine) Operate(ctx context.Context, operationID string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	options, err := e.operateOptions(ctx, operationID)
	if err != nil {
		return err
	}
	_, err = e.client.ExecuteWorkflow(ctx, options, workflows.Operate, activities.OperateInput{OperationID: operationID})
	return err
}

// ResumeOperation starts the workflow of an operation that was paused. The former workflow may be
// about to end because it saw the pause: the signal makes it continue instead.
func (e *Engine) ResumeOperation(ctx context.Context, operationID string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	options, err := e.operateOptions(ctx, operationID)
	if err != nil {
		return err
	}
	_, err = e.client.SignalWithStartWorkflow(ctx, operationID, workflows.ResumeSignal, nil, options, workflows.Operate, activities.OperateInput{OperationID: operationID})
	return err
}

func (e *Engine) operateOptions(ctx context.Context, operationID string) (client.StartWorkflowOptions, error) {
	o, err := e.outbox.Operation(ctx, switchboard.Caller{Role: switchboard.RoleAdmin}, operationID)
	if err != nil {
		return client.StartWorkflowOptions{}, err
	}
	var attributes []temporal.SearchAttributeUpdate
	if o.Tenant != "" {
		attributes = append(attributes, tenantAttribute.ValueSet(o.Tenant))
	}
	if o.SubscriptionID != "" {
		attributes = append(attributes, subscriptionAttribute.ValueSet(o.SubscriptionID))
	}
	return client.StartWorkflowOptions{
		ID: operationID, TaskQueue: workflows.TaskQueue, StaticSummary: fmt.Sprintf("%s · %s", o.Action, cmp.Or(o.SubscriptionID, o.Tenant, "several tenants")),
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    temporal.NewSearchAttributes(attributes...),
		Priority:                 temporal.Priority{FairnessKey: fairnessKey(o.Tenant)},
	}, nil
}
