package activities_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
	"github.com/seed-49a43567/switchboard/webhook"
)

// fakeStore is a store and a sender of one delivery, with the activities on top.
type fakeStore struct {
	*activities.Deliveries
	t           *testing.T
	loaded      switchboard.LoadedDelivery
	loadErr     error
	postponeErr error
	recordErr   error
	refused     int // records that ended with it
	recorded    []switchboard.Attempt
	generations []int // of recorded, closed or held ones
	outcome     switchboard.Outcome
	sendErr     error
	sending     func(ctx context.Context) // runs during the request
	sent        int
	resumed     bool                        // the subscription is active again when the store checks
	timeouts    []time.Duration             // that the sender got
	turn        time.Duration               // until the next turn under the rate limit
	turns       int                         // asked for
	asked       func()                      // runs during a request for a turn; nil: nothing does
	afterHold   func()                      // runs when the store has decided again; nil: nothing does
	withdraw    func(*switchboard.Delivery) // takes the delivery back; nil: it is no longer the operation's
	withdrawals int
	queued      []string // deliveries that were parked behind others
	slow        []bool   // what SetSlow was called with
	reports     []switchboard.HealthReport
	healthAfter switchboard.HealthResult
	reportErr   error
}

func newFakeStore(t *testing.T) *fakeStore {
	t.Helper()
	limiter := inflight.NewLimiter(10, 10)
	metrics, err := activities.NewMetrics(noop.NewMeterProvider().Meter(""), limiter)
	if err != nil {
		t.Fatal(err)
	}
	d := &fakeStore{t: t, outcome: switchboard.Outcome{StatusCode: 200}, sending: func(context.Context) {}}
	d.loaded.Delivery = switchboard.Delivery{ID: "dlv_1", State: switchboard.StatePending, Generation: 1, NextAttemptAt: time.Now().Add(-time.Second)}
	d.loaded.Subscription = switchboard.Subscription{ID: "sub_1", MaxInFlight: 1, Timeout: switchboard.DefaultTimeout}
	d.loaded.Subscription.SetDefaults()
	d.Deliveries = &activities.Deliveries{
		Store: d, Sender: d, Limiter: limiter, InFlight: inflight.NewAttempts(webhook.ErrAborted), Unrecorded: inflight.NewBuffer(), Health: inflight.NewHealth(), Metrics: metrics, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	return d
}

func (d *fakeStore) LoadForAttempt(context.Context, string) (switchboard.LoadedDelivery, error) {
	return d.loaded, d.loadErr
}

func (d *fakeStore) Record(_ context.Context, r switchboard.Record) (switchboard.Delivery, error) {
	a, decision, generation := r.Attempt, r.Decision, r.Generation
	if d.recordErr != nil {
		d.refused++
		return switchboard.Delivery{}, d.recordErr
	}
	d.recorded, d.generations = append(d.recorded, a), append(d.generations, generation)
	delivery := d.loaded.Delivery
	delivery.State, delivery.Reason, delivery.AttemptsMade, delivery.Permanent = decision.State, decision.Reason, a.Number, decision.Permanent
	if delivery.NextAttemptAt = a.At.Add(decision.Wait); !decision.State.HasNextAttempt() {
		delivery.NextAttemptAt = time.Time{}
	}
	if generation == d.loaded.Delivery.Generation {
		d.loaded.Delivery = delivery
	}
	return delivery, nil
}

func (d *fakeStore) ReportHealth(_ context.Context, r switchboard.HealthReport) (switchboard.HealthResult, error) {
	d.reports = append(d.reports, r)
	return d.healthAfter, d.reportErr
}

func (d *fakeStore) Reset(_ context.Context, _, _ string, _ switchboard.Action) (switchboard.Delivery, error) {
	delivery := d.loaded.Delivery
	delivery.State, delivery.NextAttemptAt = switchboard.StatePending, time.Now()
	return delivery, nil
}

func (d *fakeStore) Postpone(_ context.Context, _ switchboard.Delivery, until time.Time, reason string) (bool, error) {
	changed := d.loaded.Delivery.Reason != reason
	d.loaded.Delivery.NextAttemptAt, d.loaded.Delivery.Reason = until, reason
	return changed, d.postponeErr
}

func (d *fakeStore) HoldDelivery(ctx context.Context, loaded switchboard.Delivery, c switchboard.Conditions) (switchboard.Delivery, error) {
	if d.resumed {
		d.loaded.Subscription.State = switchboard.SubscriptionActive
		delivery := d.loaded.Delivery
		if d.afterHold != nil {
			d.afterHold()
		}
		return delivery, nil
	}
	a := switchboard.Admit(time.Now(), c)
	return d.CloseDelivery(ctx, loaded.ID, loaded.Generation, a.State, a.Reason, switchboard.Action{})
}

func (d *fakeStore) Withdraw(_ context.Context, loaded switchboard.Delivery) (switchboard.Delivery, bool, error) {
	d.withdrawals++
	if d.withdraw == nil {
		return loaded, false, nil
	}
	d.withdraw(&d.loaded.Delivery)
	d.loaded.Withdrawn = false
	return d.loaded.Delivery, true, nil
}

func (d *fakeStore) TakeTurn(context.Context, string, switchboard.RateLimit) (time.Duration, error) {
	d.turns++
	if d.asked != nil {
		d.asked()
	}
	return d.turn, nil
}

func (d *fakeStore) QueueDelivery(ctx context.Context, loaded switchboard.Delivery, a switchboard.Admission) (switchboard.Delivery, error) {
	d.queued = append(d.queued, loaded.ID)
	return d.CloseDelivery(ctx, loaded.ID, loaded.Generation, a.State, a.Reason, switchboard.Action{})
}

func (d *fakeStore) SetSlow(_ context.Context, _ string, slow bool) error {
	d.slow = append(d.slow, slow)
	return nil
}

func (d *fakeStore) CloseDelivery(_ context.Context, _ string, generation int, state switchboard.State, reason string, _ switchboard.Action) (switchboard.Delivery, error) {
	d.generations = append(d.generations, generation)
	d.loaded.Delivery.State, d.loaded.Delivery.Reason = state, reason
	return d.loaded.Delivery, d.loadErr
}

func (d *fakeStore) Attempt(ctx context.Context, _ switchboard.LoadedDelivery, _ time.Time, timeout time.Duration) (switchboard.SentRequest, switchboard.Outcome, error) {
	d.sent++
	d.timeouts = append(d.timeouts, timeout)
	d.sending(ctx)
	return switchboard.SentRequest{Method: "POST"}, d.outcome, d.sendErr
}

// attempt runs the activity as the regular one, with the heartbeat of an earlier execution.
func (d *fakeStore) attempt(in activities.AttemptInput, heartbeat ...any) (activities.AttemptResult, error) {
	d.t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestActivityEnvironment()
	if len(heartbeat) > 0 {
		env.SetHeartbeatDetails(heartbeat[0])
	}
	in.DeliverInput = cmp.Or(in.DeliverInput, activities.DeliverInput{DeliveryID: "dlv_1", Generation: 1})
	env.RegisterActivity(d.Deliveries)
	value, err := env.ExecuteActivity(d.Deliveries.Attempt, in)
	var result activities.AttemptResult
	if err == nil {
		err = value.Get(&result)
	}
	return result, err
}

// delay returns the date that a failed execution asks Temporal for.
func delay(t *testing.T, err error) (kind string, wait time.Duration) {
	t.Helper()
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		t.Fatalf("ended with %v, want an application error", err)
	}
	return failure.Type(), failure.NextRetryDelay()
}

