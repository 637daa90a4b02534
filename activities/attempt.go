// Package activities holds what a delivery's workflow does outside of itself: the attempt, the
// closing of a delivery that was cancelled in Temporal, and the reconciler's pass.
//
// A receiver's answer is a value here. An error is our own, as Postgres being away: Temporal
// retries it, and it uses up no attempt of the delivery's retry policy. Nothing that crosses to
// Temporal holds payloads, headers or secrets: ids, states, status codes and dates only.
package activities

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/activity"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
	"github.com/seed-49a43567/switchboard/webhook"
)

// DeliveryStore is what attempts need of the store.
type DeliveryStore interface {
	// LoadForAttempt loads what an attempt needs.
	LoadForAttempt(ctx context.Context, deliveryID string) (switchboard.LoadedDelivery, error)
	// Record stores an attempt and moves its delivery. It returns when both are durable, and
	// changes nothing if that attempt was recorded before.
	Record(ctx context.Context, r switchboard.Record) (switchboard.Delivery, error)
	// Reset gives the delivery to the Temporal run that a reset of its workflow made.
	Reset(ctx context.Context, deliveryID, temporalRunID string, action switchboard.Action) (switchboard.Delivery, error)
	// Postpone changes the date of the next attempt, unless somebody has done so since the delivery was
	// loaded, and stores why. It reports whether that changed anything.
	Postpone(ctx context.Context, loaded switchboard.Delivery, until time.Time, reason string) (bool, error)
	// CloseDelivery moves an open delivery of that generation to a final state.
	CloseDelivery(ctx context.Context, deliveryID string, generation int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error)
	// HoldDelivery parks or ends a delivery that may not be sent, as its subscription and its health
	// are when they are locked. Where it may be sent by now, it is returned as it is.
	HoldDelivery(ctx context.Context, loaded switchboard.Delivery, conditions switchboard.Conditions) (switchboard.Delivery, error)
	// Withdraw takes back a delivery whose attempt is about to begin, if the operation that has it sent is
	// cancelled. Without that it is returned as it is.
	Withdraw(ctx context.Context, loaded switchboard.Delivery) (d switchboard.Delivery, withdrawn bool, err error)
	HealthStore
	LimitStore
}

// LimitStore is what attempts need of the store for the limits that hold across workers.
type LimitStore interface {
	// TakeTurn returns how long a request must wait for its turn under the rate limit of a
	// subscription. It takes the turn if that is no longer than [switchboard.RateWait].
	TakeTurn(ctx context.Context, subscriptionID string, limit switchboard.RateLimit) (wait time.Duration, err error)
	// QueueDelivery parks a delivery of that generation that exceeds a limit of its subscription.
	// What is accepted after it waits behind it.
	QueueDelivery(ctx context.Context, loaded switchboard.Delivery, admission switchboard.Admission) (switchboard.Delivery, error)
	// SetSlow says for all processes whether the endpoint of a subscription is slow.
	SetSlow(ctx context.Context, subscriptionID string, slow bool) error
}

// Sender renders, signs and sends the request of an attempt that begins at that time. The
// receiver's behaviour is the outcome; an error means that our side stopped it before there was
// one.
type Sender interface {
	Attempt(ctx context.Context, loaded switchboard.LoadedDelivery, at time.Time, timeout time.Duration) (switchboard.SentRequest, switchboard.Outcome, error)
}

// Tasks is what an attempt asks Temporal about the tasks that it is made in.
type Tasks interface {
	// Note stores details for the next execution of the activity that has the task. Unlike
	// the SDK's heartbeat it never cancels this one, as where an operator's retry pauses the
	// activity for a moment.
	Note(ctx context.Context, taskToken []byte, details any) error
	// StartedElsewhere reports whether another process was given a task of that run.
	StartedElsewhere(ctx context.Context, deliveryID, temporalRunID string) (bool, error)
}

// Deliveries are the activities of a delivery: its exported methods.
type Deliveries struct {
	Store      DeliveryStore
	Sender     Sender
	Limiter    *inflight.Limiter
	Released   func(subscriptionID string) // called when a request of a subscription has ended whose deliveries wait in order; nil: nobody releases them
	InFlight   *inflight.Attempts
	Unrecorded *inflight.Buffer
	Health     *inflight.Health
	Metrics    *Metrics
	Tasks      Tasks    // nil: a task that was lost may have been another process's, and no heartbeat is made
	Recovery   Recovery // nil: what follows from the health of endpoints is left to the reconciler
	Outages    *Outages
	Log        *slog.Logger
	Tracer     trace.Tracer              // nil: nothing is traced
	Classes    switchboard.TenantClasses // of metrics
	Now        func() time.Time          // the clock that attempts are dated by
}

