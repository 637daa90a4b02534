package activities_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"switchboard/activities"
)

// queue lets so many deliveries ask for a place while the only one is taken by a
// request that has taken that long, and returns for how long each is to wait.
func (d *desk) queue(t *testing.T, n int, taken time.Duration) []time.Duration {
	t.Helper()
	begin := time.Now()
	now := begin
	d.Now = func() time.Time { return now }
	due := d.work.Delivery
	due.NextAttemptAt = begin
	var waits []time.Duration
	d.sending = func(context.Context) {
		now = begin.Add(taken)
		for i := range n {
			d.work.Delivery = due // the desk has one row for all
			_, err := d.attempt(activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: fmt.Sprint("dlv_later_", i), Run: 1}})
			_, wait := delay(t, err)
			waits = append(waits, wait.Round(time.Millisecond))
		}
		d.work.Delivery = due
	}
	if _, err := d.attempt(activities.AttemptInput{}); err != nil {
		t.Fatal(err)
	}
	d.work.Delivery = due
	return waits
}

// Ten thousand that ask every second would leave Temporal no time for anything else.
func TestThoseWithoutAPlaceTakeTurns(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
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

func TestFirstAttemptDoesNotOvertakeThoseWhoWait(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 2, 1: 1} { // requests in all
		d := newDesk(t)
		d.queue(t, n, 20*time.Second)
		var suite testsuite.WorkflowTestSuite
		suite.SetLogger(slog.New(slog.DiscardHandler))
		in := activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_new", Run: 1}}
		d.sending = func(context.Context) {}
		if _, err := suite.NewTestActivityEnvironment().ExecuteLocalActivity(d.Deliveries.Attempt, in); err != nil {
			t.Fatal(err)
		}
		if d.sent != want {
			t.Errorf("%d waiting: %d requests, want %d", n, d.sent, want)
		}
	}
}
