package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed-49a43567/switchboard"
)

// telemetry is OpenTelemetry: metrics with its Prometheus exporter, on a separate registry, and
// traces if there is a destination.
type telemetry struct {
	meter    metric.Meter
	tracer   trace.Tracer // nil: no traces
	registry *prometheus.Registry
	handler  http.Handler
	close    func() // sends the remaining spans
}

func newTelemetry(ctx context.Context, identity string, log *slog.Logger) (*telemetry, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, err
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(sdkLatencies()))
	tracer, stop, err := newTracer(ctx, identity, log)
	if err != nil {
		return nil, err
	}
	return &telemetry{
		meter:    provider.Meter(scope),
		tracer:   tracer,
		registry: registry,
		// Exemplars, which lead from a latency to a trace, need OpenMetrics.
		handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}),
		close:   stop,
	}, nil
}

// sdkLatencies gives the Temporal SDK's timers buckets in seconds. Without it, everything falls
// into the first bucket.
func sdkLatencies() sdkmetric.View {
	return sdkmetric.NewView(
		sdkmetric.Instrument{Name: "temporal_*", Kind: sdkmetric.InstrumentKindHistogram},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{
			Boundaries: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 5, 10, 30, 60},
		}},
	)
}

// observeStats shows the counts of what is open, which tell whether the system is healthy. Overdue
// is zero in a healthy one.
func observeStats(meter metric.Meter, counts *cached[switchboard.Stats]) error {
	var errs [5]error
	var open, overdue, backlog, breakers metric.Int64ObservableGauge
	var oldest metric.Float64ObservableGauge
	open, errs[0] = meter.Int64ObservableGauge("switchboard_deliveries_open",
		metric.WithDescription("Deliveries that are not final, by state."))
	overdue, errs[1] = meter.Int64ObservableGauge("switchboard_deliveries_overdue",
		metric.WithDescription("Deliveries whose date passed longer ago than any attempt takes."))
	backlog, errs[2] = meter.Int64ObservableGauge("switchboard_relay_backlog",
		metric.WithDescription("Deliveries whose workflow should have been started or cancelled by now, and was not."))
	oldest, errs[3] = meter.Float64ObservableGauge("switchboard_relay_oldest", metric.WithUnit("s"),
		metric.WithDescription("How late the delivery is that has waited longest for its workflow; 0: none waits."))
	breakers, errs[4] = meter.Int64ObservableGauge("switchboard_breakers_open",
		metric.WithDescription("Endpoints whose breaker is open or half open, by their last failure."))
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	_, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		s, ok := counts.get(ctx)
		if !ok {
			return nil // Postgres has been away for long: no value is better than an old one
		}
		for state, count := range s.Open {
			o.ObserveInt64(open, int64(count), metric.WithAttributes(attribute.String("state", string(state))))
		}
		for reason, count := range s.Breakers {
			o.ObserveInt64(breakers, int64(count), metric.WithAttributes(attribute.String("reason", reason)))
		}
		o.ObserveInt64(overdue, int64(s.Overdue))
		o.ObserveInt64(backlog, int64(s.RelayBacklog))
		o.ObserveFloat64(oldest, s.RelayOldest.Seconds())
		return nil
	}, open, overdue, backlog, oldest, breakers)
	return err
}

// observeRetention shows the state of the partitions: whether enough exist for the future, and
// whether old ones are removed.
func observeRetention(meter metric.Meter, status *cached[switchboard.RetentionStatus], kept switchboard.Retention) error {
	var ahead, oldest, success, longest metric.Float64ObservableGauge
	var tail metric.Int64ObservableGauge
	var errs [5]error
	ahead, errs[0] = meter.Float64ObservableGauge("switchboard_partition_days_ahead",
		metric.WithDescription("For how many days from now partitions exist. Below 3 the workflow Retain does not run."))
	tail, errs[1] = meter.Int64ObservableGauge("switchboard_partition_tail_rows",
		metric.WithDescription("Deliveries after the last day that has a partition, up to 1000: 0 in a healthy system."))
	oldest, errs[2] = meter.Float64ObservableGauge("switchboard_partition_oldest_age", metric.WithUnit("s"),
		metric.WithDescription("How long ago the oldest partition begins that has not been folded into the one that is kept."))
	success, errs[3] = meter.Float64ObservableGauge("switchboard_retention_success_age", metric.WithUnit("s"),
		metric.WithDescription("How long ago the workflow Retain last did all of its steps; absent: never."))
	longest, errs[4] = meter.Float64ObservableGauge("switchboard_retention_longest", metric.WithUnit("s"),
		metric.WithDescription("How long a failed delivery is kept after its end, as it is set: SWITCHBOARD_RETENTION_FAILED."))
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	_, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		o.ObserveFloat64(longest, kept.Failed.Seconds())
		s, ok := status.get(ctx)
		if !ok {
			return nil
		}
		o.ObserveFloat64(ahead, s.DaysAhead)
		o.ObserveInt64(tail, int64(s.TailRows))
		if !s.Oldest.IsZero() {
			o.ObserveFloat64(oldest, time.Since(s.Oldest).Seconds())
		}
		if !s.LastSuccess.IsZero() {
			o.ObserveFloat64(success, time.Since(s.LastSuccess).Seconds())
		}
		return nil
	}, ahead, tail, oldest, success, longest)
	return err
}
