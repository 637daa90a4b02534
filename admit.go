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
	Kind   AdmissionKind
	State  State     // of a delivery that is parked or ended
	Reason string    // of that state, or of the later date
	Until  time.Time // the date of a delivery that is deferred
	Detail string    // why, in words; for the action of a delivery that is parked or ended
}

// Conditions are what [Admit] decides by. What a caller leaves out stands in the way of nothing.
type Conditions struct {
	Subscription *Subscription // its state, and whether it is deleted
	// SlotAt is when a slot for the request is likely to be free; zero: one is free now.
	SlotAt time.Time
}

// gate is a reason not to send now. It reports whether it stands in the way.
type gate func(now time.Time, c Conditions) (Admission, bool)

// gates lists every reason not to send now. The first that stands in the way decides.
func gates() []gate {
	return []gate{subscriptionDeleted, subscriptionUnverified, noSlotFree}
}

// Admit decides whether a delivery may be sent now: when it is accepted, before each attempt,
// and when it is released. It is a function of its arguments alone.
func Admit(now time.Time, c Conditions) Admission {
	for _, g := range gates() {
		if a, closed := g(now, c); closed {
			return a
		}
	}
	return Admission{Kind: AdmissionSend}
}

func subscriptionDeleted(_ time.Time, c Conditions) (Admission, bool) {
	return Admission{
		Kind: AdmissionEnd, State: StateCancelled, Reason: ReasonSubscriptionDeleted, Detail: "its subscription is deleted",
	}, c.Subscription != nil && !c.Subscription.DeletedAt.IsZero()
}

// subscriptionUnverified keeps requests from an address that has not answered its challenge.
func subscriptionUnverified(_ time.Time, c Conditions) (Admission, bool) {
	return Admission{
		Kind: AdmissionPark, State: StateHeld, Reason: ReasonSubscriptionUnverified, Detail: "the address of the subscription is not verified",
	}, c.Subscription != nil && c.Subscription.State == SubscriptionUnverified
}

func noSlotFree(now time.Time, c Conditions) (Admission, bool) {
	return Admission{Kind: AdmissionDefer, Reason: ReasonWaitingForSlot, Until: c.SlotAt}, c.SlotAt.After(now)
}
