// Package batch lets concurrent callers share transactions and queries. A commit waits for the
// disk, and one wait is enough for many callers; a query costs more than each of its rows.
package batch

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// MaxSize is the size at which a batch no longer waits for more items, in bytes: 4 MB of data,
	// or 200 items with almost no data.
	MaxSize = 4 << 20
	// ItemSize is what each item counts in addition to its own size.
	ItemSize = MaxSize / 200
)

// ErrClosed is the error of items after [Batcher.Close].
var ErrClosed = errors.New("batch: closed")

// Batcher collects items of concurrent callers and flushes them together. An item joins the
// open batch, and its caller returns when that batch was flushed. The first item after a
// quiet time is flushed at once, so that a lone caller waits for nobody. After that, and
// after a batch of more than one item, a batch waits for more items as its Delay says,
// unless it is full.
//
// For example, with a delay of 8 ms idle and 40 ms at most: a lone caller comes at 0 and at
// 50 ms, and each time the batch is flushed at once. Many callers come at 0, 3, 6, 9 ms and
// so on. The batch of the first is flushed at 0. That of the second waits for as long as an
// item comes every 8 ms, so that it takes in those up to 43 ms; if the last comes at 15 ms,
// it is flushed at 23. Whoever comes next, say at 60 ms, waits 8 ms for others that do not
// come, and the one after that is a lone caller again.
type Batcher[In, Out any] struct {
	cfg   Config[In, Out]
	slots chan struct{}

	mu            sync.Mutex
	open          *batch[In, Out] // the batch that the next item joins; nil: the item starts one
	lastArrival   time.Time       // when the idle time of the open batch began: at a flush, or at a later item
	lastWasShared bool            // whether the latest batch had more than one item, so that more are likely
	closed        bool
	running       sync.WaitGroup
}

// Config configures a Batcher.
type Config[In, Out any] struct {
	Delay    Delay
	Parallel int // how many batches are flushed at the same time: while one waits for the disk, the next works
	// Size is the size of an item in bytes; nil: almost nothing.
	Size func(In) int
	// Flush runs one transaction or query, and returns a result for each item.
	Flush func(context.Context, []In) ([]Result[Out], error)
	// Outage reports whether an error of Flush was caused by no item. Then all items get the error,
	// and are not flushed one by one.
	Outage func(error) bool
}

// Delay is how long a batch waits for more items, as long as they keep coming. The faster callers
// come, the more of them share a batch. Callers that only return after their batch was flushed do
// not make it wait for nothing.
type Delay struct {
	Idle time.Duration // a batch is flushed when no item has come for this long,
	Max  time.Duration // and no later than this long after its first item
}

// Result is the result of one item.
type Result[Out any] struct {
	Out Out
	Err error
}

// batch is a group of items that are flushed together.
type batch[In, Out any] struct {
	began   time.Time // when its first item came
	items   []In
	size    int
	full    chan struct{} // closed when it accepts no more items
	done    chan struct{} // closed when the results are complete
	results []Result[Out]
}

// New makes a Batcher.
func New[In, Out any](cfg Config[In, Out]) *Batcher[In, Out] {
	return &Batcher[In, Out]{cfg: cfg, slots: make(chan struct{}, cfg.Parallel)}
}

// Do adds the item to a batch and waits for its result. If the caller stops waiting, the item stays
// in the batch, and may or may not be flushed.
func (b *Batcher[In, Out]) Do(ctx context.Context, item In) (Out, error) {
	var none Out
	if err := ctx.Err(); err != nil {
		return none, err
	}
	joined, i := b.join(item)
	if joined == nil {
		return none, ErrClosed
	}
	select {
	case <-joined.done:
		return joined.results[i].Out, joined.results[i].Err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// join puts the item into the open batch, and returns the batch and the item's index. After Close
// it returns nil.
func (b *Batcher[In, Out]) join(item In) (*batch[In, Out], int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, 0
	}
	joined, now := b.open, time.Now()
	if joined != nil || b.lastWasShared {
		b.lastArrival = now
	}
	if joined == nil {
		joined = &batch[In, Out]{began: now, full: make(chan struct{}), done: make(chan struct{})}
		b.open = joined
		b.running.Add(1)
		go b.run(joined)
	}
	joined.items = append(joined.items, item)
	joined.size += ItemSize
	if b.cfg.Size != nil {
		joined.size += b.cfg.Size(item)
	}
	if joined.size >= MaxSize {
		b.open = nil
		close(joined.full)
	}
	return joined, len(joined.items) - 1
}

// run waits for more items and flushes the batch.
func (b *Batcher[In, Out]) run(joined *batch[In, Out]) {
	defer b.running.Done()
	b.waitForMore(joined)
	b.slots <- struct{}{} // items still join during this wait
	b.mu.Lock()
	if b.open == joined {
		b.open = nil
	}
	b.lastArrival, b.lastWasShared = time.Now(), len(joined.items) > 1
	b.mu.Unlock()
	joined.results = b.flush(joined.items)
	<-b.slots
	close(joined.done)
}

// waitForMore returns when the batch is full or its delay is over.
func (b *Batcher[In, Out]) waitForMore(joined *batch[In, Out]) {
	for wait := b.remainingDelay(joined); wait > 0; wait = b.remainingDelay(joined) {
		select {
		case <-time.After(wait):
		case <-joined.full:
			return
		}
	}
}

// remainingDelay is how much longer the batch waits if no item comes.
func (b *Batcher[In, Out]) remainingDelay(joined *batch[In, Out]) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return min(time.Until(b.lastArrival.Add(b.cfg.Delay.Idle)), time.Until(joined.began.Add(b.cfg.Delay.Max)))
}

// flush flushes the items together, and one by one if one of them makes that fail.
func (b *Batcher[In, Out]) flush(items []In) []Result[Out] {
	results, err := b.cfg.Flush(context.Background(), items)
	switch {
	case err == nil:
		return results
	case len(items) > 1 && !b.cfg.Outage(err):
		return b.flushOneByOne(items)
	}
	results = make([]Result[Out], len(items))
	for i := range results {
		results[i].Err = err
	}
	return results
}

// flushOneByOne flushes each item alone, so that an item that cannot be stored does not affect the
// others.
func (b *Batcher[In, Out]) flushOneByOne(items []In) []Result[Out] {
	results := make([]Result[Out], len(items))
	for i := range items {
		results[i] = b.flush(items[i : i+1])[0]
	}
	return results
}

// Close accepts no more items and waits until those in batches are flushed.
func (b *Batcher[In, Out]) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.running.Wait()
}
