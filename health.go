package switchboard

import (
	"cmp"
	"fmt"
	"time"
)

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
	ProbeAt         time.Time     // when the next probe is let through, or the present one is given up; zero: none is planned
	ProbeInterval   time.Duration // between the last two probes
	ProbeDeliveryID string        // the delivery that is let through while the breaker is open; empty: none
	DeferredUntil   time.Time     // the receiver asked to send nothing before; zero: it did not
	// QueueReason is why deliveries of the subscription wait in Postgres, as rate_limited: what is
	// accepted meanwhile waits behind them. Empty: none wait.
	QueueReason string
	Slow        bool // its average latency is above [SlowAfter]: it is sent from the queue of slow endpoints

	// What the breaker counts: endpoint's faults and attempts of the half of the window that begins
	// at WindowAt and of the half before, and the failures in a row.
	WindowAt          time.Time
	Attempts          int
	Failures          int
	PreviousAttempts  int
	PreviousFailures  int
	FailuresInARow    int
	LastFailureReason string
}

// Endpoint is where the deliveries of a subscription go, with what is known of it.
type Endpoint struct {
	SubscriptionID string
	Host           string
	Health         Health
}

// SlowAfter is the average latency from which on an endpoint is slow.
const SlowAfter = time.Second

// ProbeTimeout is for how long the result of a probe is waited for. It is longer than any attempt
// takes, with its dispatch and its recording. A probe without a result, as one whose worker died, is
// followed by another.
const ProbeTimeout = time.Minute

// IsOpen reports whether the breaker keeps that delivery from being sent.
func (h *Health) IsOpen(deliveryID string) bool {
	return h.Breaker == BreakerOpen && (deliveryID == "" || h.ProbeDeliveryID != deliveryID)
}

const (
	// FailingDelay is for how long the first attempt to a failing endpoint waits: as long as the
	// second one of a delivery does by default.
	FailingDelay = 5 * time.Second
	// FailingAfter is how many failures in a row make an endpoint a failing one: one or two may be
	// of a connection that broke.
	FailingAfter = 3
	// failingFor is for how long an endpoint that got no request since stays a failing one.
	failingFor = 5 * time.Minute
)

// IsFailing reports whether the latest attempts have failed, though too few for the breaker.
func (h *Health) IsFailing(now time.Time) bool {
	return cmp.Or(h.Breaker, BreakerClosed) == BreakerClosed && h.FailuresInARow >= FailingAfter && now.Sub(h.WindowAt) < failingFor
}

// AdmitsLike reports whether [Admit] decides by both alike.
func (h *Health) AdmitsLike(other *Health) bool {
	return cmp.Or(h.Breaker, BreakerClosed) == cmp.Or(other.Breaker, BreakerClosed) && h.ProbeDeliveryID == other.ProbeDeliveryID &&
		h.DeferredUntil.Equal(other.DeferredUntil) && h.QueueReason == other.QueueReason && h.Slow == other.Slow
}

// HealthReport is what an attempt, and those of the same process before it, showed of an endpoint.
type HealthReport struct {
	SubscriptionID string
	Breaker        Breaker         // the thresholds of the subscription
	DeliveryID     string          // whose attempt it was
	At             time.Time       // when the attempt began
	Verdict        EndpointVerdict // what it showed
	Reason         string          // its failure in a word, as http_503; empty: it succeeded
	Answered       int             // earlier attempts of the process that the endpoint answered, and that no report has counted
	RetryAfter     time.Duration   // how long the receiver asked to wait; 0: it did not
	Deferral       time.Duration   // how long it asked to be sent nothing at all; 0: it did not
	Disable        string          // why its answer disables the subscription, in words; empty: it does not
}

// Report is the report of an attempt of the subscription.
func (s *Subscription) Report(made Attempt) HealthReport {
	o := &made.Outcome
	return HealthReport{
		SubscriptionID: s.ID, Breaker: s.Breaker, DeliveryID: made.DeliveryID, At: made.At, Verdict: o.Endpoint(), Reason: o.Reason(),
		RetryAfter: o.RetryAfter, Deferral: o.Deferral(), Disable: o.DisableReason(),
	}
}

