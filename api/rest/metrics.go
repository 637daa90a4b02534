package rest

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
)

// requestMetrics measures requests. Prometheus shows them as
// switchboard_http_request_duration_seconds by route, method, status and the class of the caller.
type requestMetrics struct {
	duration metric.Float64Histogram
	classes  switchboard.TenantClasses
	// series keeps the labels that were used, so that a request does not build and sort them again.
	// The number of routes, methods, statuses and classes is limited.
	series sync.Map // series → metric.MeasurementOption
}

type series struct {
	route, method, class string
	status               int
}

func newRequestMetrics(meter metric.Meter, classes switchboard.TenantClasses) (*requestMetrics, error) {
	duration, err := meter.Float64Histogram("switchboard_http_request_duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the request's head to the end of the answer"),
		metric.WithExplicitBucketBoundaries(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	return &requestMetrics{duration: duration, classes: classes}, err
}

// record measures a request. If ctx has a sampled span, it is the exemplar of the duration.
func (m *requestMetrics) record(ctx context.Context, route, method string, status int, caller switchboard.Caller, took time.Duration) {
	key := series{route, methodLabel(method), m.classes.OfCaller(caller), status}
	labels, ok := m.series.Load(key)
	if !ok {
		set := attribute.NewSet(attribute.String("route", key.route), attribute.String("method", key.method), attribute.Int("status", status), attribute.String("class", key.class))
		labels, _ = m.series.LoadOrStore(key, metric.WithAttributeSet(set))
	}
	m.duration.Record(ctx, took.Seconds(), labels.(metric.MeasurementOption))
}
