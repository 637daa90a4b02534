package switchboard

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// SubscriptionAction is an operator's action on the state of a subscription.
type SubscriptionAction string

// The actions on the state of a subscription. Only the challenge leads to unverified, and out of
// it.
const (
	PauseSubscription   SubscriptionAction = "pause"   // its deliveries are held for a while
	ResumeSubscription  SubscriptionAction = "resume"  // ends a pause
	DisableSubscription SubscriptionAction = "disable" // its deliveries are held until it is enabled
	EnableSubscription  SubscriptionAction = "enable"
)

// transition returns the states that allow the action, and the state that it leads to.
func (a SubscriptionAction) transition() (from []SubscriptionState, to SubscriptionState) {
	switch a {
	case PauseSubscription:
		return []SubscriptionState{SubscriptionActive}, SubscriptionPaused
	case ResumeSubscription:
		return []SubscriptionState{SubscriptionPaused}, SubscriptionActive
	case DisableSubscription:
		return []SubscriptionState{SubscriptionActive, SubscriptionPaused}, SubscriptionDisabled
	case EnableSubscription:
		return []SubscriptionState{SubscriptionDisabled}, SubscriptionActive
	}
	return nil, ""
}

// RequiresReason reports whether the action needs a reason, because people who find deliveries held
// must learn why.
func (a SubscriptionAction) RequiresReason() bool {
	return a == PauseSubscription || a == DisableSubscription
}

// ChangeState brings the subscription to the state that the action leads to. If its state does not
// allow the action, the error is a [CodeConflict] that names the state.
func (s *Subscription) ChangeState(now time.Time, action SubscriptionAction, reason, by string) error {
	from, to := action.transition()
	if !slices.Contains(from, s.State) {
		states := make([]string, len(from))
		for i, state := range from {
			states[i] = string(state)
		}
		return &Error{Code: CodeConflict, Message: fmt.Sprintf("the subscription is %s, but %s needs one that is %s", s.State, action, strings.Join(states, " or "))}
	}
	s.State, s.StateReason, s.StateSince, s.StateBy = to, reason, now, by
	return nil
}

// SubscriptionThen is what the audit says of a subscription at a time in the past.
type SubscriptionThen struct {
	State         SubscriptionState // empty: the audit does not say
	Since         time.Time         // zero: the audit does not go back so far
	By            string            // who caused that state
	Reason        string
	EventsChanged bool // since then
	FilterChanged bool // since then
}
