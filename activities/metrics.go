package activities

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// Metrics counts and times attempts.
type Metrics struct {
	attempts  metric.Int64Counter
	latency   metric.Float64Histogram
	inFlight  metric.Int64UpDownCounter
	completed metric.Int64Counter
	endToEnd  metric.Float64Histogram
	timeout   metric.Float64Histogram
	deferred  metric.Int64Counter
	breakers  metric.Int64Counter
	disabled  metric.Int64Counter
	turnWait  metric.Float64Histogram
}

// instruments makes the instruments of a meter, and collects the errors.
type instruments struct {
	meter metric.Meter
	err   error
}

func (in *instruments) counter(name, description string) metric.Int64Counter {
	c, err := in.meter.Int64Counter(name, metric.WithDescription(description))
	in.err = errors.Join(in.err, err)
	return c
}

func (in *instruments) seconds(name, description string, buckets ...float64) metric.Float64Histogram {
	h, err := in.meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), metric.WithExplicitBucketBoundaries(buckets...))
	in.err = errors.Join(in.err, err)
	return h
}

// NewMetrics registers the instruments with the meter. The load is read from the limiter whenever
// the meter is read.
func NewMetrics(meter metric.Meter, limiter *inflight.Limiter) (*Metrics, error) {
	in := instruments{meter: meter}
	m := &Metrics{
		attempts: in.counter("switchboard_attempts", "Attempts by result, which is delivered or the failure, and by the class of the tenant."),
		latency: in.seconds("switchboard_attempt_duration", "Time from the start of an attempt to the end of the receiver's answer, by the class of the tenant.",
			.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30),
		deferred:  in.counter("switchboard_retention_swaps_deferred", "Swaps of partitions that did not get their locks within 100 ms, and were tried again."),
		completed: in.counter("switchboard_deliveries_completed", "Deliveries that an attempt brought to a final state, by state."),
		endToEnd: in.seconds("switchboard_delivery_duration", "Time from acceptance to delivery.",
			.005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 300, 3600, 36000, 360000),
		timeout: in.seconds("switchboard_applied_timeout", "Time limit that was applied to an attempt.",
			1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30),
		breakers: in.counter("switchboard_breaker_changes", "Breakers that opened, closed, or stayed open after a probe, by change."),
		disabled: in.counter("switchboard_subscriptions_disabled", "Subscriptions that were disabled because of what their receiver answered."),
		turnWait: in.seconds("switchboard_rate_limit_wait", "Time until the turn of a request that had to wait for one under its subscription's rate limit. One of more than a second is parked.",
			.01, .05, .1, .25, .5, 1, 5, 30, 300, 3600),
	}
	var err error
	m.inFlight, err = meter.Int64UpDownCounter("switchboard_requests_in_flight",
		metric.WithDescription("Requests under way in this process."))
	_, loadErr := meter.Float64ObservableGauge("switchboard_load",
		metric.WithDescription("Share of this process's slots that requests under way take, 0 to 1."),
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			o.Observe(limiter.Load())
			return nil
		}))
	if err := errors.Join(in.err, err, loadErr, observeSlots(meter, limiter)); err != nil {
		return nil, err
	}
	// These series start at 0: an alert on an increase would miss the first step of a series that
	// begins with it.
	m.completed.Add(context.Background(), 0, metric.WithAttributes(attribute.String("state", string(switchboard.StateFailed))))
	for _, change := range []string{breakerOpened, breakerStaysOpen, breakerClosed} {
		m.breakers.Add(context.Background(), 0, metric.WithAttributes(attribute.String("change", change)))
	}
	m.disabled.Add(context.Background(), 0)
	m.deferred.Add(context.Background(), 0)
	return m, nil
}

// observeSlots reports the slots by pool.
func observeSlots(meter metric.Meter, limiter *inflight.Limiter) error {
	gauge := func(name, description string, value func(inflight.Usage) int) error {
		_, err := meter.Int64ObservableGauge(name, metric.WithDescription(description),
			metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
				for _, pool := range inflight.Pools() {
					o.Observe(int64(value(limiter.Usage(pool))), metric.WithAttributes(attribute.String("pool", string(pool))))
				}
				return nil
			}))
		return err
	}
	return errors.Join(
		gauge("switchboard_slots", "Requests that this process may have under way, by pool: fast, and slow for slow endpoints.", func(u inflight.Usage) int { return u.Limit }),
		gauge("switchboard_slots_taken", "Slots that are taken, by pool.", func(u inflight.Usage) int { return u.Taken }),
		gauge("switchboard_tenants_at_share", "Tenants that hold half of the slots that the others leave, by pool: their deliveries wait.", func(u inflight.Usage) int { return u.TenantsAtShare }),
	)
}

// turn records how long an attempt waited for its turn under a rate limit.
func (m *Metrics) turn(ctx context.Context, wait time.Duration) {
	m.turnWait.Record(ctx, wait.Seconds())
}

// sending counts a request that begins, with its time limit, for a tenant of that class. The
// returned function takes its outcome. If ctx has a sampled span, it becomes the exemplar of the
// latency.
func (m *Metrics) sending(ctx context.Context, timeout time.Duration, class string) func(switchboard.Outcome) {
	m.inFlight.Add(ctx, 1)
	m.timeout.Record(ctx, timeout.Seconds())
	return func(o switchboard.Outcome) {
		m.inFlight.Add(ctx, -1)
		m.latency.Record(ctx, o.Latency.Seconds(), metric.WithAttributes(classLabel(class)))
	}
}

// classLabel is the label for the class of a tenant.
func classLabel(class string) attribute.KeyValue { return attribute.String("class", class) }

// recorded counts an attempt once it is durable, and the delivery if it ended.
func (m *Metrics) recorded(ctx context.Context, o switchboard.Outcome, d switchboard.Delivery, class string) {
	result := string(o.Failure)
	if result == "" {
		result = "delivered"
	}
	m.attempts.Add(ctx, 1, metric.WithAttributes(attribute.String("result", result), classLabel(class)))
	if !d.State.Final() {
		return
	}
	m.completed.Add(ctx, 1, metric.WithAttributes(attribute.String("state", string(d.State))))
	if d.State == switchboard.StateDelivered {
		m.endToEnd.Record(ctx, d.CompletedAt.Sub(d.CreatedAt).Seconds())
	}
}

// The changes of a breaker, as the metric names them.
const (
	breakerOpened    = "opened"
	breakerStaysOpen = "stays_open"
	breakerClosed    = "closed"
)

// healthChanged counts the changes that a report caused.
func (m *Metrics) healthChanged(ctx context.Context, c *switchboard.HealthChange) {
	count := func(happened bool, change string) {
		if happened {
			m.breakers.Add(ctx, 1, metric.WithAttributes(attribute.String("change", change)))
		}
	}
	count(c.Opened, breakerOpened)
	count(c.Reopened, breakerStaysOpen)
	count(c.Closed, breakerClosed)
	if c.Disable != "" {
		m.disabled.Add(ctx, 1)
	}
}
