// Package activities has the activities of the workflows: the attempt, the closing of a delivery
// that was cancelled in Temporal, the reconciler's pass, and the steps of operations, recovery,
// retention and erasure.
//
// A receiver's answer is a value here. An error means a failure of our own, such as an outage of
// Postgres: Temporal retries it, and it uses up no attempt of the delivery's retry policy. Inputs
// and results hold no payloads, headers or secrets, because Temporal stores them: only ids, states,
// status codes and dates.
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
	// Record stores an attempt and the new state of its delivery. It returns when both are durable.
	// It changes nothing if that attempt was recorded before.
	Record(ctx context.Context, r switchboard.Record) (switchboard.Delivery, error)
	// Reset gives the delivery to the Temporal run that a reset of its workflow made.
	Reset(ctx context.Context, deliveryID, temporalRunID string, action switchboard.Action) (switchboard.Delivery, error)
	// Postpone changes the date of the next attempt and stores the reason, unless the delivery has
	// changed since it was loaded. It reports whether it changed anything.
	Postpone(ctx context.Context, loaded switchboard.Delivery, until time.Time, reason string) (bool, error)
	// CloseDelivery moves an open delivery of that generation to a final state.
	CloseDelivery(ctx context.Context, deliveryID string, generation int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error)
	// HoldDelivery parks or ends a delivery that may not be sent. It decides again with the
	// subscription and its health locked. If the delivery may be sent by then, it is returned
	// unchanged.
	HoldDelivery(ctx context.Context, loaded switchboard.Delivery, conditions switchboard.Conditions) (switchboard.Delivery, error)
	// Withdraw takes back a delivery whose attempt is about to begin, if the operation that
	// dispatched it was cancelled. Otherwise the delivery is returned unchanged.
	Withdraw(ctx context.Context, loaded switchboard.Delivery) (d switchboard.Delivery, withdrawn bool, err error)
	HealthStore
	LimitStore
}

// LimitStore is what attempts need of the store for the limits that hold across workers.
type LimitStore interface {
	// TakeTurn returns how long a request must wait for its turn under the rate limit of a
	// subscription. It takes the turn if the wait is at most [switchboard.RateWait].
	TakeTurn(ctx context.Context, subscriptionID string, limit switchboard.RateLimit) (wait time.Duration, err error)
	// QueueDelivery parks a delivery of that generation that exceeds a limit of its subscription.
	// Deliveries that are accepted later wait behind it.
	QueueDelivery(ctx context.Context, loaded switchboard.Delivery, admission switchboard.Admission) (switchboard.Delivery, error)
	// SetSlow tells all processes whether the endpoint of a subscription is slow.
	SetSlow(ctx context.Context, subscriptionID string, slow bool) error
}

// Sender renders, signs and sends the request of an attempt that begins at that time. The
// receiver's behaviour is the outcome; an error means that our side stopped the request before
// there was an outcome.
type Sender interface {
	Attempt(ctx context.Context, loaded switchboard.LoadedDelivery, at time.Time, timeout time.Duration) (switchboard.SentRequest, switchboard.Outcome, error)
}

// Tasks is what an attempt asks Temporal about the tasks that it runs in.
type Tasks interface {
	// Note stores details for the next execution of the activity. Unlike the SDK's heartbeat it
	// never cancels this execution, for example when an operator's retry pauses the activity for a
	// moment.
	Note(ctx context.Context, taskToken []byte, details any) error
	// StartedElsewhere reports whether Temporal gave a task of that run to another process.
	StartedElsewhere(ctx context.Context, deliveryID, temporalRunID string) (bool, error)
}

// Deliveries are the activities of a delivery: its exported methods.
type Deliveries struct {
	Store      DeliveryStore
	Sender     Sender
	Limiter    *inflight.Limiter
	Released   func(subscriptionID string) // called when a request has ended and its subscription has queued deliveries; nil: nothing releases them
	InFlight   *inflight.Attempts
	Unrecorded *inflight.Buffer
	Health     *inflight.Health
	Metrics    *Metrics
	Tasks      Tasks    // nil: a lost task may have been another process's, and no heartbeat is sent
	Recovery   Recovery // nil: the reconciler handles changes of an endpoint's health
	Outages    *Outages
	Log        *slog.Logger
	Tracer     trace.Tracer              // nil: no tracing
	Classes    switchboard.TenantClasses // of metrics
	Now        func() time.Time          // the clock for the dates of attempts
}

