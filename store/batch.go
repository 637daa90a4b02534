package store

import (
	"context"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// flushes is how many batches of a kind are committed at the same time: while
	// one waits for the disk, the next does its work.
	flushes = 2
	// bulkFlushes is that of calls with many events.
	bulkFlushes = 1
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
// item after a quiet time is flushed at once, so that a lone caller waits for nobody.
// After that, and after a batch that had company, one waits for more as its patience
// says, unless it is full.
//
// For example, with a patience of 8 ms for the next and of 40 ms in all: a lone caller
// comes at 0 and at 50 ms, and each time his batch begins at once. A crowd comes at 0, 3,
// 6, 9 ms and so on. The batch of the first begins at 0. That of the second waits for as
// long as somebody comes every 8 ms, so that it takes in those up to 43 ms; if the last
// comes at 15 ms, it begins at 23. Whoever comes next, say at 60 ms, waits 8 ms for a crowd
// that does not come back, and is a lone caller after that.
type batcher[In, Out any] struct {
	patience patience
	weigh    func(In) int
	flush    func(context.Context, []In) ([]Out, error) // one transaction or query; a result for each item
	slots    chan struct{}

	mu      sync.Mutex
	open    *batch[In, Out] // the batch that the next item joins; nil: it starts one
	stirred time.Time       // the batch waits for the next from then on: a flush began, or one of a crowd came
	company bool            // whether the latest batch had more than one item: a crowd may be about
	closed  bool
	running sync.WaitGroup
}

// patience is how long a batch waits for company: as long as more keeps coming. The
// faster the callers come, the more of them share, and those who wait for each other's
// batch before they come again are not kept waiting for nobody.
type patience struct {
	quiet time.Duration // a batch begins when nobody has come for so long: 8 ms in the example,
	most  time.Duration // and no later than so long after its first item: 40 ms
}

// batch is the items that are committed together.
type batch[In, Out any] struct {
	began   time.Time // when its first item came
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

func newBatcher[In, Out any](flushes int, p patience, weigh func(In) int, flush func(context.Context, []In) ([]Out, error)) *batcher[In, Out] {
	return &batcher[In, Out]{patience: p, weigh: weigh, flush: flush, slots: make(chan struct{}, flushes)}
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
		return none, switchboard.Errorf(switchboard.CodeUnavailable, "shutting down: try again")
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
	joined, now := b.open, time.Now()
	if joined != nil || b.company {
		b.stirred = now
	}
	if joined == nil {
		joined = &batch[In, Out]{began: now, full: make(chan struct{}), done: make(chan struct{})}
		b.open = joined
		b.running.Add(1)
		go b.run(joined)
	}
	joined.items = append(joined.items, item)
	if joined.weight += itemWeight + b.weigh(item); joined.weight >= fullWeight {
		b.open = nil
		close(joined.full)
	}
	return joined, len(joined.items) - 1
}

// run sees one batch through.
func (b *batcher[In, Out]) run(joined *batch[In, Out]) {
	defer b.running.Done()
	b.gather(joined)
	b.slots <- struct{}{} // items still join while it waits
	b.mu.Lock()
	if b.open == joined {
		b.open = nil
	}
	b.stirred, b.company = time.Now(), len(joined.items) > 1
	b.mu.Unlock()
	joined.results = b.settle(joined.items)
	<-b.slots
	close(joined.done)
}

// gather waits for the batch's company.
func (b *batcher[In, Out]) gather(joined *batch[In, Out]) {
	for pause := b.pause(joined); pause > 0; pause = b.pause(joined) {
		select {
		case <-time.After(pause):
		case <-joined.full:
			return
		}
	}
}

// pause is how much longer the batch waits if nobody comes.
func (b *batcher[In, Out]) pause(joined *batch[In, Out]) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return min(time.Until(b.stirred.Add(b.patience.quiet)), time.Until(joined.began.Add(b.patience.most)))
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
		case len(items) == 1 || switchboard.CodeOf(err) == switchboard.CodeUnavailable:
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