// storeTimeout bounds each call of the store: longer than a healthy one by far, shorter than what
// a workflow task may wait for.
const storeTimeout = 5 * time.Second

// storeContext is the context of a call of the store, which an aborted attempt makes as well.
func storeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// Attempt makes the attempt that is due and says where the delivery stands then. It may be
// repeated at any time: the delivery's row decides whether a request is due. As a regular
// activity it does not return before the delivery is final or parked: until then it fails with
// the date of the next attempt, which Temporal shows and keeps.
func (a *Deliveries) Attempt(ctx context.Context, in AttemptInput) (AttemptResult, error) {
	e := a.execution(ctx, in)
	result, err := e.attempt(ctx)
	switch {
	case result.Unrecorded != nil && e.local:
		return result, nil // beside an error the SDK would drop it
	case result.Unrecorded != nil:
		activity.RecordHeartbeat(ctx, result.Unrecorded)
		return result, e.infraError(ctx, err)
	case err != nil:
		return result, e.infraError(ctx, err)
	case result.HasNextAttempt() && !e.local:
		return result, scheduledRetryError(result, a.Now())
	}
	return result, nil
}

// execution is one execution of an activity by Temporal.
type execution struct {
	*Deliveries
	in            AttemptInput
	local         bool   // the local activity, which makes a delivery's first attempt; else the regular one
	temporalRunID string // of the workflow run
	taskToken     []byte
	number        int32 // how often Temporal has executed the regular activity
}

func (a *Deliveries) execution(ctx context.Context, in AttemptInput) *execution {
	info := activity.GetInfo(ctx)
	return &execution{a, in, info.IsLocalActivity, info.WorkflowExecution.RunID, info.TaskToken, info.Attempt}
}

func (e *execution) attempt(ctx context.Context) (result AttemptResult, err error) {
	began := time.Now()
	// Beginning before the row is read closes the gap in which a cancellation could be missed:
	// it either shows in the row or aborts this attempt.
	ctx, done, ok := e.InFlight.Begin(ctx, e.in.DeliveryID)
	if !ok {
		return AttemptResult{}, errUnderWay
	}
	defer done()

	outcome := e.unrecordedOutcome(ctx)
	loaded, err := e.load(ctx)
	ctx, span := e.deliver(ctx, &loaded, began)
	defer func() { delivered(span, &result, err) }()
	if switchboard.CodeOf(err) == switchboard.CodeNotFound {
		// Erased, or lost with a database that was restored: there is nothing to send.
		return AttemptResult{State: switchboard.StateCancelled, Reason: switchboard.ReasonErased}, nil
	}
	if err != nil {
		return AttemptResult{Unrecorded: outcome}, &attemptError{loaded.Delivery, whyNotLoaded(err), err}
	}
	if outcome == nil {
		outcome = e.lostOutcome(ctx, loaded)
	}
	outdated := loaded.Delivery.Generation != e.in.Generation && !e.in.Reset
	if outcome.After(loaded.Delivery) {
		result, err = e.record(ctx, loaded, outcome.Attempt(e.in.DeliveryID), outcome.Generation)
		result.Outdated = outdated
		return result, err
	}
	result = e.resultOf(loaded, loaded.Delivery)
	result.Outdated = outdated
	if outdated || !e.isDue(loaded.Delivery) {
		return result, nil
	}
	return e.attemptDue(ctx, loaded)
}

// attemptDue makes the attempt whose date has come, if it is admitted. One that was to be parked
// and may be sent by now is decided about again.
func (e *execution) attemptDue(ctx context.Context, loaded switchboard.LoadedDelivery) (AttemptResult, error) {
	generation := loaded.Delivery.Generation
	result, err := e.admit(ctx, loaded)
	for range maxDecisions - 1 {
		if !errors.Is(err, errDecideAgain) {
			return result, err
		}
		if loaded, err = e.load(ctx); err != nil {
			return AttemptResult{}, &attemptError{loaded.Delivery, whyNotLoaded(err), err}
		}
		if loaded.Delivery.Generation != generation || !e.isDue(loaded.Delivery) { // it has moved on since
			result = e.resultOf(loaded, loaded.Delivery)
			result.Outdated = loaded.Delivery.Generation != generation
			return result, nil
		}
		result, err = e.admit(ctx, loaded)
	}
	if errors.Is(err, errDecideAgain) { // its subscription changes all the time
		result.NextAttemptAt, err = e.Now().Add(infraWait).UTC(), nil
	}
	return result, err
}

