package switchboard

import "time"

// AdmissionKind is the kind of decision before an attempt.
type AdmissionKind string

// The kinds of admission.
const (
	AdmissionSend  AdmissionKind = "send"
	AdmissionDefer AdmissionKind = "defer" // not before a given time
	AdmissionPark  AdmissionKind = "park"  // not before a release; until then, no workflow is open
	AdmissionEnd   AdmissionKind = "end"   // never
)

// Admission says whether a delivery may be sent now, and if not, what happens to it.
type Admission struct {
	Kind      AdmissionKind
	State     State         // if it is parked or ended
	Reason    string        // of that state, or of the deferral
	Until     time.Time     // if it is deferred: until when
	HoldFor   time.Duration // if it is parked: the longest time
	BlockedBy string        // if it is blocked: the delivery that it waits for
	Detail    string        // why, in words, for the action that parks or ends it
}

// Conditions are the input of [Admit]. A field that is left out never prevents sending.
type Conditions struct {
	Subscription *Subscription // state, deletion, hold_for
	Health       *Health       // of its endpoint
	Delivery     *Delivery     // as stored
	Predecessor  string        // the open delivery of the same key that comes first; empty: none
	// Queue is the reason for which earlier deliveries of the subscription wait. A newly accepted
	// one waits behind them. Empty: none wait.
	Queue string
	// New is set when the delivery is being accepted and no caller waits for its response.
	New bool
	// RateAt is when the rate limit allows the request; zero: now.
	RateAt time.Time
	// Full is set if the subscription has max_in_flight requests in flight.
	Full bool
	// SlotAt is when this worker is likely to have a free slot; zero: it has one now.
	SlotAt time.Time
}

// RateWait is how long an attempt may wait for its turn under a rate limit. If its turn is later,
// the delivery is parked.
const RateWait = time.Second

// gate is one reason not to send now. It reports whether the reason applies.
type gate func(now time.Time, c Conditions) (Admission, bool)

// gates lists every reason not to send now. The first one that applies decides.
func gates() []gate {
	return []gate{
		subscriptionDeleted, deadlinePassed, heldByOperator, subscriptionInactive, earlierDeliveryOpen, breakerOpen, receiverAskedToWait,
		behindOthers, endpointFailing, rateLimited, subscriptionFull, noSlotFree,
	}
}

// Admit decides whether a delivery may be sent now. It is called when a delivery is accepted,
// before each attempt, and when a delivery is released. It is a pure function.
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

// subscriptionInactive parks deliveries whose subscription is paused, disabled or unverified.
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

// endpointFailing defers the first attempt to a failing endpoint for a moment. Otherwise deliveries
// would start much faster than their failures are counted, until the breaker opens.
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

// holdFor is how long the subscription holds a delivery.
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
