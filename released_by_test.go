package switchboard

import (
	"testing"
	"time"
)

func TestReleasedBy(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 13, 0, 30, 0, time.FixedZone("CET", 3600))
	open := Health{Breaker: BreakerOpen, ProbeAt: at, DeferredUntil: at}
	probe := open
	probe.ProbeDeliveryID = "dlv_1"
	for _, c := range []struct {
		state  State
		reason string
		health Health
		want   string
	}{
		{StatePending, "", open, ""},
		{StateRetrying, "http_503", open, ""},
		{StateDelivered, "", open, ""},
		{StateFailed, ReasonHoldExpired, open, ""},
		{StateCancelled, ReasonOperator, open, ""},
		{StateHeld, ReasonOperator, open, "when an operator releases it"},
		{StateHeld, ReasonSubscriptionPaused, open, "when the subscription is resumed"},
		{StateHeld, ReasonSubscriptionDisabled, open, "when the subscription is enabled"},
		{StateHeld, ReasonSubscriptionUnverified, open, "when the address of the subscription has answered its challenge"},
		{StateHeld, ReasonBreakerOpen, Health{}, "when the endpoint has answered a probe"},
		{StateHeld, ReasonBreakerOpen, open, "when the endpoint has answered a probe, the next is at 2026-01-31T12:00:30Z"},
		{StateHeld, ReasonBreakerOpen, probe, "it is the next probe, at 2026-01-31T12:00:30Z"},
		{StateHeld, ReasonReceiverAskedToWait, Health{}, "when the time that the receiver asked for has passed"},
		{StateHeld, ReasonReceiverAskedToWait, open, "when the time that the receiver asked for has passed, at 2026-01-31T12:00:30Z"},
		{StateHeld, ReasonRateLimited, open, "when the rate limit of the subscription lets it through, in order of acceptance"},
		{StateHeld, ReasonWaitingForSlot, open, "when a request of the subscription has ended, in order of acceptance"},
		{StateBlocked, ReasonEarlierDeliveryOpen, Health{}, "when dlv_0, an earlier delivery of the same key, has ended or is held by an operator"},
		{StateHeld, "a reason of a later version", open, "when a release finds no reason to hold it"},
	} {
		d := Delivery{ID: "dlv_1", State: c.state, Reason: c.reason, BlockedBy: "dlv_0"}
		if got := d.ReleasedBy(c.health); got != c.want {
			t.Errorf("%s, %s: %q; want %q", c.state, c.reason, got, c.want)
		}
	}
}
