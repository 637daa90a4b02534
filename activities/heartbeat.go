package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// heartbeatAfter is how long a request of the regular activity lasts before Temporal gets a
// heartbeat. Each one costs Temporal a write, half of what the attempt costs it. Nearly all
// receivers answer sooner, and so do dead ones that refuse connections.
const heartbeatAfter = 250 * time.Millisecond

// heartbeat stores an unknown outcome in the heartbeat of the regular activity. If this process
// ends before it records the attempt, the next execution finds the outcome there. Call the returned
// function when the request has ended; it clears the heartbeat if nothing was sent.
func (e *execution) heartbeat(ctx context.Context, r switchboard.Record) (ended func(error)) {
	if e.local || e.Tasks == nil {
		return func(error) {} // a local activity has no heartbeat; the workflow's history shows it
	}
	r.Attempt.Outcome.Failure = switchboard.FailureUnknown
	outcome := inflight.OutcomeOf(r)
	noting, stop := context.WithCancel(ctx)
	var mu sync.Mutex
	noted := false
	timer := time.AfterFunc(heartbeatAfter, func() {
		mu.Lock()
		defer mu.Unlock()
		if noting.Err() == nil {
			noted = true
			_ = e.Tasks.Note(noting, e.taskToken, outcome) // without it this attempt leaves no trace if we are killed, but nothing else is lost
		}
	})
	return func(err error) {
		timer.Stop()
		stop() // also the repetitions while Temporal is away
		mu.Lock()
		defer mu.Unlock()
		if noted && err != nil && !maybeSent(err) {
			emptying, cancel := storeContext(ctx)
			defer cancel()
			_ = e.Tasks.Note(emptying, e.taskToken, &inflight.UnrecordedOutcome{})
		}
	}
}

// heartbeatOutcome returns the outcome that an earlier execution of the regular activity left in
// its heartbeat.
func (e *execution) heartbeatOutcome(ctx context.Context) *inflight.UnrecordedOutcome {
	if e.local || !activity.HasHeartbeatDetails(ctx) {
		return nil
	}
	var outcome inflight.UnrecordedOutcome
	if err := activity.GetHeartbeatDetails(ctx, &outcome); err != nil {
		return nil
	}
	return &outcome
}

// lostOutcome returns the first attempt of the generation with an unknown outcome, if an execution
// of the local activity in another process may have made it and recorded nothing; else nil. An
// execution in this process is not lost: its outcome is recorded or in the buffer.
func (e *execution) lostOutcome(ctx context.Context, loaded switchboard.LoadedDelivery) *inflight.UnrecordedOutcome {
	d := loaded.Delivery
	if !e.local || e.in.LostAt.IsZero() || d.Generation != e.in.Generation || d.AttemptsMade > d.PriorAttempts || !d.State.HasNextAttempt() || e.startedHere(ctx) {
		return nil
	}
	return inflight.OutcomeOf(switchboard.Record{Generation: d.Generation, Attempt: switchboard.Attempt{
		ID: switchboard.NewID(switchboard.AttemptPrefix, e.in.LostAt), DeliveryID: d.ID, Number: d.AttemptsMade + 1, At: e.in.LostAt,
		Timeout: time.Duration(loaded.Subscription.Timeout), Request: switchboard.SentRequest{Method: loaded.Subscription.Request.Method},
		Outcome: switchboard.Outcome{Failure: switchboard.FailureUnknown},
	}})
}

// startedHere reports whether Temporal gave no task of the workflow run to another process. If
// Temporal cannot say, the answer is true: recording an attempt that nobody made is worse than a
// gap.
func (e *execution) startedHere(ctx context.Context) bool {
	if e.Tasks == nil {
		return false
	}
	asking, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	elsewhere, err := e.Tasks.StartedElsewhere(asking, e.in.DeliveryID, e.temporalRunID)
	return err != nil || !elsewhere
}
