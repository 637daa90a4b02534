package activities

import (
	"context"
	"log/slog"

	"github.com/seed-49a43567/switchboard"
)

// HealthStore stores what attempts show of endpoints.
type HealthStore interface {
	// ReportHealth counts what attempts showed of an endpoint, and stores the consequences.
	ReportHealth(ctx context.Context, r switchboard.HealthReport) (switchboard.HealthResult, error)
}

// Recovery starts the workflows that follow from a change of an endpoint's health. If it fails, the
// reconciler starts them.
type Recovery interface {
	// Recover starts the workflow that recovers the endpoint of a subscription, or wakes it.
	Recover(ctx context.Context, subscriptionID, summary string) error
	// Operate starts the workflow of an operation.
	Operate(ctx context.Context, operationID string) error
}

// reportHealth counts a recorded attempt of the process, and reports it if the endpoint is not
// healthy. It returns the health after that. An error has no effect on the delivery: the attempt is
// recorded, and the next one is reported again.
func (a *Deliveries) reportHealth(ctx context.Context, loaded *switchboard.LoadedDelivery, made switchboard.Attempt) switchboard.Health {
	report, needed := a.Health.Observe(a.Now(), &loaded.Health, loaded.Subscription.Report(made))
	if !needed {
		return loaded.Health
	}
	ctx, cancel := storeContext(ctx)
	defer cancel()
	result, err := a.Store.ReportHealth(ctx, report)
	if a.Outages.Observe(ctx, Postgres, err) {
		a.Log.WarnContext(ctx, "health of an endpoint not reported", "subscription", report.SubscriptionID, "delivery", made.DeliveryID, "error", err)
	}
	if err != nil {
		return loaded.Health
	}
	if result.Change != (switchboard.HealthChange{}) {
		a.logHealth(ctx, &loaded.Delivery, &result)
		a.Metrics.healthChanged(ctx, &result.Change)
		a.recoverEndpoint(ctx, &loaded.Delivery, &result)
	}
	return result.Health
}

// recoverEndpoint starts the workflows that follow from the change.
func (a *Deliveries) recoverEndpoint(ctx context.Context, d *switchboard.Delivery, result *switchboard.HealthResult) {
	if a.Recovery == nil {
		return
	}
	err := a.Recovery.Recover(ctx, d.SubscriptionID, recoverySummary(d.Host, &result.Health))
	if err == nil && result.Operation != "" {
		err = a.Recovery.Operate(ctx, result.Operation)
	}
	if a.Outages.Observe(ctx, Temporal, err) {
		a.Log.WarnContext(ctx, "recovery left to the reconciler", "subscription", d.SubscriptionID, "operation", result.Operation, "error", err)
	}
}

// recoverySummary is Temporal's summary of the workflow: the host, and why nothing is sent there.
func recoverySummary(host string, h *switchboard.Health) string {
	switch {
	case h.BreakerReason != "":
		return host + " · " + h.BreakerReason
	case !h.DeferredUntil.IsZero():
		return host + " · the receiver asked to wait"
	}
	return host
}

// logHealth writes a line for each change.
func (a *Deliveries) logHealth(ctx context.Context, d *switchboard.Delivery, result *switchboard.HealthResult) {
	h, change := &result.Health, &result.Change
	line := func(message string, more ...slog.Attr) {
		about := []slog.Attr{slog.String("tenant", d.Tenant), slog.String("subscription", d.SubscriptionID), slog.String("host", d.Host), slog.String("delivery", d.ID)}
		a.Log.LogAttrs(ctx, slog.LevelInfo, message, append(about, more...)...)
	}
	if change.Opened {
		line("breaker opened", slog.String("reason", h.BreakerReason), slog.Time("probe_at", h.ProbeAt))
	}
	if change.Reopened {
		line("breaker stays open", slog.String("failure", h.LastFailureReason), slog.Time("since", h.BreakerSince), slog.Time("probe_at", h.ProbeAt))
	}
	if change.Closed {
		line("breaker closed", slog.String("operation", result.Operation))
	}
	if change.Deferred {
		line("deliveries deferred by the receiver", slog.Time("until", h.DeferredUntil))
	}
	if change.Disable != "" {
		line("subscription disabled", slog.String("reason", change.Disable))
	}
}
