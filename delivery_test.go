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
		"accepted":                             {Pending, "", 0, false, ""},
		"its start is still its process's":     {Pending, "", DispatchWithin, false, ""},
		"not started":                          {Pending, "", DispatchWithin + 1, false, ReasonWaitingForTemporal},
		"not started, for days":                {Pending, "", 100 * time.Hour, false, ReasonWaitingForTemporal},
		"not started, had a fault before":      {Pending, own, time.Minute, false, ReasonWaitingForTemporal},
		"retried, not started":                 {Pending, "", time.Minute, false, ReasonWaitingForTemporal},
		"released, its turn is to come":        {Pending, "", -time.Minute, false, ""},
		"under way":                            {Pending, "", StuckAfter, true, ""},
		"overdue":                              {Pending, "", StuckAfter + 1, true, overdue},
		"waits for its date":                   {Retrying, "http_503", -time.Hour, true, "http_503"},
		"under way again":                      {Retrying, "http_503", time.Second, true, "http_503"},
		"overdue, and not by its receiver":     {Retrying, "http_503", time.Hour, true, overdue},
		"a fault that is known":                {Retrying, own, time.Second, true, own},
		"a fault that is known, for long":      {Retrying, own, time.Hour, true, own},
		"waits for its turn":                   {Pending, ReasonWaitingForSlot, -time.Second, true, ReasonWaitingForSlot},
		"waits for a turn that has passed":     {Pending, ReasonWaitingForSlot, time.Hour, true, overdue},
		"delivered":                            {Delivered, "", time.Hour, true, ""},
		"failed":                               {Failed, "http_503", time.Hour, true, "http_503"},
		"held":                                 {Held, ReasonSubscriptionUnverified, time.Hour, true, ReasonSubscriptionUnverified},
		"cancelled, Temporal does not know it": {Cancelled, ReasonOperator, time.Hour, false, ReasonOperator},
	} {
		d := Delivery{State: c.state, Reason: c.reason, NextAttemptAt: now.Add(-c.late)}
		if !c.state.Dated() {
			d.NextAttemptAt = time.Time{}
		}
		if got := d.ReasonAt(now, c.dispatched); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
}

func TestEnding(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]Delivery{
		"all attempts are used up: attempt 38 was the last":       {State: Failed, AttemptsMade: 38},
		"all attempts are used up: attempt 40 was the last":       {State: Failed, AttemptsMade: 40, AttemptsBefore: 38},
		"no later attempt can succeed, so attempt 1 was the last": {State: Failed, AttemptsMade: 1, Permanent: true},
		"no later attempt can succeed, so attempt 2 was the last": {State: Failed, AttemptsMade: 2, AttemptsBefore: 1, Permanent: true},
	} {
		if got := d.Ending(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
	for _, state := range []State{Pending, Retrying, Held, Blocked, Delivered, Cancelled} {
		if got := (&Delivery{State: state, AttemptsMade: 3}).Ending(); got != "" {
			t.Errorf("%s: %q; want nothing", state, got)
		}
	}
}
