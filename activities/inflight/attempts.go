// Package inflight has what one worker process knows of its running attempts: four plain types
// without Temporal and without a store. A [Limiter] bounds the requests, [Attempts] can abort one,
// a [Buffer] holds outcomes that Postgres has not recorded yet, and [Health] counts the responses
// of endpoints.
package inflight

import (
	"context"
	"sync"
)

// Attempts has the running attempts of this process, one for each delivery.
type Attempts struct {
	cause error

	mu         sync.Mutex
	byDelivery map[string]context.CancelCauseFunc
}

// NewAttempts makes the register of a process. An aborted attempt finds that cause in its context.
func NewAttempts(cause error) *Attempts {
	return &Attempts{cause: cause, byDelivery: map[string]context.CancelCauseFunc{}}
}

// Begin makes a context that [Attempts.Abort] ends, until done is called. It reports false if an
// attempt of that delivery already runs here. Temporal repeats an attempt when it no longer hears
// from its worker, for example after an outage of its own, and the second request must not be sent
// while the first runs.
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

// Abort ends the attempt of that delivery that runs here, if there is one.
func (a *Attempts) Abort(deliveryID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cancel, ok := a.byDelivery[deliveryID]; ok {
		cancel(a.cause)
	}
}
