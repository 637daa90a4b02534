package switchboard

import "time"

// Verb is what was done in an [Action].
type Verb string

// What an operator can do to a delivery.
const (
	VerbRetry  Verb = "retry"
	VerbCancel Verb = "cancel"
	VerbReset  Verb = "reset" // of its workflow, in Temporal itself
)

// Actors that are not keys.
const (
	ActorTemporal   = "temporal"   // someone used Temporal's UI, CLI or API
	ActorReconciler = "reconciler" // repaired by us
)

// Action is what an operator did to a delivery: who, what, why, when.
type Action struct {
	At     time.Time
	Actor  string // key_…, or one of the actors above
	Verb   Verb
	Reason string // in the operator's words; may be empty
}
