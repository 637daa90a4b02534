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
	// batchesAtOnce is how many batches of the greatest length the budget of a process is.
	batchesAtOnce = 4
	// budgetWait is how long a body waits for its part of the budget.
	budgetWait = 5 * time.Second
)

// bodyBudget bounds the bytes of the bodies that are read and answered at the same time.
type bodyBudget struct {
	size int64
	wait time.Duration
	free *semaphore.Weighted
}

func newBodyBudget(size int64, wait time.Duration) *bodyBudget {
	return &bodyBudget{size, wait, semaphore.NewWeighted(size)}
}

// acquire takes the announced length of a body out of the budget, and waits until it is
// there. A body of unknown length, which is below zero, may be as long as the limit.
// release gives the bytes back; it may be called after an error too.
func (b *bodyBudget) acquire(ctx context.Context, announced, limit int64) (release func(), err error) {
	bytes := announced
	switch {
	case announced < 0:
		bytes = limit
	case announced > limit:
		bytes = 0 // it is refused, and not read
	}
	bounded, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if err := b.free.Acquire(bounded, bytes); err != nil {
		if ctx.Err() != nil {
			return func() {}, ctx.Err()
		}
		return func() {}, switchboard.Errorf(switchboard.Overloaded,
			"more than %d bytes of batches are being taken in: try again, or post smaller ones", b.size)
	}
	return func() { b.free.Release(bytes) }, nil
}
