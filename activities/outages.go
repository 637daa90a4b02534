package activities

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// What a process depends on, as its log names it.
const (
	Postgres = "postgres"
	Temporal = "temporal"
)

// outageAfter is how many failures in a row are an outage: one that fails alone, as a
// start that takes too long, is not.
const outageAfter = 3

// Outages log once when something that the process depends on goes away, and once when
// it is back, however many deliveries find out. The zero value logs nothing.
type Outages struct {
	Log *slog.Logger

	mu sync.Mutex
	of map[string]*outage
}

type outage struct {
	since    time.Time // of the first failure
	failures int
}

// Observe notes the result of a use of the dependency. It reports whether an error is
// worth a line of its own: in an outage that was logged it is not.
func (o *Outages) Observe(ctx context.Context, dependency string, err error) bool {
	if o == nil || o.Log == nil {
		return err != nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.of[dependency]
	switch {
	case err == nil && now == nil:
		return false
	case err == nil:
		delete(o.of, dependency)
		if now.failures >= outageAfter {
			o.Log.InfoContext(ctx, "back", "dependency", dependency, "away_since", now.since, "failures", now.failures)
		}
		return false
	case now == nil:
		if o.of == nil {
			o.of = map[string]*outage{}
		}
		now = &outage{since: time.Now().UTC()}
		o.of[dependency] = now
	}
	now.failures++
	if now.failures == outageAfter {
		o.Log.WarnContext(ctx, "away", "dependency", dependency, "away_since", now.since, "error", err)
	}
	return now.failures < outageAfter
}

// Fails reports whether the latest use of the dependency failed.
func (o *Outages) Fails(dependency string) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.of[dependency] != nil
}
