package activities

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
)

// OverdueStore finds and repairs deliveries for the reconciler.
type OverdueStore interface {
	// Overdue returns dispatched deliveries whose date passed more than slack ago, in a stable
	// order, starting after that delivery.
	Overdue(ctx context.Context, slack time.Duration, after switchboard.Delivery, limit int) ([]switchboard.Delivery, error)
	// Find returns the deliveries with those ids.
	Find(ctx context.Context, ids []string) ([]switchboard.Delivery, error)
	// StartNextGeneration dispatches an open delivery of that generation again.
	StartNextGeneration(ctx context.Context, deliveryID string, generation int) error
	// CloseDelivery moves an open delivery of that generation to a final state.
	CloseDelivery(ctx context.Context, deliveryID string, generation int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error)
}

// OperationsStore is what the reconciler needs of the store for operations and holds.
type OperationsStore interface {
	// OperationsToStart returns running operations whose next step is late by more than slack.
	OperationsToStart(ctx context.Context, slack time.Duration) ([]string, error)
	// ExpireHolds ends parked deliveries whose hold is over, and returns how many.
	ExpireHolds(ctx context.Context) (int, error)
}

// Engine is what the reconciler asks of Temporal.
type Engine interface {
	// Describe returns the state of the delivery's latest workflow run.
	Describe(ctx context.Context, deliveryID string) (WorkflowView, error)
	// RetryNow runs the waiting attempt of a delivery at once.
	RetryNow(ctx context.Context, deliveryID string) error
	// ClosedExternally lists deliveries whose workflow was cancelled or terminated since then.
	ClosedExternally(ctx context.Context, since time.Time) ([]string, error)
	// Operate starts the workflow of an operation, unless it runs.
	Operate(ctx context.Context, operationID string) error
	// Recover starts the workflow that recovers the endpoint of a subscription, or wakes it.
	Recover(ctx context.Context, subscriptionID, summary string) error
}

// WorkflowView is Temporal's view of a delivery's latest workflow run.
type WorkflowView struct {
	Status        WorkflowStatus
	Generation    int    // of the delivery, when the run was started
	TemporalRunID string // of the run
}

// closedExternally reports whether the workflow was cancelled or terminated while it had the
// delivery: either it was started for the delivery's generation, or it is a reset of an earlier
// one, which keeps the generation.
func (v WorkflowView) closedExternally(d switchboard.Delivery) bool {
	return v.Status == WorkflowClosedExternally && (v.Generation == d.Generation || v.TemporalRunID == d.TemporalRunID)
}

// WorkflowStatus is the status of a delivery's workflow run in Temporal.
type WorkflowStatus string

// The statuses of a workflow run.
const (
	WorkflowNotFound         WorkflowStatus = "not_found"          // never started, or past the namespace's retention
	WorkflowBackingOff       WorkflowStatus = "backing_off"        // open, and its attempt waits for a later date
	WorkflowRunning          WorkflowStatus = "running"            // open, and a worker has it or soon will
	WorkflowPaused           WorkflowStatus = "paused_in_temporal" // open, and somebody paused its attempt in Temporal
	WorkflowClosedExternally WorkflowStatus = "closed_externally"  // cancelled or terminated
	WorkflowEnded            WorkflowStatus = "ended"              // closed in any other way
)

// Reconciler finds deliveries that are stuck, and repairs them.
type Reconciler struct {
	Store interface {
		OverdueStore
		OperationsStore
		EndpointStore
	}
	Engine  Engine
	Metrics *OperationMetrics
	Log     *slog.Logger

	mu   sync.Mutex
	last switchboard.Delivery // the last one of the former pass; zero: start with the longest overdue
}

const (
	// reconcileLimit bounds a pass, and the next pass continues after it. Some deliveries may not
	// be repaired, such as those that an engineer paused in Temporal. They stay overdue, and must
	// not keep the reconciler from the others.
	reconcileLimit = 1000
	// maxFailuresInARow ends a pass: Temporal or Postgres is away, and the next pass follows soon.
	maxFailuresInARow = 10
	// closedWindow is how far back the reconciler looks for workflows that were closed in Temporal.
	// It covers many passes, so that an outage of the reconciler is bridged. Older ones are found
	// when their delivery's date passes.
	closedWindow = time.Hour
	// operationSlack is how late a step of an operation must be before its workflow is started
	// again. The process that stored the operation may have died before it started the workflow, or
	// somebody may have terminated it in Temporal.
	operationSlack = time.Minute
)

