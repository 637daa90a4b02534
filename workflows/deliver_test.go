package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
	"github.com/seed-49a43567/switchboard/webhook"
	"github.com/seed-49a43567/switchboard/workflows"
)

// The test environment gives an activity at most ten executions, where the server has no limit, so
// scenarios stay below that.

// scenario is a delivery in virtual time: a row in memory, a receiver that gives its responses in
// order, and the real workflow and activities between them.
type scenario struct {
	*testsuite.TestWorkflowEnvironment
	store *fakeStore
	sent  *fakeSender
}

const deliveryID = "dlv_1"

func newScenario(t *testing.T, answers ...int) *scenario {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	policy := switchboard.RetryPolicy{
		InitialInterval: switchboard.Duration(5 * time.Second), BackoffCoefficient: 3,
		MaximumInterval: switchboard.Duration(10 * time.Hour), MaxAttempts: 8,
	}
	s := &scenario{
		TestWorkflowEnvironment: env,
		store: &fakeStore{loaded: switchboard.LoadedDelivery{
			Delivery: switchboard.Delivery{
				ID: deliveryID, State: switchboard.StatePending, Generation: 1, CreatedAt: env.Now(), NextAttemptAt: env.Now(),
			},
			Subscription: switchboard.Subscription{
				ID: "sub_1", Retry: policy, Timeout: switchboard.DefaultTimeout, MaxInFlight: switchboard.DefaultMaxInFlight,
			},
		}},
		sent: &fakeSender{answers: answers, now: env.Now},
	}
	limiter := inflight.NewLimiter(10, 10)
	metrics, err := activities.NewMetrics(noop.NewMeterProvider().Meter(""), limiter)
	if err != nil {
		t.Fatal(err)
	}
	env.RegisterActivity(&activities.Deliveries{
		Store: s.store, Sender: s.sent, Limiter: limiter, InFlight: inflight.NewAttempts(webhook.ErrAborted), Unrecorded: inflight.NewBuffer(), Health: inflight.NewHealth(), Metrics: metrics, Log: slog.New(slog.DiscardHandler), Now: env.Now,
	})
	return s
}

func (s *scenario) run() (workflows.DeliverResult, error) {
	s.ExecuteWorkflow(workflows.Deliver, activities.DeliverInput{DeliveryID: deliveryID, Generation: 1})
	if err := s.GetWorkflowError(); err != nil {
		return workflows.DeliverResult{}, err
	}
	var result workflows.DeliverResult
	return result, s.GetWorkflowResult(&result)
}

// fakeStore is a store that holds one delivery.
type fakeStore struct {
	mu       sync.Mutex
	loaded   switchboard.LoadedDelivery
	attempts []switchboard.Attempt
	actions  []switchboard.Action
	faults   map[string]int // how many of the next calls of a method fail
}

func (r *fakeStore) fails(method string) error {
	if r.faults[method] == 0 {
		return nil
	}
	r.faults[method]--
	return switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away")
}

func (r *fakeStore) LoadForAttempt(context.Context, string) (switchboard.LoadedDelivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.loaded, r.fails("LoadForAttempt")
}

func (r *fakeStore) Record(_ context.Context, rec switchboard.Record) (switchboard.Delivery, error) {
	a, d, temporalRunID := rec.Attempt, rec.Decision, rec.TemporalRunID
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.fails("Record"); err != nil {
		return switchboard.Delivery{}, err
	}
	r.attempts = append(r.attempts, a)
	delivery := &r.loaded.Delivery
	delivery.AttemptsMade, delivery.TemporalRunID = a.Number, temporalRunID
	if delivery.State.HasNextAttempt() {
		delivery.State, delivery.Reason, delivery.Permanent = d.State, d.Reason, d.Permanent
		delivery.NextAttemptAt = a.At.Add(d.Wait)
	}
	return *delivery, nil
}

func (r *fakeStore) Reset(_ context.Context, _, temporalRunID string, action switchboard.Action) (switchboard.Delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.actions = append(r.actions, action)
	r.loaded.Delivery.State, r.loaded.Delivery.TemporalRunID = switchboard.StatePending, temporalRunID
	return r.loaded.Delivery, nil
}

func (r *fakeStore) ReportHealth(context.Context, switchboard.HealthReport) (switchboard.HealthResult, error) {
	return switchboard.HealthResult{}, nil
}

func (r *fakeStore) HoldDelivery(ctx context.Context, loaded switchboard.Delivery, c switchboard.Conditions) (switchboard.Delivery, error) {
	a := switchboard.Admit(time.Now(), c)
	return r.CloseDelivery(ctx, loaded.ID, loaded.Generation, a.State, a.Reason, switchboard.Action{Kind: switchboard.ActionHold})
}

