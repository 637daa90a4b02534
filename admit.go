package switchboard

import "time"

// AdmissionKind is what is decided before an attempt.
type AdmissionKind string

// The kinds of admission.
const (
	AdmissionSend  AdmissionKind = "send"
	AdmissionDefer AdmissionKind = "defer" // not before a date
	AdmissionPark  AdmissionKind = "park"  // not before a release; no workflow is open meanwhile
	AdmissionEnd   AdmissionKind = "end"   // never
)

// Admission says whether a delivery may be sent now, and else what becomes of it.
type Admission struct {
	Kind      AdmissionKind
	State     State         // of a delivery that is parked or ended
	Reason    string        // of that state, or of the later date
	Until     time.Time     // the date of a delivery that is deferred
	HoldFor   time.Duration // for how long one that is parked waits at most
	BlockedBy string        // the delivery that one that is blocked waits for
	Detail    string        // why, in words; for the action of a delivery that is parked or ended
}

// Conditions are what [Admit] decides by. What a caller leaves out stands in the way of nothing.
type Conditions struct {
	Subscription *Subscription // its state, whether it is deleted, and for how long it holds
	Health       *Health       // of its endpoint
	Delivery     *Delivery     // as it is
	Predecessor  string        // the open delivery of the same key that it must wait for; empty: there is none
	// Queue is why earlier deliveries of the subscription wait, behind which one that is accepted
	// now waits too; empty: none wait.
	Queue string
	// New says that the delivery is being accepted, and that nobody waits for it.
	New bool
	// RateAt is when the rate limit lets the request through; zero: now.
	RateAt time.Time
	// Full says that max_in_flight requests of the subscription are under way.
	Full bool
	// SlotAt is when a slot of this worker is likely to be free; zero: one is free now.
	SlotAt time.Time
}

// RateWait is for how long an attempt waits at most for its turn under a rate limit; one whose
// turn comes later is parked.
const RateWait = time.Second

// gate is a reason not to send now. It reports whether it stands in the way.
type gate func(now time.Time, c Conditions) (Admission, bool)

// gates lists every reason not to send now. The first that stands in the way decides.
func gates() []gate {
	return []gate{
		subscriptionDeleted, deadlinePassed, heldByOperator, subscriptionInactive, earlierDeliveryOpen, breakerOpen, receiverAskedToWait,
		behindOthers, endpointFailing, rateLimited, subscriptionFull, noSlotFree,
	}
}

// Admit decides whether a delivery may be sent now: when it is accepted, before each attempt,
// and when it is released. It is a function of its arguments alone.
func Admit(now time.Time, c Conditions) Admission {
	for _, g := range gates() {
		if a, closed := g(now, c); closed {
			if a.Kind == AdmissionPark {
				a.HoldFor = c.holdFor()
			}
			return a
		}
	}
	return Admission{Kind: AdmissionSend}
}

// held parks a delivery for that reason.
func held(reason, detail string) Admission {
	return Admission{Kind: AdmissionPark, State: StateHeld, Reason: reason, Detail: detail}
}

func subscriptionDeleted(_ time.Time, c Conditions) (Admission, bool) {
	return Admission{
		Kind: AdmissionEnd, State: StateCancelled, Reason: ReasonSubscriptionDeleted, Detail: "its subscription is deleted",
	}, c.Subscription != nil && !c.Subscription.DeletedAt.IsZero()
}

func deadlinePassed(now time.Time, c Conditions) (Admission, bool) {
	return Admission{
		Kind: AdmissionEnd, State: StateFailed, Reason: ReasonExpired, Detail: "the subscription's deliver_within has passed",
	}, c.Delivery != nil && !c.Delivery.ExpiresAt.IsZero() && !c.Delivery.ExpiresAt.After(now)
}

func heldByOperator(_ time.Time, c Conditions) (Admission, bool) {
	return held(ReasonOperator, "an operator holds it"), c.Delivery != nil && c.Delivery.State == StateHeld && c.Delivery.Reason == ReasonOperator
}

// subscriptionInactive keeps requests from an endpoint that is paused, disabled, or has not
// answered its challenge.
func subscriptionInactive(_ time.Time, c Conditions) (Admission, bool) {
	if c.Subscription == nil {
		return Admission{}, false
	}
	switch c.Subscription.State {
	case SubscriptionPaused:
		return held(ReasonSubscriptionPaused, "the subscription is paused"), true
	case SubscriptionDisabled:
		return held(ReasonSubscriptionDisabled, "the subscription is disabled"), true
	case SubscriptionUnverified:
		return held(ReasonSubscriptionUnverified, "the address of the subscription is not verified"), true
	}
	return Admission{}, false
}

func earlierDeliveryOpen(_ time.Time, c Conditions) (Admission, bool) {
	return Admission{
		Kind: AdmissionPark, State: StateBlocked, Reason: ReasonEarlierDeliveryOpen, BlockedBy: c.Predecessor, Detail: "an earlier delivery of the same key is open",
	}, c.Predecessor != ""
}

func breakerOpen(_ time.Time, c Conditions) (Admission, bool) {
	return held(ReasonBreakerOpen, "the breaker of the endpoint is open"), c.Health != nil && c.Health.IsOpen(c.deliveryID())
}

func receiverAskedToWait(now time.Time, c Conditions) (Admission, bool) {
	return held(ReasonReceiverAskedToWait, "the receiver asked to send nothing for now"), c.Health != nil && c.Health.DeferredUntil.After(now)
}

func behindOthers(_ time.Time, c Conditions) (Admission, bool) {
	return held(c.Queue, "earlier deliveries of the subscription wait"), c.Queue != ""
}

// endpointFailing lets the first attempt to an endpoint that fails wait for a little. Before its
// breaker opens, deliveries would be started much faster than their failures are counted.
func endpointFailing(now time.Time, c Conditions) (Admission, bool) {
	return Admission{Kind: AdmissionDefer, Reason: ReasonEndpointFailing, Until: now.Add(FailingDelay)}, c.New && c.Health != nil && c.Health.IsFailing(now)
}

func rateLimited(now time.Time, c Conditions) (Admission, bool) {
	return held(ReasonRateLimited, "the rate limit of the subscription is used up"), c.RateAt.After(now.Add(RateWait))
}

func subscriptionFull(_ time.Time, c Conditions) (Admission, bool) {
	return held(ReasonWaitingForSlot, "max_in_flight requests of the subscription are under way"), c.Full
}

func noSlotFree(now time.Time, c Conditions) (Admission, bool) {
	return Admission{Kind: AdmissionDefer, Reason: ReasonWaitingForSlot, Until: c.SlotAt}, c.SlotAt.After(now)
}

// holdFor is for how long the subscription holds a delivery at most.
func (c Conditions) holdFor() time.Duration {
	if c.Subscription == nil || c.Subscription.HoldFor == 0 {
		return DefaultHold
	}
	return time.Duration(c.Subscription.HoldFor)
}

func (c Conditions) deliveryID() string {
	if c.Delivery == nil {
		return ""
	}
	return c.Delivery.ID
}
