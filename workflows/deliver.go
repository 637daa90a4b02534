// Package workflows holds the life of a delivery, and the passes of the reconciler.
package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

// attemptMargin is what an attempt may take beside its request: reading the work,
// recording the outcome, and waiting for either.
const attemptMargin = 15 * time.Second

// maxAttemptDuration is what an attempt may take in all.
const maxAttemptDuration = time.Duration(switchboard.MaxTimeout) + attemptMargin

// Deliver delivers one event to one subscription, for as long as it takes.
//
// The first attempt is a local activity in the workflow's first task: a healthy
// delivery costs nothing more. What it could not finish is handed over to one
// regular activity, which Temporal retries without adding to the history, shows
// with its last failure and next date, and lets an operator retry now. To a slow endpoint the
// local activity sends nothing: it names the queue on which the regular one makes all attempts.
//
// A delivery that may not be sent now is parked: the run completes with that state, and a
// release starts the next.
func Deliver(ctx workflow.Context, in activities.DeliverInput) (DeliverResult, error) {
	attempt := activities.AttemptInput{DeliverInput: in, Reset: wasReset(ctx), LostAt: lostAt(ctx)}
	result, err := firstAttempt(ctx, attempt)
	attempt.LostAt = time.Time{}
	if err != nil || result.Unrecorded != nil || result.HasNextAttempt() {
		attempt.Unrecorded = result.Unrecorded
		result, err = furtherAttempts(ctx, attempt, result)
	}
	if attempt.Reset && err == nil && result.TemporalRunID != workflow.GetInfo(ctx).WorkflowExecution.RunID {
		// The reset kept the result of the run before it: deliver again nevertheless.
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

// wasReset reports whether this run was made by a reset in Temporal: an
// operator's wish to deliver again. The test environment knows no original run.
func wasReset(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.OriginalRunID != "" && info.OriginalRunID != info.WorkflowExecution.RunID
}

// newHistoryLength is how many events of a new workflow's history its first task finds: that it
// was started, and its task scheduled and started.
const newHistoryLength = 3

// lostAt is when a worker that did not report the first attempt may have begun it; zero if this is
// the first worker to make it. A lost task leaves events in the history, or, where the attempt
// outlasted a heartbeat of its task, is replayed. The date goes into the input of a local activity
// only, of which the history holds nothing.
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

// temporalPolicy is the subscription's policy in Temporal's terms; one that could not be read,
// because Postgres was away, is Temporal's default. It only times the retries after our own
// crashes: every other wait is dated by the activity itself. The number of attempts stays
// unlimited, because Temporal also counts executions that sent nothing: the attempts are counted
// by their rows.
func temporalPolicy(p switchboard.RetryPolicy) temporal.RetryPolicy {
	return temporal.RetryPolicy{
		InitialInterval:    time.Duration(p.InitialInterval),
		BackoffCoefficient: p.BackoffCoefficient,
		MaximumInterval:    time.Duration(p.MaximumInterval),
	}
}

// cancelled closes the delivery of a workflow that was asked to cancel. If the
// last attempt had ended the delivery by then, that stands.
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
	if result.State.HasNextAttempt() { // in a later generation
		return DeliverResult{}, temporal.NewCanceledError()
	}
	return ended(result)
}

// ended gives the workflow the status that fits the delivery's state, so that
// Temporal's own list can be read: completed, failed or cancelled.
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
