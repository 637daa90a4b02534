package inflight_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// TestHealthReports: f is a failure of the endpoint, w a response, u an attempt that shows nothing,
// and a space a second without any. Each report is shown as the number of responses before it.
func TestHealthReports(t *testing.T) {
	t.Parallel()
	auto := switchboard.Breaker{Window: switchboard.Duration(10 * time.Second)}
	off := switchboard.Breaker{Mode: switchboard.BreakerOff, Window: auto.Window}
	known := &switchboard.Health{SubscriptionID: "sub_1", Breaker: switchboard.BreakerClosed}
	open := &switchboard.Health{SubscriptionID: "sub_1", Breaker: switchboard.BreakerOpen, ProbeDeliveryID: "dlv_1"}
	for name, c := range map[string]struct {
		breaker  switchboard.Breaker
		known    *switchboard.Health
		attempts string
		want     []int // answers before each report
	}{
		"healthy":                                {auto, &switchboard.Health{}, "wwwwwwww", nil},
		"each failure":                           {auto, &switchboard.Health{}, "fff", []int{0, 0, 0}},
		"answers before a failure":               {auto, &switchboard.Health{}, "wwwfwwf", []int{3, 2}},
		"answers of the window":                  {auto, &switchboard.Health{}, "ww         wf", []int{3}},
		"answers before the window":              {auto, &switchboard.Health{}, "ww          wf", []int{1}},
		"hours later":                            {auto, &switchboard.Health{}, "ww                         f", []int{0}},
		"unhealthy, an answer after a failure":   {auto, known, "fw", []int{0, 0}},
		"unhealthy, the first answer":            {auto, known, "w", []int{0}},
		"unhealthy, one answer a second":         {auto, known, "wwww wwww", []int{0, 3}},
		"unhealthy, a failure takes the answers": {auto, known, "wwwwf", []int{0, 3}},
		"open, each answer":                      {auto, open, "www", []int{0, 0, 0}},
		"our own faults":                         {auto, known, "uuu", nil},
		"the probe shows nothing":                {auto, open, "u", []int{0}},
		"off":                                    {off, &switchboard.Health{}, "fffwww", nil},
		"off, unhealthy":                         {off, known, "fffwww", nil},
	} {
		h, now := inflight.NewHealth(), time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
		var got []int
		for _, kind := range c.attempts {
			if kind == ' ' {
				now = now.Add(time.Second)
				continue
			}
			verdict := map[rune]switchboard.EndpointVerdict{'f': switchboard.EndpointFails, 'w': switchboard.EndpointWorks, 'u': switchboard.EndpointUnknown}[kind]
			r, needed := h.Observe(now, c.known, switchboard.HealthReport{SubscriptionID: "sub_1", Breaker: c.breaker, DeliveryID: "dlv_1", Verdict: verdict})
			if needed {
				got = append(got, r.Answered)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestWishesAreReported: a receiver's wish is reported whatever its known health.
func TestWishesAreReported(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]switchboard.HealthReport{
		"deferral":          {Verdict: switchboard.EndpointFails, Deferral: time.Minute},
		"disable":           {Verdict: switchboard.EndpointWorks, Disable: "it asked for it"},
		"deferral, off":     {Verdict: switchboard.EndpointFails, Deferral: time.Minute, Breaker: switchboard.Breaker{Mode: switchboard.BreakerOff}},
		"disable, off":      {Verdict: switchboard.EndpointWorks, Disable: "it asked for it", Breaker: switchboard.Breaker{Mode: switchboard.BreakerOff}},
		"disable, no reply": {Verdict: switchboard.EndpointUnknown, Disable: "it asked for it"},
	} {
		if _, needed := inflight.NewHealth().Observe(time.Now(), &switchboard.Health{}, r); !needed {
			t.Errorf("%s: not reported", name)
		}
	}
}

// TestHealthBySubscription: the counts of subscriptions are independent.
func TestHealthBySubscription(t *testing.T) {
	t.Parallel()
	h, now := inflight.NewHealth(), time.Now()
	breaker := switchboard.Breaker{Window: switchboard.Duration(time.Minute)}
	for range 3 {
		h.Observe(now, &switchboard.Health{}, switchboard.HealthReport{SubscriptionID: "sub_1", Breaker: breaker, Verdict: switchboard.EndpointWorks})
	}
	for id, want := range map[string]int{"sub_1": 3, "sub_2": 0} {
		r, _ := h.Observe(now, &switchboard.Health{}, switchboard.HealthReport{SubscriptionID: id, Breaker: breaker, Verdict: switchboard.EndpointFails})
		if r.Answered != want {
			t.Errorf("%s: %d, want %d", id, r.Answered, want)
		}
	}
}

// BenchmarkHealthOfAHealthyEndpoint measures the cost of each success.
func BenchmarkHealthOfAHealthyEndpoint(b *testing.B) {
	h, now := inflight.NewHealth(), time.Now()
	r := switchboard.HealthReport{SubscriptionID: "sub_1", Verdict: switchboard.EndpointWorks, Breaker: switchboard.Breaker{Window: switchboard.Duration(time.Minute)}}
	for b.Loop() {
		h.Observe(now, &switchboard.Health{}, r)
	}
}
