package activities

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities/inflight"
)

// takeTurn returns when the rate limit of the subscription allows the request; zero: now.
func (e *execution) takeTurn(ctx context.Context, loaded switchboard.LoadedDelivery) (time.Time, error) {
	limit := loaded.Subscription.RateLimit
	if !limit.IsSet() || loaded.Delivery.HasTurn() {
		return time.Time{}, nil
	}
	ctx, cancel := storeContext(ctx)
	defer cancel()
	wait, err := e.Store.TakeTurn(ctx, loaded.Subscription.ID, limit)
	if err != nil || wait <= 0 {
		return time.Time{}, err
	}
	e.Metrics.turn(ctx, wait)
	return e.Now().Add(wait), nil
}

// waitUntil returns at that time; false: the attempt was aborted before.
func (e *execution) waitUntil(ctx context.Context, at time.Time) bool {
	wait := at.Sub(e.Now())
	if at.IsZero() || wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// release gives the slot back. If the endpoint has become slow, or fast again, all processes learn
// it. The next of the deliveries that wait in order is released.
func (e *execution) release(ctx context.Context, loaded switchboard.LoadedDelivery, slot *inflight.Slot, latency time.Duration) {
	if !slot.Taken() {
		return
	}
	slow := slot.Release(e.Now(), latency)
	id := loaded.Subscription.ID
	if e.Released != nil && (loaded.Health.QueueReason != "" || e.Limiter.IsWaiting(id)) {
		e.Released(id)
	}
	if slow != loaded.Health.Slow {
		ctx, cancel := storeContext(ctx)
		defer cancel()
		if err := e.Store.SetSlow(ctx, id, slow); err != nil { // the next request tries again
			e.Log.DebugContext(ctx, "class of an endpoint not stored", "subscription", id, "slow", slow, "error", err)
		}
	}
}
