package activities_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// local makes the attempt of the delivery as the local activity.
func (d *fakeStore) local(t *testing.T) activities.AttemptResult {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	in := activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_1", Generation: 1}}
	value, err := suite.NewTestActivityEnvironment().ExecuteLocalActivity(d.Deliveries.Attempt, in)
	if err != nil {
		t.Fatal(err)
	}
	var result activities.AttemptResult
	if err := value.Get(&result); err != nil {
		t.Fatal(err)
	}
	return result
}

// TestAttemptTakesItsTurn: an attempt waits for a turn that comes soon, and is parked for one that
// does not. Only a subscription with a rate limit needs a call for it.
func TestAttemptTakesItsTurn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit  float64
		reason string        // of the delivery
		turn   time.Duration // when the store has one
		turns  int
		sent   int
		parked bool
	}{
		"no rate limit":            {0, "", time.Hour, 0, 1, false},
		"its turn is now":          {10, "", 0, 1, 1, false},
		"its turn is soon":         {10, "", 30 * time.Millisecond, 1, 1, false},
		"its turn is late":         {10, "", 1001 * time.Millisecond, 1, 0, true},
		"released with its turn":   {10, switchboard.ReasonRateLimited, time.Hour, 0, 1, false},
		"released for another one": {10, switchboard.ReasonWaitingForSlot, 0, 1, 1, false},
	} {
		d := newFakeStore(t)
		d.loaded.Subscription.RateLimit = switchboard.RateLimit{PerSecond: c.limit}
		d.loaded.Delivery.Reason, d.turn = c.reason, c.turn
		begin := time.Now()
		var waited time.Duration
		d.sending = func(context.Context) { waited = time.Since(begin) }
		result, err := d.attempt(activities.AttemptInput{})
		if err != nil || d.turns != c.turns || d.sent != c.sent {
			t.Errorf("%s: %v; asked for %d turns and sent %d requests, want %d and %d", name, err, d.turns, d.sent, c.turns, c.sent)
		}
		if (len(d.queued) == 1) != c.parked || c.parked && (result.State != switchboard.StateHeld || result.Reason != switchboard.ReasonRateLimited) {
			t.Errorf("%s: queued %v, ended as %s %s", name, d.queued, result.State, result.Reason)
		}
		if c.sent == 1 && c.turns == 1 && waited < c.turn {
			t.Errorf("%s: sent after %s", name, waited)
		}
		if load := d.Limiter.Load(); load != 0 {
			t.Errorf("%s: a load of %g is left", name, load)
		}
	}
}

// TestAttemptThatIsAbortedWhileItWaitsSendsNothing: its row says why.
func TestAttemptThatIsAbortedWhileItWaitsSendsNothing(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Subscription.RateLimit = switchboard.RateLimit{PerSecond: 1}
	d.turn = 900 * time.Millisecond
	d.asked = func() { d.InFlight.Abort("dlv_1") }
	_, err := d.attempt(activities.AttemptInput{})
	if _, wait := delay(t, err); wait > time.Second || d.sent != 0 || d.Limiter.Load() != 0 {
		t.Errorf("%d requests, executed again in %s, load %g", d.sent, wait, d.Limiter.Load())
	}
}

// TestAttemptBeyondTheCapIsQueued: the end of a request releases the next.
func TestAttemptBeyondTheCapIsQueued(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	var ended []string
	d.Released = func(subscription string) { ended = append(ended, subscription) }
	due := d.loaded.Delivery
	d.sending = func(context.Context) {
		d.sending = func(context.Context) {}
		if len(ended) > 0 {
			t.Error("released before a request has ended")
		}
		result, err := d.attempt(activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_2", Generation: 1}})
		if err != nil || result.State != switchboard.StateHeld || result.Reason != switchboard.ReasonWaitingForSlot || len(d.queued) != 1 {
			t.Errorf("%+v, %v; queued %v", result, err, d.queued)
		}
		d.loaded.Delivery = due // the store has one row for all
	}
	if result, err := d.attempt(activities.AttemptInput{}); err != nil || result.State != switchboard.StateDelivered {
		t.Fatal(result, err)
	}
	if len(ended) != 1 || ended[0] != "sub_1" || d.sent != 1 {
		t.Errorf("the end of %v was told after %d requests", ended, d.sent)
	}
}

// TestSlowEndpointIsLeftToTheRegularActivity: the local one would hold the slot of a workflow task.
func TestSlowEndpointIsLeftToTheRegularActivity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		slow bool          // it is known to be slow
		age  time.Duration // of a running request
		left bool
	}{
		"nothing is known":      {false, 0, false},
		"known to be slow":      {true, 0, true},
		"one is under way":      {false, time.Second, false},
		"one is under way long": {false, 1001 * time.Millisecond, true},
	} {
		d := newFakeStore(t)
		begin := time.Now()
		now := begin.Add(c.age)
		d.Now = func() time.Time { return now }
		d.loaded.Subscription.MaxInFlight, d.loaded.Health.Slow = 16, c.slow
		if c.age > 0 {
			d.Limiter.Take(inflight.Request{Subscription: &d.loaded.Subscription}, begin)
		}
		result := d.local(t)
		if left := result.TaskQueue == activities.SlowTaskQueue; left != c.left || (d.sent == 0) != c.left {
			t.Errorf("%s: task queue %q after %d requests", name, result.TaskQueue, d.sent)
		}
		if c.left && (result.FairnessKey != "sub_1" || !result.HasNextAttempt() || result.NextAttemptAt.After(now)) {
			t.Errorf("%s: left as %+v, want it due, with its subscription as the key", name, result)
		}
		if c.left {
			if result, err := d.attempt(activities.AttemptInput{}); err != nil || result.State != switchboard.StateDelivered || d.sent != 1 {
				t.Errorf("%s: the regular activity ended %v, %v after %d requests", name, result, err, d.sent)
			}
		}
	}
}

// TestClassOfAnEndpointIsToldOnce: it is stored once after it has changed.
func TestClassOfAnEndpointIsToldOnce(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	due := d.loaded.Delivery
	d.outcome.Latency = 3 * time.Second
	for range 3 {
		d.loaded.Delivery = due
		if _, err := d.attempt(activities.AttemptInput{}); err != nil {
			t.Fatal(err)
		}
		if len(d.slow) > 0 {
			d.loaded.Health.Slow = d.slow[len(d.slow)-1] // as in the next load
		}
	}
	if len(d.slow) != 1 || !d.slow[0] {
		t.Errorf("told %v, want once that it is slow", d.slow)
	}
}

// TestParkIsDecidedAgain: a delivery that was to be parked is sent if it may be when its row is
// locked, and not if it has been cancelled since.
func TestParkIsDecidedAgain(t *testing.T) {
	t.Parallel()
	for state, sent := range map[switchboard.State]int{switchboard.StatePending: 1, switchboard.StateCancelled: 0} {
		d := newFakeStore(t)
		d.loaded.Subscription.State, d.resumed = switchboard.SubscriptionPaused, true
		d.afterHold = func() { d.loaded.Delivery.State = state }
		result, err := d.attempt(activities.AttemptInput{})
		if err != nil || d.sent != sent || result.State.HasNextAttempt() {
			t.Errorf("%s meanwhile: ended as %s, %v after %d requests, want %d", state, result.State, err, d.sent, sent)
		}
	}
}
