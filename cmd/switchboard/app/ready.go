package app

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"

	"switchboard/api"
	"switchboard/store"
)

// readyTimeout bounds each check of /readyz.
const readyTimeout = 2 * time.Second

// readiness remembers whether the worker has started, and whether events were taken
// without it, which is not to end for the moment in which it starts.
type readiness struct{ worker, withoutWorker atomic.Bool }

func (r *readiness) workerRuns() { r.worker.Store(true) }

// missing says what is missing. Events can be accepted without Temporal, and without a
// worker that waits for it while it is away: that takes no process out of a load balancer
// that serves the API. Else the worker starts in a moment, and is waited for.
func (a *app) missing(ctx context.Context) []api.Missing {
	var found []api.Missing
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := a.store.Ping(ctx); err != nil {
		found = append(found, api.Missing{Name: "postgres", Message: "does not answer"})
	} else if err := a.store.CheckSchema(ctx); err != nil {
		// An upgrade migrates first, and what still runs serves until it is replaced.
		found = append(found, api.Missing{Name: "schema", Message: err.Error(), Optional: errors.Is(err, store.ErrNewerSchema)})
	}
	_, away := a.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
	if a.parts.Worker && !a.ready.worker.Load() {
		if a.parts.API && away != nil {
			a.ready.withoutWorker.Store(true)
		}
		found = append(found, api.Missing{Name: "worker", Optional: a.ready.withoutWorker.Load(), Message: "has not started yet: it waits for Temporal"})
	}
	if away != nil {
		found = append(found, api.Missing{Name: "temporal", Optional: true, Message: "does not answer: events are accepted, and delivered when it is back"})
	}
	return found
}
