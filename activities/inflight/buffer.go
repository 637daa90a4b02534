package inflight

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/seed-49a43567/switchboard"
)

// Buffer holds the attempts of this process that could not be recorded yet, the latest of each
// delivery. Temporal holds their outcomes too, but may be away for the same reason, as where
// both live in one Postgres.
type Buffer struct {
	added chan struct{} // holds a signal after a Put

	mu         sync.Mutex
	byDelivery map[string]switchboard.Record
}

// NewBuffer makes an empty buffer.
func NewBuffer() *Buffer {
	return &Buffer{added: make(chan struct{}, 1), byDelivery: map[string]switchboard.Record{}}
}

// Put adds an attempt.
func (b *Buffer) Put(r switchboard.Record) {
	b.mu.Lock()
	b.byDelivery[r.Attempt.DeliveryID] = r
	b.mu.Unlock()
	select {
	case b.added <- struct{}{}:
	default: // a signal is there already
	}
}

// Get returns the attempt of the delivery, if there is one.
func (b *Buffer) Get(deliveryID string) (switchboard.Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.byDelivery[deliveryID]
	return r, ok
}

// Remove drops an attempt that is recorded; a later one of the delivery stays.
func (b *Buffer) Remove(r switchboard.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id := r.Attempt.DeliveryID; b.byDelivery[id].Attempt.ID == r.Attempt.ID {
		delete(b.byDelivery, id)
	}
}

// Deliveries lists the deliveries with an attempt in the buffer.
func (b *Buffer) Deliveries() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.byDelivery))
}

// Wait returns true when the buffer holds something, and false when ctx has ended.
func (b *Buffer) Wait(ctx context.Context) bool {
	for len(b.Deliveries()) == 0 {
		select {
		case <-ctx.Done():
			return false
		case <-b.added:
		}
	}
	return ctx.Err() == nil
}
