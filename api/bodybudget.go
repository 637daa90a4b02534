package api

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/seed-49a43567/switchboard"
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

// reservation is the part of a budget that one body has. The zero of its pointer is none.
type reservation struct {
	budget *bodyBudget
	bytes  int64
}

// acquire takes the announced length of a body out of the budget, and waits until it is
// there. A body of unknown length, which is below zero, may be as long as the limit. The
// caller releases the reservation, also after an error.
func (b *bodyBudget) acquire(ctx context.Context, announced, limit int64) (*reservation, error) {
	bytes := announced
	switch {
	case announced < 0:
		bytes = limit
	case announced > limit:
		return nil, nil // it is refused, and not read: it need not wait behind others
	}
	bounded, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if err := b.free.Acquire(bounded, bytes); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, switchboard.Errorf(switchboard.CodeOverloaded,
			"more than %d bytes of batches are being taken in: try again, or post smaller ones", b.size)
	}
	return &reservation{b, bytes}, nil
}

// shrink gives back what is above the length of the body, once that is known: one in gzip,
// or of unknown length, is most often far shorter than the limit.
func (r *reservation) shrink(length int) {
	if r == nil || r.bytes <= int64(length) {
		return
	}
	r.budget.free.Release(r.bytes - int64(length))
	r.bytes = int64(length)
}

// release gives everything back.
func (r *reservation) release() {
	if r != nil {
		r.budget.free.Release(r.bytes)
	}
}
