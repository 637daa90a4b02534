package switchboard

import (
	"testing"
	"time"
)

func TestReasonAt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	own := WaitingForSwitchboard("its subscription or its event cannot be read")
	const overdue = ReasonWaitingForSwitchboard + ": no worker has made the attempt that is due"
	for name, c := range map[string]struct {
		state      State
		reason     string
		late       time.Duration
		dispatched bool
		want       string
	}{
		"accepted":                             {StatePending, "", 0, false, ""},
		"its start is still its process's":     {StatePending, "", DispatchWithin, false, ""},
		"not started":                          {StatePending, "", DispatchWithin + 1, false, ReasonWaitingForTemporal},
		"not started, for days":                {StatePending, "", 100 * time.Hour, false, ReasonWaitingForTemporal},
		"not started, had a fault before":      {StatePending, own, time.Minute, false, ReasonWaitingForTemporal},
		"retried, not started":                 {StatePending, "", time.Minute, false, ReasonWaitingForTemporal},
		"released, its date is to come":        {StatePending, "", -time.Minute, false, ""},
		"under way":                            {StatePending, "", StuckAfter, true, ""},
		"overdue":                              {StatePending, "", StuckAfter + 1, true, overdue},
		"waits for its date":                   {StateRetrying, "http_503", -time.Hour, true, "http_503"},
		"under way again":                      {StateRetrying, "http_503", time.Second, true, "http_503"},
		"overdue, and not by its receiver":     {StateRetrying, "http_503", time.Hour, true, overdue},
		"a fault that is known":                {StateRetrying, own, time.Second, true, own},
		"a fault that is known, for long":      {StateRetrying, own, time.Hour, true, own},
		"waits for a slot":                     {StatePending, ReasonWaitingForSlot, -time.Second, true, ReasonWaitingForSlot},
		"waits for a slot that has passed":     {StatePending, ReasonWaitingForSlot, time.Hour, true, overdue},
		"delivered":                            {StateDelivered, "", time.Hour, true, ""},
		"failed":                               {StateFailed, "http_503", time.Hour, true, "http_503"},
		"held":                                 {StateHeld, ReasonSubscriptionUnverified, time.Hour, true, ReasonSubscriptionUnverified},
		"cancelled, Temporal does not know it": {StateCancelled, ReasonOperator, time.Hour, false, ReasonOperator},
	} {
		d := Delivery{State: c.state, Reason: c.reason, NextAttemptAt: now.Add(-c.late)}
		if !c.state.HasNextAttempt() {
			d.NextAttemptAt = time.Time{}
		}
		if !c.dispatched {
			d.DispatchAt = now
		}
		if got := d.ReasonAt(now); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
}

func TestEnding(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]Delivery{
		"all attempts are used up: attempt 38 was the last":                 {State: StateFailed, AttemptsMade: 38},
		"all attempts are used up: attempt 40 was the last":                 {State: StateFailed, AttemptsMade: 40, PriorAttempts: 38},
		"no later attempt can succeed, so attempt 1 was the last":           {State: StateFailed, AttemptsMade: 1, Permanent: true},
		"no later attempt can succeed, so attempt 2 was the last":           {State: StateFailed, AttemptsMade: 2, PriorAttempts: 1, Permanent: true},
		"it was held for as long as a hold lasts":                           {State: StateFailed, Reason: ReasonHoldExpired},
		"deliver_within of the subscription passed before it was delivered": {State: StateFailed, Reason: ReasonExpired, AttemptsMade: 2},
		"crm.example.com answered that it does not want this message":       {State: StateFailed, Reason: ReasonRejectedByReceiver, Host: "crm.example.com", AttemptsMade: 1},
	} {
		if got := d.Ending(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
	for _, state := range []State{StatePending, StateRetrying, StateHeld, StateBlocked, StateDelivered, StateCancelled} {
		if got := (&Delivery{State: state, AttemptsMade: 3}).Ending(); got != "" {
			t.Errorf("%s: %q; want nothing", state, got)
		}
	}
}
