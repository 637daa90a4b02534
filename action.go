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

// ActorTemporal is the actor of what was done in Temporal's own UI, CLI or API.
const ActorTemporal = "temporal"

// Action is what an operator did to a delivery: who, what, why, when.
type Action struct {
	At     time.Time
	Actor  string // key_…, or ActorTemporal
	Verb   Verb
	Reason string // in the operator's words; may be empty
}