func TestAttemptBeforeItsDateSendsNothing(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Delivery.State, d.loaded.Delivery.Reason = switchboard.StateRetrying, "http_503"
	d.loaded.Delivery.NextAttemptAt = time.Now().Add(time.Hour)
	_, err := d.attempt(activities.AttemptInput{})
	kind, wait := delay(t, err)
	if kind != "http_503" || wait < 59*time.Minute || wait > time.Hour || d.sent != 0 {
		t.Errorf("failed as %s for %s after %d requests; want http_503, an hour, none", kind, wait, d.sent)
	}
}

// Temporal repeats an attempt whose worker it no longer hears from.
func TestAttemptBesideOneUnderWaySendsNothing(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.sending = func(context.Context) {
		_, err := d.attempt(activities.AttemptInput{})
		if kind, _ := delay(t, err); kind != "infrastructure" {
			t.Errorf("failed as %s, want an error of our own", kind)
		}
	}
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || result.State != switchboard.StateDelivered || d.sent != 1 {
		t.Errorf("ended %v, %v after %d requests", result, err, d.sent)
	}
}

func TestAttemptOfAFinalDeliverySendsNothing(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Delivery.State = switchboard.StateDelivered
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || result.State != switchboard.StateDelivered || d.sent != 0 {
		t.Errorf("ended %v, %v after %d requests", result, err, d.sent)
	}
}

func TestDeletedSubscriptionGetsNothing(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Subscription.DeletedAt = time.Now()
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || result.State != switchboard.StateCancelled || result.Reason != switchboard.ReasonSubscriptionDeleted || d.sent != 0 {
		t.Errorf("ended %v, %v after %d requests", result, err, d.sent)
	}
}

