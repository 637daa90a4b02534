package switchboard

import "time"

// BreakerState is where the circuit breaker of an endpoint stands.
type BreakerState string

// The states of a breaker.
const (
	BreakerClosed   BreakerState = "closed"    // deliveries are sent
	BreakerOpen     BreakerState = "open"      // deliveries are held, but for a probe now and then
	BreakerHalfOpen BreakerState = "half_open" // nothing was held that could be the probe: the next delivery is
)

// Health is what is known of the endpoint of a subscription. Only one that is unhealthy has a
// row; the zero value is that of a healthy one.
type Health struct {
	SubscriptionID  string
	Breaker         BreakerState  // empty: closed
	BreakerSince    time.Time     // when it opened; zero: it is closed
	BreakerReason   string        // why it opened, in words
	FailingSince    time.Time     // the first failure after the last success; zero: the last attempt succeeded
	ProbeAt         time.Time     // when the next probe is let through; zero: none is planned
	ProbeInterval   time.Duration // between the last two probes
	ProbeDeliveryID string        // the delivery that is let through while the breaker is open; empty: none
	DeferredUntil   time.Time     // the receiver asked to send nothing before; zero: it did not
	// QueueReason is why deliveries of the subscription wait in Postgres, as rate_limited: what is
	// accepted meanwhile waits behind them. Empty: none wait.
	QueueReason string
	Slow        bool // its average latency is above [SlowAfter]: it is sent from the queue of slow endpoints

	// What the breaker counts: endpoint's faults and attempts of the window that begins at
	// WindowAt and of the one before, and the failures in a row.
	WindowAt          time.Time
	Attempts          int
	Failures          int
	PreviousAttempts  int
	PreviousFailures  int
	FailuresInARow    int
	LastFailureReason string
}

// SlowAfter is the average latency from which on an endpoint is slow.
const SlowAfter = time.Second

// IsOpen reports whether the breaker keeps that delivery from being sent.
func (h *Health) IsOpen(deliveryID string) bool {
	return h.Breaker == BreakerOpen && (deliveryID == "" || h.ProbeDeliveryID != deliveryID)
}
