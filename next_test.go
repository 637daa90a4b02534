package switchboard

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"
)

// policies are valid retry policies at the edges of what is allowed.
func policies() map[string]RetryPolicy {
	defaults := subscription()
	return map[string]RetryPolicy{
		"defaults":     defaults.Retry,
		"constant":     {InitialInterval: Duration(time.Second), BackoffCoefficient: 1, MaximumInterval: Duration(time.Second), MaxAttempts: 5},
		"one attempt":  {InitialInterval: Duration(time.Second), BackoffCoefficient: 2, MaximumInterval: Duration(time.Minute), MaxAttempts: 1},
		"the longest":  {InitialInterval: maxInterval, BackoffCoefficient: maxCoefficient, MaximumInterval: maxInterval, MaxAttempts: maxMaximumAttempts},
		"the steepest": {InitialInterval: minInterval, BackoffCoefficient: maxCoefficient, MaximumInterval: maxInterval, MaxAttempts: maxMaximumAttempts},
	}
}

func TestPoliciesAreValid(t *testing.T) {
	t.Parallel()
	for name, p := range policies() {
		if err := p.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNextForEveryStatus(t *testing.T) {
	t.Parallel()
	for name, policy := range policies() {
		for attempt := 1; attempt <= policy.MaxAttempts+1; attempt++ {
			for status := 100; status <= 599; status++ {
				outcome := Outcome{StatusCode: status, Failure: FailureOfStatus(status)}
				want := Decision{State: StateRetrying, Reason: outcome.Reason()}
				switch {
				case status >= 200 && status <= 299:
					want = Decision{State: StateDelivered}
				case status == http.StatusGone:
					want.State, want.Permanent = StateFailed, true
				case attempt >= policy.MaxAttempts:
					want.State = StateFailed
				}
				got := Next(policy, Limits{}, "dlv_1", attempt, outcome)
				if (got.Wait > 0) != (want.State == StateRetrying) {
					t.Errorf("%s, attempt %d, %d: waits %s in state %s", name, attempt, status, got.Wait, got.State)
				}
				if got.Wait = 0; got != want {
					t.Errorf("%s, attempt %d, %d: %+v; want %+v", name, attempt, status, got, want)
				}
			}
		}
	}
}

func TestReasonOfStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		101: "bad_response", 200: "", 204: "", 299: "", 301: "redirect", 400: "http_400", 410: "http_410", 429: "http_429",
		500: "http_500", 503: "http_503", 599: "http_599", 600: "bad_response",
	} {
		if got := (Outcome{StatusCode: status, Failure: FailureOfStatus(status)}).Reason(); got != want {
			t.Errorf("%d: %q; want %q", status, got, want)
		}
	}
}

func TestNextForEveryFailure(t *testing.T) {
	t.Parallel()
	policy := policies()["defaults"]
	for _, failure := range Failures() {
		got := Next(policy, Limits{}, "dlv_1", 1, Outcome{Failure: failure})
		// A delivery that was aborted but is not cancelled was retried: it is due at once.
		if waits := failure != FailureAborted; got.State != StateRetrying || (got.Wait > 0) != waits || got.Reason == "" {
			t.Errorf("%s: %+v; want retrying", failure, got)
		}
		got = Next(policy, Limits{}, "dlv_1", 1, Outcome{Failure: failure, Permanent: true})
		if want := failure != FailureAborted; (got.State == StateFailed) != want || got.Permanent != want {
			t.Errorf("%s, permanent: %+v; want it to end: %t", failure, got, want)
		}
	}
	if got := Next(policy, Limits{}, "dlv_1", 1, Outcome{StatusCode: 200, Permanent: true}); got.State != StateDelivered {
		t.Errorf("a success that is called permanent: %+v; want delivered", got)
	}
}

