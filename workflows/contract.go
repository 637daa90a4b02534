package workflows

import "github.com/seed-49a43567/switchboard"

// Names that the workflows share with the code that starts and finds them. The id of a delivery's
// workflow is the delivery's id.
const (
	// TaskQueue is the queue of all workflows and all activities, except for attempts to slow
	// endpoints.
	TaskQueue = "deliveries"
	// AttemptActivityID is the id of the regular activity of every delivery. It is fixed, so that an
	// operator's retry needs no look-up.
	AttemptActivityID = "attempt"
	// GenerationMemo is the memo with the generation that the workflow was started for. The first
	// generation, which nearly all are, has none, because Temporal writes a memo four times.
	GenerationMemo = "generation"
	// RecoverSignal wakes the workflow that recovers an endpoint: its health has changed.
	RecoverSignal = "health changed"
	// ResumeSignal continues the workflow of a paused operation.
	ResumeSignal = "operation resumed"
)

// RecoverID is the id of the workflow that recovers the endpoint of a subscription.
func RecoverID(subscriptionID string) string { return "recover-" + subscriptionID }

// DeliverResult is how a delivery's workflow ended.
type DeliverResult struct {
	State        switchboard.State `json:"state"`
	AttemptsMade int               `json:"attempts_made"`
}

// All lists the workflows. A worker registers all of them, and recorded histories of all must
// replay.
func All() []any {
	return []any{Deliver, Operate, Recover, Reconcile, RollUp, Retain, Erase}
}
