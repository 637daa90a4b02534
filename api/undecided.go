package api

import (
	"context"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/metric"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// maxUndecidedWarnings bounds the warnings of one event: a tenant may have very many
// filters.
const maxUndecidedWarnings = 10

// undecidedWarnings names the subscriptions that get an event because their filter could
// not be held against all of it.
func undecidedWarnings(subscriptions []string) []string {
	var warnings []string
	for i, id := range subscriptions {
		if i == maxUndecidedWarnings {
			return append(warnings, fmt.Sprintf("there are %d more such subscriptions", len(subscriptions)-i))
		}
		warnings = append(warnings, fmt.Sprintf("to hold the filter of subscription %s against all of the event takes more than a filter may: the event is delivered to it", id))
	}
	return warnings
}

// noteUndecided counts and logs the filters whose effort was used up.
func (s *server) noteUndecided(ctx context.Context, accepted []switchboard.Acceptance) {
	for _, a := range accepted {
		if len(a.Undecided) == 0 {
			continue
		}
		s.undecided.Add(ctx, int64(len(a.Undecided)))
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "filters could not be held against all of an event, which is delivered",
			slog.String("request_id", rest.RequestID(ctx)), slog.String("event", a.Event.ID), slog.String("tenant", a.Event.Tenant),
			slog.Int("subscriptions", len(a.Undecided)), slog.String("first", a.Undecided[0]))
	}
}

// newUndecided makes the counter of filters whose effort was used up: Prometheus shows it
// as switchboard_filters_undecided_total. It is shown as 0 from the start: an alert on its
// increase misses the first step of a series that begins with it.
func newUndecided(meter metric.Meter) (metric.Int64Counter, error) {
	counter, err := meter.Int64Counter("switchboard_filters_undecided",
		metric.WithDescription("Deliveries that are owed because a filter could not be held against all of the event"))
	if err == nil {
		counter.Add(context.Background(), 0)
	}
	return counter, err
}
