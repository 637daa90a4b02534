// Package worker connects Switchboard to Temporal. The [Engine] starts, wakes and cancels the
// workflows of deliveries. The relay dispatches the outbox. Schedules start the reconciler and the
// other regular workflows. [Run] runs the worker.
package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

const (
	// startTimeout bounds the start of one workflow. A start that takes longer is left to the
	// relay.
	startTimeout = 5 * time.Second
	// startPool is how many starts run at the same time. The engine is saturated from 8 on; beyond
	// that only latency grows (temporal-notes §12). Measured, a delivery took 4 % less CPU with 16
	// than with 64. At 10 ms a start, 16 make 1,600 starts/s.
	startPool = 16
	// startPoolWait is how long a caller waits for room in the pool. At 250 starts/s that is enough
	// for about 140 callers at the same time.
	startPoolWait = 500 * time.Millisecond
	// An activity that finds its delivery not due runs only for milliseconds.
	pauseTimeout = time.Second
	pausePoll    = 20 * time.Millisecond
	// operatorIdentity is what Temporal's UI shows for a retry through the API.
	operatorIdentity = "switchboard"
)

// Outbox is what the engine and the relay need of the store.
type Outbox interface {
	// ClaimDispatches claims deliveries that are due to be dispatched. Nobody else gets them during
	// the lease.
	ClaimDispatches(ctx context.Context, limit int, lease time.Duration) ([]switchboard.Delivery, error)
	// MarkDispatched records that Temporal has these generations of deliveries.
	MarkDispatched(ctx context.Context, deliveries []switchboard.Delivery) error
	// DispatchNow makes deliveries due to be dispatched and wakes the relays.
	DispatchNow(ctx context.Context, ids []string) error
	// TraceParents returns the traces in which the events of deliveries were posted, by delivery
	// id. Deliveries that are not traced are left out.
	TraceParents(ctx context.Context, deliveries []switchboard.Delivery) (map[string]string, error)
	// Operation returns an operation.
	Operation(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Operation, error)
}

// Engine is the one way into Temporal.
type Engine struct {
	client    client.Client
	namespace string
	identity  string
	outbox    Outbox
	outages   *activities.Outages
	log       *slog.Logger
	publicURL string        // of the API; empty: unknown
	tracer    trace.Tracer  // nil: no tracing
	slots     chan struct{} // one is taken for each start that runs
}

// NewIdentity makes the name by which Temporal knows a process and which its UI shows. It has a
// random part: a process that is restarted in a container may have the process id and the host name
// of the former one.
func NewIdentity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%d@%s@%s", os.Getpid(), host, rand.Text()[:8])
}

// NewEngine makes the engine of a process whose client has that identity. Deliveries start eagerly
// if the worker in the same process uses the same client.
func NewEngine(c client.Client, namespace, identity string, outbox Outbox, outages *activities.Outages, log *slog.Logger) *Engine {
	return &Engine{client: c, namespace: namespace, identity: identity, outbox: outbox, outages: outages, log: log, slots: make(chan struct{}, startPool)}
}

// LinkTo makes the engine add to each workflow a link to its delivery, below that address of the
// API; empty: no link.
func (e *Engine) LinkTo(publicURL string) *Engine {
	e.publicURL = strings.TrimRight(publicURL, "/")
	return e
}

// Trace makes the engine record a span for each dispatch whose caller is in a sampled trace; nil:
// none.
func (e *Engine) Trace(tracer trace.Tracer) *Engine {
	e.tracer = tracer
	return e
}

// dispatching begins the span of a dispatch.
func (e *Engine) dispatching(ctx context.Context, d switchboard.Delivery) (_ context.Context, ended func(error)) {
	if e.tracer == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, func(error) {}
	}
	ctx, span := e.tracer.Start(ctx, "dispatch", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("switchboard.delivery", d.ID), attribute.Int("switchboard.generation", d.Generation)))
	return ctx, func(err error) {
		if err != nil { // its text may contain our addresses
			span.SetStatus(codes.Error, activities.Temporal)
			span.SetAttributes(attribute.String("error.type", activities.Temporal))
		}
		span.End()
	}
}

// Start starts the workflows of deliveries that were just stored. It never fails: the rows are the
// outbox, and the relay starts the rest. If starts are requested faster than Temporal accepts them,
// it waits for a moment, so that posting slows down before a backlog grows. It returns as soon as
// the caller's ctx ends.
func (e *Engine) Start(ctx context.Context, deliveries []switchboard.Delivery) {
	full := time.NewTimer(startPoolWait)
	defer full.Stop()
	for i, d := range deliveries {
		select {
		case e.slots <- struct{}{}:
			go e.startNow(context.WithoutCancel(ctx), d)
		case <-full.C:
			e.leaveToRelay(ctx, deliveries[i:])
			return
		case <-ctx.Done(): // the relay finds them after their grace
			return
		}
	}
}

