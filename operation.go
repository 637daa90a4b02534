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
	ID             string
	Tenant         string
	SubscriptionID string
	Action         ActionKind // release or cancel
	State          OperationState
	Rate           float64   // deliveries a second; 0: as fast as it goes
	Reason         string    // why it was started, in words
	Actor          string    // key_…, or switchboard
	Person         string    // who used the key, as they named themselves; may be empty
	Total          int       // deliveries that it is about, counted when it was started
	Done           int       // that it has changed
	Skipped        int       // that it has left as they are, because another reason holds them
	CreatedAt      time.Time // when it was started
	UpdatedAt      time.Time // of its last step
	FinishedAt     time.Time // zero: it runs
}
