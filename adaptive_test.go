package switchboard

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// adaptive returns a subscription whose limits follow the load as in a.
func adaptive(a Adaptive) Subscription {
	s := Subscription{Adaptive: a}
	s.Adaptive.Enabled = true
	s.SetDefaults()
	return s
}

func TestLimitsUnder(t *testing.T) {
	t.Parallel()
	fixed, defaults := Subscription{}, adaptive(Adaptive{})
	fixed.SetDefaults()
	bounded := adaptive(Adaptive{MinimumTimeout: Duration(2 * time.Second), MaxIntervalFactor: 5, MinimumAttempts: 3})
	short := Subscription{Timeout: Duration(3 * time.Second), Adaptive: Adaptive{Enabled: true}}
	short.SetDefaults()
	// Rows that no current rule accepts, but an older one may have.
	bare := Subscription{Timeout: DefaultTimeout, Retry: RetryPolicy{MaxAttempts: 12}, Adaptive: Adaptive{Enabled: true}}
	beyond := adaptive(Adaptive{MinimumTimeout: Duration(20 * time.Second), MaxIntervalFactor: 0.5, MinimumAttempts: 40})
	tests := []struct {
		name string
		s    Subscription
		load float64
		want Limits
	}{
		{"fixed, idle", fixed, 0, Limits{Timeout: Duration(10 * time.Second), IntervalFactor: 1, MaxAttempts: 38, Load: 0}},
		{"fixed, full", fixed, 1, Limits{Timeout: Duration(10 * time.Second), IntervalFactor: 1, MaxAttempts: 38, Load: 1}},
		{"defaults, idle", defaults, 0, Limits{Timeout: Duration(10 * time.Second), IntervalFactor: 1, MaxAttempts: 38, Load: 0}},
		{"defaults, half", defaults, 0.5, Limits{Timeout: Duration(7500 * time.Millisecond), IntervalFactor: 1.5, MaxAttempts: 38, Load: 0.5}},
		{"defaults, full", defaults, 1, Limits{Timeout: Duration(5 * time.Second), IntervalFactor: 2, MaxAttempts: 38, Load: 1}},
		{"bounded, idle", bounded, 0, Limits{Timeout: Duration(10 * time.Second), IntervalFactor: 1, MaxAttempts: 38, Load: 0}},
		{"bounded, half", bounded, 0.5, Limits{Timeout: Duration(6 * time.Second), IntervalFactor: 3, MaxAttempts: 20, Load: 0.5}},
		{"bounded, full", bounded, 1, Limits{Timeout: Duration(2 * time.Second), IntervalFactor: 5, MaxAttempts: 3, Load: 1}},
		{"short, full", short, 1, Limits{Timeout: Duration(3 * time.Second), IntervalFactor: 2, MaxAttempts: 38, Load: 1}},
		{"bare, full", bare, 1, Limits{Timeout: Duration(5 * time.Second), IntervalFactor: 2, MaxAttempts: 12, Load: 1}},
		{"beyond, full", beyond, 1, Limits{Timeout: Duration(10 * time.Second), IntervalFactor: 1, MaxAttempts: 38, Load: 1}},
		{"below none", defaults, -3, Limits{Timeout: Duration(10 * time.Second), IntervalFactor: 1, MaxAttempts: 38, Load: 0}},
		{"above full", defaults, math.Inf(1), Limits{Timeout: Duration(5 * time.Second), IntervalFactor: 2, MaxAttempts: 38, Load: 1}},
		{"unknown", defaults, math.NaN(), Limits{Timeout: Duration(10 * time.Second), IntervalFactor: 1, MaxAttempts: 38, Load: 0}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, test.s.LimitsUnder(test.load)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// Under more load no limit is wider, and none leaves the bounds of its subscription.
func FuzzLimitsUnder(f *testing.F) {
	f.Add(0.0, 1.0, int64(5*time.Second), int64(10*time.Second), 2.0, 12, 12)
	f.Add(0.49, 0.5, int64(time.Second), int64(30*time.Second), 10.0, 1, 100)
	f.Add(math.Nextafter(1, 0), 1.0, int64(2999999999), int64(3*time.Second), 1.0, 2, 3)
	f.Fuzz(func(t *testing.T, less, more float64, minimum, timeout int64, factor float64, attempts, maximum int) {
		s := adaptive(Adaptive{MinimumTimeout: Duration(minimum), MaxIntervalFactor: factor, MinimumAttempts: attempts})
		s.Timeout, s.Retry.MaxAttempts = Duration(timeout), maximum
		if s.Timeout < MinTimeout || s.Timeout > MaxTimeout || maximum < 1 || maximum > maxMaximumAttempts || s.validateAdaptive() != nil {
			t.Skip()
		}
		if math.IsNaN(less) || math.IsNaN(more) || less > more {
			t.Skip()
		}
		a, b := s.LimitsUnder(less), s.LimitsUnder(more)
		if b.Timeout > a.Timeout || b.IntervalFactor < a.IntervalFactor || b.MaxAttempts > a.MaxAttempts || b.Load < a.Load {
			t.Errorf("under %g: %+v; under %g: %+v", less, a, more, b)
		}
		if b.Timeout < s.Adaptive.MinimumTimeout || b.IntervalFactor > s.Adaptive.MaxIntervalFactor || b.MaxAttempts < s.Adaptive.MinimumAttempts {
			t.Errorf("under %g: %+v is beyond %+v", more, b, s.Adaptive)
		}
		if a.Timeout > s.Timeout || a.IntervalFactor < 1 || a.MaxAttempts > maximum || a.Load < 0 || b.Load > 1 {
			t.Errorf("under %g: %+v is wider than the subscription's own", less, a)
		}
	})
}

func TestAdaptiveDefaults(t *testing.T) {
	t.Parallel()
	var off Subscription
	off.SetDefaults()
	if off.Adaptive != (Adaptive{}) {
		t.Errorf("limits that do not follow the load got %+v", off.Adaptive)
	}
	own := Adaptive{Enabled: true, MinimumTimeout: Duration(2 * time.Second), MaxIntervalFactor: 1, MinimumAttempts: 1}
	for name, test := range map[string]struct{ given, want Adaptive }{
		"none given": {Adaptive{}, Adaptive{Enabled: true, MinimumTimeout: Duration(5 * time.Second), MaxIntervalFactor: 2, MinimumAttempts: 38}},
		"all given":  {own, own},
	} {
		s := adaptive(test.given)
		if s.Adaptive != test.want || s.validateAdaptive() != nil {
			t.Errorf("%s: %+v, %v; want %+v", name, s.Adaptive, s.validateAdaptive(), test.want)
		}
	}
}

func TestAdaptiveValidate(t *testing.T) {
	t.Parallel()
	for field, changes := range map[string][]Adaptive{
		"adaptive.minimum_timeout":         {{MinimumTimeout: -1}, {MinimumTimeout: MinTimeout - 1}, {MinimumTimeout: DefaultTimeout + 1}},
		"adaptive.maximum_interval_factor": {{MaxIntervalFactor: -1}, {MaxIntervalFactor: 0.99}, {MaxIntervalFactor: 10.01}, {MaxIntervalFactor: math.NaN()}, {MaxIntervalFactor: math.Inf(1)}},
		"adaptive.minimum_attempts":        {{MinimumAttempts: -1}, {MinimumAttempts: 39}},
	} {
		for _, change := range changes {
			s := subscription()
			s.Adaptive = change
			if err := s.Validate(); err != nil {
				t.Errorf("%+v is not enabled: %v", change, err)
			}
			s.Adaptive.Enabled = true
			s.SetDefaults()
			if e, ok := errors.AsType[*Error](s.Validate()); !ok || e.Code != CodeInvalid || e.Field != field {
				t.Errorf("%+v: %v; want %s to be invalid", change, e, field)
			}
		}
	}
}

func TestNextUnderLoad(t *testing.T) {
	t.Parallel()
	policy := RetryPolicy{InitialInterval: Duration(10 * time.Second), BackoffCoefficient: 2, MaximumInterval: Duration(time.Minute), MaxAttempts: 10}
	failed := Outcome{StatusCode: 503, Failure: FailureHTTP5xx}
	about := func(d time.Duration) func(time.Duration) bool {
		return func(got time.Duration) bool { return got >= d*9/10 && got <= d*11/10 }
	}
	for name, test := range map[string]struct {
		limits  Limits
		attempt int
		after   time.Duration
		state   State
		waits   func(time.Duration) bool
	}{
		"no limits":              {Limits{}, 1, 0, StateRetrying, about(10 * time.Second)},
		"stretched":              {Limits{IntervalFactor: 1.5}, 1, 0, StateRetrying, about(15 * time.Second)},
		"grown and stretched":    {Limits{IntervalFactor: 2}, 2, 0, StateRetrying, about(40 * time.Second)},
		"never beyond maximum":   {Limits{IntervalFactor: 10}, 2, 0, StateRetrying, about(time.Minute)},
		"asked for less":         {Limits{IntervalFactor: 2}, 1, 15 * time.Second, StateRetrying, about(20 * time.Second)},
		"asked for more":         {Limits{IntervalFactor: 2}, 1, 30 * time.Second, StateRetrying, about(31 * time.Second)},
		"one before the last":    {Limits{MaxAttempts: 4}, 3, 0, StateRetrying, about(40 * time.Second)},
		"the last":               {Limits{MaxAttempts: 4}, 4, 0, StateFailed, about(0)},
		"beyond the last":        {Limits{MaxAttempts: 4}, 7, 0, StateFailed, about(0)},
		"the policy's last":      {Limits{}, 10, 0, StateFailed, about(0)},
		"before the policy's":    {Limits{MaxAttempts: 10}, 9, 0, StateRetrying, about(time.Minute)},
		"nothing but the factor": {Limits{IntervalFactor: 1, MaxAttempts: 10, Load: 1, Timeout: 1}, 1, 0, StateRetrying, about(10 * time.Second)},
	} {
		outcome := failed
		outcome.RetryAfter = test.after
		got := Next(policy, test.limits, "dlv_1", test.attempt, outcome)
		if got.State != test.state || !test.waits(got.Wait) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := Next(policy, Limits{MaxAttempts: 1}, "dlv_1", 1, Outcome{StatusCode: 200}); got.State != StateDelivered {
		t.Errorf("the last attempt succeeded: %+v", got)
	}
}
