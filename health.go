package switchboard

import (
	"cmp"
	"fmt"
	"time"
)

// BreakerState is the state of an endpoint's circuit breaker.
type BreakerState string

// The states of a breaker.
const (
	BreakerClosed   BreakerState = "closed"    // deliveries are sent
	BreakerOpen     BreakerState = "open"      // deliveries are held, except for a probe now and then
	BreakerHalfOpen BreakerState = "half_open" // no held delivery could be the probe, so the next delivery is
)

// Health is what is known of a subscription's endpoint. Only an unhealthy endpoint has a row; the
// zero value means healthy.
type Health struct {
	SubscriptionID  string
	Breaker         BreakerState  // empty: closed
	BreakerSince    time.Time     // when it opened; zero: it is closed
	BreakerReason   string        // why it opened, in words
	FailingSince    time.Time     // the first failure after the last success; zero: the last attempt succeeded
	ProbeAt         time.Time     // when the next probe is released, or the current one is given up; zero: none is planned
	ProbeInterval   time.Duration // the wait for the next probe, without jitter, unless the receiver asks for another
	ProbeDeliveryID string        // the delivery that may pass while the breaker is open; empty: none
	DeferredUntil   time.Time     // the receiver asked to send nothing before; zero: it did not
	// QueueReason is why deliveries of the subscription wait in Postgres, such as rate_limited. New
	// deliveries then wait behind them. Empty: none wait.
	QueueReason string
	Slow        bool // its average latency is above [SlowAfter]: its attempts use the queue of slow endpoints

	// The counts of the breaker: faults of the endpoint and attempts in the half of the window that
	// begins at WindowAt and in the half before, and the failures in a row.
	WindowAt          time.Time
	Attempts          int
	Failures          int
	PreviousAttempts  int
	PreviousFailures  int
	FailuresInARow    int
	LastFailureReason string
}

// Endpoint is where the deliveries of a subscription go, with its health.
type Endpoint struct {
	SubscriptionID string
	Host           string
	Health         Health
}

// SlowAfter is the average latency from which an endpoint is slow.
const SlowAfter = time.Second

// ProbeTimeout is how long to wait for the result of a probe. It is longer than any attempt takes,
// including its dispatch and recording. If a probe has no result, for example because its worker
// died, another follows.
const ProbeTimeout = time.Minute

// IsOpen reports whether the breaker prevents that delivery from being sent.
func (h *Health) IsOpen(deliveryID string) bool {
	return h.Breaker == BreakerOpen && (deliveryID == "" || h.ProbeDeliveryID != deliveryID)
}

const (
	// FailingDelay is how long the first attempt to a failing endpoint waits: by default as long as
	// a delivery's second attempt.
	FailingDelay = 5 * time.Second
	// FailingAfter is how many failures in a row make an endpoint a failing one: one or two may
	// come from a broken connection.
	FailingAfter = 3
	// failingFor is how long an endpoint without further requests counts as failing.
	failingFor = 5 * time.Minute
)

// IsFailing reports whether the latest attempts have failed, though too few for the breaker.
func (h *Health) IsFailing(now time.Time) bool {
	return cmp.Or(h.Breaker, BreakerClosed) == BreakerClosed && h.FailuresInARow >= FailingAfter && now.Sub(h.WindowAt) < failingFor
}

// AdmitsLike reports whether [Admit] decides the same for both.
func (h *Health) AdmitsLike(other *Health) bool {
	return cmp.Or(h.Breaker, BreakerClosed) == cmp.Or(other.Breaker, BreakerClosed) && h.ProbeDeliveryID == other.ProbeDeliveryID &&
		h.DeferredUntil.Equal(other.DeferredUntil) && h.QueueReason == other.QueueReason && h.Slow == other.Slow
}

// HealthReport is what an attempt showed of an endpoint, together with earlier attempts of the same
// process.
type HealthReport struct {
	SubscriptionID string
	Breaker        Breaker         // the thresholds of the subscription
	DeliveryID     string          // whose attempt it was
	At             time.Time       // when the attempt began
	Verdict        EndpointVerdict // what it showed
	Reason         string          // its failure in a word, such as http_503; empty: it succeeded
	Answered       int             // earlier attempts of the process that the endpoint answered and no report has counted
	RetryAfter     time.Duration   // how long the receiver asked to wait; 0: it did not
	Deferral       time.Duration   // how long it asked to be sent nothing at all; 0: it did not
	Disable        string          // why its response disables the subscription, in words; empty: it does not
}

