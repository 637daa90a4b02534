// Package activities holds what a delivery's workflow does outside of itself:
// the attempt, the closing of a delivery that was cancelled in Temporal, and the
// reconciler's pass.
//
// A receiver's answer is a value here. An error is our own fault, as Postgres
// being away: Temporal retries it, and it uses up nothing of the delivery's
// retry policy. Nothing that crosses to Temporal holds payloads, headers or
// secrets: ids, states, status codes and dates only.
package activities

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// DeliverInput is the input of a delivery's workflow.
type DeliverInput struct {
	DeliveryID string `json:"delivery_id"`
	Generation int    `json:"run"` // which setting-going of the delivery this workflow run serves
}

// AttemptInput asks for one attempt, if one is due.
type AttemptInput struct {
	DeliverInput
	Reset bool               `json:"reset,omitempty"` // the workflow was reset in Temporal: deliver again
	Kept  *UnrecordedOutcome `json:"kept,omitempty"`  // an outcome that could not be recorded yet
	// LostAt is when an earlier execution of the local activity began whose result is lost
	// with its worker; zero: there is none. It stays in the process.
	LostAt time.Time `json:"lost_at,omitzero"`
}

// AttemptResult is where the delivery stands after the activity.
type AttemptResult struct {
	State         switchboard.State       `json:"state"`
	Reason        string                  `json:"reason,omitempty"`
	AttemptsMade  int                     `json:"attempts_made"`
	StatusCode    int                     `json:"status_code,omitempty"`
	NextAttemptAt time.Time               `json:"next_attempt_at,omitzero"`
	Retry         switchboard.RetryPolicy `json:"retry,omitzero"`      // of the subscription as it is now; left out where nothing follows, since every byte costs Temporal
	Kept          *UnrecordedOutcome      `json:"kept,omitempty"`      // sent, but not recorded: Postgres was away
	RunID         string                  `json:"run_id"`              // of the Temporal run that this was found in
	Permanent     bool                    `json:"permanent,omitempty"` // it has failed because no later attempt can succeed
	// Overtaken says that an operator has set the delivery going again: the workflow
	// of another run serves it, and this one has nothing more to do.
	Overtaken bool `json:"overtaken,omitempty"`
}

// Waits reports whether the delivery has another attempt before it in this run.
func (r AttemptResult) Waits() bool { return r.State.HasNextAttempt() && !r.Overtaken }

// Recorder is what an attempt needs of the store.
type Recorder interface {
	// Work loads what an attempt needs.
	LoadForAttempt(ctx context.Context, deliveryID string) (switchboard.LoadedDelivery, error)
	// Record stores an attempt and moves its delivery; it returns when both are
	// durable, and changes nothing if that attempt was recorded before.
	Record(ctx context.Context, r switchboard.Record) (switchboard.Delivery, error)
	// Reset lets the run made by a reset have the delivery, and sets it going again
	// if it is final then. Once that run has it, nothing changes.
	Reset(ctx context.Context, deliveryID, runID string, action switchboard.Action) (switchboard.Delivery, error)
	// Postpone dates the next attempt of a delivery anew, unless somebody has done so
	// since it was loaded, and says why. It reports whether that changed anything.
	Postpone(ctx context.Context, d switchboard.Delivery, until time.Time, reason string) (bool, error)
	// CloseDelivery moves an open delivery of that generation to a final state.
	CloseDelivery(ctx context.Context, deliveryID string, generation int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error)
	// HoldDelivery parks a delivery of that generation that waits for an attempt.
	HoldDelivery(ctx context.Context, deliveryID string, generation int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error)
}

// Sender renders, signs and sends the request of an attempt that begins at that
// time. The receiver's behaviour is the outcome; an error means that we were
// stopped before there was one.
type Sender interface {
	Attempt(ctx context.Context, work switchboard.LoadedDelivery, at time.Time, timeout time.Duration) (switchboard.SentRequest, switchboard.Outcome, error)
}

// Tasks is what an attempt asks Temporal about the tasks that it is made in.
type Tasks interface {
	// Note keeps details for the next execution of the activity that has the task. Unlike
	// the SDK's heartbeat it never cancels this one, as where an operator's retry pauses
	// the activity for a moment.
	Note(ctx context.Context, taskToken []byte, details any) error
	// StartedElsewhere reports whether another process was given a task of that run.
	StartedElsewhere(ctx context.Context, deliveryID, runID string) (bool, error)
}

