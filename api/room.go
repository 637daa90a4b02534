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

// share is what one body takes of the room.
type share struct {
	room  *room
	bytes int64
}

// enter waits until there is room for a body that is announced to be so long; one of
// unknown length, which is below zero, may be as long as the limit. The share is to be left,
// whether there is an error or not.
func (r *room) enter(ctx context.Context, announced, limit int64) (*share, error) {
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
			return nil, ctx.Err()
		}
		return nil, switchboard.Errorf(switchboard.Overloaded,
			"more than %d bytes of batches are being taken in: try again, or post smaller ones", r.size)
	}
	return &share{r, bytes}, nil
}

// fit gives back what the body turned out not to take: one in gzip, or of unknown length,
// is most often far shorter than the limit.
func (p *share) fit(length int) {
	if p == nil || p.bytes <= int64(length) {
		return
	}
	p.room.free.Release(p.bytes - int64(length))
	p.bytes = int64(length)
}

func (p *share) leave() {
	if p != nil {
		p.room.free.Release(p.bytes)
	}
}
