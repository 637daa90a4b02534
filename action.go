package switchboard

import "time"

// ActionKind is what was done in an [Action].
type ActionKind string

// The kinds of action.
const (
	ActionRetry   ActionKind = "retry"
	ActionCancel  ActionKind = "cancel"
	ActionReset   ActionKind = "reset" // of its workflow, in Temporal itself
	ActionHold    ActionKind = "hold"
	ActionRelease ActionKind = "release"
	ActionResend  ActionKind = "resend" // of a copy; both deliveries have it
	ActionReplay  ActionKind = "replay" // the delivery was made from an event that was accepted before
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
	KeyName string // the name of that key; empty: the actor is no key. Not stored with the action
	Person  string // who used the key, as they named themselves; may be empty
	Kind    ActionKind
	Reason  string // in the actor's words; may be empty
}