// storeTimeout bounds each call of the store: much longer than a healthy call takes, and shorter
// than a workflow task may wait.
const storeTimeout = 5 * time.Second

// storeContext is the context of a call of the store. An aborted attempt still makes its calls.
func storeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
}

// Attempt makes the attempt that is due and returns the delivery's new state. It may be repeated at
// any time: the delivery's row decides whether a request is due. As a regular activity it only
// returns when the delivery is final or parked: until then it fails with the date of the next
// attempt, which Temporal shows and keeps.
func (a *Deliveries) Attempt(ctx context.Context, in AttemptInput) (AttemptResult, error) {
	e := a.execution(ctx, in)
	result, err := e.attempt(ctx)
	switch {
	case result.Unrecorded != nil && e.local:
		return result, nil // with an error, the SDK would drop the result
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
	local         bool   // the local activity, which makes the first attempt; otherwise the regular one
	temporalRunID string // of the workflow run
	taskToken     []byte
	number        int32 // how many times Temporal has executed the regular activity
}

func (a *Deliveries) execution(ctx context.Context, in AttemptInput) *execution {
	info := activity.GetInfo(ctx)
	return &execution{a, in, info.IsLocalActivity, info.WorkflowExecution.RunID, info.TaskToken, info.Attempt}
}

func (e *execution) attempt(ctx context.Context) (result AttemptResult, err error) {
	began := time.Now()
	// Register before the row is read, so that no cancellation is missed: it either shows in the
	// row or aborts this attempt.
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
		// The delivery was erased, or lost when a database was restored: there is nothing to send.
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

// attemptDue makes the attempt that is due, if it is admitted. If the delivery was to be parked but
// may be sent by the time its rows are locked, it decides again.
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
		if loaded.Delivery.Generation != generation || !e.isDue(loaded.Delivery) { // it has changed since
			result = e.resultOf(loaded, loaded.Delivery)
			result.Outdated = loaded.Delivery.Generation != generation
			return result, nil
		}
		result, err = e.admit(ctx, loaded)
	}
	if errors.Is(err, errDecideAgain) { // its subscription changes all the time: try again later
		result.NextAttemptAt, err = e.Now().Add(infraWait).UTC(), nil
	}
	return result, err
}

// isDue reports whether the delivery waits for an attempt and its date has come.
func (e *execution) isDue(d switchboard.Delivery) bool {
	return d.State.HasNextAttempt() && !d.NextAttemptAt.After(e.Now())
}

// maxDecisions is how many times one execution decides whether to make an attempt.
const maxDecisions = 3

// admit decides whether the attempt may be made, and makes it if so.
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

// handOver leaves the first attempt to the regular activity on the queue of slow endpoints. The
// local activity would occupy a workflow task slot for the duration of the request.
func (e *execution) handOver(loaded switchboard.LoadedDelivery) AttemptResult {
	result := e.resultOf(loaded, loaded.Delivery)
	result.TaskQueue, result.FairnessKey = SlowTaskQueue, loaded.Subscription.ID
	return result
}

// postpone moves the attempt to a later date. A far date is stored, so that the delivery does not
// count as overdue and the reconciler does not look at it. After the local activity the date is
// always stored, because the regular activity follows at once.
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

// stop parks or ends a delivery that may not be sent now. If the store finds, with the rows locked,
// that it may be sent, it returns errDecideAgain.
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

// withdraw takes back a delivery whose operation was cancelled before the request began. If the
// delivery is also due by its former date, it returns errDecideAgain.
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

// load loads the delivery, and assigns it to this run if a reset made the run.
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
	now := e.Now().Truncate(time.Microsecond) // Postgres keeps microseconds, and the request must render the same later
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
		return made, nil // it may have arrived: record it as an attempt with an unknown outcome
	}
	return made, err
}

// maybeSent reports whether the request may have reached the receiver before our side stopped it.
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
