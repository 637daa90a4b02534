package activities

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
)

// Metrics counts and times attempts.
type Metrics struct {
	attempts  metric.Int64Counter
	latency   metric.Float64Histogram
	inFlight  metric.Int64UpDownCounter
	completed metric.Int64Counter
	endToEnd  metric.Float64Histogram
	timeout   metric.Float64Histogram
}

// NewMetrics registers the instruments with the meter; the load is read off the
// flights whenever the meter is.
func NewMetrics(meter metric.Meter, flights *Flights) (*Metrics, error) {
	var m Metrics
	var errs [7]error
	m.attempts, errs[0] = meter.Int64Counter("switchboard_attempts",
		metric.WithDescription("Attempts by result: delivered, or the failure."))
	m.latency, errs[1] = meter.Float64Histogram("switchboard_attempt_duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the start of an attempt to the end of the receiver's answer."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30))
	m.inFlight, errs[2] = meter.Int64UpDownCounter("switchboard_requests_in_flight",
		metric.WithDescription("Requests under way in this process."))
	m.completed, errs[3] = meter.Int64Counter("switchboard_deliveries_completed",
		metric.WithDescription("Deliveries that came to a final state through an attempt, by state."))
	m.endToEnd, errs[4] = meter.Float64Histogram("switchboard_delivery_duration", metric.WithUnit("s"),
		metric.WithDescription("Time from acceptance to delivery."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 300, 3600, 36000, 360000))
	m.timeout, errs[5] = meter.Float64Histogram("switchboard_applied_timeout", metric.WithUnit("s"),
		metric.WithDescription("Time limit that was applied to an attempt."),
		metric.WithExplicitBucketBoundaries(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30))
	_, errs[6] = meter.Float64ObservableGauge("switchboard_load",
		metric.WithDescription("Share of this process's places that requests under way take, 0 to 1."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(flights.Load())
			return nil
		}))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	// Shown as 0 from the start: an alert on the increase misses the first step of a series
	// that begins with it.
	m.completed.Add(context.Background(), 0, metric.WithAttributes(attribute.String("state", string(switchboard.StateFailed))))
	return &m, nil
}

// sending counts a request that goes out under that time limit; the function it
// returns takes its outcome.
func (m *Metrics) sending(ctx context.Context, timeout time.Duration) func(switchboard.Outcome) {
	m.inFlight.Add(ctx, 1)
	m.timeout.Record(ctx, timeout.Seconds())
	return func(o switchboard.Outcome) {
		m.inFlight.Add(ctx, -1)
		m.latency.Record(ctx, o.Latency.Seconds())
	}
}

// recorded counts an attempt once it is durable, and the delivery if it ended.
func (m *Metrics) recorded(ctx context.Context, o switchboard.Outcome, d switchboard.Delivery) {
	result := string(o.Failure)
	if result == "" {
		result = "delivered"
	}
	m.attempts.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result)))
	if !d.State.Final() {
		return
	}
	m.completed.Add(ctx, 1, metric.WithAttributes(attribute.String("state", string(d.State))))
	if d.State == switchboard.StateDelivered {
		m.endToEnd.Record(ctx, d.CompletedAt.Sub(d.CreatedAt).Seconds())
	}
}
