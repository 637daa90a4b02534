package activities

import (
	"context"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/seed-49a43567/switchboard"
)

// traceAfter is how long a request of the regular activity is under way before it is noted
// in Temporal. Each note costs Temporal a write, half of what the attempt costs it; nearly
// all receivers answer sooner, and so do dead ones that refuse.
const traceAfter = 250 * time.Millisecond

// trace writes an unknown outcome into the heartbeat of the regular activity. If this
// process ends before it records the attempt, the next execution finds it there. Call the
// function it returns when the request has ended; it drops the note if nothing was sent.
func (a *Deliveries) trace(ctx context.Context, r switchboard.Record) (ended func(error)) {
	if isFirst(ctx) || a.Tasks == nil {
		return func(error) {} // has no heartbeat; the workflow's history knows
	}
	token := activity.GetInfo(ctx).TaskToken
	r.Attempt.Outcome.Failure = switchboard.FailureUnknown
	note := keep(r)
	noting, stop := context.WithCancel(ctx)
	var mu sync.Mutex
	noted := false
	timer := time.AfterFunc(traceAfter, func() {
		mu.Lock()
		defer mu.Unlock()
		if noting.Err() == nil {
			noted = true
			_ = a.Tasks.Note(noting, token, note) // without it there is no trace, and nothing else is lost
		}
	})
	return func(err error) {
		timer.Stop()
		stop() // also what is repeated while Temporal is away
		mu.Lock()
		defer mu.Unlock()
		if noted && err != nil && !maybeSent(err) {
			dropping, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
			defer cancel()
			_ = a.Tasks.Note(dropping, token, &UnrecordedOutcome{})
		}
	}
}

// lost returns the first attempt of the run with an unknown outcome, if an execution of the
// local activity in another process may have made it and recorded nothing; else nil. An
// execution in this process is not lost: what it sent is recorded or kept.
func (a *Deliveries) lost(ctx context.Context, in AttemptInput, work switchboard.LoadedDelivery) *UnrecordedOutcome {
	d := work.Delivery
	if in.LostAt.IsZero() || !isFirst(ctx) || d.Generation != in.Generation || d.AttemptsMade > d.PriorAttempts || !d.State.HasNextAttempt() || a.wasHere(ctx, d.ID) {
		return nil
	}
	return keep(switchboard.Record{Generation: d.Generation, Attempt: switchboard.Attempt{
		ID: switchboard.NewID(switchboard.AttemptPrefix, in.LostAt), DeliveryID: d.ID, Number: d.AttemptsMade + 1, At: in.LostAt,
		Timeout: time.Duration(work.Subscription.Timeout), Request: switchboard.SentRequest{Method: work.Subscription.Request.Method},
		Outcome: switchboard.Outcome{Failure: switchboard.FailureUnknown},
	}})
}

// wasHere reports whether no other process was given a task of the workflow run, as far
// as Temporal can say: an attempt that nobody made is worse in the record than a gap.
func (a *Deliveries) wasHere(ctx context.Context, deliveryID string) bool {
	if a.Tasks == nil {
		return false
	}
	asking, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	elsewhere, err := a.Tasks.StartedElsewhere(asking, deliveryID, runID(ctx))
	return err != nil || !elsewhere
}
