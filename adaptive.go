package switchboard

import (
	"cmp"
	"math"
	"time"
)

// Adaptive says how a subscription's limits follow the load of the worker that makes an attempt,
// and how far they may go. Without load they are the subscription's own, under full load those
// given here, and in between they are interpolated linearly.
type Adaptive struct {
	Enabled           bool     `json:"enabled" required:"false" always:"true" doc:"Whether timeout and retries follow the load of the worker. false: the limits are fixed, and the bounds below are removed. Default: true, unless a timeout is given without adaptive" example:"true"`
	MinimumTimeout    Duration `json:"minimum_timeout,omitempty" doc:"The timeout under full load: 1s to timeout. Default: 5s" example:"5s"`
	MaxIntervalFactor float64  `json:"maximum_interval_factor,omitempty" minimum:"1" maximum:"10" doc:"The factor of retry intervals under full load. Default: 2" example:"2"`
	MinimumAttempts   int      `json:"minimum_attempts,omitempty" minimum:"1" doc:"The number of attempts under full load. Default: retry.maximum_attempts" example:"38"`
}

// Bounds and defaults of limits that follow the load.
const (
	defaultMinimumTimeout = Duration(5 * time.Second)
	defaultIntervalFactor = 2.0
	maxIntervalFactor     = 10.0
)

// setDefaults fills in how far the subscription's limits may go. The number of attempts falls only
// if a subscription asks for it. A spike of load alone must not end a delivery early, because
// nothing repairs that afterwards.
func (a *Adaptive) setDefaults(s *Subscription) {
	if !a.Enabled {
		*a = Adaptive{}
		return
	}
	a.MinimumTimeout = cmp.Or(a.MinimumTimeout, min(defaultMinimumTimeout, s.Timeout))
	a.MaxIntervalFactor = cmp.Or(a.MaxIntervalFactor, defaultIntervalFactor)
	a.MinimumAttempts = cmp.Or(a.MinimumAttempts, s.Retry.MaxAttempts)
}

// validateAdaptive checks the bounds that the limits keep under load. It ignores limits that do not
// follow the load.
func (s *Subscription) validateAdaptive() error {
	a := s.Adaptive
	switch {
	case !a.Enabled:
		return nil
	case a.MinimumTimeout < MinTimeout || a.MinimumTimeout > s.Timeout:
		return InvalidField("adaptive.minimum_timeout", "must be from %s to timeout, %s", MinTimeout, s.Timeout)
	case !(a.MaxIntervalFactor >= 1 && a.MaxIntervalFactor <= maxIntervalFactor):
		return InvalidField("adaptive.maximum_interval_factor", "must be from 1 to %g", maxIntervalFactor)
	case a.MinimumAttempts < 1 || a.MinimumAttempts > s.Retry.MaxAttempts:
		return InvalidField("adaptive.minimum_attempts", "must be from 1 to retry.maximum_attempts, %d", s.Retry.MaxAttempts)
	}
	return nil
}

// Limits are the limits of one attempt.
type Limits struct {
	Timeout        Duration // of the attempt
	IntervalFactor float64  // the factor of the wait after it; 0 counts as 1
	MaxAttempts    int      // of the run; 0: as many as its policy says
	Load           float64  // from which they result, 0 to 1
}

// LimitsUnder returns the limits of an attempt that a worker under that load makes; load is the
// share of its slots that are taken.
func (s *Subscription) LimitsUnder(load float64) Limits {
	load = share(load)
	limits := Limits{Timeout: s.Timeout, IntervalFactor: 1, MaxAttempts: s.Retry.MaxAttempts, Load: load}
	if !s.Adaptive.Enabled {
		return limits
	}
	least := s.Adaptive
	least.setDefaults(s) // a stored row may be older than a field
	limits.Timeout -= Duration(load * float64(limits.Timeout-min(least.MinimumTimeout, limits.Timeout)))
	limits.IntervalFactor += load * (max(least.MaxIntervalFactor, 1) - 1)
	limits.MaxAttempts -= int(math.Round(load * float64(limits.MaxAttempts-min(least.MinimumAttempts, limits.MaxAttempts))))
	return limits
}

// share brings a load into [0, 1]. An unknown load counts as none, so that the subscription's own
// limits apply.
func share(load float64) float64 {
	if math.IsNaN(load) {
		return 0
	}
	return min(max(load, 0), 1)
}
