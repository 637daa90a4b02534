package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"go.temporal.io/sdk/client"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/api"
	"github.com/seed-49a43567/switchboard/store"
)

// readiness is the state from which /readyz answers: the watched dependencies, whether the worker
// has started, and whether events were accepted without it. The last one must not end for the
// moment in which the worker starts.
type readiness struct {
	schema   *watch // answers as long as Postgres does
	keys     *watch
	temporal *watch

	worker, withoutWorker atomic.Bool
}

func newReadiness(s *store.Store, c client.Client, lostKeys []string, times checkTimes) *readiness {
	return &readiness{
		schema: newWatch(watchPause, times.timed(activities.Postgres, func(ctx context.Context) (problem, err error) { return verdict(s.CheckSchema(ctx)) })),
		keys:   newWatch(rarePause, func(ctx context.Context) (problem, err error) { return verdict(s.CheckKeys(ctx, lostKeys...)) }),
		temporal: newWatch(watchPause, times.timed(activities.Temporal, func(ctx context.Context) (problem, err error) {
			_, err = c.CheckHealth(ctx, &client.CheckHealthRequest{})
			return nil, err
		})),
	}
}

// verdict distinguishes a problem that a check of the store found from a check that could not find
// out.
func verdict(err error) (problem, unknown error) {
	if switchboard.CodeOf(err) == switchboard.CodeUnavailable || errors.Is(err, context.Canceled) {
		return nil, err
	}
	return err, nil
}

func (r *readiness) watches() []*watch { return []*watch{r.schema, r.keys, r.temporal} }

// run watches until ctx ends. Each watch runs separately, so that one that hangs does not delay the
// others.
func (r *readiness) run(ctx context.Context) {
	var group sync.WaitGroup
	for _, w := range r.watches() {
		group.Go(func() { w.run(ctx) })
	}
	group.Wait()
}

func (r *readiness) workerRuns() { r.worker.Store(true) }

// missing returns what is missing. Events can be accepted without Temporal, and without a worker
// that waits for Temporal. So neither takes a process that serves the API out of a load balancer.
// In all other cases the worker starts in a moment, and readiness waits for it.
func (r *readiness) missing(parts Parts) []api.Missing {
	for _, w := range r.watches() {
		if known, _, _ := w.state(); !known {
			return []api.Missing{{Name: "start", Message: "has not checked yet what it needs"}}
		}
	}
	found := r.missingOfStore()
	_, _, away := r.temporal.state()
	if parts.Worker && !r.worker.Load() {
		if parts.API && away != nil {
			r.withoutWorker.Store(true)
		}
		found = append(found, api.Missing{Name: "worker", Optional: r.withoutWorker.Load(), Message: "has not started yet: it waits for Temporal"})
	}
	if away != nil {
		found = append(found, api.Missing{Name: "temporal", Optional: true, Message: "does not answer: events are accepted, and delivered when it is back"})
	}
	return found
}

func (r *readiness) missingOfStore() []api.Missing {
	_, problem, away := r.schema.state()
	switch {
	case away != nil:
		return []api.Missing{{Name: "postgres", Message: away.Error()}}
	case problem != nil:
		// An upgrade migrates first. Running processes serve until they are replaced, also after an
		// upgrade that was rolled back.
		return []api.Missing{{Name: "schema", Message: problem.Error(), Optional: errors.Is(problem, store.ErrNewerSchema)}}
	}
	if _, problem, _ := r.keys.state(); problem != nil {
		return []api.Missing{{Name: "encryption_key", Message: problem.Error()}}
	}
	return nil
}
