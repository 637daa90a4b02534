package inflight

import (
	"time"

	"github.com/seed-49a43567/switchboard"
)

// UnrecordedOutcome is the outcome of an attempt whose request was sent and which is not recorded
// yet, because Postgres was unavailable. Temporal holds it until then: in the result of the local
// activity, or in the heartbeat of the regular one. It has only the status of the receiver's
// response.
type UnrecordedOutcome struct {
	AttemptID      string                   `json:"attempt_id"`
	Number         int                      `json:"number"`
	Generation     int                      `json:"generation"` // of the delivery
	At             time.Time                `json:"at"`
	Timeout        switchboard.Duration     `json:"timeout"`
	Load           float64                  `json:"load,omitempty"`
	MaxAttempts    int                      `json:"max_attempts,omitempty"`
	IntervalFactor float64                  `json:"interval_factor,omitempty"`
	Method         string                   `json:"method"`
	Bytes          int                      `json:"bytes"`
	StatusCode     int                      `json:"status_code,omitempty"`
	Failure        switchboard.Failure      `json:"failure,omitempty"`
	Latency        switchboard.Duration     `json:"latency"`
	RetryAfter     switchboard.Duration     `json:"retry_after,omitempty"`
	Wish           switchboard.ReceiverWish `json:"wish,omitempty"`
	Permanent      bool                     `json:"permanent,omitempty"`
	Requests       int                      `json:"requests,omitempty"`
}

// OutcomeOf returns the outcome of the attempt.
func OutcomeOf(r switchboard.Record) *UnrecordedOutcome {
	a, o := r.Attempt, r.Attempt.Outcome
	return &UnrecordedOutcome{
		AttemptID: a.ID, Number: a.Number, Generation: r.Generation, At: a.At, Timeout: switchboard.Duration(a.Timeout),
		Load: a.Load, MaxAttempts: a.MaxAttempts, IntervalFactor: a.IntervalFactor, Method: a.Request.Method, Bytes: a.Request.Bytes,
		StatusCode: o.StatusCode, Failure: o.Failure, Latency: switchboard.Duration(o.Latency), RetryAfter: switchboard.Duration(o.RetryAfter), Wish: o.Wish,
		Permanent: o.Permanent, Requests: o.Requests,
	}
}

// Attempt returns the attempt with that outcome, as far as it is known.
func (u *UnrecordedOutcome) Attempt(deliveryID string) switchboard.Attempt {
	return switchboard.Attempt{
		ID: u.AttemptID, DeliveryID: deliveryID, Number: u.Number, At: u.At, Timeout: time.Duration(u.Timeout),
		Load: u.Load, MaxAttempts: u.MaxAttempts, IntervalFactor: u.IntervalFactor,
		Request: switchboard.SentRequest{Method: u.Method, Bytes: u.Bytes},
		Outcome: switchboard.Outcome{
			StatusCode: u.StatusCode, Failure: u.Failure, Latency: time.Duration(u.Latency), RetryAfter: time.Duration(u.RetryAfter), Wish: u.Wish,
			Permanent: u.Permanent, Requests: u.Requests, Detail: u.detail(),
			Response: switchboard.Response{Truncated: u.StatusCode != 0}, // there was a response, which is lost
		},
	}
}

// detail says why less is known of this attempt than of others.
func (u *UnrecordedOutcome) detail() string {
	if u.Failure == switchboard.FailureUnknown {
		return "a process of ours ended, or lost its connection to Temporal, while it made this attempt: the request may have been sent"
	}
	return "recorded late: Postgres did not take the answer when it came"
}

// After reports whether u is the outcome of an attempt that the delivery does not count yet.
func (u *UnrecordedOutcome) After(d switchboard.Delivery) bool {
	return u != nil && u.Number > d.AttemptsMade
}

// Latest returns the outcome of the latest attempt among several sources; nil: there is none. A
// source that is never emptied may have one that was recorded since. If two sources have one of the
// same attempt, a known outcome has priority over an unknown one.
func Latest(sources ...*UnrecordedOutcome) *UnrecordedOutcome {
	var found *UnrecordedOutcome
	for _, u := range sources {
		if u == nil {
			continue
		}
		if found == nil || u.Number > found.Number || u.Number == found.Number && found.Failure == switchboard.FailureUnknown {
			found = u
		}
	}
	return found
}
