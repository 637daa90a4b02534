package workflows

import "github.com/seed-49a43567/switchboard"

// What the workflows, and those who start, look for or name them, agree on. A delivery's workflow
// has the delivery's id.
const (
	// TaskQueue is where deliveries and the reconciler run.
	TaskQueue = "deliveries"
	// AttemptActivityID is the id of the regular activity of every delivery, so that an operator's
	// retry can name it without asking for it first.
	AttemptActivityID = "attempt"
	// GenerationMemo is the memo that holds the delivery's generation, which a workflow was
	// started for. The first, that of nearly all, has none: what Temporal stores for it it also
	// writes four times.
	GenerationMemo = "generation"
	// RecoverSignal wakes the workflow that recovers an endpoint: its health has changed.
	RecoverSignal = "health changed"
	// ResumeSignal lets the workflow of an operation go on that was paused.
	ResumeSignal = "operation resumed"
)

// RecoverID is the id of the workflow that recovers the endpoint of a subscription.
func RecoverID(subscriptionID string) string { return "recover-" + subscriptionID }

// DeliverResult is how a delivery's workflow ended.
type DeliverResult struct {
	State        switchboard.State `json:"state"`
	AttemptsMade int               `json:"attempts_made"`
}

// All lists the workflows. A worker registers each, and the recorded histories of each must replay.
func All() []any {
	return []any{Deliver, Operate, Recover, Reconcile, RollUp, Retain, Erase}
}
