package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/seed-49a43567/switchboard"
)

// Kept is the outcome of an attempt whose request went out while Postgres could
// not record it. Temporal keeps it until it can be: in the result of the local
// activity, or in the heartbeat details of the regular one. The receiver's
// answer itself, headers and body, is not kept.
type UnrecordedOutcome struct {
	AttemptID      string               `json:"attempt_id"`
	Number         int                  `json:"number"`
	Generation     int                  `json:"run,omitempty"` // of the delivery; 0: kept before this was noted, and then it is the present one
	At             time.Time            `json:"at"`
	Timeout        switchboard.Duration `json:"timeout"`
	Load           float64              `json:"load,omitempty"`
	MaxAttempts    int                  `json:"attempts,omitempty"` // 0, as Stretch: kept before there were such limits
	IntervalFactor float64              `json:"stretch,omitempty"`
	Method         string               `json:"method"`
	Bytes          int                  `json:"bytes"`
	StatusCode     int                  `json:"status_code,omitempty"`
	Failure        switchboard.Failure  `json:"failure,omitempty"`
	Latency        switchboard.Duration `json:"latency"`
	RetryAfter     switchboard.Duration `json:"retry_after,omitempty"`
	Permanent      bool                 `json:"permanent,omitempty"`
	Requests       int                  `json:"requests,omitempty"` // 0: none was sent, or kept before they were counted
}

func keep(r switchboard.Record) *UnrecordedOutcome {
	a := r.Attempt
	return &UnrecordedOutcome{
		AttemptID: a.ID, Number: a.Number, Generation: r.Generation, At: a.At, Timeout: switchboard.Duration(a.Timeout),
		Load: a.Load, MaxAttempts: a.MaxAttempts, IntervalFactor: a.IntervalFactor,
		Method: a.Request.Method, Bytes: a.Request.Bytes,
		StatusCode: a.Outcome.StatusCode, Failure: a.Outcome.Failure,
		Latency: switchboard.Duration(a.Outcome.Latency), RetryAfter: switchboard.Duration(a.Outcome.RetryAfter), Permanent: a.Outcome.Permanent, Requests: a.Outcome.Requests,
	}
}

func (k *UnrecordedOutcome) attempt(deliveryID string) switchboard.Attempt {
	return switchboard.Attempt{
		ID: k.AttemptID, DeliveryID: deliveryID, Number: k.Number, At: k.At, Timeout: time.Duration(k.Timeout),
		Load: k.Load, MaxAttempts: k.MaxAttempts, IntervalFactor: k.IntervalFactor,
		Request: switchboard.SentRequest{Method: k.Method, Bytes: k.Bytes},
		Outcome: switchboard.Outcome{
			StatusCode: k.StatusCode, Failure: k.Failure, Latency: time.Duration(k.Latency), RetryAfter: time.Duration(k.RetryAfter), Permanent: k.Permanent, Requests: k.Requests,
			Response: switchboard.Response{Truncated: k.StatusCode != 0}, // nobody is to think that it was empty
			Detail:   k.detail(),
		},
	}
}

// detail says why less is known of the attempt than of others.
func (k *UnrecordedOutcome) detail() string {
	if k.Failure == switchboard.FailureUnknown {
		return "a process of ours ended, or lost its connection to Temporal, while it made this attempt: the request may have been sent"
	}
	return "recorded late: Postgres was away when the answer came"
}

// keptOutcome returns the latest outcome that is kept of the delivery; nil: there is none.
// One that this process has whole, with the receiver's answer, is recorded first.
func (a *Deliveries) keptOutcome(ctx context.Context, in AttemptInput) *UnrecordedOutcome {
	kept := latest(in.Kept, keptInHeartbeat(ctx))
	if here, ok := a.Flights.kept(in.DeliveryID); ok {
		kept = latest(kept, keep(here))
		_, _ = a.commit(ctx, here) // failing that, the delivery's row does not count it yet
	}
	return kept
}

// after reports whether k is the outcome of an attempt that the delivery's row
// does not count yet.
func (k *UnrecordedOutcome) after(d switchboard.Delivery) bool {
	return k != nil && k.Number > d.AttemptsMade
}

// latest is the outcome of the latest attempt among those that are kept; nil: there
// is none. One that was recorded meanwhile may stand in a place that nobody empties. If
// there are two of one attempt, a known outcome counts before an unknown one.
func latest(places ...*UnrecordedOutcome) *UnrecordedOutcome {
	var found *UnrecordedOutcome
	for _, k := range places {
		if k == nil {
			continue
		}
		if found == nil || k.Number > found.Number || k.Number == found.Number && found.Failure == switchboard.FailureUnknown {
			found = k
		}
	}
	return found
}

// keptInHeartbeat returns what an earlier execution of this activity left in its
// heartbeat.
func keptInHeartbeat(ctx context.Context) *UnrecordedOutcome {
	if activity.GetInfo(ctx).IsLocalActivity || !activity.HasHeartbeatDetails(ctx) {
		return nil
	}
	var k UnrecordedOutcome
	if err := activity.GetHeartbeatDetails(ctx, &k); err != nil {
		return nil
	}
	return &k
}
