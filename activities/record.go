package activities

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
)

// record stores the attempt of that run with what follows from it. If Postgres is away the
// outcome is kept instead of being lost: the request must not go out again.
func (a *Deliveries) record(ctx context.Context, work switchboard.LoadedDelivery, made switchboard.Attempt, run int) AttemptResult {
	applied := switchboard.Limits{Timeout: switchboard.Duration(made.Timeout), IntervalFactor: made.IntervalFactor, MaxAttempts: made.MaxAttempts, Load: made.Load}
	decision := switchboard.Next(work.Subscription.Retry, applied, made.DeliveryID, made.Number-work.Delivery.PriorAttempts, made.Outcome)
	r := switchboard.Record{Attempt: made, Decision: decision, TemporalRunID: runID(ctx), Generation: run}
	d, err := a.commit(ctx, r)
	if err != nil {
		a.Outages.Observe(ctx, Postgres, err)
		// Once for each request that was under way: what is not recorded yet is worth a line.
		a.Log.WarnContext(ctx, "outcome kept: it could not be recorded", "delivery", made.DeliveryID, "attempt", made.Number, "error", err)
		a.Flights.keep(r)
		result := resultOf(ctx, work, work.Delivery)
		result.Kept = keep(r)
		return result
	}
	return resultOf(ctx, work, d)
}

// commit stores the attempt and what follows from it, and forgets that it was kept.
func (a *Deliveries) commit(ctx context.Context, r switchboard.Record) (switchboard.Delivery, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	d, err := a.Store.Record(ctx, r)
	if err != nil {
		return d, err
	}
	a.Outages.Observe(ctx, Postgres, nil)
	a.Flights.forget(r)
	a.Metrics.recorded(ctx, r.Attempt.Outcome, d)
	a.logAttempt(ctx, r.Attempt, d)
	return d, nil
}

// logAttempt writes one line an attempt. What there is none of, as a next attempt, is
// left out.
func (a *Deliveries) logAttempt(ctx context.Context, made switchboard.Attempt, d switchboard.Delivery) {
	o := &made.Outcome
	line := []slog.Attr{
		slog.String("delivery", d.ID), slog.String("tenant", d.Tenant), slog.String("event", d.EventID), slog.String("event_type", d.EventType),
		slog.String("subscription", d.SubscriptionID), slog.String("host", d.Host), slog.Int("number", made.Number),
		slog.Int64("duration_ms", o.Latency.Milliseconds()), slog.Int64("timeout_ms", made.Timeout.Milliseconds()),
		slog.Float64("load", made.Load), slog.String("state", string(d.State)),
	}
	if o.StatusCode != 0 {
		line = append(line, slog.Int("status_code", o.StatusCode))
	}
	if o.Failure != "" {
		line = append(line, slog.String("failure", string(o.Failure)))
	}
	if d.Reason != "" {
		line = append(line, slog.String("reason", d.Reason))
	}
	if d.Permanent {
		line = append(line, slog.Bool("permanent", true))
	}
	if !d.NextAttemptAt.IsZero() {
		line = append(line, slog.Time("next_attempt_at", d.NextAttemptAt))
	}
	a.Log.LogAttrs(ctx, slog.LevelInfo, "attempt", line...)
}

const (
	// recorderPause is how soon after Postgres is back an outcome that this process
	// keeps is recorded: sooner than a Temporal that was away with it gives the attempt
	// to another worker, which would send again.
	recorderPause = 200 * time.Millisecond
	// recorderPool is how many are recorded at a time; they share commits.
	recorderPool = 32
)

// RecordKept records what the attempts of a saw while Postgres was away, as soon
// as it is back, until ctx ends. Their own activities do so too, but Temporal may have
// lost sight of those in the same outage. It is no method, which would be registered as
// an activity.
func FlushUnrecorded(ctx context.Context, a *Deliveries) {
	look := time.NewTicker(recorderPause)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			a.recordAllKept(ctx)
		}
	}
}

func (a *Deliveries) recordAllKept(ctx context.Context) {
	pool, ctx := errgroup.WithContext(ctx)
	pool.SetLimit(recorderPool)
	for _, id := range a.Flights.allKept() {
		pool.Go(func() error { return a.recordOneKept(ctx, id) })
	}
	_ = pool.Wait() // it ended because Postgres is away, which was logged for each that is kept
}

// recordOneKept records what is kept of the delivery, unless its activity is under way
// here, or has done so since. It fails if there is no use in trying others.
func (a *Deliveries) recordOneKept(ctx context.Context, deliveryID string) error {
	if ctx.Err() != nil {
		return nil
	}
	ctx, land, free := a.Flights.takeOff(ctx, deliveryID)
	if !free {
		return nil
	}
	defer land()
	r, ok := a.Flights.kept(deliveryID)
	if !ok {
		return nil
	}
	_, err := a.commit(ctx, r)
	switch switchboard.CodeOf(err) {
	case switchboard.CodeUnavailable:
		return err
	case switchboard.CodeNotFound: // erased meanwhile
		a.Flights.forget(r)
	}
	return nil
}
