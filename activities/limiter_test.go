package activities_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// queue lets that many deliveries ask for a slot while the only one is taken by a request that has
// taken that long, and returns how long each must wait.
func (d *fakeStore) queue(t *testing.T, n int, taken time.Duration) []time.Duration {
	t.Helper()
	d.Limiter = inflight.NewLimiter(1, 0)
	d.loaded.Subscription.MaxInFlight = 2
	begin := time.Now()
	now := begin
	d.Now = func() time.Time { return now }
	due := d.loaded.Delivery
	due.NextAttemptAt = begin
	var waits []time.Duration
	d.sending = func(context.Context) {
		now = begin.Add(taken)
		for i := range n {
			d.loaded.Delivery = due // the store has one row for all
			_, err := d.attempt(activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: fmt.Sprint("dlv_later_", i), Generation: 1}})
			_, wait := delay(t, err)
			waits = append(waits, wait.Round(time.Millisecond))
		}
		d.loaded.Delivery = due
	}
	if _, err := d.attempt(activities.AttemptInput{}); err != nil {
		t.Fatal(err)
	}
	d.loaded.Delivery = due
	return waits
}

// Ten thousand that ask every second would leave Temporal no time for anything else.
func TestDeliveriesWithoutASlotGetDatesInTurn(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	waits := d.queue(t, 500, 2*time.Second)
	for i, want := range []time.Duration{2 * time.Second, 3 * time.Second, 4 * time.Second} {
		if waits[i] != want {
			t.Errorf("the %d. waits %s, want %s", i+1, waits[i], want)
		}
	}
	for i, wait := range waits[400:] {
		if wait < 2*time.Minute || wait > 5*time.Minute {
			t.Fatalf("the %d. waits %s, want no more than 5 minutes, and not at once either", i+400, wait)
		}
	}
}

// first makes the first attempt of another delivery, and reports whether a request was
// made.
func (d *fakeStore) first(t *testing.T) bool {
	t.Helper()
	before := d.sent
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	in := activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_new", Generation: 1}}
	if _, err := suite.NewTestActivityEnvironment().ExecuteLocalActivity(d.Deliveries.Attempt, in); err != nil {
		t.Fatal(err)
	}
	return d.sent > before
}

// A tenant may have two slots. One is taken when the first attempt comes, and others wait.
func TestFirstAttemptDoesNotOvertakeDeliveriesThatWait(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.Limiter = inflight.NewLimiter(3, 0)
	d.loaded.Subscription.MaxInFlight = 10
	begin := time.Now()
	now, due := begin, d.loaded.Delivery
	d.Now = func() time.Time { return now }
	attempt := func(id string) error {
		d.loaded.Delivery = due // the store has one row for all
		_, err := d.attempt(activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: id, Generation: 1}})
		return err
	}
	second := func(context.Context) {
		now = begin.Add(900 * time.Millisecond) // in time for a fast endpoint
		var wait time.Duration
		for i := range 20 {
			_, wait = delay(t, attempt(fmt.Sprint("dlv_later_", i)))
		}
		if wait < 5*time.Second {
			t.Errorf("the last waits %s, want a date after the others", wait)
		}
	}
	d.sending = func(context.Context) {
		d.sending = second
		if err := attempt("dlv_second"); err != nil {
			t.Error(err)
		}
		d.sending = func(context.Context) {}
		d.loaded.Delivery = due
		if d.first(t) {
			t.Error("a first attempt took the slot that another waits for")
		}
		if d.loaded.Delivery.NextAttemptAt.Before(now) {
			t.Error("its regular activity, which follows at once, finds it due")
		}
	}
	if err := attempt("dlv_1"); err != nil {
		t.Fatal(err)
	}
	d.loaded.Delivery = due
	if !d.first(t) {
		t.Error("a first attempt got no slot while all were free")
	}
}
