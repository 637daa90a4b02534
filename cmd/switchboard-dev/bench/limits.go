package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard/client"
)

// limits is what was applied to real attempts while the worker's slots filled.
type limits struct {
	Deliveries int     `json:"deliveries"`
	LoadMost   float64 `json:"load_most"` // share of the worker's slots that were in use
	Idle       int64   `json:"timeout_ms_at_least_load"`
	Full       int64   `json:"timeout_ms_at_most_load"`
	Deviation  int64   `json:"deviation_ms_most"` // from the straight line between 10 s and 5 s
}

const (
	// limitsDeliveries are more than the 500 slots of a worker.
	limitsDeliveries  = 700
	limitsConcurrency = 64
	// slowAnswer is how long the slow receiver waits before it answers: less than the shortest
	// limit, and long enough for the slots to fill.
	slowAnswer    = 4500 * time.Millisecond
	limitsTimeout = 5 * time.Minute
)

// measureLimits fills the worker's slots with slow attempts, and reads the limit that applied to
// each.
func (b *bench) measureLimits(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limitsTimeout)
	defer cancel()
	b.stack.receiver.expect(limitsDeliveries)
	all, err := b.stack.poster.burst(ctx, slowTenant, limitsDeliveries, limitsConcurrency)
	if err == nil {
		err = b.stack.receiver.wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	seen := make([]client.Attempt, len(all))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(b.Concurrency)
	for i, p := range all {
		group.Go(func() (err error) {
			seen[i], err = b.stack.poster.applied(reading, p.delivery)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	l := summarise(seen)
	b.progress("time limit under load: %.1f s at the least load, %.1f s at a load of %.2f", float64(l.Idle)/1000, float64(l.Full)/1000, l.LoadMost)
	b.report.Limits = &l
	return nil
}

// applied reads the limit that applied to the delivery's first attempt, after that is over.
func (p *poster) applied(ctx context.Context, delivery string) (client.Attempt, error) {
	for {
		found, err := p.api.GetDelivery(ctx, delivery)
		if err != nil {
			return client.Attempt{}, err
		}
		if len(found.Attempts) > 0 {
			return found.Attempts[0], nil
		}
		if err := pause(ctx, pollPause); err != nil {
			return client.Attempt{}, err
		}
	}
}

func summarise(seen []client.Attempt) limits {
	least, most := seen[0], seen[0]
	l := limits{Deliveries: len(seen)}
	for _, a := range seen {
		if a.Load < least.Load {
			least = a
		}
		if a.Load > most.Load {
			most = a
		}
		line := int64(10_000 - 5_000*a.Load)
		l.Deviation = max(l.Deviation, a.TimeoutMS-line, line-a.TimeoutMS)
	}
	l.LoadMost, l.Idle, l.Full = most.Load, least.TimeoutMS, most.TimeoutMS
	return l
}