func TestUnverifiedAddressGetsNothing(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Subscription.State = switchboard.SubscriptionUnverified
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || result.State != switchboard.StateHeld || result.Reason != switchboard.ReasonSubscriptionUnverified || d.sent != 0 {
		t.Errorf("ended %v, %v after %d requests", result, err, d.sent)
	}
}

// TestResumedMeanwhile: a delivery that was to be held, but may be sent when the store checks
// again, is attempted at once.
func TestResumedMeanwhile(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Subscription.State, d.resumed = switchboard.SubscriptionPaused, true
	d.outcome.StatusCode = 200
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || result.State != switchboard.StateDelivered || d.sent != 1 {
		t.Errorf("ended %v, %v after %d requests", result, err, d.sent)
	}
}

// TestWithdrawnDeliveryIsNotSent: its operation is cancelled, and it is in its former state. It is
// sent if it is no longer the operation's, or is due by its own date now.
func TestWithdrawnDeliveryIsNotSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		withdraw func(*switchboard.Delivery)
		state    switchboard.State
		sent     int
	}{
		"it had ended": {func(d *switchboard.Delivery) { d.State, d.NextAttemptAt = switchboard.StateFailed, time.Time{} }, switchboard.StateFailed, 0},
		"it waits": {func(d *switchboard.Delivery) {
			d.State, d.NextAttemptAt = switchboard.StateRetrying, time.Now().Add(time.Hour)
		}, switchboard.StateRetrying, 0},
		"its date has come":   {func(d *switchboard.Delivery) { d.State = switchboard.StateRetrying }, switchboard.StateDelivered, 1},
		"it is another's now": {nil, switchboard.StateDelivered, 1},
	} {
		d := newFakeStore(t)
		d.loaded.Withdrawn, d.withdraw = true, c.withdraw
		result, err := d.attempt(activities.AttemptInput{})
		if state := d.loaded.Delivery.State; state != c.state || d.sent != c.sent || d.withdrawals != 1 || c.sent == 1 && err != nil {
			t.Errorf("%s: %s, ended %v, %v after %d requests", name, state, result, err, d.sent)
		}
	}
}

func TestResetSendsAFinalDeliveryAgain(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Delivery.State, d.loaded.Delivery.AttemptsMade = switchboard.StateDelivered, 1
	result, err := d.attempt(activities.AttemptInput{Reset: true})
	if err != nil || result.AttemptsMade != 2 || d.sent != 1 {
		t.Errorf("ended %v, %v after %d requests", result, err, d.sent)
	}
}

// The reset of an earlier generation's run takes over the delivery without another generation.
func TestCancelledInTemporalIsTheRunThatHasTheDelivery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reset  bool
		holder string // the Temporal run that has the delivery
		want   int
	}{
		{true, "default-test-run-id", 2},
		{true, "another", 1},
		{false, "default-test-run-id", 1},
	} {
		d := newFakeStore(t)
		d.loaded.Delivery.Generation, d.loaded.Delivery.TemporalRunID = 2, c.holder
		var suite testsuite.WorkflowTestSuite
		suite.SetLogger(slog.New(slog.DiscardHandler))
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(d.Deliveries)
		in := activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_1", Generation: 1}, Reset: c.reset}
		if _, err := env.ExecuteActivity(d.Cancelled, in); err != nil {
			t.Fatal(err)
		}
		if len(d.generations) != 1 || d.generations[0] != c.want {
			t.Errorf("reset %t, held by %s: closed the generations %v, want %d", c.reset, c.holder, d.generations, c.want)
		}
	}
}

func TestErasedDeliveryEndsItsWorkflow(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loadErr = switchboard.Errorf(switchboard.CodeNotFound, "gone")
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || result.State != switchboard.StateCancelled || result.Reason != switchboard.ReasonErased {
		t.Errorf("ended %v, %v", result, err)
	}
}

