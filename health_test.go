package switchboard

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// thresholds are the defaults, with those changes.
func thresholds(change func(*Breaker)) Breaker {
	s := subscription()
	change(&s.Breaker)
	return s.Breaker
}

// never is a threshold that no case reaches.
const never = 1000

// byRow is a breaker that opens only by failures in a row, and byShare one that opens only by the
// share.
func byRow() Breaker { return thresholds(func(b *Breaker) { b.MinimumAttempts = never }) }

func byShare() Breaker { return thresholds(func(b *Breaker) { b.FailuresInARow = never }) }

// TestBreakerOpens: f is a failure of the endpoint, w a response, and u an attempt that shows
// nothing.
func TestBreakerOpens(t *testing.T) {
	t.Parallel()
	off := thresholds(func(b *Breaker) { b.Mode = BreakerOff })
	one := thresholds(func(b *Breaker) { b.MinimumAttempts, b.FailurePercent, b.FailuresInARow = 1, 1, never })
	for name, c := range map[string]struct {
		breaker  Breaker
		attempts string
		apart    time.Duration
		opensBy  string // how the reason begins; empty: it stays closed
	}{
		"nine in a row":                     {byRow(), "fffffffff", 0, ""},
		"ten in a row":                      {byRow(), "ffffffffff", 0, "10 attempts in a row"},
		"the first failure":                 {thresholds(func(b *Breaker) { b.FailuresInARow = 1 }), "f", 0, "an attempt failed, with http_503"},
		"ten in a row, hours apart":         {byRow(), "ffffffffff", time.Hour, "10 attempts in a row"},
		"an answer ends the row":            {byRow(), "fffffwfffffffff", 0, ""},
		"ten after an answer":               {byRow(), "fffffwffffffffff", 0, "10 attempts in a row"},
		"our own faults do not end the row": {byRow(), "fffffuuufffff", 0, "10 attempts in a row"},
		"our own faults alone":              {byRow(), strings.Repeat("u", 100), 0, ""},
		"a success of a hundred, share":     {one, strings.Repeat("w", 98) + "f", 0, "1 of 99 attempts"},
		"below one of a hundred":            {one, strings.Repeat("w", 100) + "f", 0, ""},
		"nine attempts":                     {byShare(), "fffffffff", 0, ""},
		"ten attempts":                      {byShare(), "ffffffffff", 0, "10 of 10 attempts within 5m"},
		"six of ten":                        {byShare(), "wwwwffffff", 0, ""},
		"seven of ten":                      {byShare(), "wwwfffffff", 0, "7 of 10 attempts within 5m"},
		"an answer opens nothing":           {byShare(), "fffffffwww", 0, ""},
		"the next failure after it does":    {byShare(), "fffffffwwwf", 0, "8 of 11 attempts"},
		"our own faults are no attempts":    {byShare(), "uuufffffffff", 0, ""},
		"ten in the window":                 {byShare(), "ffffffffff", 16 * time.Second, "10 of 10 attempts"},
		"too far apart":                     {byShare(), strings.Repeat("f", 50), 50 * time.Second, ""},
		"off":                               {off, strings.Repeat("f", 100), 0, ""},
	} {
		h, now := Health{}, time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
		opened := false
		for _, kind := range c.attempts {
			now = now.Add(c.apart)
			change := h.Observe(now, HealthReport{Breaker: c.breaker, At: now, Verdict: verdictOf(kind), Reason: "http_503"})
			if opened = change.Opened; opened {
				break
			}
		}
		if opened != (c.opensBy != "") || !strings.HasPrefix(h.BreakerReason, c.opensBy) {
			t.Errorf("%s: opened %t, because %q; want %q", name, opened, h.BreakerReason, c.opensBy)
		}
		if opened && (h.Breaker != BreakerOpen || !h.BreakerSince.Equal(now) || !waits(h.ProbeAt.Sub(now), 30*time.Second) || h.LastFailureReason != "http_503") {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// waits reports whether a wait for a probe is the one that is wanted, or longer by up to ProbeJitter.
func waits(got, want time.Duration) bool {
	return got >= want && float64(got) <= (1+ProbeJitter)*float64(want)
}

// TestProbesAreSpread: of endpoints that failed together, not many are probed in the same second.
func TestProbesAreSpread(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	perSecond := map[int]int{}
	const endpoints = 1000
	for i := range endpoints {
		h := Health{SubscriptionID: fmt.Sprint("sub_", i), FailuresInARow: 9, WindowAt: now}
		h.Observe(now, HealthReport{Breaker: thresholds(func(*Breaker) {}), At: now, Verdict: EndpointFails, Reason: "http_503"})
		if !waits(h.ProbeAt.Sub(now), MinProbeInterval) {
			t.Fatalf("the probe comes after %s", h.ProbeAt.Sub(now))
		}
		perSecond[int(h.ProbeAt.Sub(now)/time.Second)]++
	}
	for second, probes := range perSecond { // 7.5 seconds, so 133 in each
		if probes > 2*endpoints/7 {
			t.Errorf("%d of %d are probed in second %d", probes, endpoints, second)
		}
	}
}

func verdictOf(kind rune) EndpointVerdict {
	return map[rune]EndpointVerdict{'f': EndpointFails, 'w': EndpointWorks, 'u': EndpointUnknown}[kind]
}

// TestWindow: the counts are never older than the window, and contain everything of its last half.
func TestWindow(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	b := byShare()
	for name, c := range map[string]struct {
		first, later time.Duration // when five failures each come, after the window began
		counted      int
	}{
		"at once":                        {0, 0, 10},
		"within a half":                  {0, 149 * time.Second, 10},
		"in two halves":                  {0, 150 * time.Second, 10},
		"to the end of the window":       {0, 299 * time.Second, 10},
		"beyond the window":              {0, 300 * time.Second, 5},
		"a half apart, across halves":    {149 * time.Second, 299 * time.Second, 10},
		"in the third half":              {149 * time.Second, 300 * time.Second, 5},
		"a clock that runs behind":       {10 * time.Second, 0, 10},
		"hours later":                    {0, time.Hour, 5},
		"the first ones open the halves": {time.Minute, 209 * time.Second, 10},
	} {
		h := Health{WindowAt: begin}
		for _, at := range []time.Duration{c.first, c.later} {
			for range 5 {
				h.Observe(begin.Add(at), HealthReport{Breaker: b, At: begin.Add(at), Verdict: EndpointFails})
			}
		}
		if got := h.Failures + h.PreviousFailures; got != c.counted || h.Attempts+h.PreviousAttempts != c.counted {
			t.Errorf("%s: %d counted, want %d: %+v", name, got, c.counted, h)
		}
	}
}

// TestAnsweredBeforeCounts: the attempts that a process has counted in memory come before the
// failure.
func TestAnsweredBeforeCounts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	h := Health{WindowAt: now, FailuresInARow: 9, Attempts: 9, Failures: 9, FailingSince: now.Add(-time.Hour)}
	change := h.Observe(now, HealthReport{Breaker: thresholds(func(*Breaker) {}), At: now, Verdict: EndpointFails, Answered: 5})
	want := Health{WindowAt: now, FailuresInARow: 1, Attempts: 15, Failures: 10, FailingSince: now}
	if change != (HealthChange{}) || h != want {
		t.Errorf("%+v, %+v; want %+v", change, h, want)
	}
}

// TestProbes: the effect of each attempt on a breaker that has been open for a minute and had a
// probe after 30 s.
func TestProbes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	since := now.Add(-time.Minute)
	open := Health{
		Breaker: BreakerOpen, BreakerSince: since, BreakerReason: "why", FailingSince: since.Add(-time.Hour), WindowAt: since, FailuresInARow: 10, Attempts: 10, Failures: 10,
		ProbeAt: now, ProbeInterval: 30 * time.Second, ProbeDeliveryID: "dlv_probe", LastFailureReason: "timeout", Slow: true, QueueReason: ReasonRateLimited,
	}
	closed := Health{Breaker: BreakerClosed, WindowAt: now, Slow: true, QueueReason: ReasonRateLimited}
	later := func(interval, wait time.Duration, reason string) Health {
		h := open
		h.ProbeInterval, h.ProbeAt, h.ProbeDeliveryID, h.LastFailureReason = interval, now.Add(wait), "", reason
		return h
	}
	halfOpen := func(h *Health) { h.HalfOpen() }
	reopened, isClosed, nothing := HealthChange{Reopened: true}, HealthChange{Closed: true}, HealthChange{}
	for name, c := range map[string]struct {
		before     func(*Health)
		delivery   string
		began      time.Duration // before now
		kind       rune
		retryAfter time.Duration
		want       Health
		change     HealthChange
	}{
		"the probe fails":                          {nil, "dlv_probe", 0, 'f', 0, later(time.Minute, time.Minute, "http_500"), reopened},
		"the probe fails again":                    {func(h *Health) { h.ProbeInterval = 4 * time.Minute }, "dlv_probe", 0, 'f', 0, later(8*time.Minute, 8*time.Minute, "http_500"), reopened},
		"the interval has a maximum":               {func(h *Health) { h.ProbeInterval = 8 * time.Minute }, "dlv_probe", 0, 'f', 0, later(15*time.Minute, 15*time.Minute, "http_500"), reopened},
		"and stays there":                          {func(h *Health) { h.ProbeInterval = 15 * time.Minute }, "dlv_probe", 0, 'f', 0, later(15*time.Minute, 15*time.Minute, "http_500"), reopened},
		"the receiver says when":                   {nil, "dlv_probe", 0, 'f', 10 * time.Minute, later(time.Minute, 10*time.Minute, "http_500"), reopened},
		"the receiver says sooner than a minute":   {nil, "dlv_probe", 0, 'f', 45 * time.Second, later(time.Minute, 45*time.Second, "http_500"), reopened},
		"the receiver says too soon":               {nil, "dlv_probe", 0, 'f', time.Second, later(time.Minute, 30*time.Second, "http_500"), reopened},
		"the receiver says too late":               {nil, "dlv_probe", 0, 'f', 24 * time.Hour, later(time.Minute, time.Hour, "http_500"), reopened},
		"the probe does not reach it":              {nil, "dlv_probe", 0, 'u', 0, later(30*time.Second, 30*time.Second, "timeout"), reopened},
		"the probe is answered":                    {nil, "dlv_probe", 0, 'w', 0, closed, isClosed},
		"another one fails":                        {nil, "dlv_2", 0, 'f', 0, open, nothing},
		"another one shows nothing":                {nil, "dlv_2", 0, 'u', 0, open, nothing},
		"another one is answered":                  {nil, "dlv_2", 0, 'w', 0, closed, isClosed},
		"one that began after it opened":           {nil, "dlv_2", time.Minute - 1, 'w', 0, closed, isClosed},
		"one that began when it opened":            {nil, "dlv_2", time.Minute, 'w', 0, open, nothing},
		"one that began before":                    {nil, "dlv_2", 2 * time.Minute, 'w', 0, open, nothing},
		"half open, the next fails":                {halfOpen, "dlv_2", 0, 'f', 0, later(time.Minute, time.Minute, "http_500"), reopened},
		"half open, the next is answered":          {halfOpen, "dlv_2", 0, 'w', 0, closed, isClosed},
		"half open, one that began before fails":   {halfOpen, "dlv_2", 2 * time.Minute, 'f', 0, half(open), nothing},
		"half open, one that shows nothing":        {halfOpen, "dlv_2", 0, 'u', 0, half(open), nothing},
		"no probe is under way, another one fails": {func(h *Health) { h.ProbeDeliveryID = "" }, "", 0, 'f', 0, func() Health { h := open; h.ProbeDeliveryID = ""; return h }(), nothing},
	} {
		h := open
		if c.before != nil {
			c.before(&h)
		}
		got := h.Observe(now, HealthReport{
			Breaker: thresholds(func(*Breaker) {}), DeliveryID: c.delivery, At: now.Add(-c.began), Verdict: verdictOf(c.kind), Reason: "http_500", RetryAfter: c.retryAfter,
		})
		if c.want.Breaker == BreakerOpen && waits(h.ProbeAt.Sub(now), c.want.ProbeAt.Sub(now)) {
			c.want.ProbeAt = h.ProbeAt
		}
		if got != c.change || h != c.want {
			t.Errorf("%s:\n %+v %+v\nwant\n %+v %+v", name, got, h, c.change, c.want)
		}
	}
}

func half(h Health) Health {
	h.HalfOpen()
	return h
}

func TestDisableAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 6, 12, 0, 0, 0, time.UTC)
	const fiveDays = 5 * 24 * time.Hour
	for name, c := range map[string]struct {
		failing time.Duration // for how long it has failed
		breaker BreakerState
		kind    rune
		want    string
	}{
		"not yet":         {fiveDays - 1, BreakerOpen, 'f', ""},
		"five days":       {fiveDays, BreakerOpen, 'f', "every attempt has failed since 2026-07-01T12:00:00Z, the last with http_500"},
		"half open":       {fiveDays, BreakerHalfOpen, 'f', "every attempt has failed since 2026-07-01T12:00:00Z, the last with http_500"},
		"answered":        {fiveDays, BreakerOpen, 'w', ""},
		"our own fault":   {fiveDays, BreakerOpen, 'u', ""},
		"still closed":    {fiveDays, BreakerClosed, 'f', ""},
		"a year, no time": {365 * 24 * time.Hour, BreakerOpen, 'f', "every attempt has failed since 2025-07-06T12:00:00Z, the last with http_500"},
	} {
		h := Health{Breaker: c.breaker, FailingSince: now.Add(-c.failing), ProbeDeliveryID: "dlv_1", ProbeInterval: time.Minute, WindowAt: now}
		if c.breaker != BreakerClosed {
			h.BreakerSince = now.Add(-time.Hour)
		}
		got := h.Observe(now, HealthReport{Breaker: thresholds(func(*Breaker) {}), DeliveryID: "dlv_1", At: now, Verdict: verdictOf(c.kind), Reason: "http_500"})
		if got.Disable != c.want {
			t.Errorf("%s: %q, want %q", name, got.Disable, c.want)
		}
	}
}

