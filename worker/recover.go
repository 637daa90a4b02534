package worker

import (
	"context"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// maxSummary is the longest summary of a workflow that Temporal allows, in bytes.
const maxSummary = 400

// Recover starts the workflow that recovers the endpoint of a subscription, or wakes it if it runs,
// because the endpoint's health has changed.
func (e *Engine) Recover(ctx context.Context, subscriptionID, summary string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err := e.client.SignalWithStartWorkflow(ctx, workflows.RecoverID(subscriptionID), workflows.RecoverSignal, nil, client.StartWorkflowOptions{
		TaskQueue:             workflows.TaskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		TypedSearchAttributes: temporal.NewSearchAttributes(subscriptionAttribute.ValueSet(subscriptionID)),
		StaticSummary:         strings.ToValidUTF8(summary[:min(len(summary), maxSummary)], ""),
	}, workflows.Recover, activities.RecoverInput{SubscriptionID: subscriptionID})
	return err
}

// WakeRecovery wakes the workflow that recovers the endpoint of a subscription, if one runs. If
// nothing is left to wait for, for example after a pause, the workflow ends now instead of at its
// next date.
func (e *Engine) WakeRecovery(ctx context.Context, subscriptionID string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return ignoreNotFound(e.client.SignalWorkflow(ctx, workflows.RecoverID(subscriptionID), "", workflows.RecoverSignal, nil))
}