// A single crash of ours must not end a delivery, and one that happens each time must.
func TestLostOutcomesDoNotEndADelivery(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits  Limits
		attempt int
		failure Failure
		want    State
	}{
		"lost, the last allowed":          {Limits{}, 1, FailureUnknown, StateRetrying},
		"known, the last allowed":         {Limits{}, 1, FailureTimeout, StateFailed},
		"known, after a lost one":         {Limits{}, 2, FailureTimeout, StateFailed},
		"lost, four beyond":               {Limits{}, 5, FailureUnknown, StateRetrying},
		"lost, five beyond":               {Limits{}, 6, FailureUnknown, StateFailed},
		"lost, more allowed under load":   {Limits{MaxAttempts: 3}, 7, FailureUnknown, StateRetrying},
		"lost, as many allowed and five":  {Limits{MaxAttempts: 3}, 8, FailureUnknown, StateFailed},
		"known, as many as under a load":  {Limits{MaxAttempts: 3}, 3, FailureReset, StateFailed},
		"known, fewer than under a load":  {Limits{MaxAttempts: 3}, 2, FailureReset, StateRetrying},
		"aborted, whatever their number ": {Limits{}, 9, FailureAborted, StateRetrying},
	} {
		if got := Next(policies()["one attempt"], c.limits, "dlv_1", c.attempt, Outcome{Failure: c.failure}); got.State != c.want || got.Permanent {
			t.Errorf("%s: %+v; want %s", name, got, c.want)
		}
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	policy := policies()["constant"]
	policy.MaxAttempts = maxMaximumAttempts
	failed := Outcome{StatusCode: 503, Failure: FailureHTTP5xx}
	const deliveries = 1000
	seen := map[time.Duration]bool{}
	var sum time.Duration
	for i := range deliveries {
		id := fmt.Sprintf("dlv_%04d", i)
		got := Next(policy, Limits{}, id, 1, failed).Wait
		if again := Next(policy, Limits{}, id, 1, failed).Wait; again != got {
			t.Fatalf("%s waits %s, and then %s for the same attempt", id, got, again)
		}
		if got < 900*time.Millisecond || got > 1100*time.Millisecond {
			t.Errorf("%s waits %s; want 1s ± 10 %%", id, got)
		}
		if next := Next(policy, Limits{}, id, 2, failed).Wait; next == got {
			t.Errorf("%s waits %s for two attempts", id, got)
		}
		seen[got] = true
		sum += got
	}
	// Deliveries that differ only in their last letter must still be spread.
	if len(seen) < deliveries*95/100 {
		t.Errorf("%d deliveries have %d different waits", deliveries, len(seen))
	}
	if mean := sum / deliveries; mean < 980*time.Millisecond || mean > 1020*time.Millisecond {
		t.Errorf("the mean wait is %s; want about 1s", mean)
	}
}

func TestWaitFollowsThePolicy(t *testing.T) {
	t.Parallel()
	for name, policy := range policies() {
		for _, id := range []string{"dlv_a", "dlv_b", ""} {
			before := time.Duration(0)
			for attempt := 1; attempt < policy.MaxAttempts; attempt++ {
				interval := min(float64(policy.InitialInterval)*math.Pow(policy.BackoffCoefficient, float64(attempt-1)), float64(policy.MaximumInterval))
				got := Next(policy, Limits{}, id, attempt, Outcome{Failure: FailureTimeout}).Wait
				if got <= 0 || float64(got) < interval*(1-jitter)-1 || float64(got) > interval*(1+jitter)+1 {
					t.Errorf("%s, attempt %d: waits %s; want %s ± 10 %%", name, attempt, got, time.Duration(interval))
				}
				// It grows until the maximum, apart from the jitter.
				if float64(got) < float64(before)*(1-jitter)/(1+jitter)-1 {
					t.Errorf("%s, attempt %d: waits %s after %s", name, attempt, got, before)
				}
				before = got
			}
		}
	}
}

// TestSchedule: the schedule in the subscription's answer is what happens, apart from the jitter.
func TestSchedule(t *testing.T) {
	t.Parallel()
	for name, policy := range policies() {
		waits := policy.Schedule()
		if len(waits) != policy.MaxAttempts-1 {
			t.Errorf("%s: %d waits for %d attempts", name, len(waits), policy.MaxAttempts)
		}
		var span Duration
		for i, shown := range waits {
			span += shown
			for _, id := range []string{"dlv_a", "dlv_b"} {
				got := float64(Next(policy, Limits{}, id, i+1, Outcome{Failure: FailureTimeout}).Wait)
				if got < float64(shown)*(1-jitter)-1 || got > float64(shown)*(1+jitter)+1 {
					t.Errorf("%s: waits %s after attempt %d, and %s are shown", name, time.Duration(got), i+1, shown)
				}
			}
		}
		if got := policy.Span(); got != span || got < 0 {
			t.Errorf("%s: spans %s, and its waits are %s", name, got, span)
		}
	}
}

