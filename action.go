package switchboard

import "time"

// Verb is what was done in an [Action].
type Verb string

// What an operator can do to a delivery.
const (
	VerbRetry  Verb = "retry"
	VerbCancel Verb = "cancel"
	VerbReset  Verb = "reset" // of its workflow, in Temporal itself
	VerbHold   Verb = "hold"

	VerbRelease Verb = "release"
)

// Actors that are not API keys.
const (
	ActorTemporal    = "temporal"    // somebody, in Temporal's own UI, CLI or API
	ActorSwitchboard = "switchboard" // ourselves, or one of our own commands
)

// Action is what an operator did to a delivery: who, what, why, when.
type Action struct {
	At     time.Time
	Actor  string // key_…, or one of the actors above
	Verb   Verb
	Reason string // in the operator's words; may be empty
}
