// Package worker joins Switchboard to Temporal: the engine through which every
// delivery's workflow is started, woken and cancelled, the relay and the
// schedule that leave none behind, and the worker that runs them.
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
	// startTimeout bounds the start of one workflow. What does not succeed in that time is the
	// relay's.
	startTimeout = 5 * time.Second
	// startPool is how many starts are under way at a time. The engine is saturated from
	// 8 on, after that only latency grows (temporal-notes §12); measured, a delivery took
	// 4 % less CPU with 16 than with 64. It is 1,600 starts/s where one takes 10 ms.
	startPool = 16
	// startPoolWait is for how long a caller waits for room in the pool. At 250 starts/s that is
	// long enough for some 140 callers at a time.
	startPoolWait = 500 * time.Millisecond
	// An activity that only finds its delivery not due runs for milliseconds.
	pauseTimeout = time.Second
	pausePoll    = 20 * time.Millisecond
	// operatorIdentity is what Temporal's UI shows for a retry through the API.
	operatorIdentity = "switchboard"
)

// Outbox is what the engine and the relay need of the store.
type Outbox interface {
	// ClaimDispatches takes deliveries that are due to be dispatched; for the lease nobody else
	// gets them.
	ClaimDispatches(ctx context.Context, limit int, lease time.Duration) ([]switchboard.Delivery, error)
	// MarkDispatched records that Temporal knows of these generations of deliveries.
	MarkDispatched(ctx context.Context, deliveries []switchboard.Delivery) error
	// DispatchNow makes deliveries due to be dispatched and wakes the relays.
	DispatchNow(ctx context.Context, ids []string) error
	// TraceParents returns the traces that the events of deliveries were posted in, by the deliveries'
	// ids; those that are not traced are left out.
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
	publicURL string        // of the API; empty: it is not known
	tracer    trace.Tracer  // nil: nothing is traced
	slots     chan struct{} // one taken for each start under way
}

// NewIdentity makes the name that Temporal knows a process by, shown in its UI. It has a
// random part, because a process that is restarted in a container may have the number and
// the host name of the one before, and is another.
func NewIdentity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%d@%s@%s", os.Getpid(), host, rand.Text()[:8])
}

// NewEngine makes the engine of a process whose client has that identity. Deliveries start
// eagerly if the worker of the same process uses the same client.
func NewEngine(c client.Client, namespace, identity string, outbox Outbox, outages *activities.Outages, log *slog.Logger) *Engine {
	return &Engine{client: c, namespace: namespace, identity: identity, outbox: outbox, outages: outages, log: log, slots: make(chan struct{}, startPool)}
}

// LinkTo has the engine put into each workflow that it starts a link to its delivery, below that
// address of the API; empty: none.
func (e *Engine) LinkTo(publicURL string) *Engine {
	e.publicURL = strings.TrimRight(publicURL, "/")
	return e
}

// Trace has the engine make a span of each dispatch whose caller is in a trace that is sampled; nil: of none.
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
		if err != nil { // its text may hold addresses of ours
			span.SetStatus(codes.Error, activities.Temporal)
			span.SetAttributes(attribute.String("error.type", activities.Temporal))
		}
		span.End()
	}
}

// Start starts the workflows of deliveries that were just stored. It never fails: the rows are
// the outbox, and the relay starts what is not started. Where starts are asked for faster than
// Temporal takes them it waits for a moment, so that those who post are slowed down before a
// backlog grows. It returns as soon as the caller's ctx ends.
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
		case <-ctx.Done(): // the relay finds them when their grace is over
			return
		}
	}
}

// startNow starts one workflow in the slot that was taken for it.
func (e *Engine) startNow(ctx context.Context, d switchboard.Delivery) {
	defer func() { <-e.slots }()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ctx, ended := e.dispatching(ctx, d)
	started, err := e.start(ctx, d)
	ended(err)
	news := refused(err) || e.outages.Observe(ctx, activities.Temporal, err)
	if started && d.Generation > 1 {
		// Temporal would start this generation again for the relay, if its workflow is
		// terminated before the first attempt is recorded. That of a first one it refuses.
		err = e.outbox.MarkDispatched(ctx, []switchboard.Delivery{d})
		news = e.outages.Observe(ctx, activities.Postgres, err)
	}
	if news {
		e.log.WarnContext(ctx, "start left to the relay", "delivery", d.ID, "error", err)
	}
}

// leaveToRelay wakes the relays for deliveries that they would else find only when their grace is
// over.
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

// Drain waits until no start is under way. Nothing may be started any more.
func (e *Engine) Drain() {
	for range cap(e.slots) {
		e.slots <- struct{}{}
	}
}

