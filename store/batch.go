package store

import (
	"context"
	"sync"
	"time"

	"switchboard"
)

const (
	// flushes is how many batches of a kind are committed at the same time: while
	// one waits for the disk, the next does its work.
	flushes = 2
	// readFlushes is how many queries of a kind run at the same time: as many as find
	// out together that connections are dead.
	readFlushes = 8
	// fullWeight is when a batch no longer waits for company, in bytes: 4 MB of
	// data, or 200 items of next to none.
	fullWeight = 4 << 20
	itemWeight = fullWeight / 200
)

// batcher lets concurrent callers share transactions and queries: a commit waits for
// the disk, and one wait does for all; a query costs more than a row of it. A caller's
// item joins the open batch and returns when that batch is durable, or read. The first
// item after a quiet time is flushed at once, so that a lone caller waits for nobody;
// after that a batch begins no sooner than wait after the one before, unless it is full.
type batcher[In, Out any] struct {
	wait  time.Duration
	weigh func(In) int
	flush func(context.Context, []In) ([]Out, error) // one transaction or query; a result for each item
	slots chan struct{}

	mu      sync.Mutex
	open    *batch[In, Out] // the batch that the next item joins; nil: it starts one
	last    time.Time       // when the latest flush began
	closed  bool
	running sync.WaitGroup
}

// batch is the items that are committed together.
type batch[In, Out any] struct {
	items   []In
	weight  int
	full    chan struct{} // closed when it takes no more
	done    chan struct{} // closed when results are there
	results []result[Out]
}

type result[Out any] struct {
	out Out
	err error
}

// weighless is the weight of an item that takes no more room than another.
func weighless[In any](In) int { return 0 }

func newBatcher[In, Out any](flushes int, wait time.Duration, weigh func(In) int, flush func(context.Context, []In) ([]Out, error)) *batcher[In, Out] {
	return &batcher[In, Out]{wait: wait, weigh: weigh, flush: flush, slots: make(chan struct{}, flushes)}
}

// do adds the item to a batch and waits for it. A caller that stops waiting does
// not take its item back: it may or may not be stored.
func (b *batcher[In, Out]) do(ctx context.Context, item In) (Out, error) {
	var none Out
	if err := ctx.Err(); err != nil {
		return none, err
	}
	joined, i := b.join(item)
	if joined == nil {
		return none, switchboard.Errorf(switchboard.Unavailable, "shutting down: try again")
	}
	select {
	case <-joined.done:
		return joined.results[i].out, joined.results[i].err
	case <-ctx.Done():
		return none, fault(ctx, ctx.Err())
	}
}

// join puts the item into the open batch, and returns that and the item's place.
func (b *batcher[In, Out]) join(item In) (*batch[In, Out], int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, 0
	}
	joined := b.open
	if joined == nil {
		joined = &batch[In, Out]{full: make(chan struct{}), done: make(chan struct{})}
		b.open = joined
		b.running.Add(1)
		go b.run(joined, b.wait-time.Since(b.last))
	}
	joined.items = append(joined.items, item)
	if joined.weight += itemWeight + b.weigh(item); joined.weight >= fullWeight {
		b.open = nil
		close(joined.full)
	}
	return joined, len(joined.items) - 1
}

// run sees one batch through.
func (b *batcher[In, Out]) run(joined *batch[In, Out], pause time.Duration) {
	defer b.running.Done()
	if pause > 0 {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-joined.full:
		}
		timer.Stop()
	}
	b.slots <- struct{}{} // items still join while it waits
	b.mu.Lock()
	if b.open == joined {
		b.open = nil
	}
	b.last = time.Now()
	b.mu.Unlock()
	joined.results = b.settle(joined.items)
	<-b.slots
	close(joined.done)
}

// settle flushes the items. If it is not for the database being away that they
// fail together, each is tried alone, so that one that cannot be stored hurts
// nobody else.
func (b *batcher[In, Out]) settle(items []In) []result[Out] {
	results := make([]result[Out], len(items))
	outs, err := b.flush(context.Background(), items)
	for i := range items {
		switch {
		case err == nil:
			results[i].out = outs[i]
		case len(items) == 1 || switchboard.CodeOf(err) == switchboard.Unavailable:
			results[i].err = err
		default:
			results[i] = b.settle(items[i : i+1])[0]
		}
	}
	return results
}

// close takes no more items and waits for those under way.
func (b *batcher[In, Out]) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.running.Wait()
}
