package switchboard

import (
	"cmp"
	"errors"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
	"time"
)

// RetryPolicy says when an attempt follows a failed one. Its fields are those of a Temporal retry
// policy.
type RetryPolicy struct {
	InitialInterval    Duration `json:"initial_interval,omitempty" default_duration:"5s" doc:"Before the second attempt: 100ms to 168h" example:"5s"`
	BackoffCoefficient float64  `json:"backoff_coefficient,omitempty" minimum:"1" maximum:"10" default:"3" doc:"The factor by which each further wait is longer" example:"3"`
	MaximumInterval    Duration `json:"maximum_interval,omitempty" always:"true" doc:"The longest wait: initial_interval to 168h. Default: 4h, or initial_interval if that is longer" example:"4h"`
	MaxAttempts        int      `json:"maximum_attempts,omitempty" minimum:"1" maximum:"100" default:"38" doc:"The first one counts. The defaults span five days; the answer shows the whole schedule" example:"38"`
}

// Bounds and defaults of a retry policy. The defaults give 38 attempts over five days: 5s, 15s,
// 45s, 2m15s, 6m45s, 20m15s, 1h0m45s, 3h2m15s, and then every 4 hours. A receiver that was down
// over a long weekend still gets everything, and when it is back, the next attempt is at most 4
// hours away.
const (
	defaultMaximumInterval = Duration(4 * time.Hour)

	minInterval        = Duration(100 * time.Millisecond)
	maxInterval        = Duration(7 * 24 * time.Hour)
	maxCoefficient     = 10.0
	maxMaximumAttempts = 100
	// maxLost is how many attempts with an unknown outcome may follow the last one that the policy
	// allows. A crash of ours must not end a delivery, but a delivery whose request crashes the
	// process each time must end too.
	maxLost = 5
)

// jitter is the share by which a wait is lengthened or shortened, so that deliveries that failed
// together are not retried together.
const jitter = 0.1

func (p *RetryPolicy) validate() error {
	switch {
	case p.InitialInterval < minInterval || p.InitialInterval > maxInterval:
		return InvalidField("retry.initial_interval", "must be from %s to %s", minInterval, maxInterval)
	case !(p.BackoffCoefficient >= 1 && p.BackoffCoefficient <= maxCoefficient):
		return InvalidField("retry.backoff_coefficient", "must be from 1 to %g", maxCoefficient)
	case p.MaximumInterval < p.InitialInterval || p.MaximumInterval > maxInterval:
		return InvalidField("retry.maximum_interval", "must be from initial_interval to %s", maxInterval)
	case p.MaxAttempts < 1 || p.MaxAttempts > maxMaximumAttempts:
		return InvalidField("retry.maximum_attempts", "must be from 1 to %d", maxMaximumAttempts)
	}
	return nil
}

// Schedule lists the waits after each attempt but the last, without jitter and without anything
// that lengthens them.
func (p RetryPolicy) Schedule() []Duration {
	waits := make([]Duration, 0, max(p.MaxAttempts-1, 0))
	for attempt := 1; attempt < p.MaxAttempts; attempt++ {
		waits = append(waits, Duration(p.interval(attempt, 1)))
	}
	return waits
}

// Span is the sum of the schedule: how long a delivery is retried.
func (p RetryPolicy) Span() Duration {
	var span Duration
	for _, wait := range p.Schedule() {
		span += wait
	}
	return span
}

// interval is the exponential wait after an attempt, times that factor.
func (p RetryPolicy) interval(attempt int, factor float64) float64 {
	return min(float64(p.InitialInterval)*math.Pow(p.BackoffCoefficient, float64(attempt-1))*factor, float64(p.MaximumInterval))
}

// Decision is what happens to a delivery after an attempt.
type Decision struct {
	State     State
	Reason    string
	Permanent bool          // no later attempt can succeed; if false, a failed delivery has used up its attempts
	Wait      time.Duration // until the next attempt; 0 unless State is Retrying
}

