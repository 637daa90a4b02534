package app

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
)

// observeFlow shows what may not be sent now, and why. The reasons are a closed list, and no series
// is about one tenant or endpoint.
func observeFlow(meter metric.Meter, stats *cached[switchboard.FlowStats]) error {
	var all []metric.Observable
	var errs []error
	count := func(name, description string) metric.Int64ObservableGauge {
		g, err := meter.Int64ObservableGauge(name, metric.WithDescription(description))
		all, errs = append(all, g), append(errs, err)
		return g
	}
	seconds := func(name, description string) metric.Float64ObservableGauge {
		g, err := meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(description))
		all, errs = append(all, g), append(errs, err)
		return g
	}
	parked := count("switchboard_deliveries_parked", "Deliveries that wait in Postgres for a release, by state and reason.")
	parkedOldest := seconds("switchboard_parked_oldest", "How long the delivery that has been parked longest for that reason is so; 0: none is.")
	ending := count("switchboard_holds_ending", "Parked deliveries whose hold ends within a day: they fail then.")
	breakerOldest := seconds("switchboard_breaker_oldest", "How long the breaker that has been open longest is so; 0: none is open.")
	deferred := count("switchboard_subscriptions_deferred", "Subscriptions whose receiver asked to wait.")
	slow := count("switchboard_endpoints_slow", "Subscriptions that are sent from the queue of slow endpoints.")
	operations := count("switchboard_operations_running", "Operations on many deliveries that run, as releases.")
	stalled := seconds("switchboard_operation_stalled", "How late the next step of a running operation is, of the latest one; 0: none is late.")
	lag := seconds("switchboard_rollup_lag", "How old the latest count of attempts is, or how late that of an hour that is over.")
	if err := errors.Join(errs...); err != nil {
		return err
	}
	_, err := meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		s, ok := stats.get(ctx)
		if !ok {
			return nil
		}
		for _, p := range s.Parked {
			by := metric.WithAttributes(attribute.String("state", string(p.State)), attribute.String("reason", p.Reason))
			o.ObserveInt64(parked, int64(p.Count), by)
			o.ObserveFloat64(parkedOldest, p.Oldest.Seconds(), by)
		}
		o.ObserveInt64(ending, int64(s.HoldsEnding))
		o.ObserveFloat64(breakerOldest, s.BreakerOldest.Seconds())
		o.ObserveInt64(deferred, int64(s.Deferred))
		o.ObserveInt64(slow, int64(s.Slow))
		o.ObserveInt64(operations, int64(s.Operations))
		o.ObserveFloat64(stalled, s.OperationStalled.Seconds())
		o.ObserveFloat64(lag, s.RollupLag.Seconds())
		return nil
	}, all...)
	return err
}
