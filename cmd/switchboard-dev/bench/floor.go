package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	switchboardworker "github.com/seed-49a43567/switchboard/worker"
)

// FloorCommand is the hidden command of the floor: a bare Temporal worker in a separate process.
// For each line "run ID COUNT CONCURRENCY" on its standard input, it runs that many workflows and
// prints a line of JSON.
type FloorCommand struct {
	TemporalAddr string `required:"" help:"Address of the Temporal server."`
}

// floorReady is printed when the worker runs, floorRound after each round.
type (
	floorReady struct {
		Ready bool `json:"ready"`
	}
	floorRound struct {
		First time.Time `json:"first"` // when the first start was requested
		Last  time.Time `json:"last"`  // when the last activity ran
	}
)

// The bare worker has the settings of Switchboard's worker.
const (
	floorQueue     = "bench-floor"
	floorWorkflow  = "BenchFloor"
	floorSlots     = 500
	floorWorkflows = 500 // kept in memory
)

// floorPatience is how long a bare workflow may take, far more than any needs.
const floorPatience = time.Minute

// Run runs the worker until its standard input ends.
func (c *FloorCommand) Run(ctx context.Context) error {
	app.SetGC() // as in the production binary
	worker.SetStickyWorkflowCacheSize(floorWorkflows)
	logger := log.NewStructuredLogger(slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	temporalClient, err := client.DialContext(ctx, client.Options{
		HostPort: c.TemporalAddr, Logger: logger,
		ConnectionOptions: client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}},
	})
	if err != nil {
		return err
	}
	defer temporalClient.Close()
	f := &floor{client: temporalClient, waiting: map[string]chan<- time.Time{}}
	w := worker.New(temporalClient, floorQueue, switchboardworker.Options(floorSlots))
	w.RegisterWorkflowWithOptions(f.workflow, workflow.RegisterOptions{Name: floorWorkflow})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	return f.serve(ctx)
}

// floor is the bare worker.
type floor struct {
	client client.Client

	mu      sync.Mutex
	waiting map[string]chan<- time.Time // by workflow id: gets the time at which its activity ran
}

// serve answers line by line.
func (f *floor) serve(ctx context.Context) error {
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(floorReady{Ready: true}); err != nil {
		return err
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var id string
		var count, concurrency int
		if _, err := fmt.Sscanf(in.Text(), "run %s %d %d", &id, &count, &concurrency); err != nil {
			return fmt.Errorf("line %q: %w", in.Text(), err)
		}
		round, err := f.run(ctx, id, count, concurrency)
		if err != nil {
			return err
		}
		if err := out.Encode(round); err != nil {
			return err
		}
	}
	return in.Err()
}

// run runs count workflows, that many at a time: it starts the next one when an activity has run.
func (f *floor) run(ctx context.Context, round string, count, concurrency int) (floorRound, error) {
	var mu sync.Mutex
	var next atomic.Int64
	result := floorRound{First: time.Now()}
	group, ctx := errgroup.WithContext(ctx)
	for range concurrency {
		group.Go(func() error {
			for i := next.Add(1); i <= int64(count); i = next.Add(1) {
				at, err := f.one(ctx, fmt.Sprintf("floor-%s-%d", round, i))
				if err != nil {
					return err
				}
				mu.Lock()
				if at.After(result.Last) {
					result.Last = at
				}
				mu.Unlock()
			}
			return nil
		})
	}
	err := group.Wait()
	return result, err
}

func (f *floor) one(ctx context.Context, id string) (time.Time, error) {
	ran := make(chan time.Time, 1)
	f.mu.Lock()
	f.waiting[id] = ran
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, floorPatience)
	defer cancel()
	options := client.StartWorkflowOptions{ID: id, TaskQueue: floorQueue, EnableEagerStart: true}
	if _, err := f.client.ExecuteWorkflow(ctx, options, floorWorkflow, id); err != nil {
		return time.Time{}, err
	}
	select {
	case at := <-ran:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("%s: %w", id, errors.Join(errors.New("its activity did not run"), ctx.Err()))
	}
}

// workflow is a delivery's workflow without a delivery.
func (f *floor) workflow(ctx workflow.Context, id string) error {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: floorPatience,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	return workflow.ExecuteLocalActivity(ctx, f.ran, id).Get(ctx, nil)
}

// ran is the activity. It only reports that it ran.
func (f *floor) ran(_ context.Context, id string) error {
	f.mu.Lock()
	waiting := f.waiting[id]
	delete(f.waiting, id)
	f.mu.Unlock()
	if waiting != nil { // nil: the server had the task executed twice
		waiting <- time.Now()
	}
	return nil
}
