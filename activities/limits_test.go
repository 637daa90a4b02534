package activities_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// Ten slots fill one after the other: every request starts the next while it is running.
func TestLimitsFollowTheLoad(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		adaptive switchboard.Adaptive
		want     func(taken int) switchboard.Attempt
	}{
		"adaptive": {
			switchboard.Adaptive{Enabled: true, MaxIntervalFactor: 3, MinimumAttempts: 28},
			func(taken int) switchboard.Attempt {
				return switchboard.Attempt{
					Load: float64(taken) / 10, Timeout: 10*time.Second - time.Duration(taken)*500*time.Millisecond,
					IntervalFactor: 1 + float64(taken)/5, MaxAttempts: 38 - taken,
				}
			},
		},
		"fixed": {
			switchboard.Adaptive{},
			func(taken int) switchboard.Attempt {
				return switchboard.Attempt{Load: float64(taken) / 10, Timeout: 10 * time.Second, IntervalFactor: 1, MaxAttempts: 38}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeStore(t)
			d.loaded.Subscription.MaxInFlight, d.loaded.Subscription.Adaptive = 100, test.adaptive
			d.loaded.Subscription.SetDefaults()
			d.sending = func(context.Context) {
				d.loaded.Subscription.Tenant = fmt.Sprint("tenant_", d.sent) // none gets more than its share
				next := activities.DeliverInput{DeliveryID: fmt.Sprint("dlv_", d.sent+1), Generation: 1}
				_, err := d.attempt(activities.AttemptInput{DeliverInput: next})
				if taken := d.Limiter.Load(); taken == 1 && err == nil {
					t.Error("an eleventh request got a slot")
				}
			}
			if _, err := d.attempt(activities.AttemptInput{}); err != nil {
				t.Fatal(err)
			}
			if len(d.recorded) != 10 || d.Limiter.Load() != 0 {
				t.Fatalf("%d attempts, load %g; want 10 and 0", len(d.recorded), d.Limiter.Load())
			}
			for i, made := range d.recorded {
				taken := len(d.recorded) - 1 - i // the innermost is recorded first
				want := test.want(taken)
				got := switchboard.Attempt{Load: made.Load, Timeout: made.Timeout, IntervalFactor: made.IntervalFactor, MaxAttempts: made.MaxAttempts}
				close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
				if diff := cmp.Diff(want, got, close); diff != "" {
					t.Errorf("with %d slots taken (-want +got):\n%s", taken, diff)
				}
				if d.timeouts[len(d.timeouts)-1-i] != made.Timeout {
					t.Errorf("with %d slots taken the sender got %s, and the attempt says %s", taken, d.timeouts[len(d.timeouts)-1-i], made.Timeout)
				}
			}
		})
	}
}

func TestUnrecordedOutcomeIsRecordedWithItsLimits(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Subscription.Adaptive = switchboard.Adaptive{Enabled: true}
	d.outcome = switchboard.Outcome{StatusCode: 503, Failure: switchboard.FailureHTTP5xx}
	outcome := &inflight.UnrecordedOutcome{
		AttemptID: "att_1", Number: 2, Generation: 1, At: time.Now(), StatusCode: 503, Failure: switchboard.FailureHTTP5xx,
		Timeout: switchboard.Duration(6 * time.Second), Load: 0.8, MaxAttempts: 2, IntervalFactor: 1.8,
	}
	result, err := d.attempt(activities.AttemptInput{Unrecorded: outcome})
	if err != nil || result.State != switchboard.StateFailed || d.sent != 0 {
		t.Errorf("ended %v, %v after %d requests; want it failed: its second attempt was the last under its load", result, err, d.sent)
	}
	if a := d.recorded[0]; a.Timeout != 6*time.Second || a.Load != 0.8 || a.MaxAttempts != 2 || a.IntervalFactor != 1.8 {
		t.Errorf("recorded %+v", a)
	}
}

// An outcome that one execution could not record, the next one records; nothing was lost.
func TestLimitsSurviveTheBuffer(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Subscription.Adaptive = switchboard.Adaptive{Enabled: true}
	d.recordErr = switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away")
	if _, err := d.attempt(activities.AttemptInput{}); err == nil {
		t.Fatal("ended, want an error of our own")
	}
	d.recordErr = nil
	if _, err := d.attempt(activities.AttemptInput{}); err != nil {
		t.Fatal(err)
	}
	if a := d.recorded[0]; a.Timeout != 10*time.Second || a.Load != 0 || a.MaxAttempts != 38 || a.IntervalFactor != 1 {
		t.Errorf("recorded %+v", a)
	}
}

func TestLoadAndTimeoutAreMeasured(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	d := newFakeStore(t)
	metrics, err := activities.NewMetrics(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter(""), d.Limiter)
	if err != nil {
		t.Fatal(err)
	}
	d.Metrics = metrics
	var during map[string]float64
	d.sending = func(ctx context.Context) { during = measured(ctx, t, reader) }
	if _, err := d.attempt(activities.AttemptInput{}); err != nil {
		t.Fatal(err)
	}
	after := measured(t.Context(), t, reader)
	const load, timeout = "switchboard_load", "switchboard_applied_timeout"
	want := map[string]float64{load: 0.1, timeout: 10}
	if diff := cmp.Diff(want, map[string]float64{load: during[load], timeout: during[timeout]}); diff != "" {
		t.Errorf("while one of ten slots is taken (-want +got):\n%s", diff)
	}
	if after[load] != 0 {
		t.Errorf("load %g after the last request, want 0", after[load])
	}
}

// measured reads the gauges and the sums of the histograms.
func measured(ctx context.Context, t *testing.T, reader sdkmetric.Reader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &all); err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[float64]:
				values[m.Name] = data.DataPoints[0].Value
			case metricdata.Histogram[float64]:
				values[m.Name] = data.DataPoints[0].Sum
			}
		}
	}
	return values
}