// Deliveries are the activities of a delivery.
type Deliveries struct {
	Store   Recorder
	Sender  Sender
	Flights *Flights
	Metrics *Metrics
	Tasks   Tasks // nil: a task that was lost may have been another process's, and nothing is noted
	Outages *Outages
	Log     *slog.Logger
	Now     func() time.Time // the clock that attempts are dated by
}

// storeTimeout bounds each call of the store: longer than a healthy one by far,
// shorter than what a workflow task may wait for.
const storeTimeout = 5 * time.Second

// Attempt makes the attempt that is due and says where the delivery stands then.
// It may be repeated at any time: the delivery's row decides whether a request
// is due. As a regular activity it does not return before the delivery is final:
// until then it fails with the date of the next attempt, which Temporal shows
// and keeps.
func (a *Deliveries) Attempt(ctx context.Context, in AttemptInput) (AttemptResult, error) {
	result, err := a.attempt(ctx, in)
	switch {
	case result.Kept != nil && isFirst(ctx):
		return result, nil // beside an error the SDK would drop it
	case result.Kept != nil:
		activity.RecordHeartbeat(ctx, result.Kept)
		return result, a.fault(ctx, in.DeliveryID, cmp.Or(err, errNotRecorded))
	case err != nil:
		return result, a.fault(ctx, in.DeliveryID, err)
	case result.Waits() && !isFirst(ctx):
		return result, dated(result, a.Now())
	}
	return result, nil
}

// isFirst reports whether the activity is the local one, which makes a delivery's first
// attempt.
func isFirst(ctx context.Context) bool { return activity.GetInfo(ctx).IsLocalActivity }

func (a *Deliveries) attempt(ctx context.Context, in AttemptInput) (AttemptResult, error) {
	// Taking off before the row is read closes the gap in which a cancellation
	// could be missed: it either shows in the row or aborts the flight.
	ctx, land, free := a.Flights.takeOff(ctx, in.DeliveryID)
	if !free {
		return AttemptResult{}, errUnderWay
	}
	defer land()

	kept := a.keptOutcome(ctx, in)
	work, err := a.load(ctx, in)
	if switchboard.CodeOf(err) == switchboard.CodeNotFound {
		// Erased, or lost with a database that was restored: there is nothing to send.
		return AttemptResult{State: switchboard.StateCancelled, Reason: switchboard.ReasonErased}, nil
	}
	if err != nil {
		return AttemptResult{Kept: kept}, &delay{work.Delivery, whyUnread(err), err}
	}
	if kept == nil {
		kept = a.lost(ctx, in, work)
	}
	overtaken := work.Delivery.Generation != in.Generation && !in.Reset
	if kept.after(work.Delivery) {
		result := a.record(ctx, work, kept.attempt(in.DeliveryID), cmp.Or(kept.Generation, work.Delivery.Generation))
		result.Overtaken = overtaken
		return result, nil
	}
	result := resultOf(ctx, work, work.Delivery)
	if result.Overtaken = overtaken; overtaken {
		return result, nil
	}
	if !work.Delivery.State.HasNextAttempt() || work.Delivery.NextAttemptAt.After(a.Now()) {
		return result, nil
	}
	return a.attemptDue(ctx, work)
}

// attemptDue makes the attempt whose date has come, if its subscription may have it.
func (a *Deliveries) attemptDue(ctx context.Context, work switchboard.LoadedDelivery) (AttemptResult, error) {
	switch {
	case !work.Subscription.DeletedAt.IsZero():
		return a.cancelDeleted(ctx, work)
	case work.Subscription.State == switchboard.SubscriptionUnverified:
		return a.hold(ctx, work)
	}
	load, leave, free := a.Flights.admit(work.Subscription, isFirst(ctx), a.Now())
	if !free {
		return a.crowded(ctx, work)
	}
	defer func() { leave(a.Now()) }()
	made, err := a.send(ctx, work, work.Subscription.LimitsUnder(load))
	if err != nil {
		return AttemptResult{}, &delay{work.Delivery, whyUnsent(err), err}
	}
	return a.record(ctx, work, made, work.Delivery.Generation), nil
}

