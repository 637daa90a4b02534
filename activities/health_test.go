package activities_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// fakeRecovery notes the started workflows.
type fakeRecovery struct {
	started []string
	err     error
}

func (f *fakeRecovery) Recover(_ context.Context, subscriptionID, summary string) error {
	f.started = append(f.started, "recover "+subscriptionID+": "+summary)
	return f.err
}

func (f *fakeRecovery) Operate(_ context.Context, operationID string) error {
	f.started = append(f.started, "operate "+operationID)
	return f.err
}

// TestReportOfAnAttempt: which attempts are reported, and what is started if the report changes
// something.
func TestReportOfAnAttempt(t *testing.T) {
	t.Parallel()
	open := switchboard.Health{Breaker: switchboard.BreakerOpen, BreakerReason: "10 attempts in a row failed, the last with http_503"}
	known := switchboard.Health{SubscriptionID: "sub_1", Breaker: switchboard.BreakerHalfOpen}
	failed := switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx}
	const recovers = "recover sub_1: receiver.example"
	for name, c := range map[string]struct {
		outcome switchboard.Outcome
		known   switchboard.Health
		result  switchboard.HealthResult
		err     error
		reports int
		started []string
	}{
		"a healthy endpoint":     {outcome: switchboard.Outcome{StatusCode: 200}},
		"a failure":              {outcome: failed, reports: 1},
		"a 404":                  {outcome: switchboard.Outcome{StatusCode: 404, Failure: switchboard.FailureHTTP4xx}},
		"a template":             {outcome: switchboard.Outcome{Failure: switchboard.FailureRender}},
		"410":                    {outcome: switchboard.Outcome{StatusCode: 410, Failure: switchboard.FailureHTTP4xx}, reports: 1},
		"success, unhealthy":     {outcome: switchboard.Outcome{StatusCode: 200}, known: known, reports: 1},
		"the store is away":      {outcome: failed, err: errors.New("away"), reports: 1},
		"it opens the breaker":   {outcome: failed, result: switchboard.HealthResult{Health: open, Change: switchboard.HealthChange{Opened: true}}, reports: 1, started: []string{recovers + " · " + open.BreakerReason}},
		"the breaker stays open": {outcome: failed, result: switchboard.HealthResult{Health: open, Change: switchboard.HealthChange{Reopened: true}}, reports: 1, started: []string{recovers + " · " + open.BreakerReason}},
		"it closes the breaker": {outcome: switchboard.Outcome{StatusCode: 200}, known: known, reports: 1,
			result: switchboard.HealthResult{Change: switchboard.HealthChange{Closed: true}, Operation: "op_1"}, started: []string{recovers, "operate op_1"}},
		"the receiver asks to wait": {outcome: failed, reports: 1, started: []string{recovers + " · the receiver asked to wait"},
			result: switchboard.HealthResult{Health: switchboard.Health{DeferredUntil: time.Now().Add(time.Minute)}, Change: switchboard.HealthChange{Deferred: true}}},
		"it disables the subscription": {outcome: failed, reports: 1, result: switchboard.HealthResult{Change: switchboard.HealthChange{Disable: "it said so"}}, started: []string{recovers}},
	} {
		d, recovery := newFakeStore(t), &fakeRecovery{}
		d.Recovery, d.outcome, d.healthAfter, d.reportErr = recovery, c.outcome, c.result, c.err
		d.loaded.Health, d.loaded.Delivery.Host, d.loaded.Delivery.SubscriptionID = c.known, "receiver.example", "sub_1"
		_, _ = d.attempt(activities.AttemptInput{}) // a failed attempt fails the activity, with its next date
		if len(d.recorded) != 1 || len(d.reports) != c.reports || !slices.Equal(recovery.started, c.started) {
			t.Errorf("%s: %d recorded, %d reported, started %q; want %d reported, started %q", name, len(d.recorded), len(d.reports), recovery.started, c.reports, c.started)
		}
	}
}

// TestParkedBehindTheBreaker: a delivery whose attempt finds the breaker open, or opens it, is parked at
// once; in backoff it would keep its workflow for that.
func TestParkedBehindTheBreaker(t *testing.T) {
	t.Parallel()
	failed := switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx}
	for name, c := range map[string]struct {
		outcome switchboard.Outcome
		breaker switchboard.BreakerState
		probe   string
		want    switchboard.State
	}{
		"opens it":                     {failed, switchboard.BreakerOpen, "", switchboard.StateHeld},
		"another one is the probe":     {failed, switchboard.BreakerOpen, "dlv_2", switchboard.StateHeld},
		"it is the probe":              {failed, switchboard.BreakerOpen, "dlv_1", switchboard.StateRetrying},
		"closed":                       {failed, switchboard.BreakerClosed, "", switchboard.StateRetrying},
		"half open":                    {failed, switchboard.BreakerHalfOpen, "", switchboard.StateRetrying},
		"delivered":                    {switchboard.Outcome{StatusCode: 200}, switchboard.BreakerOpen, "", switchboard.StateDelivered},
		"no later attempt can succeed": {switchboard.Outcome{StatusCode: 410, Failure: switchboard.FailureHTTP4xx}, switchboard.BreakerOpen, "", switchboard.StateFailed},
	} {
		d := newFakeStore(t)
		d.outcome, d.healthAfter.Health = c.outcome, switchboard.Health{SubscriptionID: "sub_1", Breaker: c.breaker, ProbeDeliveryID: c.probe}
		d.loaded.Health = switchboard.Health{SubscriptionID: "sub_1", Breaker: switchboard.BreakerHalfOpen}
		_, _ = d.attempt(activities.AttemptInput{}) // a retried one fails the activity, with its next date
		if d.loaded.Delivery.State != c.want || d.sent != 1 {
			t.Errorf("%s: %s after %d requests, want %s", name, d.loaded.Delivery.State, d.sent, c.want)
		}
	}
}

// TestReportWithoutTemporal: the reconciler starts what could not be started, and the delivery is
// not affected.
func TestReportWithoutTemporal(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	recovery := &fakeRecovery{err: errors.New("Temporal is away")}
	d.Recovery, d.outcome = recovery, switchboard.Outcome{StatusCode: 200}
	d.loaded.Health = switchboard.Health{SubscriptionID: "sub_1", Breaker: switchboard.BreakerOpen}
	d.loaded.Health.ProbeDeliveryID = "dlv_1"
	d.healthAfter = switchboard.HealthResult{Change: switchboard.HealthChange{Closed: true}, Operation: "op_1"}
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || result.State != switchboard.StateDelivered || len(recovery.started) != 1 {
		t.Errorf("%v, %v, started %q", result, err, recovery.started)
	}
}

// TestAbortedMessage: the receiver ends the delivery.
func TestAbortedMessage(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.outcome = switchboard.Outcome{StatusCode: 500, Failure: switchboard.FailureHTTP5xx, Wish: switchboard.WishAbortMessage}
	result, err := d.attempt(activities.AttemptInput{})
	if err != nil || result.State != switchboard.StateFailed || result.Reason != switchboard.ReasonRejectedByReceiver || !result.Permanent {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestWishOfAnUnrecordedOutcome: it is known when Postgres is available again, however long that
// takes.
func TestWishOfAnUnrecordedOutcome(t *testing.T) {
	t.Parallel()
	o := inflight.OutcomeOf(switchboard.Record{Attempt: switchboard.Attempt{Outcome: switchboard.Outcome{Wish: switchboard.WishDisable}}})
	if got := o.Attempt("dlv_1").Outcome.Wish; got != switchboard.WishDisable {
		t.Errorf("%q", got)
	}
}