// HealthChange is what followed from a report.
type HealthChange struct {
	Opened   bool   // the breaker has opened
	Reopened bool   // the probe has failed: the next one comes later
	Closed   bool   // the breaker has closed: what was held is released
	Deferred bool   // nothing is sent before a later date
	Disable  string // why the subscription is to be disabled, in words; empty: it is not
}

// HealthResult is what became of a report.
type HealthResult struct {
	Change    HealthChange
	Health    Health // as it is now
	Operation string // the release that was started; empty: none was
}

// Observe applies a report. It is a function of its arguments alone.
//
// While the breaker is open only its probe counts as a failure: other attempts began before it
// opened, or were admitted by a process that had not heard of it. Whatever began since and was
// answered closes it.
func (h *Health) Observe(now time.Time, r HealthReport) HealthChange {
	change := HealthChange{Disable: r.Disable, Deferred: h.postpone(now, r.Deferral)}
	if r.Breaker.Mode == BreakerOff {
		return change
	}
	isProbe := h.ProbeDeliveryID != "" && h.ProbeDeliveryID == r.DeliveryID
	switch {
	case h.Breaker != BreakerOpen && h.Breaker != BreakerHalfOpen:
		if r.Verdict != EndpointUnknown {
			h.count(now, r)
		}
		if r.Verdict == EndpointFails {
			change.Opened = h.open(now, r)
		}
	case !r.At.After(h.BreakerSince):
		// It says nothing of the endpoint since the breaker opened.
	case r.Verdict == EndpointWorks:
		change.Closed = true
		h.Close(now)
	case r.Verdict == EndpointFails && (isProbe || h.Breaker == BreakerHalfOpen):
		change.Reopened = true
		h.LastFailureReason = r.Reason
		h.probeLater(now, min(2*h.ProbeInterval, MaxProbeInterval), r.RetryAfter)
		if after := time.Duration(r.Breaker.DisableAfter); after > 0 && now.Sub(h.FailingSince) >= after && change.Disable == "" {
			change.Disable = fmt.Sprintf("every attempt has failed since %s, the last with %s", h.FailingSince.UTC().Format(time.RFC3339), r.Reason)
		}
	case isProbe: // it did not reach the endpoint: another one may
		change.Reopened = true
		h.probeLater(now, h.ProbeInterval, 0)
	}
	return change
}

// Close closes the breaker and forgets what was counted. The release that follows is also that of a
// time for which the receiver asked to wait, if it is over.
func (h *Health) Close(now time.Time) {
	if !h.DeferredUntil.After(now) {
		h.DeferredUntil = time.Time{}
	}
	*h = Health{
		SubscriptionID: h.SubscriptionID, Breaker: BreakerClosed, WindowAt: now,
		DeferredUntil: h.DeferredUntil, QueueReason: h.QueueReason, Slow: h.Slow,
	}
}

// postpone notes until when the receiver wants nothing, and reports whether that is news. Of many
// answers that come together only the first is.
func (h *Health) postpone(now time.Time, deferral time.Duration) bool {
	until := now.Add(deferral)
	if deferral == 0 || until.Sub(h.DeferredUntil) < MinDeferral {
		return false
	}
	h.DeferredUntil = until
	return true
}

// count adds what the report says to the counts.
func (h *Health) count(now time.Time, r HealthReport) {
	h.roll(now, time.Duration(r.Breaker.Window)/2)
	if r.Answered > 0 || r.Verdict == EndpointWorks {
		h.FailuresInARow, h.FailingSince = 0, time.Time{}
	}
	h.Attempts += r.Answered
	switch r.Verdict {
	case EndpointWorks:
		h.Attempts++
	case EndpointFails:
		h.Attempts++
		h.Failures++
		h.FailuresInARow++
		h.LastFailureReason = r.Reason
		if h.FailingSince.IsZero() {
			h.FailingSince = r.At
		}
	}
}