// Reconcile runs one pass. Holds that are over end. Operations and recoveries whose workflow is
// missing are started. Deliveries whose workflow was cancelled or terminated in Temporal become
// cancelled. Each overdue delivery is started again, woken or closed.
func (r *Reconciler) Reconcile(ctx context.Context) (ReconcileResult, error) {
	var result ReconcileResult
	// The parts are independent, and a delivery that cannot be repaired does not stop the others.
	// The part that asks Temporal about many deliveries comes last: if it takes the whole pass, the
	// others are done.
	err := errors.Join(r.expireHolds(ctx, &result), r.startOperations(ctx, &result), r.recoverEndpoints(ctx, &result), r.cancelTerminated(ctx, &result), r.repairOverdue(ctx, &result))
	if err != nil {
		r.Log.WarnContext(ctx, "reconciler's pass incomplete", "error", err)
		return result, temporal.NewApplicationError(infraMessage(err), infraErrorType)
	}
	return result, nil
}

func (r *Reconciler) cancelTerminated(ctx context.Context, result *ReconcileResult) error {
	ids, err := r.Engine.ClosedExternally(ctx, time.Now().Add(-closedWindow))
	if err != nil || len(ids) == 0 {
		return err
	}
	found, err := r.Store.Find(ctx, ids)
	return errors.Join(err, each(found, func(d switchboard.Delivery) error {
		if d.State.Final() {
			return nil
		}
		view, err := r.Engine.Describe(ctx, d.ID)
		if err != nil || !view.closedExternally(d) {
			return err
		}
		return r.cancel(ctx, d, result)
	}))
}

func (r *Reconciler) repairOverdue(ctx context.Context, result *ReconcileResult) error {
	overdue, err := r.overdue(ctx)
	if len(overdue) == 0 {
		return err
	}
	result.Overdue = len(overdue)
	err = errors.Join(err, each(overdue, func(d switchboard.Delivery) error { return r.repair(ctx, d, result) }))
	r.Log.WarnContext(ctx, "deliveries overdue", "overdue", result.Overdue, "restarted", result.Restarted, "woken", result.Woken,
		"first", overdue[0].ID, "next_attempt_at", overdue[0].NextAttemptAt)
	return err
}

// overdue returns the next overdue deliveries. Each worker continues its own passes.
func (r *Reconciler) overdue(ctx context.Context) ([]switchboard.Delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, err := r.Store.Overdue(ctx, switchboard.StuckAfter, r.last, reconcileLimit)
	r.last = switchboard.Delivery{}
	if len(found) == reconcileLimit {
		r.last = found[reconcileLimit-1]
	}
	return found, err
}

// each calls do for every delivery, until it has failed too often in a row.
func each(deliveries []switchboard.Delivery, do func(switchboard.Delivery) error) error {
	var failures []error
	inARow := 0
	for _, d := range deliveries {
		err := do(d)
		if err == nil {
			inARow = 0
			continue
		}
		failures = append(failures, err)
		if inARow++; inARow == maxFailuresInARow {
			break
		}
	}
	return errors.Join(failures...)
}

func (r *Reconciler) repair(ctx context.Context, d switchboard.Delivery, result *ReconcileResult) error {
	view, err := r.Engine.Describe(ctx, d.ID)
	if err != nil {
		return err
	}
	r.Log.DebugContext(ctx, "delivery overdue", "delivery", d.ID, "tenant", d.Tenant, "state", d.State, "next_attempt_at", d.NextAttemptAt, "workflow", view.Status)
	if view.closedExternally(d) {
		return r.cancel(ctx, d, result)
	}
	switch view.Status {
	case WorkflowBackingOff:
		result.Woken++
		return r.Engine.RetryNow(ctx, d.ID)
	case WorkflowNotFound, WorkflowEnded, WorkflowClosedExternally: // the run belongs to an earlier generation
		result.Restarted++
		return r.Store.StartNextGeneration(ctx, d.ID, d.Generation)
	}
	// WorkflowRunning: its worker is busy, or died, and Temporal's timeouts decide. WorkflowPaused:
	// an engineer paused it in Temporal, and has to unpause it there. It stays overdue and counted.
	return nil
}

func (r *Reconciler) startOperations(ctx context.Context, result *ReconcileResult) error {
	ids, err := r.Store.OperationsToStart(ctx, operationSlack)
	failures := []error{err}
	for _, id := range ids {
		if err := r.Engine.Operate(ctx, id); err != nil {
			failures = append(failures, err)
			break // Temporal is unavailable, and the next pass follows soon
		}
		result.Operations++
		r.Log.WarnContext(ctx, "operation was not worked on", "operation", id)
	}
	return errors.Join(failures...)
}

func (r *Reconciler) expireHolds(ctx context.Context, result *ReconcileResult) (err error) {
	result.Expired, err = r.Store.ExpireHolds(ctx)
	r.Metrics.expired(ctx, result.Expired)
	return err
}

func (r *Reconciler) cancel(ctx context.Context, d switchboard.Delivery, result *ReconcileResult) error {
	_, err := r.Store.CloseDelivery(ctx, d.ID, d.Generation, switchboard.StateCancelled, switchboard.ReasonTerminated, switchboard.Action{
		At: time.Now(), Actor: switchboard.ActorTemporal, Kind: switchboard.ActionCancel, Reason: "the workflow was cancelled or terminated in Temporal",
	})
	result.Cancelled++
	return err
}
