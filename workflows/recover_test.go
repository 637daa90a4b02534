package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// endpoint is an endpoint whose health is in the test, as it is in the store.
type endpoint struct {
	env    *testsuite.TestWorkflowEnvironment
	health switchboard.Health
	held   []string // the deliveries that the breaker holds
	works  time.Time
	gone   bool          // the subscription is no longer active
	faults int           // how many of the next steps fail
	lag    time.Duration // how far the worker's clock is behind Temporal's

	steps   int
	probes  []time.Duration // when each was released, after the beginning
	due     []time.Duration // when each was due
	began   time.Time
	started []string // operations
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	e := &endpoint{env: env, began: env.Now().UTC()}
	e.health = switchboard.Health{
		SubscriptionID: "sub_1", Breaker: switchboard.BreakerOpen, BreakerSince: e.began, FailingSince: e.began,
		ProbeAt: e.began.Add(switchboard.MinProbeInterval), ProbeInterval: switchboard.MinProbeInterval,
	}
	env.RegisterActivity(&activities.Recoverer{Store: e, Engine: e, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(-e.lag) }})
	return e
}

func (e *endpoint) Operate(_ context.Context, operationID string) error {
	e.started = append(e.started, operationID)
	return nil
}

// NextRecovery releases the oldest delivery, whose attempt ends a second later.
func (e *endpoint) NextRecovery(context.Context, string) (switchboard.RecoveryStep, error) {
	e.steps++
	now := e.env.Now().UTC().Add(-e.lag)
	if e.faults > 0 {
		e.faults--
		return switchboard.RecoveryStep{}, errors.New("Postgres is away")
	}
	if e.gone {
		return switchboard.RecoveryStep{}, nil
	}
	step := e.health.Recovery(now)
	switch {
	case !step.Due:
		return step, nil
	case e.health.Breaker != switchboard.BreakerOpen:
		e.health.DeferredUntil = time.Time{}
		return switchboard.RecoveryStep{Breaker: e.health.Breaker, Operation: "op_1"}, nil
	case len(e.held) == 0:
		e.health.HalfOpen()
		return e.health.Recovery(now), nil
	}
	e.probes, e.due = append(e.probes, now.Sub(e.began)), append(e.due, e.health.ProbeAt.Sub(e.began))
	e.health.LetThrough(now, e.held[0])
	e.held = e.held[1:]
	e.env.RegisterDelayedCallback(e.endProbe, time.Second)
	return e.health.Recovery(now), nil
}

// endProbe reports the probe's attempt, and wakes the workflow as the process of the attempt does.
func (e *endpoint) endProbe() {
	now, verdict := e.env.Now().UTC(), switchboard.EndpointFails
	if !e.works.IsZero() && !now.Before(e.works) {
		verdict = switchboard.EndpointWorks
	}
	s := switchboard.Subscription{}
	s.SetDefaults()
	change := e.health.Observe(now, switchboard.HealthReport{
		Breaker: s.Breaker, DeliveryID: e.health.ProbeDeliveryID, At: now, Verdict: verdict, Reason: "http_503",
	})
	if change.Disable != "" {
		e.gone = true
	}
	e.wake()
}

func (e *endpoint) wake() { e.env.SignalWorkflow(workflows.RecoverSignal, nil) }

func (e *endpoint) run(t *testing.T) workflows.RecoverResult {
	t.Helper()
	e.env.ExecuteWorkflow(workflows.Recover, activities.RecoverInput{SubscriptionID: "sub_1"})
	var result workflows.RecoverResult
	if err := e.env.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	if err := e.env.GetWorkflowResult(&result); err != nil {
		t.Fatal(err)
	}
	return result
}

func deliveriesHeld(n int) []string {
	held := make([]string, n)
	for i := range held {
		held[i] = switchboard.NewID(switchboard.DeliveryPrefix, time.Now())
	}
	return held
}

// TestRecoverStory: probes after 30 s, then after twice as long each time, until one succeeds.
func TestRecoverStory(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	e.held, e.works = deliveriesHeld(10), e.began.Add(10*time.Minute)
	result := e.run(t)
	if len(e.probes) != 5 || !slices.Equal(e.probes, e.due) || result.Breaker != switchboard.BreakerClosed {
		t.Fatalf("probes at %v, %+v; want five, at %v", e.probes, result, e.due)
	}
	// Each wait begins when the probe before it has failed, a second after its release.
	for i, interval := 1, 2*switchboard.MinProbeInterval; i < len(e.probes); i, interval = i+1, 2*interval {
		wait := e.probes[i] - e.probes[i-1] - time.Second
		if wait < interval || float64(wait) > (1+switchboard.ProbeJitter)*float64(interval) {
			t.Errorf("probe %d comes after %s, want %s, or up to a quarter more", i, wait, interval)
		}
	}
}

