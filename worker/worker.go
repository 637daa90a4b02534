package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"

	"switchboard"
	"switchboard/activities"
	"switchboard/workflows"
)

// stopTimeout is for how long a stopping worker lets attempts finish: the longest
// one, and the recording of its outcome.
const stopTimeout = time.Duration(switchboard.MaxTimeout) + 5*time.Second

// Notices brings what other processes tell through Postgres.
type Notices interface {
	// Listen calls start when deliveries are to be started and cancel for each
	// delivery that was cancelled, until ctx ends.
	Listen(ctx context.Context, start func(), cancel func(deliveryID string)) error
}

// Config holds what a worker is made of. Every field is required.
type Config struct {
	Client     client.Client
	Namespace  string
	Engine     *Engine
	Outbox     Outbox
	Notices    Notices
	Deliveries *activities.Deliveries
	Reconciler *activities.Reconciler
	Slots      int    // attempts under way at a time, local and regular ones each
	Running    func() // called once, when the worker has started
	Log        *slog.Logger
}

// Run runs the worker until ctx ends, and then lets attempts under way finish.
// It waits for Temporal if it is away.
func Run(ctx context.Context, c Config) error {
	if err := untilDone(ctx, c.Log, "search attributes", func() error { return registerAttributes(ctx, c.Client, c.Namespace, c.Log) }); err != nil {
		return err
	}
	w := worker.New(c.Client, TaskQueue, worker.Options{
		MaxConcurrentWorkflowTaskExecutionSize:  c.Slots,
		MaxConcurrentLocalActivityExecutionSize: c.Slots,
		MaxConcurrentActivityExecutionSize:      c.Slots,
		WorkerStopTimeout:                       stopTimeout,
	})
	w.RegisterWorkflow(workflows.Deliver)
	w.RegisterWorkflow(workflows.Reconcile)
	w.RegisterActivity(c.Deliveries)
	w.RegisterActivity(c.Reconciler)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the Temporal worker: %w", err)
	}
	defer w.Stop()
	c.Running()

	relay := newRelay(c.Engine, c.Outbox, c.Log)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { relay.run(ctx); return nil })
	group.Go(func() error { return c.Notices.Listen(ctx, relay.nudge, c.Deliveries.Flights.Abort) })
	group.Go(func() error {
		return untilDone(ctx, c.Log, "reconciler's schedule", func() error { return ensureSchedule(ctx, c.Client) })
	})
	return group.Wait()
}

// untilDone repeats what Temporal must do before the worker is complete, until it
// is done or ctx ends.
func untilDone(ctx context.Context, log *slog.Logger, what string, do func() error) error {
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return nil
		}
		log.WarnContext(ctx, "waiting for Temporal", "for", what, "error", err)
		wait(ctx, retry.C, nil)
	}
}
