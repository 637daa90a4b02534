package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// stopTimeout is how long a stopping worker lets attempts finish: the longest attempt, and the
// recording of its outcome.
const stopTimeout = time.Duration(switchboard.MaxTimeout) + 5*time.Second

// Notices are the notifications that processes send each other through Postgres.
type Notices interface {
	// Listen calls dispatch when deliveries are due to be dispatched, and cancel for each delivery
	// that somebody has ended, until ctx ends.
	Listen(ctx context.Context, dispatch func(), cancel func(deliveryID string))
}

// Config has the parts of a worker. Every field is required.
type Config struct {
	Client     client.Client
	Namespace  string
	Engine     *Engine
	Outbox     Outbox
	Notices    Notices
	Deliveries *activities.Deliveries
	Recoverer  *activities.Recoverer
	Reconciler *activities.Reconciler
	Retainer   *activities.Retainer
	Counter    *activities.Counter
	Eraser     *activities.Eraser
	Operator   *activities.Operator
	Queues     *activities.Queues
	Slots      int // attempts at the same time, local and regular ones each
	SlowSlots  int // attempts to slow endpoints at the same time
	Outages    *activities.Outages
	Traced     bool   // whether dispatches are traced
	Running    func() // called once, when the worker has started
	Log        *slog.Logger
}

// Run runs the worker until ctx ends, and then lets running attempts finish. If Temporal is away,
// it waits for it.
func Run(ctx context.Context, c Config) error {
	untilDone(ctx, c, "namespace", func() error { return ensureNamespace(ctx, c.Client, c.Namespace, c.Log) })
	untilDone(ctx, c, "search attributes", func() error { return registerAttributes(ctx, c.Client, c.Namespace, c.Log) })
	if ctx.Err() != nil {
		return nil
	}
	if untilJoined(ctx, c); ctx.Err() != nil {
		return nil
	}
	fatal := make(chan error, 2)
	options := Options(c.Slots)
	options.OnFatalError = func(err error) { fatal <- err }
	w := worker.New(c.Client, workflows.TaskQueue, options)
	for _, workflow := range workflows.All() {
		w.RegisterWorkflow(workflow)
	}
	w.RegisterActivity(c.Deliveries)
	w.RegisterActivity(c.Recoverer)
	w.RegisterActivity(c.Reconciler)
	w.RegisterActivity(c.Retainer)
	w.RegisterActivity(c.Counter)
	w.RegisterActivity(c.Eraser)
	w.RegisterActivity(c.Operator)
	slow := worker.New(c.Client, activities.SlowTaskQueue, worker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: c.SlowSlots, WorkerStopTimeout: stopTimeout, OnFatalError: options.OnFatalError,
	})
	slow.RegisterActivity(c.Deliveries)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the Temporal worker: %w", err)
	}
	if err := slow.Start(); err != nil {
		w.Stop()
		return fmt.Errorf("start the Temporal worker for slow endpoints: %w", err)
	}
	c.Running()

	// No new work is taken after ctx ends. The services that running attempts need continue until
	// the last one has finished.
	working, stopWorking := context.WithCancel(ctx)
	defer stopWorking()
	attempting, stopAttempting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAttempting()
	var group sync.WaitGroup
	relay := newRelay(c.Engine, c.Outbox, c.Outages, c.Log)
	relay.traces = c.Traced
	group.Go(func() { relay.run(working) })
	group.Go(func() { untilDone(working, c, "schedules", func() error { return ensureSchedules(working, c.Client) }) })
	group.Go(func() { c.Queues.Run(attempting) })
	group.Go(func() { activities.FlushUnrecorded(attempting, c.Deliveries) })
	group.Go(func() { c.Notices.Listen(attempting, relay.wake, c.Deliveries.InFlight.Abort) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-fatal: // for example, the namespace is gone: the process must not look alive
		err = fmt.Errorf("the Temporal worker: %w", err)
	}
	stopWorking()
	latest := time.Now().Add(stopTimeout)
	var stopping sync.WaitGroup
	stopping.Go(slow.Stop)
	stopping.Go(w.Stop)
	stopping.Wait()
	untilRecorded(ctx, c, latest)
	stopAttempting()
	group.Wait()
	return err
}

// untilRecorded returns when no outcome waits for Postgres any more, or at that time. Temporal may
// have none of them either, if both use one Postgres: attempts whose outcome ends with this process
// are then made again.
func untilRecorded(ctx context.Context, c Config, latest time.Time) {
	retry := time.NewTicker(100 * time.Millisecond)
	defer retry.Stop()
	for left := c.Deliveries.Unrecorded.Deliveries(); len(left) > 0; left = c.Deliveries.Unrecorded.Deliveries() {
		if time.Now().After(latest) {
			c.Log.WarnContext(ctx, "outcomes are not recorded at the end of the process: their requests may be sent again", "count", len(left), "first", slices.Min(left))
			return
		}
		<-retry.C
	}
}

// Options are the SDK's options of the worker. The benchmark runs bare Temporal
// with the same.
func Options(slots int) worker.Options {
	return worker.Options{
		MaxConcurrentWorkflowTaskExecutionSize:  slots,
		MaxConcurrentLocalActivityExecutionSize: slots,
		MaxConcurrentActivityExecutionSize:      slots,
		WorkerStopTimeout:                       stopTimeout,
		// By default, two pollers share the sticky and the normal queue. Both may wait on one queue
		// while the other fills, for up to a minute; this was seen under load.
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
			InitialNumberOfPollers: 4, MinimumNumberOfPollers: 2, MaximumNumberOfPollers: 16,
		}),
	}
}

// joinTimeout is how long a new worker waits until the others have no more requests in flight than
// their new share: an attempt with the default time limit, and its recording. It does not wait for
// attempts that hang for longer, so a subscription may exceed max_in_flight until those end.
const joinTimeout = time.Duration(switchboard.DefaultTimeout) + 5*time.Second

// untilJoined returns when the other workers know of this one and leave it its share of all limits
// across workers, or are considered dead. After joinTimeout they at least know of it.
func untilJoined(ctx context.Context, c Config) {
	retry := time.NewTicker(switchboard.WorkerHeartbeat / 4)
	defer retry.Stop()
	var joined time.Time
	for ctx.Err() == nil {
		counted, err := c.Queues.Join(ctx)
		if c.Outages.Observe(ctx, activities.Postgres, err) {
			c.Log.WarnContext(ctx, "waiting for Postgres", "for", "the list of workers", "error", err)
		}
		switch {
		case err != nil:
		case counted:
			return
		case joined.IsZero():
			joined = time.Now()
		case time.Since(joined) >= joinTimeout:
			c.Log.WarnContext(ctx, "working beside requests of other workers above their share of max_in_flight", "after", joinTimeout.String())
			return
		}
		wait(ctx, retry.C, nil)
	}
}

// untilDone repeats a call that must succeed in Temporal before the worker is complete, until it
// succeeds or ctx ends.
func untilDone(ctx context.Context, c Config, what string, do func() error) {
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		err := do()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			c.Outages.Observe(ctx, activities.Temporal, nil)
			return
		}
		if c.Outages.Observe(ctx, activities.Temporal, err) {
			c.Log.WarnContext(ctx, "waiting for Temporal", "for", what, "error", err)
		}
		wait(ctx, retry.C, nil)
	}
}