// TestDefaultSchedule: the numbers that the documents promise.
func TestDefaultSchedule(t *testing.T) {
	t.Parallel()
	policy := policies()["defaults"]
	waits := policy.Schedule()
	for i, want := range []Duration{5, 15, 45, 135, 405, 1215, 3645, 10935, 14400} {
		if waits[i] != want*Duration(time.Second) {
			t.Errorf("wait %d is %s; want %s", i+1, waits[i], want*Duration(time.Second))
		}
	}
	if len(waits) != 37 || waits[len(waits)-1] != Duration(4*time.Hour) {
		t.Errorf("%d waits, the last of %s; want 37, 4h", len(waits), waits[len(waits)-1])
	}
	if got, want := policy.Span(), Duration(120*time.Hour+33*time.Minute+20*time.Second); got != want {
		t.Errorf("spans %s; want %s, five days", got, want)
	}
	// Under full load the first waits are longer, and none exceeds the longest.
	for attempt := 1; attempt < policy.MaxAttempts; attempt++ {
		got := Next(policy, Limits{IntervalFactor: maxIntervalFactor}, "dlv_1", attempt, Outcome{Failure: FailureTimeout}).Wait
		if longest := float64(4*time.Hour) * (1 + jitter); float64(got) > longest {
			t.Errorf("attempt %d under load is followed by a wait of %s", attempt, got)
		}
	}
}

func TestRetryAfterLengthensTheWait(t *testing.T) {
	t.Parallel()
	policy := RetryPolicy{InitialInterval: Duration(10 * time.Second), BackoffCoefficient: 2, MaximumInterval: Duration(time.Hour), MaxAttempts: 10}
	tests := map[time.Duration]struct{ least, most time.Duration }{
		-time.Hour:              {9 * time.Second, 11 * time.Second},
		0:                       {9 * time.Second, 11 * time.Second},
		time.Second:             {9 * time.Second, 11 * time.Second},       // shorter than the policy's
		10 * time.Second:        {10 * time.Second, 11 * time.Second},      // never earlier
		time.Minute:             {time.Minute, 66 * time.Second},           // honoured
		48 * time.Hour:          {time.Hour, 66 * time.Minute},             // bounded
		math.MaxInt64:           {time.Hour, 66 * time.Minute},             // and does not overflow
		math.MinInt64:           {9 * time.Second, 11 * time.Second},       // nor underflow
		time.Hour + time.Second: {time.Hour, 66*time.Minute + time.Second}, // at the bound
	}
	for _, id := range []string{"dlv_a", "dlv_b", "dlv_c", "dlv_d"} {
		for asked, want := range tests {
			got := Next(policy, Limits{}, id, 1, Outcome{StatusCode: 429, Failure: FailureHTTP4xx, RetryAfter: asked}).Wait
			if got < want.least || got > want.most {
				t.Errorf("%s asked for %s: waits %s; want %s to %s", id, asked, got, want.least, want.most)
			}
		}
	}
	// A final decision stays final, whatever the receiver asks for.
	if got := Next(policy, Limits{}, "dlv_a", 10, Outcome{StatusCode: 503, Failure: FailureHTTP5xx, RetryAfter: time.Minute}); got.State != StateFailed || got.Wait != 0 {
		t.Errorf("after the last attempt: %+v", got)
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"0": 0, "1": time.Second, "120": 2 * time.Minute, "0120": 2 * time.Minute, "2147483647": math.MaxInt32 * time.Second,
		"2147483648": math.MaxInt32 * time.Second, "99999999999999999999999999": math.MaxInt32 * time.Second,
		"": 0, "-1": 0, "+1": 0, "1.5": 0, "1s": 0, " 1": 0, "0x10": 0, "1_0": 0, "soon": 0,
		"Sun, 01 Mar 2026 12:00:30 GMT":    30 * time.Second,
		"Sunday, 01-Mar-26 12:01:00 GMT":   time.Minute,
		"Sun Mar  1 13:00:00 2026":         time.Hour,
		"Sun, 01 Mar 2026 11:59:59 GMT":    0,
		"Mon, 01 Jan 0001 00:00:00 GMT":    0,
		"Fri, 31 Dec 9999 23:59:59 GMT":    math.MaxInt64,
		"2026-03-01T12:00:30Z":             0,
		"Sun, 01 Mar 2026 12:00:30 +01:00": 0,
	} {
		if got := ParseRetryAfter(value, now); got != want {
			t.Errorf("%q: %s; want %s", value, got, want)
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{"1", "-1", "99999999999999999999", "Sun, 01 Mar 2026 12:00:30 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", ""} {
		f.Add(seed, int64(1700000000))
	}
	policy := policies()["defaults"]
	longest := time.Duration(float64(policy.MaximumInterval) * (1 + jitter))
	f.Fuzz(func(t *testing.T, value string, now int64) {
		asked := ParseRetryAfter(value, time.Unix(now, 0))
		if asked < 0 {
			t.Errorf("%q at %d: %s", value, now, asked)
		}
		if got := Next(policy, Limits{}, value, 1, Outcome{Failure: FailureHTTP5xx, StatusCode: 503, RetryAfter: asked}).Wait; got <= 0 || got > longest {
			t.Errorf("%q at %d: waits %s", value, now, got)
		}
	})
}
