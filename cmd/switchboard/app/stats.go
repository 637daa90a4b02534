package app

import (
	"context"
	"sync"
	"time"
)

const (
	// statsAge is the maximum age of the counts of open deliveries when they are scraped, so that
	// several scrapers cost one query.
	statsAge = 5 * time.Second
	// statsWait is how long a scrape waits for new counts. After that it shows the existing ones,
	// if they are not older than statsMemory.
	statsWait   = time.Second
	statsMemory = time.Minute
)

// cached loads counts when they are scraped, one load at a time, without making callers wait long.
type cached[T any] struct {
	load func(context.Context) (T, error)
	wait time.Duration
	now  func() time.Time

	mu      sync.Mutex
	at      time.Time // when the counts came; zero: never
	stats   T
	loading chan struct{} // closed when the running count ends; nil: none runs
}

func newCached[T any](load func(context.Context) (T, error)) *cached[T] {
	return &cached[T]{load: load, wait: statsWait, now: time.Now}
}

// get returns the counts, or false if there are none that are new enough.
func (c *cached[T]) get(ctx context.Context) (T, bool) {
	if loading := c.refresh(); loading != nil {
		enough := time.NewTimer(c.wait)
		defer enough.Stop()
		select {
		case <-loading:
		case <-enough.C:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats, !c.at.IsZero() && c.now().Sub(c.at) < statsMemory
}

// refresh starts a count unless one runs, and returns a channel that is closed at its end. nil: the
// counts are new enough.
func (c *cached[T]) refresh() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() && c.now().Sub(c.at) < statsAge {
		return nil
	}
	if c.loading == nil {
		c.loading = make(chan struct{})
		go c.count(c.loading)
	}
	return c.loading
}

// count makes one count. The store limits its time, as for every call.
func (c *cached[T]) count(done chan struct{}) {
	defer close(done)
	stats, err := c.load(context.Background())
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.stats, c.at = stats, c.now()
	}
	c.loading = nil
}