func (r *fakeStore) CloseDelivery(_ context.Context, _ string, _ int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.fails("CloseDelivery"); err != nil {
		return switchboard.Delivery{}, err
	}
	if !r.loaded.Delivery.State.Final() {
		r.loaded.Delivery.State, r.loaded.Delivery.Reason = state, reason
		r.actions = append(r.actions, action)
	}
	return r.loaded.Delivery, nil
}

func (r *fakeStore) Withdraw(_ context.Context, loaded switchboard.Delivery) (switchboard.Delivery, bool, error) {
	return loaded, false, nil
}

func (r *fakeStore) TakeTurn(context.Context, string, switchboard.RateLimit) (time.Duration, error) {
	return 0, nil
}

func (r *fakeStore) QueueDelivery(ctx context.Context, loaded switchboard.Delivery, a switchboard.Admission) (switchboard.Delivery, error) {
	return r.CloseDelivery(ctx, loaded.ID, loaded.Generation, a.State, a.Reason, switchboard.Action{Kind: switchboard.ActionHold})
}

func (r *fakeStore) SetSlow(context.Context, string, bool) error { return nil }

func (r *fakeStore) Postpone(_ context.Context, _ switchboard.Delivery, until time.Time, reason string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaded.Delivery.NextAttemptAt, r.loaded.Delivery.Reason = until, reason
	return true, nil
}

// fakeSender is a receiver that answers one status after the other, the last for ever.
type fakeSender struct {
	now     func() time.Time
	answers []int

	mu    sync.Mutex
	times []time.Time
}

func (s *fakeSender) Attempt(context.Context, switchboard.LoadedDelivery, time.Time, time.Duration) (switchboard.SentRequest, switchboard.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.answers[min(len(s.times), len(s.answers)-1)]
	s.times = append(s.times, s.now())
	return switchboard.SentRequest{Method: "POST"}, switchboard.Outcome{StatusCode: status, Failure: switchboard.FailureOfStatus(status)}, nil
}

func TestDeliverAtOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 200)
	result, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	want := workflows.DeliverResult{State: switchboard.StateDelivered, AttemptsMade: 1}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Error(diff)
	}
}

func TestDeliverAfterFailuresWaitsAsThePolicySays(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 503, 500, 200)
	result, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	want := workflows.DeliverResult{State: switchboard.StateDelivered, AttemptsMade: 3}
	if diff := cmp.Diff(want, result); diff != "" {
		t.Error(diff)
	}
	for i, policy := range []time.Duration{5 * time.Second, 15 * time.Second} {
		waited := s.sent.times[i+1].Sub(s.sent.times[i])
		if waited < policy*9/10 || waited > policy*11/10 {
			t.Errorf("attempt %d came after %s, want %s ± 10 %%", i+2, waited, policy)
		}
	}
}

func TestDeliverFailsWhenAttemptsAreUsedUp(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 503)
	began := s.Now()
	_, err := s.run()
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || failure.Type() != "http_503" || failure.Message() != "http_503 after 8 attempts: all are used up" {
		t.Fatalf("ended with %v, want an application error of type http_503", err)
	}
	if len(s.sent.times) != 8 {
		t.Errorf("%d requests, want the policy's 8", len(s.sent.times))
	}
	if lived := s.Now().Sub(began); lived < time.Hour {
		t.Errorf("gave up after %s, want the sum of the policy's waits, 5465s ± 10 %%", lived)
	}
}

func TestDeliverStopsAtGone(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 410)
	_, err := s.run()
	if failure, ok := errors.AsType[*temporal.ApplicationError](err); !ok || failure.Message() != "http_410 after 1 attempts: no later one can succeed" {
		t.Fatalf("ended with %v, want it to say that no later attempt can succeed", err)
	}
	if len(s.sent.times) != 1 || s.store.loaded.Delivery.State != switchboard.StateFailed {
		t.Errorf("%d requests, state %s; want 1, failed", len(s.sent.times), s.store.loaded.Delivery.State)
	}
}

// TestDeliverEndsHeld: the address changed during the backoff, and the new one is not verified yet.
// The run ends; the verification releases the delivery.
func TestDeliverEndsHeld(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 503, 200)
	s.RegisterDelayedCallback(func() {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		s.store.loaded.Subscription.State = switchboard.SubscriptionUnverified
	}, time.Second)
	result, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	if want := (workflows.DeliverResult{State: switchboard.StateHeld, AttemptsMade: 1}); result != want || len(s.sent.times) != 1 {
		t.Errorf("ended %v after %d requests, want %v after 1", result, len(s.sent.times), want)
	}
}

// TestDeliverToASlowEndpoint: the local activity sends nothing, and all attempts are made on the
// queue of slow endpoints.
func TestDeliverToASlowEndpoint(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 503, 200)
	s.store.loaded.Health.Slow = true
	var queues []string
	s.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		queues = append(queues, info.TaskQueue)
	})
	result, err := s.run()
	if err != nil {
		t.Fatal(err)
	}
	if want := (workflows.DeliverResult{State: switchboard.StateDelivered, AttemptsMade: 2}); result != want || len(s.sent.times) != 2 {
		t.Errorf("ended %v after %d requests, want %v after 2", result, len(s.sent.times), want)
	}
	for _, q := range queues {
		if q != activities.SlowTaskQueue {
			t.Errorf("an attempt on the queue %s", q)
		}
	}
	if len(queues) == 0 {
		t.Error("no regular activity")
	}
}

