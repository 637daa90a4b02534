package switchboard

import (
	"net/http"
	"strings"
	"time"
)

// ReceiverWish is what a receiver asks for in the header [DeliveryHeader] of its response.
type ReceiverWish string

// The wishes of a receiver. Any other value of the header is ignored.
const (
	WishDisable      ReceiverWish = "disable"       // send nothing more to this subscription
	WishAbortMessage ReceiverWish = "abort-message" // do not send this message again
)

// DeliveryHeader is the response header with a [ReceiverWish].
const DeliveryHeader = "Webhook-Delivery"

// ParseReceiverWish reads the value of that header.
func ParseReceiverWish(value string) ReceiverWish {
	switch wish := ReceiverWish(strings.ToLower(strings.TrimSpace(value))); wish {
	case WishDisable, WishAbortMessage:
		return wish
	}
	return ""
}

// Bounds of a Retry-After that holds all deliveries of a subscription. A shorter one delays only
// the one delivery, because to park and release the others would cost more than their attempts. A
// longer one counts as the maximum, because a receiver's mistake must not stop its deliveries for
// days.
const (
	MinDeferral = 5 * time.Second
	MaxDeferral = time.Hour
)

// Deferral returns for how long the receiver asks for no requests at all, within the bounds; 0: it
// does not.
func (o Outcome) Deferral() time.Duration {
	asked := o.StatusCode == http.StatusTooManyRequests || o.StatusCode == http.StatusServiceUnavailable
	if !asked || o.RetryAfter < MinDeferral {
		return 0
	}
	return min(o.RetryAfter, MaxDeferral)
}

// DisableReason says in words why the response disables its subscription; empty: it does not.
func (o Outcome) DisableReason() string {
	switch {
	case o.StatusCode == http.StatusGone:
		return "the receiver answered 410 Gone"
	case o.Wish == WishDisable:
		return "the receiver asked for it, by the header webhook-delivery of its answer"
	}
	return ""
}
