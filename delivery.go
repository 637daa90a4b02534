package switchboard

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is where a delivery stands in its life.
type State string

// The states of a delivery. A delivery is in a final state, or has a date for
// its next attempt, or names the reason why it has none.
const (
	StatePending  State = "pending"  // accepted, the first attempt is not finished
	StateRetrying State = "retrying" // failed at least once, the next attempt is dated
	StateHeld     State = "held"     // parked: the reason says why it may not be sent now
	StateBlocked  State = "blocked"  // parked: an earlier delivery of the same key is open

	StateDelivered State = "delivered"
	StateFailed    State = "failed" // retries used up, or a permanent failure
	StateCancelled State = "cancelled"
)

// States lists every state.
func States() []State {
	return []State{StatePending, StateRetrying, StateHeld, StateBlocked, StateDelivered, StateFailed, StateCancelled}
}

// Valid reports whether s is one of the states.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// Final reports whether nothing follows by itself.
func (s State) Final() bool { return s == StateDelivered || s == StateFailed || s == StateCancelled }

// Parked reports whether a delivery in that state waits in Postgres for a release, without a
// workflow.
func (s State) Parked() bool { return s == StateHeld || s == StateBlocked }

// HasNextAttempt reports whether a delivery in that state has a date for its next attempt.
func (s State) HasNextAttempt() bool { return s == StatePending || s == StateRetrying }

// Reasons that are not outcomes.
const (
	ReasonSubscriptionDeleted    = "subscription_deleted"
	ReasonSubscriptionPaused     = "subscription_paused"
	ReasonSubscriptionDisabled   = "subscription_disabled"
	ReasonSubscriptionUnverified = "subscription_unverified" // its address has not answered the challenge yet
	ReasonBreakerOpen            = "breaker_open"            // its endpoint has failed again and again
	ReasonReceiverAskedToWait    = "receiver_asked_to_wait"  // by Retry-After with a 429 or 503
	ReasonRateLimited            = "rate_limited"            // the rate_limit of its subscription is used up
	ReasonEarlierDeliveryOpen    = "earlier_delivery_open"   // of the same key
	ReasonHoldExpired            = "hold_expired"            // it was parked for as long as a hold lasts
	ReasonExpired                = "expired"                 // deliver_within has passed
	ReasonSuperseded             = "superseded"              // by a later event of the same type and key
	ReasonRejectedByReceiver     = "rejected_by_receiver"    // its answer said that it wants this message no more
	ReasonErased                 = "erased"                  // its row is gone
	ReasonOperator               = "operator"                // cancelled or held by an operator
	ReasonTerminated             = "terminated"              // its workflow was terminated in Temporal

	// Reasons of a delivery whose date has passed because of us, and not of its receiver.
	ReasonEndpointFailing       = "endpoint_failing"        // the latest attempts to its endpoint have failed: it is sent some seconds later
	ReasonWaitingForSlot        = "waiting_for_slot"        // all requests that its subscription, its tenant or the worker may make are under way
	ReasonWaitingForTemporal    = "waiting_for_temporal"    // its workflow is not started yet
	ReasonWaitingForSwitchboard = "waiting_for_switchboard" // its attempt is not made; the reason, if it is known, follows a colon
)

// WaitingForSwitchboard is the reason of a delivery whose attempt cannot be made because
// of us, with why in words.
func WaitingForSwitchboard(why string) string { return ReasonWaitingForSwitchboard + ": " + why }

// DispatchWithin is how long after its date a delivery's workflow is started at the latest in a
// healthy system: after [DispatchGrace] a relay looks every second.
const DispatchWithin = 10 * time.Second

// Delivery is what one event owes one subscription: one Temporal workflow, whose
// id is the delivery's.
type Delivery struct {
	ID             string
	Tenant         string
	EventID        string
	EventType      string
	SubscriptionID string
	Method         string // of the request as the subscription asked for it at acceptance
	Host           string // of the subscription's URL at acceptance
	State          State
	Reason         string // why it stands there; empty where the state says all
	AttemptsMade   int
	LastStatusCode int       // of the last attempt; 0: none, or no answer
	LastFailure    Failure   // of the last attempt; empty: none, or it succeeded
	NextAttemptAt  time.Time // zero unless an attempt follows by itself
	CreatedAt      time.Time
	CompletedAt    time.Time // zero unless the state is final
	Permanent      bool      // it has failed because no later attempt can succeed; false, failed: its attempts are used up
	Generation     int       // counts from 1 how often it was started; an operator's retry or a release starts the next
	PriorAttempts  int       // those that the policy does not count: an operator's retry gives all of its attempts again
	TemporalRunID  string    // of the latest Temporal run of this generation that recorded something; empty before
	DispatchAt     time.Time // when a relay starts its workflow, or wakes that of a cancelled or held one so that it ends; zero: Temporal knows
	ParkedAt       time.Time // since when it is held or blocked; zero: it is neither
	HeldUntil      time.Time // when the hold ends by itself, and the delivery fails; zero: it is not parked
	BlockedBy      string    // the delivery of the same key that it waits for; empty unless it is blocked
	ExpiresAt      time.Time // when it fails unless it is delivered by then; zero: never
	Key            string    // the event's, where its subscription orders or supersedes by key
	Ordered        bool      // it waits for earlier deliveries of its key
}

// ReasonAt is why the delivery stands where it does at that time. A date that has passed
// is our fault, and the reason for the attempt before does not explain it.
func (d *Delivery) ReasonAt(now time.Time) string {
	late, dispatched := now.Sub(d.NextAttemptAt), d.DispatchAt.IsZero()
	switch {
	case !d.State.HasNextAttempt():
		return d.Reason
	case !dispatched && late > DispatchWithin:
		return ReasonWaitingForTemporal
	case dispatched && late > StuckAfter && !strings.HasPrefix(d.Reason, ReasonWaitingForSwitchboard):
		return WaitingForSwitchboard("no worker has made the attempt that is due")
	}
	return d.Reason
}

// Ending says in words why nothing follows by itself; empty unless the delivery has failed.
func (d *Delivery) Ending() string {
	explained, isReason := explainReason(d.Reason, d.State)
	switch {
	case d.State != StateFailed:
		return ""
	case isReason:
		return strings.NewReplacer("{host}", d.Host, "{subscription}", "the subscription").Replace(explained.Says)
	case d.Permanent:
		return fmt.Sprintf("no later attempt can succeed, so attempt %d was the last", d.AttemptsMade)
	}
	return fmt.Sprintf("all attempts are used up: attempt %d was the last", d.AttemptsMade)
}