// TestDeliverEndsQueued: the first attempt is one too many for the subscription's max_in_flight.
func TestDeliverEndsQueued(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 200)
	s.store.loaded.Subscription.MaxInFlight = 0
	result, err := s.run()
	if want := (workflows.DeliverResult{State: switchboard.StateHeld}); err != nil || result != want || len(s.sent.times) != 0 {
		t.Errorf("ended %v, %v after %d requests, want %v after none", result, err, len(s.sent.times), want)
	}
}

func TestDatabaseOutageNeverSendsTwice(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]map[string]int{
		"before the first attempt": {"LoadForAttempt": 5},
		"while recording":          {"Record": 5},
		"while both":               {"LoadForAttempt": 3, "Record": 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, 503, 200)
			s.store.faults = faults
			result, err := s.run()
			if err != nil {
				t.Fatal(err)
			}
			if len(s.sent.times) != 2 || result.AttemptsMade != 2 {
				t.Errorf("%d requests, %d attempts recorded; want 2 and 2", len(s.sent.times), result.AttemptsMade)
			}
			if s.store.attempts[0].Outcome.StatusCode != 503 {
				t.Errorf("first attempt recorded as %d, want 503", s.store.attempts[0].Outcome.StatusCode)
			}
		})
	}
}

// TestFirstTaskThatWasLost: its worker has ended, and may have sent the request.
func TestFirstTaskThatWasLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		events int // in the history, when the first attempt is made
		want   []switchboard.Failure
	}{
		"not lost":   {3, []switchboard.Failure{"http_5xx", ""}},
		"lost":       {6, []switchboard.Failure{switchboard.FailureUnknown, "http_5xx", ""}},
		"lost twice": {9, []switchboard.Failure{switchboard.FailureUnknown, "http_5xx", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, 503, 200)
			s.SetCurrentHistoryLength(c.events)
			began := s.Now()
			result, err := s.run()
			if err != nil || result.State != switchboard.StateDelivered {
				t.Fatalf("ended %v, %v; want delivered", result, err)
			}
			var got []switchboard.Failure
			for _, a := range s.store.attempts {
				got = append(got, a.Outcome.Failure)
			}
			if diff := cmp.Diff(c.want, got); diff != "" || len(s.sent.times) != 2 {
				t.Errorf("%d requests, want 2; recorded (-want +got):\n%s", len(s.sent.times), diff)
			}
			if len(c.want) == 3 && s.sent.times[0].Sub(began) > 6*time.Second {
				t.Errorf("the next attempt comes after %s, want the policy's first wait", s.sent.times[0].Sub(began))
			}
		})
	}
}

func TestCancelDuringBackoff(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 503)
	s.store.faults = map[string]int{"CloseDelivery": 2}
	s.RegisterDelayedCallback(s.CancelWorkflow, 2*time.Second)
	_, err := s.run()
	if !temporal.IsCanceledError(err) {
		t.Fatalf("ended with %v, want cancelled", err)
	}
	if len(s.sent.times) != 1 || s.store.loaded.Delivery.State != switchboard.StateCancelled {
		t.Errorf("%d requests, state %s; want 1, cancelled", len(s.sent.times), s.store.loaded.Delivery.State)
	}
	if len(s.store.actions) != 1 || s.store.actions[0].Actor != switchboard.ActorTemporal {
		t.Errorf("actions %v, want one by Temporal", s.store.actions)
	}
}

func TestCancelledByItsRowEndsCancelled(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 200)
	s.store.loaded.Delivery.State, s.store.loaded.Delivery.Reason = switchboard.StateCancelled, switchboard.ReasonOperator
	if _, err := s.run(); !temporal.IsCanceledError(err) {
		t.Fatalf("ended with %v, want cancelled", err)
	}
	if len(s.sent.times) != 0 {
		t.Errorf("%d requests, want none", len(s.sent.times))
	}
}

func TestOperatorsRetryBringsTheNextAttemptForward(t *testing.T) {
	t.Parallel()
	s := newScenario(t, 503, 200)
	s.store.loaded.Subscription.Retry.InitialInterval = switchboard.Duration(10 * time.Hour)
	// The row gets an earlier date. Temporal wakes the pending activity, which the test environment
	// cannot do: the retry at the old date finds it due.
	s.RegisterDelayedCallback(func() {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		s.store.loaded.Delivery.NextAttemptAt = s.Now()
	}, time.Second)
	result, err := s.run()
	if err != nil || result.State != switchboard.StateDelivered {
		t.Fatalf("ended %v, %v; want delivered", result, err)
	}
}
