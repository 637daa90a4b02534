package switchboard

import "time"

// Verb is what was done in an [Action].
type Verb string

// What can be done to a delivery.
const (
	VerbRetry   Verb = "retry"
	VerbCancel  Verb = "cancel"
	VerbReset   Verb = "reset"   // of its workflow, in Temporal itself
	VerbHold    Verb = "hold"    // only by Switchboard: the address of the subscription is not verified
	VerbRelease Verb = "release" // only by Switchboard: the address is verified now
)

// Actors that are not API keys.
const (
	ActorTemporal    = "temporal"    // somebody, in Temporal's own UI, CLI or API
	ActorSwitchboard = "switchboard" // ourselves, or one of our own commands
)

// Action is what an operator or Switchboard did to a delivery beside its attempts:
// who, what, why, when.
type Action struct {
	At      time.Time
	Actor   string // key_…, or one of the actors above
	KeyName string // the name of that key; empty: it is none. Not stored with the action
	Person  string // who used the key, as they named themselves; may be empty
	Verb    Verb
	Reason  string // in the actor's words; may be empty
}