// TestDeferral: how long a response holds all deliveries.
func TestDeferral(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		retryAfter time.Duration
		want       time.Duration
	}{
		"429":                  {429, time.Minute, time.Minute},
		"503":                  {503, time.Minute, time.Minute},
		"429 without":          {429, 0, 0},
		"the shortest":         {429, 5 * time.Second, 5 * time.Second},
		"shorter":              {429, 5*time.Second - 1, 0},
		"the longest":          {503, time.Hour, time.Hour},
		"longer":               {503, time.Hour + 1, time.Hour},
		"500":                  {500, time.Minute, 0},
		"404":                  {404, time.Minute, 0},
		"no answer":            {0, time.Minute, 0},
		"413 of RFC 9110":      {413, time.Minute, 0},
		"a redirect says when": {302, time.Minute, 0},
	} {
		o := Outcome{StatusCode: c.status, Failure: FailureOfStatus(c.status), RetryAfter: c.retryAfter}
		if got := o.Deferral(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestDeferred: of many responses that come together only the first changes anything, and none
// brings a date forward. The breaker has no effect.
func TestDeferred(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		before, deferral, want time.Duration // 0: none
		change                 bool
	}{
		"the first":        {0, time.Minute, time.Minute, true},
		"none":             {0, 0, 0, false},
		"the same":         {time.Minute, time.Minute, time.Minute, false},
		"a little longer":  {time.Minute, 65*time.Second - 1, time.Minute, false},
		"longer":           {time.Minute, 65 * time.Second, 65 * time.Second, true},
		"shorter":          {time.Minute, 10 * time.Second, time.Minute, false},
		"nothing any more": {time.Minute, 0, time.Minute, false},
	} {
		for _, mode := range []BreakerMode{BreakerAuto, BreakerOff} {
			h := Health{}
			if c.before != 0 {
				h.DeferredUntil = now.Add(c.before)
			}
			got := h.Observe(now, HealthReport{Breaker: thresholds(func(b *Breaker) { b.Mode = mode }), At: now, Verdict: EndpointFails, Deferral: c.deferral})
			until := time.Time{}
			if c.want != 0 {
				until = now.Add(c.want)
			}
			if got != (HealthChange{Deferred: c.change}) || !h.DeferredUntil.Equal(until) {
				t.Errorf("%s, %s: %+v until %s, want %t until %s", name, mode, got, h.DeferredUntil, c.change, until)
			}
		}
	}
}

// TestAdmitsLike: each part of the health that Admit reads makes a difference, and no count does.
func TestAdmitsLike(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		change func(*Health)
		alike  bool
	}{
		"nothing":    {func(*Health) {}, true},
		"closed":     {func(h *Health) { h.Breaker = BreakerClosed }, true},
		"counts":     {func(h *Health) { h.Attempts, h.Failures, h.FailuresInARow, h.FailingSince = 3, 2, 1, now }, true},
		"breaker":    {func(h *Health) { h.Breaker = BreakerOpen }, false},
		"half open":  {func(h *Health) { h.Breaker = BreakerHalfOpen }, false},
		"probe":      {func(h *Health) { h.ProbeDeliveryID = "dlv_1" }, false},
		"deferred":   {func(h *Health) { h.DeferredUntil = now }, false},
		"queue":      {func(h *Health) { h.QueueReason = ReasonRateLimited }, false},
		"slow":       {func(h *Health) { h.Slow = true }, false},
		"probe date": {func(h *Health) { h.ProbeAt = now }, true},
	} {
		h := Health{}
		c.change(&h)
		if got := h.AdmitsLike(&Health{}); got != c.alike {
			t.Errorf("%s: %t, want %t", name, got, c.alike)
		}
	}
}