// TestRecoverEnds: with nothing to wait for, the workflow ends.
func TestRecoverEnds(t *testing.T) {
	t.Parallel()
	const afterLastProbe = -1
	for name, c := range map[string]struct {
		change func(*endpoint)
		want   workflows.RecoverResult
		lasts  time.Duration
		probes int
	}{
		"nothing held: the next delivery is the probe": {func(*endpoint) {}, workflows.RecoverResult{Breaker: switchboard.BreakerHalfOpen}, 30 * time.Second, 0},
		"the subscription is not active":               {func(e *endpoint) { e.gone = true }, workflows.RecoverResult{}, 0, 0},
		"it is paused meanwhile": {func(e *endpoint) {
			e.held = deliveriesHeld(10)
			e.env.RegisterDelayedCallback(func() { e.gone = true; e.wake() }, 20*time.Second)
		}, workflows.RecoverResult{}, 20 * time.Second, 0},
		"it is resumed meanwhile": {func(e *endpoint) {
			e.held = deliveriesHeld(10)
			e.env.RegisterDelayedCallback(func() { e.health.Close(e.env.Now()); e.wake() }, 20*time.Second)
		}, workflows.RecoverResult{Breaker: switchboard.BreakerClosed}, 20 * time.Second, 0},
		"the receiver's time is over": {func(e *endpoint) {
			e.health = switchboard.Health{SubscriptionID: "sub_1", Breaker: switchboard.BreakerClosed, DeferredUntil: e.began.Add(time.Hour)}
		}, workflows.RecoverResult{Breaker: switchboard.BreakerClosed, Operation: "op_1"}, time.Hour, 0},
		"the receiver asks for longer": {func(e *endpoint) {
			e.health = switchboard.Health{SubscriptionID: "sub_1", Breaker: switchboard.BreakerClosed, DeferredUntil: e.began.Add(time.Minute)}
			e.env.RegisterDelayedCallback(func() { e.health.DeferredUntil = e.began.Add(time.Hour); e.wake() }, 30*time.Second)
		}, workflows.RecoverResult{Breaker: switchboard.BreakerClosed, Operation: "op_1"}, time.Hour, 0},
		"the probe waits for the receiver": {func(e *endpoint) {
			e.health.DeferredUntil, e.held, e.works = e.began.Add(time.Hour), deliveriesHeld(1), e.began
		}, workflows.RecoverResult{Breaker: switchboard.BreakerClosed}, time.Hour + time.Second, 1},
		"Postgres is away for a while": {func(e *endpoint) { e.faults = 3; e.gone = true }, workflows.RecoverResult{}, 7 * time.Second, 0},
		"disabled after five days of failures": {func(e *endpoint) {
			e.held, e.health.FailingSince = deliveriesHeld(10), e.began.Add(3*time.Minute-5*24*time.Hour)
		}, workflows.RecoverResult{}, afterLastProbe, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t)
			c.change(e)
			result := e.run(t)
			lasted := e.env.Now().UTC().Sub(e.began)
			if c.lasts == afterLastProbe && len(e.probes) > 0 {
				c.lasts = e.probes[len(e.probes)-1] + time.Second
			}
			if result != c.want || lasted != c.lasts || len(e.probes) != c.probes {
				t.Errorf("%+v after %s, probes at %v; want %+v after %s", result, lasted, e.probes, c.want, c.lasts)
			}
			if (result.Operation != "") != (len(e.started) == 1) {
				t.Errorf("operations started: %v", e.started)
			}
		})
	}
}

// TestRecoverWithoutResult: a probe whose result does not come is followed by another.
func TestRecoverWithoutResult(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	e.held = deliveriesHeld(2)
	e.health.ProbeDeliveryID, e.health.ProbeAt, e.works = "dlv_lost", e.began.Add(switchboard.ProbeTimeout), e.began
	if result := e.run(t); result.Breaker != switchboard.BreakerClosed || !slices.Equal(e.probes, []time.Duration{time.Minute}) {
		t.Errorf("%+v, probes at %v", result, e.probes)
	}
}

// TestRecoverContinuesAsNew: the history of a breaker that stays open does not grow without bound.
func TestRecoverContinuesAsNew(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	e.health.FailingSince = e.began.AddDate(1, 0, 0) // so that it is not disabled
	e.held = deliveriesHeld(10_000)
	e.env.ExecuteWorkflow(workflows.Recover, activities.RecoverInput{SubscriptionID: "sub_1"})
	next, ok := errors.AsType[*workflow.ContinueAsNewError](e.env.GetWorkflowError())
	if !ok || next.WorkflowType.Name != "Recover" || e.steps > 250 {
		t.Errorf("%v after %d steps", e.env.GetWorkflowError(), e.steps)
	}
}

// TestRecoverOfALateClock: if the worker's clock is behind Temporal's the probe comes later by as
// much, and the workflow does not ask more often.
func TestRecoverOfALateClock(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	e.lag = 10 * time.Second
	result := e.run(t)
	if result.Breaker != switchboard.BreakerHalfOpen || e.steps != 2 {
		t.Errorf("breaker %s after %d steps, want half_open after 2", result.Breaker, e.steps)
	}
}
