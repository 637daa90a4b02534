package switchboard

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is the state of a delivery.
type State string

// The states of a delivery. Each delivery is final, has a date for its next attempt, or has a
// reason for which it has none.
const (
	StatePending  State = "pending"  // accepted; the first attempt is not finished
	StateRetrying State = "retrying" // failed at least once; the next attempt has a date
	StateHeld     State = "held"     // parked, for the reason of the delivery
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

// Final reports whether nothing follows without somebody's action.
func (s State) Final() bool { return s == StateDelivered || s == StateFailed || s == StateCancelled }

// Parked reports whether a delivery in that state waits in Postgres for a release, without a
// workflow.
func (s State) Parked() bool { return s == StateHeld || s == StateBlocked }

// HasNextAttempt reports whether a delivery in that state has a date for its next attempt.
func (s State) HasNextAttempt() bool { return s == StatePending || s == StateRetrying }

// Reasons of a delivery that are not outcomes of attempts.
const (
	ReasonSubscriptionDeleted    = "subscription_deleted"
	ReasonSubscriptionPaused     = "subscription_paused"
	ReasonSubscriptionDisabled   = "subscription_disabled"
	ReasonSubscriptionUnverified = "subscription_unverified" // its address has not answered the challenge yet
	ReasonBreakerOpen            = "breaker_open"            // its endpoint has failed again and again
	ReasonReceiverAskedToWait    = "receiver_asked_to_wait"  // by Retry-After with a 429 or 503
	ReasonRateLimited            = "rate_limited"            // the rate_limit of its subscription is used up
	ReasonEarlierDeliveryOpen    = "earlier_delivery_open"   // of the same key
	ReasonHoldExpired            = "hold_expired"            // its hold ended
	ReasonExpired                = "expired"                 // deliver_within has passed
	ReasonSuperseded             = "superseded"              // by a later event of the same type and key
	ReasonRejectedByReceiver     = "rejected_by_receiver"    // its answer said that it does not want this message
	ReasonErased                 = "erased"                  // its data were erased, or its row is gone
	ReasonOperator               = "operator"                // cancelled or held by an operator
	ReasonTerminated             = "terminated"              // its workflow was terminated in Temporal

	// Reasons of a delivery that is late because of us, not of its receiver.
	ReasonEndpointFailing       = "endpoint_failing"        // the latest attempts to its endpoint failed: it is sent some seconds later
	ReasonWaitingForSlot        = "waiting_for_slot"        // the subscription, the tenant or the worker has no free slot
	ReasonWaitingForTemporal    = "waiting_for_temporal"    // its workflow has not started yet
	ReasonWaitingForSwitchboard = "waiting_for_switchboard" // its attempt is not made; a known reason follows a colon
)

// WaitingForSwitchboard is the reason of a delivery whose attempt cannot be made because of us; why
// is in words.
func WaitingForSwitchboard(why string) string { return ReasonWaitingForSwitchboard + ": " + why }

// DispatchWithin is the longest time between a delivery's date and the start of its workflow in a
// healthy system: after [DispatchGrace], a relay looks every second.
const DispatchWithin = 10 * time.Second

// Delivery is one event for one subscription. It is one Temporal workflow, whose id is the
// delivery's.
type Delivery struct {
	ID             string
	Tenant         string
	EventID        string
	EventType      string
	SubscriptionID string
	Method         string // of the request, as configured at acceptance
	Host           string // of the URL, as configured at acceptance
	State          State
	Reason         string // why it is in that state; empty: the state says it all
	AttemptsMade   int
	LastStatusCode int       // of the last attempt; 0: none, or no answer
	LastFailure    Failure   // of the last attempt; empty: none, or it succeeded
	NextAttemptAt  time.Time // zero: no attempt is dated
	CreatedAt      time.Time
	CompletedAt    time.Time // zero unless the state is final
	Permanent      bool      // if it failed: no later attempt can succeed; false: its attempts are used up
	Generation     int       // how often it was started, from 1; a retry of a final delivery, or a release, starts the next
	PriorAttempts  int       // attempts that the policy does not count: a retry of a final delivery gives all of its attempts again
	TemporalRunID  string    // the latest Temporal run of this generation that recorded something; empty: none
	DispatchAt     time.Time // when a relay starts its workflow, or wakes it to end; zero: there is nothing to dispatch
	ParkedAt       time.Time // since when it is held or blocked; zero: it is not
	HeldUntil      time.Time // when the hold ends and the delivery fails; zero: it is not parked
	BlockedBy      string    // the delivery of the same key that it waits for; empty: it is not blocked
	ExpiresAt      time.Time // when it fails if it is not delivered; zero: never
	Key            string    // the event's, if its subscription orders or supersedes by key
	Ordered        bool      // it waits for earlier deliveries of its key
}

// ReasonAt is why the delivery is in its state at that time. If its date has passed, we are late,
// and the reason of the last attempt does not explain that.
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

// Ending says in words why a failed delivery is not retried; empty: it has not failed.
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