// startNow starts one workflow in a slot that is already taken.
func (e *Engine) startNow(ctx context.Context, d switchboard.Delivery) {
	defer func() { <-e.slots }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ctx, ended := e.dispatching(ctx, d)
	started, err := e.start(ctx, d)
	ended(err)
	news := refused(err) || e.outages.Observe(ctx, activities.Temporal, err)
	if started && d.Generation > 1 {
		// Without this, the relay would start this generation again if its workflow is terminated
		// before the first attempt is recorded. For a first generation, Temporal refuses that.
		err = e.outbox.MarkDispatched(ctx, []switchboard.Delivery{d})
		news = e.outages.Observe(ctx, activities.Postgres, err)
	}
	if news {
		e.log.WarnContext(ctx, "start left to the relay", "delivery", d.ID, "error", err)
	}
}

// leaveToRelay wakes the relays for deliveries that they would otherwise only find after their
// grace.
func (e *Engine) leaveToRelay(ctx context.Context, deliveries []switchboard.Delivery) {
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ID
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := e.outbox.DispatchNow(ctx, ids); e.outages.Observe(ctx, activities.Postgres, err) {
		e.log.WarnContext(ctx, "starts left to the relay's poll", "deliveries", len(ids), "error", err)
	}
}

// Drain waits until no start runs. Nothing may be started any more.
func (e *Engine) Drain() {
	for range cap(e.slots) {
		e.slots <- struct{}{}
	}
}

// dispatch starts the workflow of a delivery. If the delivery is cancelled or held, it wakes the
// workflow, which reads the row and ends. It does not send a cancel request, which might hit the
// workflow of a next generation that an operator has just started. It returns false if the dispatch
// has to be tried again. A wake is tried again until nothing waits any more: the worker that gets
// the task may die with it, and an execution that runs may have read the row before it changed.
// Temporal itself would try again only at the date of the next attempt.
func (e *Engine) dispatch(ctx context.Context, d switchboard.Delivery) (_ bool, err error) {
	ctx, ended := e.dispatching(ctx, d)
	defer func() { ended(err) }()
	if d.State.HasNextAttempt() {
		return e.start(ctx, d)
	}
	err = e.wake(ctx, d.ID)
	if refused(err) { // an engineer has paused it in Temporal: there is nothing to wait for
		err = e.unpause(ctx, d.ID)
	}
	if isNotFound(err) {
		return true, nil
	}
	return false, err
}

// refused reports whether Temporal refused just this call, for example to pause an activity that is
// already paused.
func refused(err error) bool {
	_, precondition := errors.AsType[*serviceerror.FailedPrecondition](err)
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	return precondition || invalid
}

// start starts the delivery's workflow, or wakes the one that waits for its next attempt. It
// returns false if the open workflow may be that of an earlier generation. That one is woken so
// that it ends, and the start has to be tried again, until an attempt of the current generation is
// recorded.
func (e *Engine) start(ctx context.Context, d switchboard.Delivery) (bool, error) {
	options := startOptions(d)
	options.StaticDetails = e.details(d)
	// The answer to an eager start carries the first task. If a start has waited for an outage of
	// Temporal to end, nobody may be waiting for its answer any more. The task would then be lost
	// for ten seconds, and look like a lost attempt.
	options.EnableEagerStart = !e.outages.Fails(activities.Temporal)
	_, err := e.client.ExecuteWorkflow(ctx, options, workflows.Deliver, activities.DeliverInput{DeliveryID: d.ID, Generation: d.Generation})
	if _, open := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !open {
		return err == nil, err
	}
	switch {
	case d.Generation == 1 && d.AttemptsMade == 0:
		return true, nil // somebody else has started it
	case d.Generation == 1: // an operation retries it
		err := e.RetryNow(ctx, d.ID)
		return err == nil, err
	}
	return false, e.RetryNow(ctx, d.ID)
}

// reusePolicy allows one start of a first generation's workflow, however it was closed since: the
// API and a relay may both start it, or somebody may terminate it in Temporal at once. A later
// generation follows a closed workflow.
func reusePolicy(generation int) enumspb.WorkflowIdReusePolicy {
	if generation == 1 {
		return enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	}
	return enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
}

