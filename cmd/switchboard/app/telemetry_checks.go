package app

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// checkTimes measures how long the readiness checks take. They run every 2 s, independent of
// traffic, so they show how quickly Postgres and Temporal answer this process.
type checkTimes struct {
	duration metric.Float64Histogram
}

func newCheckTimes(meter metric.Meter) (checkTimes, error) {
	duration, err := meter.Float64Histogram("switchboard_dependency_check_duration", metric.WithUnit("s"),
		metric.WithDescription("Time that a check of Postgres or of Temporal takes, by the dependency and whether it answered."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5))
	return checkTimes{duration}, err
}

// timed measures a check of a dependency.
func (t checkTimes) timed(dependency string, check func(context.Context) (problem, err error)) func(context.Context) (problem, err error) {
	labels := map[bool]metric.MeasurementOption{}
	for _, answered := range []bool{true, false} {
		labels[answered] = metric.WithAttributes(attribute.String("dependency", dependency), attribute.Bool("answered", answered))
	}
	return func(ctx context.Context) (problem, err error) {
		began := time.Now()
		problem, err = check(ctx)
		t.duration.Record(ctx, time.Since(began).Seconds(), labels[err == nil])
		return problem, err
	}
}
