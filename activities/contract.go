package activities

import (
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// The inputs and results of activities: what crosses to Temporal. Histories of workflows that
// are under way hold them, so that fields are only added.

// SlowTaskQueue is where the attempts of slow endpoints are made: by activities alone, with slots of
// their own. An activity stays on the queue that it was scheduled on; its slot is that of the
// endpoint's class at each attempt.
const SlowTaskQueue = "deliveries-slow"

// DeliverInput is the input of a delivery's workflow.
type DeliverInput struct {
	DeliveryID string `json:"delivery_id"`
	Generation int    `json:"generation"` // of the delivery, that the workflow run works for
}

// AttemptInput asks for one attempt, if one is due.
type AttemptInput struct {
	DeliverInput
	Reset      bool                        `json:"reset,omitempty"`      // the workflow was reset in Temporal: deliver again
	Unrecorded *inflight.UnrecordedOutcome `json:"unrecorded,omitempty"` // of the first attempt
	// LostAt is when an earlier execution of the local activity began whose result is lost
	// with its worker; zero: there is none. It stays in the process.
	LostAt time.Time `json:"lost_at,omitzero"`
}

// AttemptResult is where the delivery stands after the activity.
type AttemptResult struct {
	State         switchboard.State           `json:"state"`
	Reason        string                      `json:"reason,omitempty"`
	AttemptsMade  int                         `json:"attempts_made"`
	StatusCode    int                         `json:"status_code,omitempty"`
	NextAttemptAt time.Time                   `json:"next_attempt_at,omitzero"`
	Retry         switchboard.RetryPolicy     `json:"retry,omitzero"`       // of the subscription as it is now; left out where nothing follows, since every byte costs Temporal
	Unrecorded    *inflight.UnrecordedOutcome `json:"unrecorded,omitempty"` // the request was sent, and Postgres was away
	TemporalRunID string                      `json:"temporal_run_id"`      // of the workflow run that this was found in
	Permanent     bool                        `json:"permanent,omitempty"`  // it has failed because no later attempt can succeed
	// Outdated says that a later generation of the delivery has started, as by an operator's
	// retry: the workflow run of this one has nothing more to do.
	Outdated bool `json:"outdated,omitempty"`
	// TaskQueue is where the regular activity is to run, with that fairness key; empty: on that of
	// the workflow, with its key.
	TaskQueue   string `json:"task_queue,omitempty"`
	FairnessKey string `json:"fairness_key,omitempty"`
}

// HasNextAttempt reports whether another attempt follows in this generation.
func (r AttemptResult) HasNextAttempt() bool { return r.State.HasNextAttempt() && !r.Outdated }

// ReconcileResult counts what a pass of the reconciler found and did.
type ReconcileResult struct {
	Overdue   int `json:"overdue"`   // deliveries whose date had passed
	Restarted int `json:"restarted"` // given their next generation
	Woken     int `json:"woken"`     // whose waiting attempt runs now
	Cancelled int `json:"cancelled"` // whose workflow was cancelled or terminated in Temporal
	Recovered int `json:"recovered"` // endpoints whose workflow was started again
	// Operations are those whose workflow was started again.
	Operations int `json:"operations"`
	Expired    int `json:"expired"` // held for as long as a hold lasts
}
