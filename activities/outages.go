package activities

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The dependencies of a process, as in its log.
const (
	Postgres = "postgres"
	Temporal = "temporal"
)

// outageAfter is how many failures in a row are an outage. A single one, such as a start that takes
// too long, is not.
const outageAfter = 3

// Outages log once when a dependency of the process becomes unavailable, and once when it is
// available again, however many deliveries notice. The zero value logs nothing.
type Outages struct {
	Log *slog.Logger

	mu           sync.Mutex
	byDependency map[string]*outage
}

type outage struct {
	since    time.Time // of the first failure
	failures int
}

// Observe counts the result of a use of the dependency. It reports whether an error is worth a line
// of its own: during a logged outage it is not.
func (o *Outages) Observe(ctx context.Context, dependency string, err error) bool {
	if o == nil || o.Log == nil {
		return err != nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	current := o.byDependency[dependency]
	switch {
	case err == nil && current == nil:
		return false
	case err == nil:
		delete(o.byDependency, dependency)
		if current.failures >= outageAfter {
			o.Log.InfoContext(ctx, "back", "dependency", dependency, "away_since", current.since, "failures", current.failures)
		}
		return false
	case current == nil:
		if o.byDependency == nil {
			o.byDependency = map[string]*outage{}
		}
		current = &outage{since: time.Now().UTC()}
		o.byDependency[dependency] = current
	}
	current.failures++
	if current.failures == outageAfter {
		o.Log.WarnContext(ctx, "away", "dependency", dependency, "away_since", current.since, "error", err)
	}
	return current.failures < outageAfter
}

// Fails reports whether the latest use of the dependency failed.
func (o *Outages) Fails(dependency string) bool {
	if o == nil {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byDependency[dependency] != nil
}
