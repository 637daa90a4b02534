package inflight

import (
	"context"
	"sync"

	"github.com/seed-49a43567/switchboard"
)

// Buffer holds the attempts of this process that could not be recorded yet, the latest of each
// delivery. Temporal holds their outcomes too, but may be unavailable for the same reason, for
// example if both use one Postgres.
type Buffer struct {
	added chan struct{} // gets a signal after a Put

	mu         sync.Mutex
	byDelivery map[string]switchboard.Record
	refused    map[string]bool // deliveries with an attempt that their activity must record
}

// NewBuffer makes an empty buffer.
func NewBuffer() *Buffer {
	return &Buffer{added: make(chan struct{}, 1), byDelivery: map[string]switchboard.Record{}, refused: map[string]bool{}}
}

// Put adds an attempt.
func (b *Buffer) Put(r switchboard.Record) {
	id := r.Attempt.DeliveryID
	b.mu.Lock()
	if b.byDelivery[id].Attempt.ID != r.Attempt.ID {
		delete(b.refused, id)
	}
	b.byDelivery[id] = r
	b.mu.Unlock()
	select {
	case b.added <- struct{}{}:
	default: // there is already a signal
	}
}

// Get returns the attempt of the delivery, if there is one.
func (b *Buffer) Get(deliveryID string) (switchboard.Record, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.byDelivery[deliveryID]
	return r, ok
}

// Remove drops a recorded attempt; a later one of the delivery stays.
func (b *Buffer) Remove(r switchboard.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id := r.Attempt.DeliveryID; b.byDelivery[id].Attempt.ID == r.Attempt.ID {
		delete(b.byDelivery, id)
		delete(b.refused, id)
	}
}

// Refuse marks an attempt that Postgres refuses although it is available. [Buffer.Deliveries] then
// leaves it out.
func (b *Buffer) Refuse(r switchboard.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if id := r.Attempt.DeliveryID; b.byDelivery[id].Attempt.ID == r.Attempt.ID {
		b.refused[id] = true
	}
}

// Deliveries lists the deliveries with an attempt in the buffer that Postgres may accept.
func (b *Buffer) Deliveries() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for id := range b.byDelivery {
		if !b.refused[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// Wait returns true when the buffer has an attempt that Postgres may accept, and false when ctx has
// ended.
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