func startOptions(d switchboard.Delivery) client.StartWorkflowOptions {
	var memo map[string]any
	if d.Generation != 1 {
		memo = map[string]any{workflows.GenerationMemo: d.Generation}
	}
	return client.StartWorkflowOptions{
		ID:                                       d.ID,
		TaskQueue:                                workflows.TaskQueue,
		WorkflowIDReusePolicy:                    reusePolicy(d.Generation),
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			tenantAttribute.ValueSet(d.Tenant),
			subscriptionAttribute.ValueSet(d.SubscriptionID),
			eventTypeAttribute.ValueSet(d.EventType),
			eventAttribute.ValueSet(d.EventID),
		),
		Memo:          memo,
		StaticSummary: fmt.Sprintf("%s %s · %s", d.Method, d.Host, d.EventType),
		Priority:      temporal.Priority{FairnessKey: fairnessKey(d.Tenant)},
	}
}

// details is a link to the delivery in Markdown, which Temporal's UI shows with the workflow. It
// adds to the history, so only installations with a public address have it.
func (e *Engine) details(d switchboard.Delivery) string {
	if e.publicURL == "" {
		return ""
	}
	return fmt.Sprintf("[%s](%s/v1/deliveries/%s)", d.ID, e.publicURL, d.ID)
}

// fairnessKey is the tenant, cut to the 64 bytes that Temporal allows.
func fairnessKey(tenant string) string { return tenant[:min(len(tenant), 64)] }

// RetryNow runs the delivery's waiting attempt at once. It pauses and unpauses the pending
// activity, which keeps its attempt number. If nothing waits, it does nothing.
func (e *Engine) RetryNow(ctx context.Context, deliveryID string) error {
	return ignoreNotFound(e.wake(ctx, deliveryID))
}

// wake does the same, and returns an error if nothing waits.
func (e *Engine) wake(ctx context.Context, deliveryID string) error {
	_, err := e.client.WorkflowService().PauseActivityExecution(ctx, &workflowservice.PauseActivityExecutionRequest{
		Namespace: e.namespace, WorkflowId: deliveryID, ActivityId: workflows.AttemptActivityID,
		Identity: operatorIdentity, Reason: "retry now",
		RequestId: operatorIdentity, // our pause may be repeated, for example after a crash before the unpause
	})
	if err != nil {
		return err
	}
	e.awaitPaused(ctx, deliveryID)
	return e.unpause(ctx, deliveryID)
}

// unpause lets the delivery's activity run again, even if the caller has left: nobody else would do
// it.
func (e *Engine) unpause(ctx context.Context, deliveryID string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	_, err := e.client.WorkflowService().UnpauseActivityExecution(ctx, &workflowservice.UnpauseActivityExecutionRequest{
		Namespace: e.namespace, WorkflowId: deliveryID, ActivityId: workflows.AttemptActivityID, Identity: operatorIdentity,
	})
	return err
}

// awaitPaused returns when the paused activity no longer runs, or after pauseTimeout. Unpausing a
// running activity would not bring its next execution forward, and it may have read the delivery's
// date just before that was changed. An activity that runs for longer is making an attempt, and
// that attempt is the retry.
func (e *Engine) awaitPaused(ctx context.Context, deliveryID string) {
	ctx, cancel := context.WithTimeout(ctx, pauseTimeout)
	defer cancel()
	poll := time.NewTicker(pausePoll)
	defer poll.Stop()
	for {
		found, err := e.client.DescribeWorkflowExecution(ctx, deliveryID, "")
		if err != nil || !slices.ContainsFunc(found.GetPendingActivities(), pausing) {
			return
		}
		wait(ctx, poll.C, nil)
	}
}

// pausing reports whether the activity still runs and will be paused when it fails.
func pausing(p *workflowpb.PendingActivityInfo) bool {
	return p.GetState() == enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
}

// Cancel asks Temporal to cancel the workflow run that has the cancelled delivery. It names the
// run, so that it does not hit the run of a next generation that an operator may have started.
// Before the first outcome is recorded, no row names the run: the workflow is woken instead, and
// reads the row. If no workflow is open, it does nothing. The operator's reason stays in our own
// rows, where it can be erased.
func (e *Engine) Cancel(ctx context.Context, d switchboard.Delivery) error {
	if d.TemporalRunID == "" {
		return e.RetryNow(ctx, d.ID)
	}
	return ignoreNotFound(e.client.CancelWorkflowWithOptions(ctx, client.CancelWorkflowOptions{
		WorkflowID: d.ID, RunID: d.TemporalRunID, Reason: "cancelled in Switchboard",
	}))
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
