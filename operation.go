package switchboard

import "time"

// OperationState says whether an operation runs.
type OperationState string

// The states of an operation.
const (
	OperationRunning   OperationState = "running"
	OperationFinished  OperationState = "finished"
	OperationCancelled OperationState = "cancelled"
)

// Operation is an action on many deliveries of a subscription. It runs as a workflow of its own,
// oldest delivery first, at a rate.
type Operation struct {
	ID             string         `json:"id" example:"op_01k0000000000000000000000"`
	Tenant         string         `json:"tenant" example:"acme"`
	SubscriptionID string         `json:"subscription_id" example:"sub_01k0000000000000000000000"`
	Action         ActionKind     `json:"action" enum:"release,cancel" doc:"release: held deliveries are sent. cancel: open ones are cancelled, because their subscription was deleted"`
	State          OperationState `json:"state" enum:"running,finished,cancelled"`
	Rate           float64        `json:"rate" doc:"Deliveries a second; 0: as fast as it goes" example:"50"`
	Reason         string         `json:"reason" doc:"Why it was started"`
	Actor          string         `json:"actor" doc:"The API key that started it, or switchboard" example:"key_01k0000000000000000000000"`
	Person         string         `json:"person,omitempty" doc:"Who used the key, as they named themselves"`
	Total          int            `json:"total" doc:"Deliveries that it is about; 0 before its first step" example:"1200"`
	Done           int            `json:"done" doc:"Those that it has released or cancelled" example:"400"`
	Skipped        int            `json:"skipped" doc:"Those that it has left held, because something else holds them" example:"0"`
	CreatedAt      time.Time      `json:"created_at"`
	UpdatedAt      time.Time      `json:"updated_at" doc:"When its last step was made"`
	FinishedAt     time.Time      `json:"finished_at,omitzero" doc:"Absent while it runs"`
}

// OperationFilter narrows a list of operations. A zero field does not narrow.
type OperationFilter struct {
	Tenant       string
	Subscription string
	State        OperationState
}

// OperationProgress is where an operation stands after one of its steps.
type OperationProgress struct {
	Action         ActionKind `json:"action"`
	SubscriptionID string     `json:"subscription_id"`
	Total          int        `json:"total"`
	Done           int        `json:"done"`
	Skipped        int        `json:"skipped"`
	// Changed counts the deliveries that this step has released or cancelled.
	Changed int `json:"changed"`
	// Wait is how long the next step is to wait, so that no more deliveries are dated than are
	// soon dispatched.
	Wait     Duration `json:"wait"`
	Finished bool     `json:"finished"`
}
