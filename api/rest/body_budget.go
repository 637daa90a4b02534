package rest

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/seed-49a43567/switchboard"
)

// budgetWait is how long a body waits for its part of the budget.
const budgetWait = 5 * time.Second

// bodyBudget limits the total size of an operation's bodies that are read and answered at the same
// time, in one process.
type bodyBudget struct {
	size int64
	wait time.Duration
	free *semaphore.Weighted
}

func newBodyBudget(size int64, wait time.Duration) *bodyBudget {
	return &bodyBudget{size, wait, semaphore.NewWeighted(size)}
}

// reservation is one body's part of a budget. A nil pointer reserves nothing.
type reservation struct {
	budget *bodyBudget
	bytes  int64
}

// acquire takes the announced length of a body from the budget, and waits until that much is free.
// A body of unknown length (below zero) counts with the maximum length. The caller must release the
// reservation, also after an error.
func (b *bodyBudget) acquire(ctx context.Context, announced, limit int64) (*reservation, error) {
	bytes := announced
	switch {
	case announced < 0:
		bytes = limit
	case announced > limit:
		return nil, nil // it is refused without being read, so it need not wait behind others
	}
	bounded, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if err := b.free.Acquire(bounded, bytes); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, switchboard.Errorf(switchboard.CodeOverloaded,
			"bodies of more than %d bytes are being read at the same time: try again, or send smaller ones", b.size)
	}
	return &reservation{b, bytes}, nil
}

// shrink returns the part of the reservation that exceeds the body's length once that is known. A
// body in gzip, or of unknown length, is usually far shorter than the limit.
func (r *reservation) shrink(length int) {
	if r == nil || r.bytes <= int64(length) {
		return
	}
	r.budget.free.Release(r.bytes - int64(length))
	r.bytes = int64(length)
}

// release returns the whole reservation.
func (r *reservation) release() {
	if r != nil {
		r.budget.free.Release(r.bytes)
	}
}
