package activities

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// record stores the attempt and its consequences. If Postgres is away or refuses it, the outcome
// goes into the buffer and into the result, because the request must not be sent again.
func (e *execution) record(ctx context.Context, loaded switchboard.LoadedDelivery, made switchboard.Attempt, generation int) (AttemptResult, error) {
	applied := switchboard.Limits{Timeout: switchboard.Duration(made.Timeout), IntervalFactor: made.IntervalFactor, MaxAttempts: made.MaxAttempts, Load: made.Load}
	decision := switchboard.Next(loaded.Subscription.Retry, applied, made.DeliveryID, made.Number-loaded.Delivery.PriorAttempts, made.Outcome).
		Within(loaded.Delivery.ExpiresAt, made.At.Add(made.Outcome.Latency))
	r := switchboard.Record{Attempt: made, Decision: decision, Generation: generation, TemporalRunID: e.temporalRunID}
	d, err := e.commit(ctx, r)
	if err != nil {
		// This is logged once for each request: an outcome that is not recorded yet is worth a
		// line.
		e.Log.WarnContext(ctx, "outcome not recorded yet", "delivery", made.DeliveryID, "attempt", made.Number, "error", err)
		e.Unrecorded.Put(r)
		result := e.resultOf(loaded, loaded.Delivery)
		result.Unrecorded = inflight.OutcomeOf(r)
		if switchboard.CodeOf(err) == switchboard.CodeUnavailable {
			e.Outages.Observe(ctx, Postgres, err)
			return result, errNotRecorded
		}
		return result, &attemptError{loaded.Delivery, whyRefused, err}
	}
	if loaded.Delivery = d; !loaded.Elsewhere {
		loaded.Health = e.reportHealth(ctx, &loaded, made)
	}
	return e.resultOf(loaded, e.parkBehindBreaker(ctx, loaded)), nil
}

// parkBehindBreaker parks a delivery whose attempt failed while the breaker of its endpoint was
// open, or opened it. In backoff it would keep a workflow and a timer, only to be parked at its
// next date. If it cannot be parked now, this is what happens.
func (e *execution) parkBehindBreaker(ctx context.Context, loaded switchboard.LoadedDelivery) switchboard.Delivery {
	if !loaded.Delivery.State.HasNextAttempt() || !loaded.Health.IsOpen(loaded.Delivery.ID) {
		return loaded.Delivery
	}
	ctx, cancel := storeContext(ctx)
	defer cancel()
	conditions := switchboard.Conditions{Subscription: &loaded.Subscription, Health: &loaded.Health, Delivery: &loaded.Delivery}
	d, err := e.Store.HoldDelivery(ctx, loaded.Delivery, conditions)
	if err != nil {
		return loaded.Delivery
	}
	return d
}

// commit stores the attempt and its consequences, and removes it from the buffer.
func (a *Deliveries) commit(ctx context.Context, r switchboard.Record) (switchboard.Delivery, error) {
	ctx, cancel := storeContext(ctx)
	defer cancel()
	d, err := a.Store.Record(ctx, r)
	if err != nil {
		return d, err
	}
	a.Outages.Observe(ctx, Postgres, nil)
	a.Unrecorded.Remove(r)
	a.Metrics.recorded(ctx, r.Attempt.Outcome, d, a.Classes.Of(d.Tenant))
	a.logAttempt(ctx, r.Attempt, d)
	return d, nil
}

// logAttempt writes one line per attempt. Empty values are left out.
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
	if traced := trace.SpanContextFromContext(ctx); traced.IsSampled() {
		line = append(line, slog.String("trace_id", traced.TraceID().String()))
	}
	a.Log.LogAttrs(ctx, slog.LevelInfo, "attempt", line...)
}

// unrecordedOutcome returns the latest outcome of the delivery that may not be recorded yet; nil:
// none. An outcome in this process's buffer has the receiver's answer, and is recorded first.
func (e *execution) unrecordedOutcome(ctx context.Context) *inflight.UnrecordedOutcome {
	outcome := inflight.Latest(e.in.Unrecorded, e.heartbeatOutcome(ctx))
	if r, ok := e.Unrecorded.Get(e.in.DeliveryID); ok {
		outcome = inflight.Latest(outcome, inflight.OutcomeOf(r))
		_, _ = e.commit(ctx, r) // after an error, the delivery's row does not count it yet
	}
	return outcome
}

const (
	// flushPause is the pause between two tries to flush the buffer. So an outcome is recorded soon
	// after Postgres is back, before a Temporal that was away too gives the attempt to another
	// worker, which would send it again.
	flushPause = 200 * time.Millisecond
	// flushPool is how many outcomes are recorded at the same time; they share commits.
	flushPool = 32
)

// FlushUnrecorded records the outcomes in the buffer as soon as Postgres is back, until ctx ends.
// Their own activities do so too, but Temporal may have given those up in the same outage. It is
// not a method, because it would then be registered as an activity.
func FlushUnrecorded(ctx context.Context, a *Deliveries) {
	for a.Unrecorded.Wait(ctx) {
		a.flush(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(flushPause):
		}
	}
}

func (a *Deliveries) flush(ctx context.Context) {
	pool, ctx := errgroup.WithContext(ctx)
	pool.SetLimit(flushPool)
	for _, id := range a.Unrecorded.Deliveries() {
		pool.Go(func() error { return a.flushOne(ctx, id) })
	}
	_ = pool.Wait() // Postgres is away, which was logged for each outcome
}

// flushOne records the delivery's outcome, unless its activity runs in this process or has recorded
// it since. It returns an error if the others would fail too. An outcome that Postgres refuses is
// left to its activity, which tries less often, because each try makes the records that share its
// commit fail too.
func (a *Deliveries) flushOne(ctx context.Context, deliveryID string) error {
	if ctx.Err() != nil {
		return nil
	}
	ctx, done, ok := a.InFlight.Begin(ctx, deliveryID)
	if !ok {
		return nil
	}
	defer done()
	r, ok := a.Unrecorded.Get(deliveryID)
	if !ok {
		return nil
	}
	_, err := a.commit(ctx, r)
	switch switchboard.CodeOf(err) {
	case switchboard.CodeUnavailable:
		return err
	case switchboard.CodeNotFound: // erased in the meantime
		a.Unrecorded.Remove(r)
	default:
		if err != nil {
			a.Unrecorded.Refuse(r)
		}
	}
	return nil
}