func TestDeliveryWithoutASlotWaitsAndUsesNoAttempt(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.Limiter = inflight.NewLimiter(1, 0)
	d.loaded.Subscription.MaxInFlight, d.loaded.Subscription.Version = 2, 5
	now := time.Now() // at which the test stays: the longer the first has its slot, the longer the second waits
	d.Now = func() time.Time { return now }
	due := d.loaded.Delivery
	d.sending = func(context.Context) {
		d.sending = func(context.Context) {}
		_, err := d.attempt(activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_2", Generation: 1}}) // while the only slot is taken
		if _, wait := delay(t, err); wait <= 0 || wait > 2*time.Second {
			t.Errorf("the second waits %s, want about a second", wait)
		}
	}
	if _, err := d.attempt(activities.AttemptInput{}); err != nil {
		t.Fatal(err)
	}
	if d.sent != 1 || len(d.recorded) != 1 {
		t.Errorf("%d requests, %d recorded; want 1 and 1", d.sent, len(d.recorded))
	}
	if made := d.recorded[0]; made.SubscriptionVersion != 5 || !made.At.Equal(made.At.Truncate(time.Microsecond)) {
		t.Errorf("recorded for version %d, at %s", made.SubscriptionVersion, made.At)
	}
	d.loaded.Delivery = due
	if _, err := d.attempt(activities.AttemptInput{}); err != nil || d.sent != 2 {
		t.Errorf("the slot was not released: %v", err)
	}
}

func TestAbortReachesTheRequestUnderWay(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.outcome = switchboard.Outcome{Failure: switchboard.FailureAborted}
	d.sending = func(ctx context.Context) {
		d.InFlight.Abort("dlv_other")
		if ctx.Err() != nil {
			t.Error("another delivery's abort ended this one")
		}
		d.InFlight.Abort("dlv_1")
		if !errors.Is(context.Cause(ctx), webhook.ErrAborted) {
			t.Errorf("the request's context ended by %v", context.Cause(ctx))
		}
	}
	// The row of this delivery was not cancelled: an operator has retried it.
	_, err := d.attempt(activities.AttemptInput{})
	if kind, wait := delay(t, err); kind != "aborted" || wait > time.Second {
		t.Errorf("failed as %s for %s, want aborted and at once", kind, wait)
	}
}

func TestInterruptedRequestThatMayHaveArrivedIsAnAttempt(t *testing.T) {
	t.Parallel()
	for _, sent := range []bool{true, false} {
		d := newFakeStore(t)
		d.outcome = switchboard.Outcome{Failure: switchboard.FailureUnknown}
		d.sendErr = &webhook.Interrupted{Sent: sent, Err: context.Canceled}
		_, err := d.attempt(activities.AttemptInput{})
		kind, _ := delay(t, err)
		if want := map[bool]string{true: "unknown", false: "infrastructure"}[sent]; kind != want {
			t.Errorf("sent %v: failed as %s, want %s", sent, kind, want)
		}
		if recorded := len(d.recorded) == 1; recorded != sent {
			t.Errorf("sent %v: recorded %v", sent, recorded)
		}
	}
}

// Otherwise the reconciler would check the same deliveries again and again.
func TestDeliveryThatWaitsForASlotIsNotOverdue(t *testing.T) {
	t.Parallel()
	for late, postponed := range map[time.Duration]bool{time.Second: false, switchboard.StuckAfter: true} {
		d := newFakeStore(t)
		date := time.Now().Add(-late)
		d.loaded.Delivery.NextAttemptAt = date
		d.Limiter = inflight.NewLimiter(0, 0)
		_, err := d.attempt(activities.AttemptInput{})
		if _, wait := delay(t, err); wait <= 0 || d.sent != 0 {
			t.Errorf("%s late: waits %s after %d requests, want a date and no request", late, wait, d.sent)
		}
		if reason := d.loaded.Delivery.Reason; (reason == switchboard.ReasonWaitingForSlot) != postponed {
			t.Errorf("%s late: reason %q, want it to wait for a slot: %t", late, reason, postponed)
		}
		if d.loaded.Delivery.NextAttemptAt.After(date) != postponed {
			t.Errorf("%s late: dated %s, want a new date: %t", late, d.loaded.Delivery.NextAttemptAt, postponed)
		}
	}
}

// Temporal stores the failure of a local activity, and shows it.
func TestTemporalLearnsTheCodeOfOurErrorOnly(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loadErr = fmt.Errorf("dial tcp 10.1.2.3:5432: %w", switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away"))
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	_, err := suite.NewTestActivityEnvironment().ExecuteLocalActivity(d.Deliveries.Attempt, activities.AttemptInput{})
	if kind, _ := delay(t, err); kind != "infrastructure" || strings.Contains(err.Error(), "10.1.2.3") || errors.Unwrap(errors.Unwrap(err)) != nil {
		t.Errorf("failed as %s with %v, want an error of our own without its cause", kind, err)
	}
}

func TestOutdatedGenerationSendsNothing(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Delivery.Generation = 2
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || !result.Outdated || d.sent != 0 {
		t.Errorf("ended %v, %v after %d requests", result, err, d.sent)
	}
}