// Next decides what follows an attempt that was made under those limits and had that outcome.
// attempt counts from 1 after the prior attempts, because the policy only counts those of the
// current generation. The delivery's id seeds the jitter, so that it differs between deliveries and
// is the same at every call.
func Next(policy RetryPolicy, limits Limits, delivery string, attempt int, outcome Outcome) Decision {
	switch {
	case outcome.Failure == "":
		return Decision{State: StateDelivered}
	case outcome.Failure == FailureAborted:
		// An aborted delivery was cancelled, which its row says. If it does not, an operator has
		// retried it since.
		return Decision{State: StateRetrying, Reason: outcome.Reason()}
	case outcome.Wish == WishAbortMessage:
		return Decision{State: StateFailed, Reason: ReasonRejectedByReceiver, Permanent: true}
	case outcome.IsPermanent():
		return Decision{State: StateFailed, Reason: outcome.Reason(), Permanent: true}
	case attempt >= allowed(policy, limits, outcome):
		return Decision{State: StateFailed, Reason: outcome.Reason()}
	}
	return Decision{State: StateRetrying, Reason: outcome.Reason(), Wait: wait(policy, cmp.Or(limits.IntervalFactor, 1), delivery, attempt, outcome.RetryAfter)}
}

// Within applies the delivery's deadline to the decision after an attempt that ended at that time:
// if the next attempt would come after the deadline, the delivery fails at once. A zero deadline
// means none.
func (d Decision) Within(deadline, end time.Time) Decision {
	if deadline.IsZero() || !d.State.HasNextAttempt() || end.Add(d.Wait).Before(deadline) {
		return d
	}
	return Decision{State: StateFailed, Reason: ReasonExpired}
}

// allowed is how many attempts may be made when the latest had this outcome. An attempt with an
// unknown outcome is never the last, because the unknown outcome is our fault.
func allowed(policy RetryPolicy, limits Limits, outcome Outcome) int {
	attempts := cmp.Or(limits.MaxAttempts, policy.MaxAttempts)
	if outcome.Failure == FailureUnknown {
		return attempts + maxLost
	}
	return attempts
}

// wait is how long after an attempt the next one is made.
func wait(p RetryPolicy, factor float64, delivery string, attempt int, retryAfter time.Duration) time.Duration {
	return p.waitOf(factor, delivery, attempt, retryAfter).total()
}

// waitParts are the parts of a wait.
type waitParts struct {
	plain     float64 // the policy's exponential interval
	stretched float64 // the same, times the factor
	asked     float64 // how long the receiver asked to wait
	deviation float64 // the jitter, as a share in [-jitter, jitter)
}

// waitOf is the policy's exponential interval, times the factor, with its jitter. A receiver's
// Retry-After is a lower bound. Neither exceeds the policy's maximum by more than the jitter,
// because the maximum is promised to the subscriber whatever our load.
func (p RetryPolicy) waitOf(factor float64, delivery string, attempt int, retryAfter time.Duration) waitParts {
	return waitParts{
		plain: p.interval(attempt, 1), stretched: p.interval(attempt, factor),
		asked: min(float64(retryAfter), float64(p.MaximumInterval)), deviation: jitter * fraction(delivery, attempt),
	}
}

// asksMore reports whether the receiver's Retry-After determines the wait.
func (w waitParts) asksMore() bool { return w.asked > w.stretched*(1+w.deviation) }

func (w waitParts) total() time.Duration {
	if w.asksMore() {
		return time.Duration(w.asked * (1 + math.Abs(w.deviation)))
	}
	return time.Duration(w.stretched * (1 + w.deviation))
}

// fraction maps an id and a number, such as a delivery's attempt, to a stable number in [-1, 1).
func fraction(id string, number int) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id + "/" + strconv.Itoa(number)))
	const bits = 20 // of the hash's best mixed end; enough for a share of 10 %
	return float64(mix(h.Sum64())>>(64-bits))/(1<<(bits-1)) - 1
}

// mix spreads the last byte's influence over the whole hash, which FNV does not
// (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// ParseRetryAfter reads the header in both of its forms, seconds and a date. It
// returns 0 for anything else, and for a date that has passed. A number beyond 31
// bits, 68 years, counts as those: the receiver means "very long", not nothing.
func ParseRetryAfter(value string, now time.Time) time.Duration {
	seconds, err := strconv.ParseUint(value, 10, 31)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}
