package switchboard

import (
	"testing"
	"time"
)

// TestAdmit: the first obstacle decides.
func TestAdmit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	soon := now.Add(time.Second)
	in := func(state SubscriptionState) *Subscription { return &Subscription{State: state} }
	deleted, day := &Subscription{State: SubscriptionUnverified, DeletedAt: now}, &Subscription{State: SubscriptionPaused, HoldFor: Duration(24 * time.Hour)}
	open := &Health{Breaker: BreakerOpen, ProbeDeliveryID: "dlv_probe"}
	failing := &Health{SubscriptionID: "sub_1", Breaker: BreakerClosed, FailuresInARow: 3, WindowAt: now}
	probe, aside := &Delivery{ID: "dlv_probe"}, &Delivery{State: StateHeld, Reason: ReasonOperator}
	end := Admission{Kind: AdmissionEnd, State: StateCancelled, Reason: ReasonSubscriptionDeleted, Detail: "its subscription is deleted"}
	expired := Admission{Kind: AdmissionEnd, State: StateFailed, Reason: ReasonExpired, Detail: "the subscription's deliver_within has passed"}
	slot := Admission{Kind: AdmissionDefer, Reason: ReasonWaitingForSlot, Until: soon}
	send := Admission{Kind: AdmissionSend}
	park := func(reason, detail string) Admission {
		return Admission{Kind: AdmissionPark, State: StateHeld, Reason: reason, Detail: detail, HoldFor: DefaultHold}
	}
	blocked := Admission{
		Kind: AdmissionPark, State: StateBlocked, Reason: ReasonEarlierDeliveryOpen, BlockedBy: "dlv_1", Detail: "an earlier delivery of the same key is open", HoldFor: DefaultHold,
	}
	paused, forADay := park(ReasonSubscriptionPaused, "the subscription is paused"), park(ReasonSubscriptionPaused, "the subscription is paused")
	forADay.HoldFor = 24 * time.Hour
	breaker, byOperator := park(ReasonBreakerOpen, "the breaker of the endpoint is open"), park(ReasonOperator, "an operator holds it")
	for name, c := range map[string]struct {
		conditions Conditions
		want       Admission
	}{
		"nothing is known":              {Conditions{}, send},
		"active":                        {Conditions{Subscription: in(SubscriptionActive), Health: &Health{}, Delivery: &Delivery{}}, send},
		"deleted":                       {Conditions{Subscription: deleted}, end},
		"deleted, no slot free":         {Conditions{Subscription: deleted, SlotAt: soon}, end},
		"deadline passed":               {Conditions{Delivery: &Delivery{ExpiresAt: now}}, expired},
		"deadline to come":              {Conditions{Delivery: &Delivery{ExpiresAt: soon}}, send},
		"deadline passed, paused":       {Conditions{Subscription: in(SubscriptionPaused), Delivery: &Delivery{ExpiresAt: now}}, expired},
		"set aside, paused":             {Conditions{Subscription: in(SubscriptionPaused), Delivery: aside}, byOperator},
		"paused":                        {Conditions{Subscription: in(SubscriptionPaused)}, paused},
		"paused, holds for a day":       {Conditions{Subscription: day}, forADay},
		"disabled":                      {Conditions{Subscription: in(SubscriptionDisabled)}, park(ReasonSubscriptionDisabled, "the subscription is disabled")},
		"unverified":                    {Conditions{Subscription: in(SubscriptionUnverified)}, park(ReasonSubscriptionUnverified, "the address of the subscription is not verified")},
		"paused, earlier one open":      {Conditions{Subscription: in(SubscriptionPaused), Predecessor: "dlv_1"}, paused},
		"earlier one open":              {Conditions{Predecessor: "dlv_1", Health: open}, blocked},
		"breaker open":                  {Conditions{Health: open}, breaker},
		"breaker open, the probe":       {Conditions{Health: open, Delivery: probe}, send},
		"breaker open, another":         {Conditions{Health: open, Delivery: &Delivery{ID: "dlv_2"}}, breaker},
		"breaker half open":             {Conditions{Health: &Health{Breaker: BreakerHalfOpen}}, send},
		"receiver asked to wait":        {Conditions{Health: &Health{DeferredUntil: soon}}, park(ReasonReceiverAskedToWait, "the receiver asked to send nothing for now")},
		"receiver asked to wait, over":  {Conditions{Health: &Health{DeferredUntil: now}}, send},
		"others wait":                   {Conditions{Queue: ReasonRateLimited}, park(ReasonRateLimited, "earlier deliveries of the subscription wait")},
		"fails, new":                    {Conditions{New: true, Health: failing}, Admission{Kind: AdmissionDefer, Reason: ReasonEndpointFailing, Until: now.Add(5 * time.Second)}},
		"fails, asked for":              {Conditions{Health: failing}, send},
		"failed twice, new":             {Conditions{New: true, Health: &Health{FailuresInARow: 2, WindowAt: now}}, send},
		"failed long ago, new":          {Conditions{New: true, Health: &Health{FailuresInARow: 9, WindowAt: now.Add(-5 * time.Minute)}}, send},
		"fails, new, breaker half open": {Conditions{New: true, Health: &Health{Breaker: BreakerHalfOpen, FailuresInARow: 9, WindowAt: now}}, send},
		"rate limited":                  {Conditions{RateAt: soon.Add(1)}, park(ReasonRateLimited, "the rate limit of the subscription is used up")},
		"its turn comes within seconds": {Conditions{RateAt: soon}, send},
		"subscription full":             {Conditions{Full: true}, park(ReasonWaitingForSlot, "max_in_flight requests of the subscription are under way")},
		"no slot free":                  {Conditions{Subscription: in(SubscriptionActive), SlotAt: soon}, slot},
		"a slot was free by now":        {Conditions{SlotAt: now}, send},
	} {
		if got := Admit(now, c.conditions); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
