package switchboard

import (
	"slices"
	"time"
)

// OperationState is whether an operation runs.
type OperationState string

// The states of an operation.
const (
	OperationRunning   OperationState = "running"
	OperationPaused    OperationState = "paused"
	OperationFinished  OperationState = "finished"
	OperationCancelled OperationState = "cancelled"
)

// Ended reports whether an operation in that state has ended.
func (s OperationState) Ended() bool { return s == OperationFinished || s == OperationCancelled }

// Limits of an operation.
const (
	// PlanLifetime is how long a plan can be started.
	PlanLifetime = 15 * time.Minute
	// MaxSupportItems is how many deliveries or events one operation of a support key may have.
	MaxSupportItems = 10_000
	// MinOperationRate is the lowest rate of an operation, in items a second.
	MinOperationRate = 0.01
	// MaxOperationRate is the highest rate.
	MaxOperationRate = 1000.0
	// SendRate is the default rate of an operation that sends deliveries: slow enough for a
	// receiver that was just repaired.
	SendRate = 50.0
)

// Operation is an action on many deliveries. It runs as a workflow of its own, oldest delivery
// first, at a rate.
type Operation struct {
	ID             string         `json:"id" example:"op_01k0000000000000000000000"`
	Tenant         string         `json:"tenant" doc:"Tenant of the deliveries; empty: several tenants" example:"acme"`
	SubscriptionID string         `json:"subscription_id" doc:"Subscription of the deliveries, or the one that gets the events of a replay; empty: several subscriptions" example:"sub_01k0000000000000000000000"`
	Action         ActionKind     `json:"action" enum:"retry,cancel,hold,release,replay" doc:"The action on each delivery"`
	State          OperationState `json:"state" enum:"running,paused,finished,cancelled"`
	Filter         *Selection     `json:"filter,omitempty" doc:"The filter; absent: Switchboard itself started the operation, for all deliveries of the subscription"`
	BoundID        string         `json:"bound_id,omitempty" doc:"Deliveries that were accepted later have greater ids, and are not touched" example:"dlv_01k000000"`
	Rate           float64        `json:"rate" doc:"Deliveries a second; 0: as fast as possible" example:"50"`
	Reason         string         `json:"reason" doc:"Why it was started"`
	Actor          string         `json:"actor" doc:"The API key that started it, or switchboard" example:"key_01k0000000000000000000000"`
	Person         string         `json:"person,omitempty" doc:"The person who used the key, self-named"`
	Total          int            `json:"total" doc:"Number of deliveries or events; 0: not counted yet, or too many to count in time" example:"1200"`
	Done           int            `json:"done" doc:"Number that it has acted on" example:"400"`
	Skipped        int            `json:"skipped" doc:"Number that it has left unchanged: see its items" example:"0"`
	Failed         int            `json:"failed" doc:"Number that it could not act on: see its items" example:"0"`
	CreatedAt      time.Time      `json:"created_at"`
	UpdatedAt      time.Time      `json:"updated_at" doc:"When its last step was made"`
	ExpectedEndAt  time.Time      `json:"expected_end_at,omitzero" doc:"When it will reach the last one at its rate; absent if it does not run or this is not known"`
	FinishedAt     time.Time      `json:"finished_at,omitzero" doc:"When it finished or was cancelled; absent before"`
}

// Handled returns how many deliveries or events the operation has handled.
func (o *Operation) Handled() int { return o.Done + o.Skipped + o.Failed }

// ExpectedEnd returns when a running operation will have handled the last one; zero: unknown.
func (o *Operation) ExpectedEnd(now time.Time) time.Time {
	if o.State != OperationRunning || o.Rate <= 0 || o.Total < o.Handled() || o.Total == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(float64(o.Total-o.Handled()) / o.Rate * float64(time.Second)))
}

// OperationOutcome is the result of an operation for one delivery.
type OperationOutcome string

// The outcomes of an operation's items.
const (
	OutcomeDone    OperationOutcome = "done"
	OutcomeSkipped OperationOutcome = "skipped" // the action does not apply to it, or it no longer matches
	OutcomeFailed  OperationOutcome = "failed"  // Switchboard could not do it
)

// OperationOutcomes lists every outcome.
func OperationOutcomes() []OperationOutcome {
	return []OperationOutcome{OutcomeDone, OutcomeSkipped, OutcomeFailed}
}

// OperationItem is a delivery that an operation has handled, or an event of a replay.
type OperationItem struct {
	DeliveryID string           `json:"delivery_id" doc:"For a replay: the delivery that it made; empty: none" example:"dlv_01k0000000000000000000000"`
	EventID    string           `json:"event_id,omitempty" doc:"For a replay: the event" example:"evt_01k0000000000000000000000"`
	Outcome    OperationOutcome `json:"outcome" enum:"done,skipped,failed"`
	Why        string           `json:"why,omitempty" doc:"Why it was skipped, or has failed" example:"it is delivered, and does not match the filter any more"`
}

// OperationFilter narrows a list of operations. A zero field does not narrow.
type OperationFilter struct {
	Tenant       string
	Subscription string
	State        OperationState
}

// OperationChange is a change that a person makes to an operation.
type OperationChange string

// The changes of an operation.
const (
	PauseOperation  OperationChange = "pause"
	ResumeOperation OperationChange = "resume"
	CancelOperation OperationChange = "cancel"
)

// Change pauses, resumes or cancels an operation. Switchboard's own operations can be paused if
// they send, and never cancelled, because nothing else would end the hold of their deliveries.
func (o *Operation) Change(now time.Time, change OperationChange) error {
	if o.Filter == nil && (change == CancelOperation || o.Action != ActionRelease) {
		return Errorf(CodeConflict, "Switchboard started operation %s by itself, and has to finish it; pause its subscription to keep deliveries from being sent", o.ID)
	}
	from, to := []OperationState{OperationRunning}, OperationPaused
	switch change {
	case ResumeOperation:
		from, to = []OperationState{OperationPaused}, OperationRunning
	case CancelOperation:
		from, to = []OperationState{OperationRunning, OperationPaused}, OperationCancelled
	}
	if !slices.Contains(from, o.State) {
		return Errorf(CodeConflict, "operation %s is %s", o.ID, o.State)
	}
	o.State, o.UpdatedAt = to, now
	if to.Ended() {
		o.FinishedAt = now
	}
	return nil
}

// OperationProgress is the progress of an operation after one of its steps.
type OperationProgress struct {
	Action         ActionKind `json:"action"`
	SubscriptionID string     `json:"subscription_id"`
	Total          int        `json:"total"`
	Done           int        `json:"done"`
	Skipped        int        `json:"skipped"`
	Failed         int        `json:"failed,omitempty"`
	// Changed, Passed and Broken count the deliveries of this step: those that it acted on, that it
	// skipped, and that it could not act on.
	Changed int `json:"changed"`
	Passed  int `json:"passed,omitempty"`
	Broken  int `json:"broken,omitempty"`
	// Wait is how long the next step must wait, so that no more deliveries are dated than will soon
	// be dispatched.
	Wait Duration `json:"wait"`
	// Finished means that no step follows: the operation has ended, or is paused.
	Finished bool           `json:"finished"`
	State    OperationState `json:"state,omitempty"`
}
