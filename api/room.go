package api

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"switchboard"
)

const (
	// DefaultMaxBatch is the limit of a batch of events in bytes. Measured with 30 MB: reading,
	// checking and storing one takes memory of eight times its length, and 9 to 29 s.
	DefaultMaxBatch = 5 << 20
	// batchesAtOnce is how many batches of the greatest length a process has room for.
	batchesAtOnce = 4
	// roomWait is for how long a body waits for room.
	roomWait = 5 * time.Second
)

// room is what the bodies that are read and answered at the same time may take together,
// in bytes.
type room struct {
	size int64
	wait time.Duration
	free *semaphore.Weighted
}

func newRoom(size int64, wait time.Duration) *room {
	return &room{size, wait, semaphore.NewWeighted(size)}
}

// enter waits until there is room for a body that is announced to be so long; one of
// unknown length, which is below zero, may be as long as the limit. leave gives the room back, and may be called whether there is an error or not.
func (r *room) enter(ctx context.Context, announced, limit int64) (leave func(), err error) {
	bytes := announced
	switch {
	case announced < 0:
		bytes = limit
	case announced > limit:
		bytes = 0 // it is refused, and not read
	}
	bounded, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	if err := r.free.Acquire(bounded, bytes); err != nil {
		if ctx.Err() != nil {
			return func() {}, ctx.Err()
		}
		return func() {}, switchboard.Errorf(switchboard.Overloaded,
			"more than %d bytes of batches are being taken in: try again, or post smaller ones", r.size)
	}
	return func() { r.free.Release(bytes) }, nil
}