// roll begins another half of the window if the present one is over. What is counted is never
// older than the window, and at least of half of it.
func (h *Health) roll(now time.Time, half time.Duration) {
	switch age := now.Sub(h.WindowAt); {
	case age < half && !h.WindowAt.IsZero():
		return
	case age < 2*half:
		h.PreviousAttempts, h.PreviousFailures, h.WindowAt = h.Attempts, h.Failures, h.WindowAt.Add(half)
	default:
		h.PreviousAttempts, h.PreviousFailures, h.WindowAt = 0, 0, now
	}
	h.Attempts, h.Failures = 0, 0
}

// open opens the breaker if the counts are beyond a threshold, and reports whether they are.
func (h *Health) open(now time.Time, r HealthReport) bool {
	b, attempts, failures := r.Breaker, h.Attempts+h.PreviousAttempts, h.Failures+h.PreviousFailures
	switch {
	case h.FailuresInARow >= b.FailuresInARow && h.FailuresInARow == 1:
		h.BreakerReason = "an attempt failed, with " + r.Reason
	case h.FailuresInARow >= b.FailuresInARow:
		h.BreakerReason = fmt.Sprintf("%d attempts in a row failed, the last with %s", h.FailuresInARow, r.Reason)
	case attempts >= b.MinimumAttempts && 100*failures >= b.FailurePercent*attempts:
		h.BreakerReason = fmt.Sprintf("%d of %d attempts within %s failed, the last with %s", failures, attempts, b.Window, r.Reason)
	default:
		return false
	}
	h.BreakerSince = now
	h.probeLater(now, MinProbeInterval, r.RetryAfter)
	return true
}

// probeLater opens the breaker until the next probe, which comes after the interval, or when the
// receiver asked for it.
func (h *Health) probeLater(now time.Time, interval, retryAfter time.Duration) {
	wait := interval
	if retryAfter > 0 {
		wait = min(max(retryAfter, MinProbeInterval), MaxDeferral)
	}
	h.Breaker, h.ProbeInterval, h.ProbeAt, h.ProbeDeliveryID = BreakerOpen, interval, now.Add(wait), ""
}

// LetThrough lets a delivery through an open breaker as its probe.
func (h *Health) LetThrough(now time.Time, deliveryID string) {
	h.ProbeDeliveryID, h.ProbeAt = deliveryID, now.Add(ProbeTimeout)
}

// HalfOpen lets the next delivery through, because none is held that could be the probe.
func (h *Health) HalfOpen() {
	h.Breaker, h.ProbeDeliveryID, h.ProbeAt = BreakerHalfOpen, "", time.Time{}
}

// What a workflow that recovers an endpoint waits for, in words for people.
const (
	WaitForProbe       = "the next probe"
	WaitForProbeResult = "the result of the probe"
	WaitForReceiver    = "the time for which the receiver asked to wait"
)

// RecoveryStep is what is next for an unhealthy endpoint. Without a date there is nothing to wait
// for.
type RecoveryStep struct {
	Breaker   BreakerState `json:"breaker,omitempty"`   // as it is now; empty: the endpoint is healthy, or its subscription is not active
	Due       bool         `json:"-"`                   // it is to be done now
	WaitFor   string       `json:"wait_for,omitempty"`  // what for, in words
	WaitUntil time.Time    `json:"wait_until,omitzero"` // zero: for nothing
	Probe     string       `json:"probe,omitempty"`     // the delivery that is let through
	Operation string       `json:"operation,omitempty"` // the release that was started
}

// Recovery says what is next for the endpoint at that time.
func (h *Health) Recovery(now time.Time) RecoveryStep {
	step := RecoveryStep{Breaker: cmp.Or(h.Breaker, BreakerClosed), Probe: h.ProbeDeliveryID}
	switch {
	case h.Breaker != BreakerOpen && h.DeferredUntil.IsZero():
		return step
	case h.Breaker != BreakerOpen:
		step.WaitFor, step.WaitUntil = WaitForReceiver, h.DeferredUntil
	case h.DeferredUntil.After(h.ProbeAt):
		step.WaitFor, step.WaitUntil = WaitForReceiver, h.DeferredUntil
	case h.ProbeDeliveryID != "":
		step.WaitFor, step.WaitUntil = WaitForProbeResult, h.ProbeAt
	default:
		step.WaitFor, step.WaitUntil = WaitForProbe, h.ProbeAt
	}
	step.Due = !step.WaitUntil.After(now)
	return step
}