// crowded lets the delivery wait for its turn. One that waits for long gets the date
// into its row: it is not overdue, and does not keep the reconciler from those that
// are. So does one at its first attempt, whose regular activity follows at once.
func (a *Deliveries) crowded(ctx context.Context, work switchboard.LoadedDelivery) (AttemptResult, error) {
	result := resultOf(ctx, work, work.Delivery)
	result.NextAttemptAt = a.Flights.turn(work.Subscription.ID, a.Now()).UTC().Truncate(time.Microsecond)
	if !isFirst(ctx) && result.NextAttemptAt.Sub(work.Delivery.NextAttemptAt) < switchboard.StuckAfter/2 {
		return result, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	_, err := a.Store.Postpone(ctx, work.Delivery, result.NextAttemptAt, switchboard.ReasonWaitingForSlot)
	return result, err
}

// load reads the work, and lets a run that was made by a reset have the delivery.
func (a *Deliveries) load(ctx context.Context, in AttemptInput) (switchboard.LoadedDelivery, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	work, err := a.Store.LoadForAttempt(ctx, in.DeliveryID)
	if err != nil || !in.Reset || work.Delivery.TemporalRunID == runID(ctx) {
		return work, err
	}
	work.Delivery, err = a.Store.Reset(ctx, in.DeliveryID, runID(ctx), switchboard.Action{
		At: a.Now(), Actor: switchboard.ActorTemporal, Kind: switchboard.ActionReset, Reason: "the workflow was reset in Temporal",
	})
	return work, err
}

// cancelDeleted ends a delivery that its subscription's deletion did not come to.
func (a *Deliveries) cancelDeleted(ctx context.Context, work switchboard.LoadedDelivery) (AttemptResult, error) {
	return a.settle(ctx, work, switchboard.StateCancelled, switchboard.ReasonSubscriptionDeleted,
		switchboard.Action{Kind: switchboard.ActionCancel, Reason: "its subscription is deleted"})
}

// hold leaves the delivery to whoever verifies its subscription's new address,
// which must get nothing before.
func (a *Deliveries) hold(ctx context.Context, work switchboard.LoadedDelivery) (AttemptResult, error) {
	return a.settle(ctx, work, switchboard.StateHeld, switchboard.ReasonSubscriptionUnverified,
		switchboard.Action{Kind: switchboard.ActionHold, Reason: "the address of the subscription is not verified"})
}

func (a *Deliveries) settle(ctx context.Context, work switchboard.LoadedDelivery, state switchboard.State, reason string, action switchboard.Action) (AttemptResult, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	action.At, action.Actor = a.Now(), switchboard.ActorSwitchboard
	move := a.Store.CloseDelivery
	if state == switchboard.StateHeld {
		move = a.Store.HoldDelivery
	}
	d, err := move(ctx, work.Delivery.ID, work.Delivery.Generation, state, reason, action)
	if err != nil {
		return AttemptResult{}, err
	}
	return resultOf(ctx, work, d), nil
}

// send makes the next attempt of the work, under those limits.
func (a *Deliveries) send(ctx context.Context, work switchboard.LoadedDelivery, limits switchboard.Limits) (switchboard.Attempt, error) {
	now := a.Now()
	made := switchboard.Attempt{
		ID:             switchboard.NewID(switchboard.AttemptPrefix, now),
		DeliveryID:     work.Delivery.ID,
		Number:         work.Delivery.AttemptsMade + 1,
		At:             now,
		Timeout:        time.Duration(limits.Timeout),
		Load:           limits.Load,
		MaxAttempts:    limits.MaxAttempts,
		IntervalFactor: limits.IntervalFactor,
	}
	done := a.Metrics.sending(ctx, made.Timeout)
	ended := a.trace(ctx, switchboard.Record{Attempt: made, Generation: work.Delivery.Generation})
	var err error
	made.Request, made.Outcome, err = a.Sender.Attempt(ctx, work, now, made.Timeout)
	ended(err)
	done(made.Outcome)
	if maybeSent(err) {
		return made, nil // it may have arrived: an attempt whose outcome is unknown
	}
	return made, err
}

// maybeSent reports whether the request may have reached the receiver before our side cut
// it short.
func maybeSent(err error) bool {
	cut, ok := errors.AsType[*webhook.Interrupted](err)
	return ok && cut.Sent
}

func resultOf(ctx context.Context, work switchboard.LoadedDelivery, d switchboard.Delivery) AttemptResult {
	result := AttemptResult{
		State: d.State, Reason: d.Reason, AttemptsMade: d.AttemptsMade, StatusCode: d.LastStatusCode, NextAttemptAt: d.NextAttemptAt,
		RunID: runID(ctx), Permanent: d.Permanent,
	}
	if d.State.HasNextAttempt() {
		result.Retry = work.Subscription.Retry
	}
	return result
}

// runID is the Temporal run that the activity works for.
func runID(ctx context.Context) string { return activity.GetInfo(ctx).WorkflowExecution.RunID }
