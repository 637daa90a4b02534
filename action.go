package switchboard

import "time"

// ActionKind is the kind of an [Action].
type ActionKind string

// The kinds of action.
const (
	ActionRetry   ActionKind = "retry"
	ActionCancel  ActionKind = "cancel"
	ActionReset   ActionKind = "reset" // of its workflow, in Temporal itself
	ActionHold    ActionKind = "hold"
	ActionRelease ActionKind = "release"
	ActionResend  ActionKind = "resend" // on the original and the copy
	ActionReplay  ActionKind = "replay" // the delivery was made from an event that was accepted before
)

// Actors that are not API keys.
const (
	ActorTemporal    = "temporal"    // a person, in Temporal's own UI, CLI or API
	ActorSwitchboard = "switchboard" // Switchboard itself, or one of its own commands
)

// Action is something that an operator, or Switchboard itself, did to a delivery, apart from its
// attempts: who, what, why, when.
type Action struct {
	At      time.Time
	Actor   string // key_…, or one of the actors above
	KeyName string // the name of that key; empty: the actor is not a key. Not stored with the action
	Person  string // who used the key, as that person gave it; may be empty
	Kind    ActionKind
	Reason  string // in the actor's words; may be empty
}