// isDue reports whether the delivery waits for an attempt whose date has come.
func (e *execution) isDue(d switchboard.Delivery) bool {
	return d.State.HasNextAttempt() && !d.NextAttemptAt.After(e.Now())
}

// maxDecisions is how often an execution decides about an attempt.
const maxDecisions = 3

// admit decides about the attempt, and makes it if it may be made.
func (e *execution) admit(ctx context.Context, loaded switchboard.LoadedDelivery) (AttemptResult, error) {
	if loaded.Withdrawn {
		if result, withdrawn, err := e.withdraw(ctx, loaded); withdrawn || err != nil {
			return result, err
		}
	}
	now := e.Now()
	conditions := switchboard.Conditions{Subscription: &loaded.Subscription, Health: &loaded.Health, Delivery: &loaded.Delivery}
	if admission := switchboard.Admit(now, conditions); admission.Kind != switchboard.AdmissionSend {
		return e.stop(ctx, loaded, conditions, admission)
	}
	slow := e.Limiter.Slow(loaded.Subscription.ID, loaded.Health.Slow)
	if e.local && (slow || e.Limiter.Hangs(loaded.Subscription.ID, now)) {
		return e.handOver(loaded), nil
	}
	slot := e.Limiter.Take(inflight.Request{Subscription: &loaded.Subscription, DeliveryID: loaded.Delivery.ID, Slow: loaded.Health.Slow, First: e.local}, now)
	var latency time.Duration
	release := sync.OnceFunc(func() { e.release(ctx, loaded, slot, latency) })
	defer release()
	conditions.Full, conditions.SlotAt = slot.Full, slot.RetryAt
	var err error
	if slot.Taken() {
		if conditions.RateAt, err = e.takeTurn(ctx, loaded); err != nil {
			return AttemptResult{}, &attemptError{loaded.Delivery, whyNotLoaded(err), err}
		}
	}
	switch admission := switchboard.Admit(now, conditions); admission.Kind {
	case switchboard.AdmissionDefer:
		return e.postpone(ctx, loaded, admission)
	case switchboard.AdmissionPark, switchboard.AdmissionEnd:
		return e.stop(ctx, loaded, conditions, admission)
	}
	if !e.waitUntil(ctx, conditions.RateAt) {
		result := e.resultOf(loaded, loaded.Delivery)
		result.NextAttemptAt = conditions.RateAt
		return result, nil
	}
	slot.Begin(e.Now())
	made, err := e.send(ctx, loaded, loaded.Subscription.LimitsUnder(slot.Load))
	if !loaded.Elsewhere {
		latency = made.Outcome.Latency
	}
	if err != nil {
		return AttemptResult{}, &attemptError{loaded.Delivery, whyNotSent(err), err}
	}
	release() // the request has ended: another one need not wait until it is recorded
	return e.record(ctx, loaded, made, loaded.Delivery.Generation)
}

// handOver leaves the first attempt to the regular activity on the queue of slow endpoints: the
// local one would hold the slot of a workflow task for as long as the request takes.
func (e *execution) handOver(loaded switchboard.LoadedDelivery) AttemptResult {
	result := e.resultOf(loaded, loaded.Delivery)
	result.TaskQueue, result.FairnessKey = SlowTaskQueue, loaded.Subscription.ID
	return result
}

// postpone leaves the attempt to a later date. If that is far, it is stored too, so that the
// delivery is not overdue and does not keep the reconciler from those that are. It is stored
// after the local activity as well, whose regular one follows at once.
func (e *execution) postpone(ctx context.Context, loaded switchboard.LoadedDelivery, admission switchboard.Admission) (AttemptResult, error) {
	result := e.resultOf(loaded, loaded.Delivery)
	result.NextAttemptAt = admission.Until.UTC().Truncate(time.Microsecond)
	if !e.local && result.NextAttemptAt.Sub(loaded.Delivery.NextAttemptAt) < switchboard.StuckAfter/2 {
		return result, nil
	}
	ctx, cancel := storeContext(ctx)
	defer cancel()
	_, err := e.Store.Postpone(ctx, loaded.Delivery, result.NextAttemptAt, admission.Reason)
	return result, err
}

