package activities

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
)

// PartitionStore makes partitions and closes them. Each of its methods may be repeated.
type PartitionStore interface {
	MakePartitionsAhead(ctx context.Context, r switchboard.Retention) (switchboard.RetentionStep, error)
	ClosePartitions(ctx context.Context) (switchboard.RetentionStep, error)
	// PlanVisits returns the due visits. From then on, deliveries that they will erase cannot be
	// started again.
	PlanVisits(ctx context.Context, r switchboard.Retention) ([]switchboard.PartitionVisit, error)
	// FinishRetention records that a run made all of its steps.
	FinishRetention(ctx context.Context) error
}

// VisitStore replaces partitions by the rows to keep.
type VisitStore interface {
	Stage(ctx context.Context, v switchboard.PartitionVisit) (switchboard.RetentionStep, error)
	// Swap reports false if the stage is missing: the next run then makes the visit.
	Swap(ctx context.Context, v switchboard.PartitionVisit) (bool, switchboard.RetentionStep, error)
	DropReplaced(ctx context.Context) (switchboard.RetentionStep, error)
}

// RowStore deletes single rows. Its methods report whether there is more to do.
type RowStore interface {
	PruneEventIDs(ctx context.Context, window time.Duration) (switchboard.RetentionStep, bool, error)
	PruneSurvivors(ctx context.Context, r switchboard.Retention) (switchboard.RetentionStep, bool, error)
	// PruneRecords deletes rows that belong to no partition and whose time is over.
	PruneRecords(ctx context.Context, r switchboard.Retention) (switchboard.RetentionStep, bool, error)
}

// RetentionStore is what the steps of the workflow Retain need of the store.
type RetentionStore interface {
	PartitionStore
	VisitStore
	RowStore
}

// Retainer makes the steps of the workflow Retain. Each may be repeated, also after a crash at any
// point, and does not repeat work that is done.
type Retainer struct {
	Store             RetentionStore
	Retention         switchboard.Retention
	IdempotencyWindow time.Duration
	Metrics           *Metrics
	Log               *slog.Logger
}

// SwapResult says whether the visit's partitions were replaced.
type SwapResult struct {
	Done bool                      `json:"done"`
	Step switchboard.RetentionStep `json:"step"`
}

// MakePartitions makes the partitions of the days ahead.
func (r *Retainer) MakePartitions(ctx context.Context) (step switchboard.RetentionStep, err error) {
	err = r.work(ctx, func() error { step, err = r.Store.MakePartitionsAhead(ctx, r.Retention); return err })
	return step, err
}

// ClosePartitions vacuums and analyzes partitions whose time is over.
func (r *Retainer) ClosePartitions(ctx context.Context) (step switchboard.RetentionStep, err error) {
	err = r.work(ctx, func() error { step, err = r.Store.ClosePartitions(ctx); return err })
	return step, err
}

// PruneEventIDs deletes event ids from before the idempotency window.
func (r *Retainer) PruneEventIDs(ctx context.Context) (switchboard.RetentionStep, error) {
	return r.repeat(ctx, func() (switchboard.RetentionStep, bool, error) {
		return r.Store.PruneEventIDs(ctx, r.IdempotencyWindow)
	})
}

// PruneRecords deletes rows that belong to no partition and whose time is over, such as finished
// operations.
func (r *Retainer) PruneRecords(ctx context.Context) (switchboard.RetentionStep, error) {
	return r.repeat(ctx, func() (switchboard.RetentionStep, bool, error) { return r.Store.PruneRecords(ctx, r.Retention) })
}

// PlanVisits returns the due visits to partitions.
func (r *Retainer) PlanVisits(ctx context.Context) (visits []switchboard.PartitionVisit, err error) {
	err = r.work(ctx, func() error { visits, err = r.Store.PlanVisits(ctx, r.Retention); return err })
	return visits, err
}

// Stage copies the survivors of a visit into new tables.
func (r *Retainer) Stage(ctx context.Context, v switchboard.PartitionVisit) (step switchboard.RetentionStep, err error) {
	err = r.work(ctx, func() error { step, err = r.Store.Stage(ctx, v); return err })
	return step, err
}

// Swap puts the staged tables in the place of the visit's partitions. If locks are not free it
// fails, and Temporal tries again.
func (r *Retainer) Swap(ctx context.Context, v switchboard.PartitionVisit) (result SwapResult, err error) {
	err = r.work(ctx, func() error {
		result.Done, result.Step, err = r.Store.Swap(ctx, v)
		if errors.Is(err, switchboard.ErrSwapDeferred) && r.Metrics != nil {
			r.Metrics.deferred.Add(ctx, 1)
		}
		return err
	})
	return result, err
}

// DropReplaced drops the tables that swaps have replaced.
func (r *Retainer) DropReplaced(ctx context.Context) (step switchboard.RetentionStep, err error) {
	err = r.work(ctx, func() error { step, err = r.Store.DropReplaced(ctx); return err })
	return step, err
}

// PruneSurvivors deletes rows, and erases payloads, of deliveries that survived the visit of
// their partition and have ended since.
func (r *Retainer) PruneSurvivors(ctx context.Context) (switchboard.RetentionStep, error) {
	return r.repeat(ctx, func() (switchboard.RetentionStep, bool, error) { return r.Store.PruneSurvivors(ctx, r.Retention) })
}

// FinishRetention records that a run made all of its steps.
func (r *Retainer) FinishRetention(ctx context.Context) error {
	return r.work(ctx, func() error { return r.Store.FinishRetention(ctx) })
}

// repeat works in batches until there is no more to do. If it is interrupted, finished batches stay
// done.
func (r *Retainer) repeat(ctx context.Context, batch func() (switchboard.RetentionStep, bool, error)) (total switchboard.RetentionStep, err error) {
	err = r.work(ctx, func() error {
		for more := true; more; {
			var step switchboard.RetentionStep
			if step, more, err = batch(); err != nil {
				return err
			}
			total.Step, total.Partitions, total.Rows = step.Step, append(total.Partitions, step.Partitions...), total.Rows+step.Rows
		}
		return nil
	})
	return total, err
}

// work runs a function that may take long. Temporal gets heartbeats, so that it starts the work
// elsewhere if this process dies.
func (r *Retainer) work(ctx context.Context, do func() error) error {
	defer heartbeat(ctx)()
	return maintenanceError(ctx, r.Log, do())
}

// HeartbeatTimeout is how long the long activities may be silent before they count as lost.
const HeartbeatTimeout = time.Minute

// heartbeat sends heartbeats until stop is called.
func heartbeat(ctx context.Context) (stop func()) { return heartbeatEvery(ctx, HeartbeatTimeout/6) }

func heartbeatEvery(ctx context.Context, interval time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		beat := time.NewTicker(interval)
		defer beat.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-beat.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// maintenanceError is the error of maintenance that Temporal shows. If another process is at work
// or locks are not free, that is no fault, and is tried again.
func maintenanceError(ctx context.Context, log *slog.Logger, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, switchboard.ErrMaintenanceBusy), errors.Is(err, switchboard.ErrSwapDeferred):
		return temporal.NewApplicationErrorWithOptions(err.Error(), "busy", temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
	}
	log.WarnContext(ctx, "maintenance failed, and is tried again", "activity", activity.GetInfo(ctx).ActivityType.Name, "error", err)
	return temporal.NewApplicationError(infraMessage(err), infraErrorType)
}