// dispatch starts the workflow of a delivery, or wakes that of a cancelled or held one, so that it
// reads the row and ends. A cancel request to Temporal might hit the workflow of the next generation,
// which an operator asks for meanwhile. It reports false if the dispatch is to be tried again.
func (e *Engine) dispatch(ctx context.Context, d switchboard.Delivery) (_ bool, err error) {
	ctx, ended := e.dispatching(ctx, d)
	defer func() { ended(err) }()
	if d.State.HasNextAttempt() {
		return e.start(ctx, d)
	}
	err = e.RetryNow(ctx, d.ID)
	if refused(err) { // an engineer has paused it in Temporal: nothing is left to wait for
		err = e.unpause(ctx, d.ID)
	}
	return err == nil, err
}

// refused reports whether Temporal has refused this one call, as to pause an activity that
// somebody has paused already.
func refused(err error) bool {
	_, precondition := errors.AsType[*serviceerror.FailedPrecondition](err)
	_, invalid := errors.AsType[*serviceerror.InvalidArgument](err)
	return precondition || invalid
}

// start starts the delivery's workflow, or wakes the one that waits for its next attempt. It reports
// false if that may be the workflow of an earlier generation: that one is woken, so that it ends, and
// the start is to be tried again. Recording an attempt of the present one ends that.
func (e *Engine) start(ctx context.Context, d switchboard.Delivery) (bool, error) {
	options := startOptions(d)
	options.StaticDetails = e.details(d)
	// An eager start's answer brings the first task. A start that has waited for Temporal to
	// come back may be served when nobody waits for its answer any more: the task would be lost
	// for ten seconds, and then look like a lost attempt.
	options.EnableEagerStart = !e.outages.Fails(activities.Temporal)
	_, err := e.client.ExecuteWorkflow(ctx, options, workflows.Deliver, activities.DeliverInput{DeliveryID: d.ID, Generation: d.Generation})
	if _, open := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !open {
		return err == nil, err
	}
	switch {
	case d.Generation == 1 && d.AttemptsMade == 0:
		return true, nil // somebody was faster
	case d.Generation == 1: // an operation retries it
		err := e.RetryNow(ctx, d.ID)
		return err == nil, err
	}
	return false, e.RetryNow(ctx, d.ID)
}

// reusePolicy lets the workflow of a first generation be started once, however it closed since:
// the API and a relay may both start it, or somebody may terminate it in Temporal at once. That of
// a later generation follows one that is closed.
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

// details are what Temporal's UI shows of the workflow, in Markdown: a link to the delivery. They are a
// part of the history that only an installation with a public address has.
func (e *Engine) details(d switchboard.Delivery) string {
	if e.publicURL == "" {
		return ""
	}
	return fmt.Sprintf("[%s](%s/v1/deliveries/%s)", d.ID, e.publicURL, d.ID)
}

// fairnessKey is the tenant, cut to the 64 bytes that Temporal takes.
func fairnessKey(tenant string) string { return tenant[:min(len(tenant), 64)] }

// RetryNow lets the delivery's waiting attempt run at once, by pausing and unpausing the pending
// activity, which keeps its attempt number. It is no error if nothing waits.
func (e *Engine) RetryNow(ctx context.Context, deliveryID string) error {
	_, err := e.client.WorkflowService().PauseActivityExecution(ctx, &workflowservice.PauseActivityExecutionRequest{
		Namespace: e.namespace, WorkflowId: deliveryID, ActivityId: workflows.AttemptActivityID,
		Identity: operatorIdentity, Reason: "retry now",
		RequestId: operatorIdentity, // ours may be repeated, as after a crash before the unpause
	})
	if err != nil {
		return ignoreNotFound(err)
	}
	e.awaitPaused(ctx, deliveryID)
	return e.unpause(ctx, deliveryID)
}

// unpause lets the delivery's activity run again, also if the caller has left by now: nobody else
// would.
func (e *Engine) unpause(ctx context.Context, deliveryID string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	_, err := e.client.WorkflowService().UnpauseActivityExecution(ctx, &workflowservice.UnpauseActivityExecutionRequest{
		Namespace: e.namespace, WorkflowId: deliveryID, ActivityId: workflows.AttemptActivityID, Identity: operatorIdentity,
	})
	return ignoreNotFound(err)
}

// awaitPaused returns when the paused activity does not run any more, or after pauseTimeout.
// Unpausing one that runs would not bring its next execution forward, and it may have read the
// delivery's date just before that was changed. One that runs for longer is making an attempt:
// that is the retry.
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

// pausing reports whether the activity runs, and is paused when it fails.
func pausing(p *workflowpb.PendingActivityInfo) bool {
	return p.GetState() == enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
}

// Cancel asks the workflow run that has the cancelled delivery to cancel: that one, and not one of
// the next generation, which an operator may have asked for by now. No row names the run before
// its first outcome is recorded: the workflow is woken instead, and reads the row. It is no error
// if none is open. The operator's reason stays in our own rows, where it can be erased.
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
