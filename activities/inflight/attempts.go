// Package inflight is what one worker process knows of the attempts that are under way in it:
// four plain types without Temporal and without a store. A [Limiter] bounds the requests,
// [Attempts] can abort one, a [Buffer] holds outcomes that Postgres has not recorded yet, and
// [Health] counts what endpoints answered.
package inflight

import (
	"context"
	"sync"
)

// Attempts knows the attempts under way in this process, one for each delivery.
type Attempts struct {
	cause error

	mu         sync.Mutex
	byDelivery map[string]context.CancelCauseFunc
}

// NewAttempts makes the register of a process. An attempt that is aborted finds that cause in
// its context.
func NewAttempts(cause error) *Attempts {
	return &Attempts{cause: cause, byDelivery: map[string]context.CancelCauseFunc{}}
}

// Begin makes a context that [Attempts.Abort] ends, until done is called. It reports false if an
// attempt of that delivery is under way here: Temporal repeats one whose worker it no longer hears from, as
// after an outage of its own, and the request must not go out beside the first.
func (a *Attempts) Begin(ctx context.Context, deliveryID string) (attempt context.Context, done func(), ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, underWay := a.byDelivery[deliveryID]; underWay {
		return ctx, func() {}, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	a.byDelivery[deliveryID] = cancel
	return ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.byDelivery, deliveryID)
		cancel(nil)
	}, true
}

// Abort ends the attempt of that delivery that is under way here, if one is.
func (a *Attempts) Abort(deliveryID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cancel, ok := a.byDelivery[deliveryID]; ok {
		cancel(a.cause)
	}
}
