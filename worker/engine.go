// Package worker joins Switchboard to Temporal: the engine through which every
// delivery's workflow is started, woken and cancelled, the relay and the
// schedule that leave none behind, and the worker that runs them.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"switchboard"
	"switchboard/activities"
	"switchboard/workflows"
)

// TaskQueue is where deliveries and the reconciler run.
const TaskQueue = "deliveries"

const (
	// startTimeout bounds the start of one workflow. What does not succeed in
	// that time is the relay's.
	startTimeout = 5 * time.Second
	// startPool is how many starts are under way at a time: the engine is
	// saturated from 8 on, after that only latency grows (temporal-notes §12).
	startPool = 64
	// operatorIdentity is what Temporal's UI shows for a retry through the API.
	operatorIdentity = "switchboard"
)

// Outbox is what the engine and the relay need of the store.
type Outbox interface {
	// ClaimStarts takes deliveries whose start is due; for the lease nobody else gets them.
	ClaimStarts(ctx context.Context, limit int, lease time.Duration) ([]switchboard.Delivery, error)
	// Started marks deliveries as started.
	Started(ctx context.Context, ids []string) error
	// StartSoon makes the start of deliveries due now and wakes the relays.
	StartSoon(ctx context.Context, ids []string) error
}

// Engine is the one way into Temporal.
type Engine struct {
	client    client.Client
	namespace string
	outbox    Outbox
	log       *slog.Logger
	starts    errgroup.Group
}

// NewEngine makes the engine of a process. Deliveries start eagerly if the
// worker of the same process uses the same client.
func NewEngine(c client.Client, namespace string, outbox Outbox, log *slog.Logger) *Engine {
	e := &Engine{client: c, namespace: namespace, outbox: outbox, log: log}
	e.starts.SetLimit(startPool)
	return e
}

// Start starts the workflows of deliveries that were just stored. It neither
// fails nor waits for Temporal: the rows are the outbox, and the relay starts
// what is not started.
func (e *Engine) Start(deliveries []switchboard.Delivery) {
	var rest []string
	for _, d := range deliveries {
		taken := e.starts.TryGo(func() error {
			ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
			defer cancel()
			if _, err := e.start(ctx, d); err != nil {
				e.log.WarnContext(ctx, "start left to the relay", "delivery", d.ID, "error", err)
			}
			return nil
		})
		if !taken {
			rest = append(rest, d.ID)
		}
	}
	if len(rest) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := e.outbox.StartSoon(ctx, rest); err != nil {
		e.log.WarnContext(ctx, "starts left to the relay's poll", "deliveries", len(rest), "error", err)
	}
}

// Drain waits until no start is under way.
func (e *Engine) Drain() { _ = e.starts.Wait() }

// start starts the delivery's workflow. It reports false if an earlier run is
// still open: that one is woken, so that it ends or takes the delivery on, and
// the start is to be tried again.
func (e *Engine) start(ctx context.Context, d switchboard.Delivery) (bool, error) {
	_, err := e.client.ExecuteWorkflow(ctx, startOptions(d), workflows.Deliver, activities.DeliverInput{DeliveryID: d.ID, Run: d.Run})
	if _, open := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !open {
		return err == nil, err
	}
	if d.Run == 1 {
		return true, nil // the only run that there can be: somebody was faster
	}
	return false, e.RetryNow(ctx, d.ID)
}

func startOptions(d switchboard.Delivery) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                                       d.ID,
		TaskQueue:                                TaskQueue,
		EnableEagerStart:                         true,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			tenantAttribute.ValueSet(d.Tenant),
			subscriptionAttribute.ValueSet(d.SubscriptionID),
			eventTypeAttribute.ValueSet(d.EventType),
			eventAttribute.ValueSet(d.EventID),
		),
		StaticSummary: fmt.Sprintf("%s %s · %s", d.Method, d.Host, d.EventType),
		Priority:      temporal.Priority{FairnessKey: fairnessKey(d.Tenant)},
	}
}

// fairnessKey is the tenant, cut to the 64 bytes that Temporal takes.
func fairnessKey(tenant string) string { return tenant[:min(len(tenant), 64)] }

// RetryNow lets the delivery's waiting attempt run at once: pausing and unpausing
// a pending activity does, and keeps its attempt number. It is no error if
// nothing waits.
func (e *Engine) RetryNow(ctx context.Context, deliveryID string) error {
	service := e.client.WorkflowService()
	_, err := service.PauseActivityExecution(ctx, &workflowservice.PauseActivityExecutionRequest{
		Namespace: e.namespace, WorkflowId: deliveryID, ActivityId: workflows.AttemptActivityID,
		Identity: operatorIdentity, Reason: "retry now",
	})
	if err != nil {
		return ignoreNotFound(err)
	}
	_, err = service.UnpauseActivityExecution(ctx, &workflowservice.UnpauseActivityExecutionRequest{
		Namespace: e.namespace, WorkflowId: deliveryID, ActivityId: workflows.AttemptActivityID, Identity: operatorIdentity,
	})
	return ignoreNotFound(err)
}

// Cancel asks the delivery's workflow to cancel. It is no error if none is open.
func (e *Engine) Cancel(ctx context.Context, deliveryID, reason string) error {
	return ignoreNotFound(e.client.CancelWorkflowWithOptions(ctx, client.CancelWorkflowOptions{WorkflowID: deliveryID, Reason: reason}))
}

// Look says where the latest run of the delivery's workflow stands.
func (e *Engine) Look(ctx context.Context, deliveryID string) (activities.Sight, error) {
	seen, err := e.client.DescribeWorkflowExecution(ctx, deliveryID, "")
	if isNotFound(err) {
		return activities.Missing, nil
	}
	if err != nil {
		return "", err
	}
	switch seen.GetWorkflowExecutionInfo().GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return sightOfRunning(seen.GetPendingActivities()), nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return activities.Stopped, nil
	}
	return activities.Ended, nil
}

func sightOfRunning(pending []*workflowpb.PendingActivityInfo) activities.Sight {
	for _, p := range pending {
		switch p.GetState() {
		case enumspb.PENDING_ACTIVITY_STATE_STARTED:
		case enumspb.PENDING_ACTIVITY_STATE_PAUSED, enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
			// Ours is followed by an unpause, unless this process died in between.
			if p.GetPauseInfo().GetManual().GetIdentity() != operatorIdentity {
				return activities.PausedInTemporal
			}
			return activities.Waiting
		default:
			return activities.Waiting
		}
	}
	return activities.Busy
}

// Stopped lists the deliveries whose workflow was cancelled or terminated since then.
func (e *Engine) Stopped(ctx context.Context, since time.Time) ([]string, error) {
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
		if token = page.GetNextPageToken(); len(token) == 0 {
			return ids, nil
		}
	}
}

func isNotFound(err error) bool {
	_, ok := errors.AsType[*serviceerror.NotFound](err)
	return ok
}

func ignoreNotFound(err error) error {
	if isNotFound(err) {
		return nil
	}
	return err
}
