package bench

import (
	"context"
	"errors"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// livePart finds the parts of a page that update themselves, their interval in seconds, and their
// address.
var livePart = regexp.MustCompile(`data-live="(\d+)" hx-get="([^"]+)"`)

// tabs are browser tabs that show the overview.
type tabs struct {
	person *person
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu     sync.Mutex
	polls  int
	failed error // the first
}

// startTabs opens that many tabs of one person, spread over the shortest interval of a part, as
// people open them at any time.
func (b *bench) startTabs(ctx context.Context, count int) (*tabs, error) {
	p, err := signIn(ctx, b.stack.poster.base, b.stack.poster.key)
	if err != nil {
		return nil, err
	}
	const path = "/console"
	page, _, err := p.get(ctx, path, "")
	if err != nil {
		return nil, err
	}
	parts := livePart.FindAllSubmatch(page, -1)
	if len(parts) == 0 {
		return nil, errors.New("no part of the overview keeps itself up to date")
	}
	polling, stop := context.WithCancel(ctx)
	t := &tabs{person: p, stop: stop}
	for _, part := range parts {
		seconds, err := strconv.Atoi(string(part[1]))
		if err != nil {
			return nil, fmt.Errorf("data-live of the overview: %w", err)
		}
		every, query := time.Duration(seconds)*time.Second, html.UnescapeString(string(part[2]))
		if query[0] == '?' {
			query = path + query
		}
		for i := range count {
			first := every * time.Duration(i) / time.Duration(count)
			t.ended.Go(func() { t.keep(polling, query, first, every) })
		}
	}
	return t, nil
}

// keep requests one part of one tab, as console.js does.
func (t *tabs) keep(ctx context.Context, path string, first, every time.Duration) {
	if pause(ctx, first) != nil {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	tag := ""
	for {
		_, now, err := t.person.get(ctx, path, tag)
		if ctx.Err() != nil {
			return
		}
		tag = now
		t.mu.Lock()
		t.polls++
		if t.failed == nil {
			t.failed = err
		}
		t.mu.Unlock()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// close closes the tabs. It returns an error if a request failed.
func (t *tabs) close() error {
	t.stop()
	t.ended.Wait()
	t.person.close()
	return t.failed
}
