package switchboard

import "time"

// ReleasedBy says in words what ends the wait of a parked delivery; empty: it is not parked. The
// date comes from the health of its endpoint, and is missing without it.
func (d *Delivery) ReleasedBy(h Health) string {
	if !d.State.Parked() {
		return ""
	}
	switch d.Reason {
	case ReasonOperator:
		return "when an operator releases it"
	case ReasonSubscriptionPaused:
		return "when the subscription is resumed"
	case ReasonSubscriptionDisabled:
		return "when the subscription is enabled"
	case ReasonSubscriptionUnverified:
		return "when the address of the subscription has answered its challenge"
	case ReasonBreakerOpen:
		if d.ID != "" && d.ID == h.ProbeDeliveryID {
			return "it is the next probe" + dated(", at ", h.ProbeAt)
		}
		return "when the endpoint has answered a probe" + dated(", the next is at ", h.ProbeAt)
	case ReasonReceiverAskedToWait:
		return "when the time that the receiver asked for has passed" + dated(", at ", h.DeferredUntil)
	case ReasonRateLimited:
		return "when the rate limit of the subscription lets it through, in order of acceptance"
	case ReasonWaitingForSlot:
		return "when a request of the subscription has ended, in order of acceptance"
	case ReasonEarlierDeliveryOpen:
		return "when " + d.BlockedBy + ", an earlier delivery of the same key, has ended or is held by an operator"
	}
	return "when a release finds no reason to hold it"
}

// dated returns a date with the words before it; empty: there is no date.
func dated(words string, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return words + at.UTC().Format(time.RFC3339)
}
