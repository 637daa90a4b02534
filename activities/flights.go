package activities

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// Flights knows the attempts under way in this process: to abort one that is
// cancelled, to keep one subscription from taking every place, and to remember
// what one saw until it is recorded.
type Flights struct {
	places

	mu         sync.Mutex
	byDelivery map[string]context.CancelCauseFunc
	unrecorded map[string]switchboard.Record
}

// NewFlights makes the register of a worker process that has at most limit
// requests in flight.
func NewFlights(limit int) *Flights {
	return &Flights{places: places{limit: limit, lines: map[string]*line{}}, byDelivery: map[string]context.CancelCauseFunc{}, unrecorded: map[string]switchboard.Record{}}
}

// Abort ends the attempt of that delivery that is under way here, if one is.
func (f *Flights) Abort(deliveryID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cancel, ok := f.byDelivery[deliveryID]; ok {
		cancel(webhook.ErrAborted)
	}
}

// takeOff makes a context that [Flights.Abort] can end, until land is called. It
// reports false if an attempt of that delivery is under way here: Temporal repeats
// one that it has lost sight of, as after an outage of its own, and the request
// must not go out beside the first.
func (f *Flights) takeOff(ctx context.Context, deliveryID string) (flight context.Context, land func(), free bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.byDelivery[deliveryID]; taken {
		return ctx, func() {}, false
	}
	ctx, cancel := context.WithCancelCause(ctx)
	f.byDelivery[deliveryID] = cancel
	return ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.byDelivery, deliveryID)
		cancel(nil)
	}, true
}

// keep remembers an attempt that could not be recorded, until it is. Temporal keeps its
// outcome too, but may be away for the same reason, as where both live in one Postgres.
func (f *Flights) keep(r switchboard.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unrecorded[r.Attempt.DeliveryID] = r
}

// kept returns the attempt of the delivery that waits here to be recorded, if one does.
func (f *Flights) kept(deliveryID string) (switchboard.Record, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.unrecorded[deliveryID]
	return r, ok
}

// allKept returns the deliveries with an attempt that waits here to be recorded.
func (f *Flights) allKept() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.unrecorded))
}

// forget drops the attempt, once it is recorded; a later one of the delivery stays.
func (f *Flights) forget(r switchboard.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if id := r.Attempt.DeliveryID; f.unrecorded[id].Attempt.ID == r.Attempt.ID {
		delete(f.unrecorded, id)
	}
}
