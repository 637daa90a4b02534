package inflight

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/seed-49a43567/switchboard"
)

const (
	// maxEndpoints is how many endpoints a process counts: those with the latest attempts. They
	// take about 2 MB. An endpoint that is dropped is only counted from zero again.
	maxEndpoints = 10_000
	// successInterval is how often a process reports the successes of an unhealthy endpoint at
	// most. Otherwise a busy endpoint that fails now and then would need a statement for each.
	successInterval = time.Second
)

// Health counts the attempts of this process by subscription, so that Postgres gets a report only
// if the endpoint is unhealthy.
type Health struct {
	mu     sync.Mutex
	counts *simplelru.LRU[string, *endpointCount]
}

// endpointCount counts the attempts of a subscription that no report has counted. It is kept for
// two halves of the breaker's window: when a half begins, the one before the previous is dropped.
type endpointCount struct {
	halfAt             time.Time // when the current half began
	answered, previous int       // in the current half, and in the one before
	failed             bool      // the last report was a failure
	reportedAt         time.Time // when the last report was made
}

// NewHealth makes the counts of a process.
func NewHealth() *Health {
	counts, _ := simplelru.NewLRU[string, *endpointCount](maxEndpoints, nil) // fails for a size below 1 only
	return &Health{counts: counts}
}

// Observe counts an attempt of a subscription whose health was read with it. It returns the report,
// including the earlier attempts that the endpoint answered, and whether the report must be stored:
// not if the endpoint is healthy.
func (h *Health) Observe(now time.Time, known *switchboard.Health, r switchboard.HealthReport) (switchboard.HealthReport, bool) {
	if r.Deferral > 0 || r.Disable != "" {
		return h.take(now, r), true
	}
	off := r.Breaker.Mode == switchboard.BreakerOff
	switch r.Verdict {
	case switchboard.EndpointFails:
		return h.take(now, r), !off
	case switchboard.EndpointWorks:
		if off || known.SubscriptionID == "" || !h.isDue(now, known, r) {
			h.add(now, r)
			return r, false
		}
		return h.take(now, r), true
	}
	return r, !off && known.ProbeDeliveryID != "" && known.ProbeDeliveryID == r.DeliveryID
}

// isDue reports whether a success must be reported at once: it may close the breaker, it ends a row
// of failures, or the last report was long enough ago.
func (h *Health) isDue(now time.Time, known *switchboard.Health, r switchboard.HealthReport) bool {
	if known.Breaker != "" && known.Breaker != switchboard.BreakerClosed {
		return true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.counts.Get(r.SubscriptionID)
	return !ok || c.failed || now.Sub(c.reportedAt) >= successInterval
}

// add counts an attempt that the endpoint answered.
func (h *Health) add(now time.Time, r switchboard.HealthReport) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, ok := h.counts.Get(r.SubscriptionID)
	if !ok {
		c = &endpointCount{halfAt: now}
		h.counts.Add(r.SubscriptionID, c)
	}
	c.roll(now, r.Breaker)
	c.answered++
}

// take moves the counts into the report.
func (h *Health) take(now time.Time, r switchboard.HealthReport) switchboard.HealthReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.counts.Get(r.SubscriptionID); ok {
		c.roll(now, r.Breaker)
		r.Answered = c.answered + c.previous
	}
	h.counts.Add(r.SubscriptionID, &endpointCount{halfAt: now, failed: r.Verdict == switchboard.EndpointFails, reportedAt: now})
	return r
}

func (c *endpointCount) roll(now time.Time, b switchboard.Breaker) {
	half := time.Duration(b.Window) / 2
	switch age := now.Sub(c.halfAt); {
	case age < half:
		return
	case age < 2*half:
		c.previous, c.halfAt = c.answered, c.halfAt.Add(half)
	default:
		c.previous, c.halfAt = 0, now
	}
	c.answered = 0
}
