package activities

import (
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// The inputs and results of activities, which Temporal stores. Histories of running workflows
// contain them, so fields may only be added.

// SlowTaskQueue is the queue of attempts to slow endpoints. Only activities run on it, with slots
// of their own. An activity stays on the queue on which it was scheduled, but its slot is that of
// the endpoint's current class.
const SlowTaskQueue = "deliveries-slow"

// DeliverInput is the input of a delivery's workflow.
type DeliverInput struct {
	DeliveryID string `json:"delivery_id"`
	Generation int    `json:"generation"` // of the delivery, for which the workflow run was started
}

// AttemptInput is the input of an attempt, if one is due.
type AttemptInput struct {
	DeliverInput
	Reset      bool                        `json:"reset,omitempty"`      // the workflow was reset in Temporal: deliver again
	Unrecorded *inflight.UnrecordedOutcome `json:"unrecorded,omitempty"` // of the first attempt
	// LostAt is when an earlier execution of the local activity began, whose result was lost with
	// its worker; zero: none. It is not stored in Temporal.
	LostAt time.Time `json:"lost_at,omitzero"`
}

// AttemptResult is the state of the delivery after the activity.
type AttemptResult struct {
	State         switchboard.State           `json:"state"`
	Reason        string                      `json:"reason,omitempty"`
	AttemptsMade  int                         `json:"attempts_made"`
	StatusCode    int                         `json:"status_code,omitempty"`
	NextAttemptAt time.Time                   `json:"next_attempt_at,omitzero"`
	Retry         switchboard.RetryPolicy     `json:"retry,omitzero"`       // of the subscription as it is now; left out where nothing follows, since every byte costs Temporal
	Unrecorded    *inflight.UnrecordedOutcome `json:"unrecorded,omitempty"` // the request was sent, but Postgres was away
	TemporalRunID string                      `json:"temporal_run_id"`      // the run to which this result belongs
	Permanent     bool                        `json:"permanent,omitempty"`  // if it failed: no later attempt can succeed
	// Outdated is set if a later generation of the delivery has started, for example by an
	// operator's retry. The workflow run has nothing more to do.
	Outdated bool `json:"outdated,omitempty"`
	// TaskQueue is the queue on which the regular activity has to run, with FairnessKey; empty: the
	// workflow's own queue and key.
	TaskQueue   string `json:"task_queue,omitempty"`
	FairnessKey string `json:"fairness_key,omitempty"`
}

// HasNextAttempt reports whether another attempt follows in this generation.
func (r AttemptResult) HasNextAttempt() bool { return r.State.HasNextAttempt() && !r.Outdated }

// ReconcileResult counts what a pass of the reconciler did.
type ReconcileResult struct {
	Overdue   int `json:"overdue"`   // overdue deliveries that were found
	Restarted int `json:"restarted"` // given their next generation
	Woken     int `json:"woken"`     // whose waiting attempt runs now
	Cancelled int `json:"cancelled"` // whose workflow was cancelled or terminated in Temporal
	Recovered int `json:"recovered"` // endpoints whose workflow was started again
	// Operations counts operations whose workflow was started again.
	Operations int `json:"operations"`
	Expired    int `json:"expired"` // whose hold ended
}