// stop parks or ends a delivery that may not be sent now. Where it may be by the time that the store
// has looked again, it is decided about again.
func (e *execution) stop(ctx context.Context, loaded switchboard.LoadedDelivery, conditions switchboard.Conditions, admission switchboard.Admission) (AttemptResult, error) {
	ctx, cancel := storeContext(ctx)
	defer cancel()
	var d switchboard.Delivery
	var err error
	if switchboard.IsQueueReason(admission.Reason) {
		e.Limiter.AddWaiting(loaded.Subscription.ID)
		d, err = e.Store.QueueDelivery(ctx, loaded.Delivery, admission)
	} else {
		d, err = e.Store.HoldDelivery(ctx, loaded.Delivery, conditions)
	}
	if err != nil {
		return AttemptResult{}, err
	}
	result := e.resultOf(loaded, d)
	if d.Generation == loaded.Delivery.Generation && e.isDue(d) {
		return result, errDecideAgain
	}
	return result, nil
}

// withdraw takes back a delivery whose operation is cancelled, as no request of it has begun. One that had
// waited for its next attempt before, and is due by its own date by now, is decided about again.
func (e *execution) withdraw(ctx context.Context, loaded switchboard.LoadedDelivery) (result AttemptResult, withdrawn bool, err error) {
	ctx, cancel := storeContext(ctx)
	defer cancel()
	d, withdrawn, err := e.Store.Withdraw(ctx, loaded.Delivery)
	if err != nil || !withdrawn {
		return AttemptResult{}, false, err
	}
	if e.isDue(d) {
		err = errDecideAgain
	}
	return e.resultOf(loaded, d), true, err
}

// load reads the delivery, and gives it to a run that was made by a reset.
func (e *execution) load(ctx context.Context) (switchboard.LoadedDelivery, error) {
	ctx, cancel := storeContext(ctx)
	defer cancel()
	loaded, err := e.Store.LoadForAttempt(ctx, e.in.DeliveryID)
	loaded = webhook.Overridden(loaded)
	if err != nil || !e.in.Reset || loaded.Delivery.TemporalRunID == e.temporalRunID {
		return loaded, err
	}
	loaded.Delivery, err = e.Store.Reset(ctx, e.in.DeliveryID, e.temporalRunID, switchboard.Action{
		At: e.Now(), Actor: switchboard.ActorTemporal, Kind: switchboard.ActionReset, Reason: "the workflow was reset in Temporal",
	})
	return loaded, err
}

// send makes the next attempt of the delivery under the limits.
func (e *execution) send(ctx context.Context, loaded switchboard.LoadedDelivery, limits switchboard.Limits) (switchboard.Attempt, error) {
	now := e.Now().Truncate(time.Microsecond) // as Postgres keeps it, so that what is rendered by it can be rendered again
	made := switchboard.Attempt{
		ID:             switchboard.NewID(switchboard.AttemptPrefix, now),
		DeliveryID:     loaded.Delivery.ID,
		Number:         loaded.Delivery.AttemptsMade + 1,
		At:             now,
		Timeout:        time.Duration(limits.Timeout),
		Load:           limits.Load,
		MaxAttempts:    limits.MaxAttempts,
		IntervalFactor: limits.IntervalFactor,

		SubscriptionVersion: loaded.Subscription.Version,
	}
	ctx, span := e.attemptSpan(ctx, &loaded, made.Number)
	done := e.Metrics.sending(ctx, made.Timeout, e.Classes.Of(loaded.Delivery.Tenant))
	stopHeartbeat := e.heartbeat(ctx, switchboard.Record{Attempt: made, Generation: loaded.Delivery.Generation})
	var err error
	made.Request, made.Outcome, err = e.Sender.Attempt(ctx, loaded, now, made.Timeout)
	stopHeartbeat(err)
	done(made.Outcome)
	attempted(span, &made.Outcome, err)
	if maybeSent(err) {
		return made, nil // it may have arrived: an attempt whose outcome is unknown
	}
	return made, err
}

// maybeSent reports whether the request may have reached the receiver before our side cut it
// short.
func maybeSent(err error) bool {
	cut, ok := errors.AsType[*webhook.Interrupted](err)
	return ok && cut.Sent
}

func (e *execution) resultOf(loaded switchboard.LoadedDelivery, d switchboard.Delivery) AttemptResult {
	result := AttemptResult{
		State: d.State, Reason: d.Reason, AttemptsMade: d.AttemptsMade, StatusCode: d.LastStatusCode, NextAttemptAt: d.NextAttemptAt,
		TemporalRunID: e.temporalRunID, Permanent: d.Permanent,
	}
	if d.State.HasNextAttempt() {
		result.Retry = loaded.Subscription.Retry
	}
	return result
}
