// Package workflows has the Temporal workflows. Deliver is the life of a delivery; Operate, Recover,
// Reconcile, RollUp, Retain and Erase are Switchboard's work around it.
package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

// attemptMargin is how long an attempt may take in addition to its request: to load the
// delivery and to record the outcome.
const attemptMargin = 15 * time.Second

// maxAttemptDuration is how long a whole attempt may take.
const maxAttemptDuration = time.Duration(switchboard.MaxTimeout) + attemptMargin

// Deliver delivers one event to one subscription, for as long as it takes.
//
// The first attempt is a local activity in the workflow's first task, so a healthy delivery
// costs nothing more. All further attempts are one regular activity. Temporal retries it
// without adding to the history, shows its last failure and its next date, and lets an
// operator retry it at once. For a slow endpoint, the local activity sends nothing: it
// returns the queue on which the regular activity makes all attempts.
//
// A delivery that may not be sent now is parked: the run completes with that state, and a
// release starts the next run.
func Deliver(ctx workflow.Context, in activities.DeliverInput) (DeliverResult, error) {
	attempt := activities.AttemptInput{DeliverInput: in, Reset: wasReset(ctx), LostAt: lostAt(ctx)}
	result, err := firstAttempt(ctx, attempt)
	attempt.LostAt = time.Time{}
	if err != nil || result.Unrecorded != nil || result.HasNextAttempt() {
		attempt.Unrecorded = result.Unrecorded
		result, err = furtherAttempts(ctx, attempt, result)
	}
	if attempt.Reset && err == nil && result.TemporalRunID != workflow.GetInfo(ctx).WorkflowExecution.RunID {
		// The reset kept the attempt of the former run, but asks to deliver again.
		result, err = furtherAttempts(ctx, attempt, result)
	}
	if ctx.Err() != nil {
		return cancelled(ctx, attempt, result)
	}
	if err != nil {
		return DeliverResult{}, err
	}
	return ended(result)
}

// wasReset reports whether this run was made by a reset in Temporal, with which an operator
// asks to deliver again. In the test environment the original run id is empty.
func wasReset(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.OriginalRunID != "" && info.OriginalRunID != info.WorkflowExecution.RunID
}

// newHistoryLength is the number of events in the history when the first task of a new workflow
// runs: workflow started, task scheduled, task started.
const newHistoryLength = 3

// lostAt is when a worker may have begun the first attempt without reporting it; zero if this is
// the first worker to make it. A lost task leaves events in the history, or is replayed if the
// attempt outlasted a heartbeat of the task. The time is only passed to a local activity, whose
// input is not in the history.
func lostAt(ctx workflow.Context) time.Time {
	info := workflow.GetInfo(ctx)
	if wasReset(ctx) || !workflow.IsReplaying(ctx) && info.GetCurrentHistoryLength() <= newHistoryLength {
		return time.Time{}
	}
	return info.WorkflowStartTime
}

func firstAttempt(ctx workflow.Context, in activities.AttemptInput) (activities.AttemptResult, error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: maxAttemptDuration,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1}, // the regular activity retries
	})
	var a *activities.Deliveries
	var result activities.AttemptResult
	err := workflow.ExecuteLocalActivity(ctx, a.Attempt, in).Get(ctx, &result)
	return result, err
}

func furtherAttempts(ctx workflow.Context, in activities.AttemptInput, first activities.AttemptResult) (activities.AttemptResult, error) {
	policy := temporalPolicy(first.Retry)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           first.TaskQueue,
		Priority:            temporal.Priority{FairnessKey: first.FairnessKey},
		ActivityID:          AttemptActivityID,
		StartToCloseTimeout: maxAttemptDuration, // a subscription's own timeout may change while its deliveries wait
		RetryPolicy:         &policy,
		Summary:             "attempts after the first",
	})
	var a *activities.Deliveries
	var result activities.AttemptResult
	err := workflow.ExecuteActivity(ctx, a.Attempt, in).Get(ctx, &result)
	return result, err
}

// temporalPolicy converts the subscription's policy to Temporal's type. If Postgres was away, the
// policy is empty, and Temporal's defaults apply. It only times the retries after our own
// crashes: the activity itself sets the date of every other retry. The number of attempts is
// unlimited, because Temporal also counts executions that sent nothing; the rows of attempts
// are what counts.
func temporalPolicy(p switchboard.RetryPolicy) temporal.RetryPolicy {
	return temporal.RetryPolicy{
		InitialInterval:    time.Duration(p.InitialInterval),
		BackoffCoefficient: p.BackoffCoefficient,
		MaximumInterval:    time.Duration(p.MaximumInterval),
	}
}

// cancelled closes the delivery of a workflow that was asked to cancel, unless its last attempt
// has already ended the delivery.
func cancelled(ctx workflow.Context, in activities.AttemptInput, result activities.AttemptResult) (DeliverResult, error) {
	if result.State.Final() {
		return ended(result)
	}
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	disconnected = workflow.WithActivityOptions(disconnected, workflow.ActivityOptions{StartToCloseTimeout: attemptMargin})
	var a *activities.Deliveries
	if err := workflow.ExecuteActivity(disconnected, a.Cancelled, in).Get(disconnected, &result); err != nil {
		return DeliverResult{}, err
	}
	if result.State.HasNextAttempt() { // a later generation has the delivery
		return DeliverResult{}, temporal.NewCanceledError()
	}
	return ended(result)
}

// ended gives the workflow the status that corresponds to the delivery's state: completed, failed
// or cancelled. So Temporal's own list of workflows shows how deliveries ended.
func ended(r activities.AttemptResult) (DeliverResult, error) {
	switch r.State {
	case switchboard.StateFailed:
		message := fmt.Sprintf("%s after %d attempts: all are used up", r.Reason, r.AttemptsMade)
		if r.Permanent {
			message = fmt.Sprintf("%s after %d attempts: no later one can succeed", r.Reason, r.AttemptsMade)
		}
		return DeliverResult{}, temporal.NewNonRetryableApplicationError(message, r.Reason, nil)
	case switchboard.StateCancelled:
		return DeliverResult{}, temporal.NewCanceledError(r.Reason)
	}
	return DeliverResult{State: r.State, AttemptsMade: r.AttemptsMade}, nil
}
