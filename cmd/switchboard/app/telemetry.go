package app

import (
	"context"
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// telemetry is OpenTelemetry with its Prometheus exporter, on a registry of its own.
type telemetry struct {
	meter    metric.Meter
	registry *prometheus.Registry
	handler  http.Handler
}

func newTelemetry() (*telemetry, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, err
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter), sdkmetric.WithView(sdkLatencies()))
	return &telemetry{
		meter:    provider.Meter("switchboard"),
		registry: registry,
		handler:  promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
	}, nil
}

// sdkLatencies gives the Temporal SDK's timers buckets in seconds; without, all
// that they time falls into the first.
func sdkLatencies() sdkmetric.View {
	return sdkmetric.NewView(
		sdkmetric.Instrument{Name: "temporal_*", Kind: sdkmetric.InstrumentKindHistogram},
		sdkmetric.Stream{Aggregation: sdkmetric.AggregationExplicitBucketHistogram{
			Boundaries: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 5, 10, 30, 60},
		}},
	)
}

// observeStats shows what is open: the counts that tell whether the system is
// healthy. Overdue is zero in a healthy one.
func observeStats(meter metric.Meter, cached *cachedStats) error {
	var err error
	gauge := func(name, description string) metric.Int64ObservableGauge {
		g, failed := meter.Int64ObservableGauge(name, metric.WithDescription(description))
		err = errors.Join(err, failed)
		return g
	}
	open := gauge("switchboard_deliveries_open", "Deliveries that are not final, by state.")
	overdue := gauge("switchboard_deliveries_overdue", "Deliveries whose date passed longer ago than any attempt takes.")
	backlog := gauge("switchboard_relay_backlog", "Deliveries whose workflow is to be started or cancelled, and was not yet.")
	oldest, failed := meter.Float64ObservableGauge("switchboard_relay_oldest", metric.WithUnit("s"),
		metric.WithDescription("How late the delivery is that has waited longest for its workflow; 0: none waits."))
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		s, ok := cached.get(ctx)
		if !ok {
			return nil // Postgres is away for long: no value is truer than an old one
		}
		for state, count := range s.Open {
			o.ObserveInt64(open, int64(count), metric.WithAttributes(attribute.String("state", string(state))))
		}
		o.ObserveInt64(overdue, int64(s.Overdue))
		o.ObserveInt64(backlog, int64(s.RelayBacklog))
		o.ObserveFloat64(oldest, s.RelayOldest.Seconds())
		return nil
	}, open, overdue, backlog, oldest)
	return err
}
