package switchboard

import (
	"testing"
	"time"
)

// TestAdmit: the first gate that stands in the way decides.
func TestAdmit(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	soon := now.Add(time.Second)
	active, deleted := &Subscription{State: SubscriptionActive}, &Subscription{State: SubscriptionUnverified, DeletedAt: now}
	unverified := &Subscription{State: SubscriptionUnverified}
	end := Admission{Kind: AdmissionEnd, State: StateCancelled, Reason: ReasonSubscriptionDeleted, Detail: "its subscription is deleted"}
	park := Admission{Kind: AdmissionPark, State: StateHeld, Reason: ReasonSubscriptionUnverified, Detail: "the address of the subscription is not verified"}
	send := Admission{Kind: AdmissionSend}
	for name, c := range map[string]struct {
		conditions Conditions
		want       Admission
	}{
		"nothing is known":          {Conditions{}, send},
		"active":                    {Conditions{Subscription: active}, send},
		"paused: gets no new ones":  {Conditions{Subscription: &Subscription{State: SubscriptionPaused}}, send},
		"disabled, likewise":        {Conditions{Subscription: &Subscription{State: SubscriptionDisabled}}, send},
		"deleted":                   {Conditions{Subscription: deleted}, end},
		"deleted, no slot free":     {Conditions{Subscription: deleted, SlotAt: soon}, end},
		"unverified":                {Conditions{Subscription: unverified}, park},
		"unverified, no slot free":  {Conditions{Subscription: unverified, SlotAt: soon}, park},
		"no slot free":              {Conditions{Subscription: active, SlotAt: soon}, Admission{Kind: AdmissionDefer, Reason: ReasonWaitingForSlot, Until: soon}},
		"a slot was free by now":    {Conditions{Subscription: active, SlotAt: now}, send},
		"a slot, no subscription":   {Conditions{SlotAt: soon}, Admission{Kind: AdmissionDefer, Reason: ReasonWaitingForSlot, Until: soon}},
		"the slot is free long ago": {Conditions{SlotAt: now.Add(-time.Hour)}, send},
	} {
		if got := Admit(now, c.conditions); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