// Report returns the report of an attempt of the subscription.
func (s *Subscription) Report(made Attempt) HealthReport {
	o := &made.Outcome
	return HealthReport{
		SubscriptionID: s.ID, Breaker: s.Breaker, DeliveryID: made.DeliveryID, At: made.At, Verdict: o.Endpoint(), Reason: o.Reason(),
		RetryAfter: o.RetryAfter, Deferral: o.Deferral(), Disable: o.DisableReason(),
	}
}

// HealthChange is the effect of a report.
type HealthChange struct {
	Opened   bool   // the breaker has opened
	Reopened bool   // the probe has failed: the next one comes later
	Closed   bool   // the breaker has closed: what was held is released
	Deferred bool   // nothing is sent before a later date
	Disable  string // why the subscription must be disabled, in words; empty: it need not be
}

// HealthResult is the result of a report.
type HealthResult struct {
	Change    HealthChange
	Health    Health // as it is now
	Operation string // the release that was started; empty: none was
}

// Observe applies a report. It depends only on its arguments.
//
// While the breaker is open only its probe counts as a failure: other attempts began before it
// opened, or were admitted by a process that had not heard of it. Any attempt that began since and
// was answered closes the breaker.
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
		// The attempt says nothing of the endpoint since the breaker opened.
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

// Close closes the breaker and resets the counts. The release that follows also covers the wait
// that the receiver asked for, if it is over.
func (h *Health) Close(now time.Time) {
	if !h.DeferredUntil.After(now) {
		h.DeferredUntil = time.Time{}
	}
	*h = Health{
		SubscriptionID: h.SubscriptionID, Breaker: BreakerClosed, WindowAt: now,
		DeferredUntil: h.DeferredUntil, QueueReason: h.QueueReason, Slow: h.Slow,
	}
}

// postpone stores until when the receiver wants nothing, and reports whether that changes anything.
// Of many responses that come together only the first does.
func (h *Health) postpone(now time.Time, deferral time.Duration) bool {
	until := now.Add(deferral)
	if deferral == 0 || until.Sub(h.DeferredUntil) < MinDeferral {
		return false
	}
	h.DeferredUntil = until
	return true
}

// count adds the report to the counts.
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

// roll begins the next half of the window if the current one is over. The counts are never older
// than the window, and cover at least half of it.
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

// open opens the breaker if the counts exceed a threshold, and reports whether they do.
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
// receiver asked for it. The subscription's id and the interval seed how much later it comes.
func (h *Health) probeLater(now time.Time, interval, retryAfter time.Duration) {
	wait := interval
	if retryAfter > 0 {
		wait = min(max(retryAfter, MinProbeInterval), MaxDeferral)
	}
	share := (1 + fraction(h.SubscriptionID, int(interval/time.Second))) / 2
	wait += time.Duration(share * ProbeJitter * float64(wait)).Truncate(time.Millisecond)
	h.Breaker, h.ProbeInterval, h.ProbeAt, h.ProbeDeliveryID = BreakerOpen, interval, now.Add(wait), ""
}

// LetThrough makes a delivery the probe of an open breaker.
func (h *Health) LetThrough(now time.Time, deliveryID string) {
	h.ProbeDeliveryID, h.ProbeAt = deliveryID, now.Add(ProbeTimeout)
}

// HalfOpen makes the next delivery the probe, because no held one could be.
func (h *Health) HalfOpen() {
	h.Breaker, h.ProbeDeliveryID, h.ProbeAt = BreakerHalfOpen, "", time.Time{}
}

// What a workflow that recovers an endpoint waits for, in words.
const (
	WaitForProbe       = "the next probe"
	WaitForProbeResult = "the result of the probe"
	WaitForReceiver    = "the time for which the receiver asked to wait"
)

// RecoveryStep is the next step for an unhealthy endpoint. Without a date there is nothing to wait
// for.
type RecoveryStep struct {
	Breaker   BreakerState `json:"breaker,omitempty"`   // as it is now; empty: the endpoint is healthy, or its subscription is not active
	Due       bool         `json:"-"`                   // it must be done now
	WaitFor   string       `json:"wait_for,omitempty"`  // in words
	WaitUntil time.Time    `json:"wait_until,omitzero"` // zero: there is nothing to wait for
	Probe     string       `json:"probe,omitempty"`     // the delivery that is released as the probe
	Operation string       `json:"operation,omitempty"` // the release that was started
}

// Recovery returns the next step for the endpoint at that time.
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