// TestRecovery: what an unhealthy endpoint waits for.
func TestRecovery(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	soon, later, past := now.Add(time.Second), now.Add(time.Minute), now.Add(-time.Second)
	for name, c := range map[string]struct {
		health Health
		want   RecoveryStep
	}{
		"healthy":                        {Health{}, RecoveryStep{Breaker: BreakerClosed}},
		"half open":                      {Health{Breaker: BreakerHalfOpen}, RecoveryStep{Breaker: BreakerHalfOpen}},
		"open":                           {Health{Breaker: BreakerOpen, ProbeAt: soon}, RecoveryStep{Breaker: BreakerOpen, WaitFor: WaitForProbe, WaitUntil: soon}},
		"a probe is due":                 {Health{Breaker: BreakerOpen, ProbeAt: now}, RecoveryStep{Breaker: BreakerOpen, WaitFor: WaitForProbe, WaitUntil: now, Due: true}},
		"a probe is under way":           {Health{Breaker: BreakerOpen, ProbeAt: later, ProbeDeliveryID: "dlv_1"}, RecoveryStep{Breaker: BreakerOpen, WaitFor: WaitForProbeResult, WaitUntil: later, Probe: "dlv_1"}},
		"a probe is lost":                {Health{Breaker: BreakerOpen, ProbeAt: past, ProbeDeliveryID: "dlv_1"}, RecoveryStep{Breaker: BreakerOpen, WaitFor: WaitForProbeResult, WaitUntil: past, Probe: "dlv_1", Due: true}},
		"open, and the receiver waits":   {Health{Breaker: BreakerOpen, ProbeAt: past, DeferredUntil: later}, RecoveryStep{Breaker: BreakerOpen, WaitFor: WaitForReceiver, WaitUntil: later}},
		"lost, and the receiver waits":   {Health{Breaker: BreakerOpen, ProbeAt: past, ProbeDeliveryID: "dlv_1", DeferredUntil: later}, RecoveryStep{Breaker: BreakerOpen, WaitFor: WaitForReceiver, WaitUntil: later, Probe: "dlv_1"}},
		"open, the receiver waits less":  {Health{Breaker: BreakerOpen, ProbeAt: later, DeferredUntil: soon}, RecoveryStep{Breaker: BreakerOpen, WaitFor: WaitForProbe, WaitUntil: later}},
		"the receiver asked to wait":     {Health{DeferredUntil: soon}, RecoveryStep{Breaker: BreakerClosed, WaitFor: WaitForReceiver, WaitUntil: soon}},
		"the receiver's time is over":    {Health{DeferredUntil: past}, RecoveryStep{Breaker: BreakerClosed, WaitFor: WaitForReceiver, WaitUntil: past, Due: true}},
		"half open, the receiver's wait": {Health{Breaker: BreakerHalfOpen, DeferredUntil: soon}, RecoveryStep{Breaker: BreakerHalfOpen, WaitFor: WaitForReceiver, WaitUntil: soon}},
	} {
		if got := c.health.Recovery(now); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestReceiverWish(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]ReceiverWish{
		"disable": WishDisable, "abort-message": WishAbortMessage, " Disable ": WishDisable, "ABORT-MESSAGE": WishAbortMessage,
		"": "", "disable, abort-message": "", "abort": "", "disabled": "",
	} {
		if got := ParseReceiverWish(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// TestReport: what an attempt says of its endpoint, and of its subscription.
func TestReport(t *testing.T) {
	t.Parallel()
	s := Subscription{ID: "sub_1", Breaker: Breaker{Window: Duration(time.Minute)}}
	now := time.Now()
	for name, c := range map[string]struct {
		outcome Outcome
		want    HealthReport
	}{
		"success": {Outcome{StatusCode: 200}, HealthReport{Verdict: EndpointWorks}},
		"timeout": {Outcome{Failure: FailureTimeout}, HealthReport{Verdict: EndpointFails, Reason: "timeout"}},
		"busy": {Outcome{StatusCode: 503, Failure: FailureHTTP5xx, RetryAfter: time.Minute},
			HealthReport{Verdict: EndpointFails, Reason: "http_503", RetryAfter: time.Minute, Deferral: time.Minute}},
		"too many": {Outcome{StatusCode: 429, Failure: FailureHTTP4xx}, HealthReport{Verdict: EndpointFails, Reason: "http_429"}},
		"gone":     {Outcome{StatusCode: 410, Failure: FailureHTTP4xx}, HealthReport{Verdict: EndpointWorks, Reason: "http_410", Disable: "the receiver answered 410 Gone"}},
		"asks to be disabled": {Outcome{StatusCode: 200, Wish: WishDisable},
			HealthReport{Verdict: EndpointWorks, Disable: "the receiver asked for it, by the header webhook-delivery of its answer"}},
		"refuses the message": {Outcome{StatusCode: 400, Failure: FailureHTTP4xx, Wish: WishAbortMessage}, HealthReport{Verdict: EndpointWorks, Reason: "http_400"}},
		"a crash of ours":     {Outcome{Failure: FailureUnknown}, HealthReport{Verdict: EndpointUnknown, Reason: "unknown"}},
	} {
		c.want.SubscriptionID, c.want.Breaker, c.want.DeliveryID, c.want.At = s.ID, s.Breaker, "dlv_1", now
		if got := s.Report(Attempt{DeliveryID: "dlv_1", At: now, Outcome: c.outcome}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
