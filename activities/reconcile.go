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
	// order, from the one after that delivery on.
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
	// Describe says where the delivery's latest workflow run stands.
	Describe(ctx context.Context, deliveryID string) (WorkflowView, error)
	// RetryNow lets the waiting attempt of a delivery run at once.
	RetryNow(ctx context.Context, deliveryID string) error
	// ClosedExternally lists deliveries whose workflow was cancelled or terminated since then.
	ClosedExternally(ctx context.Context, since time.Time) ([]string, error)
	// Operate starts the workflow of an operation, unless it runs.
	Operate(ctx context.Context, operationID string) error
	// Recover starts the workflow that recovers the endpoint of a subscription, or wakes it.
	Recover(ctx context.Context, subscriptionID, summary string) error
}

// WorkflowView is what Temporal says of a delivery's latest workflow run.
type WorkflowView struct {
	Status        WorkflowStatus
	Generation    int    // of the delivery, for which it was started
	TemporalRunID string // its own
}

// closedExternally reports whether the workflow was cancelled or terminated while it had the
// delivery: as the one that was started for its generation, or as a reset of an earlier one,
// which takes over the delivery without another generation.
func (v WorkflowView) closedExternally(d switchboard.Delivery) bool {
	return v.Status == WorkflowClosedExternally && (v.Generation == d.Generation || v.TemporalRunID == d.TemporalRunID)
}

// WorkflowStatus is where a delivery's workflow run stands in Temporal.
type WorkflowStatus string

// The statuses of a workflow run.
const (
	WorkflowNotFound         WorkflowStatus = "not_found"          // no run: never started, or forgotten after its retention
	WorkflowBackingOff       WorkflowStatus = "backing_off"        // open, and its attempt waits for a distant date
	WorkflowRunning          WorkflowStatus = "running"            // open, and a worker works on it or soon will
	WorkflowPaused           WorkflowStatus = "paused_in_temporal" // open, and somebody paused its attempt in Temporal itself
	WorkflowClosedExternally WorkflowStatus = "closed_externally"  // cancelled or terminated
	WorkflowEnded            WorkflowStatus = "ended"              // closed in any other way
)

// Reconciler proves that no delivery is stuck, and repairs one that is.
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
	last switchboard.Delivery // of the pass before; zero: the next pass begins with the longest overdue
}

const (
	// reconcileLimit bounds a pass. The next pass continues after it: deliveries that may not be
	// repaired, as those that an engineer has paused in Temporal, stay overdue and must not keep
	// it from the others.
	reconcileLimit = 1000
	// maxFailuresInARow is after how many a pass ends: Temporal or Postgres is away then, and the
	// next pass is near.
	maxFailuresInARow = 10
	// closedWindow is how far back workflows closed in Temporal are looked for: many passes, so
	// that an outage of the reconciler is bridged. Older ones are found when their delivery's
	// date passes.
	closedWindow = time.Hour
	// operationSlack is how late the step of an operation is before its workflow is started again:
	// the process that stored the operation may have died before it started the workflow, or
	// somebody has ended it in Temporal.
	operationSlack = time.Minute
)

// Reconcile makes one pass: holds that are over end, operations that nobody works on are started,
// deliveries whose workflow was cancelled or terminated in Temporal become cancelled, and each overdue
// one is started again, woken or closed.
func (r *Reconciler) Reconcile(ctx context.Context) (ReconcileResult, error) {
	var result ReconcileResult
	// No part needs the others, and one delivery that cannot be repaired is no reason to leave
	// the others. What asks Temporal about each of very many deliveries comes last: where that takes
	// the whole pass, the rest is done all the same.
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

// overdue returns the next of the overdue deliveries. Each worker continues its own passes.
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

// each does the same for every delivery, until it has failed too often in a row.
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
	case WorkflowNotFound, WorkflowEnded, WorkflowClosedExternally: // the last before the present generation
		result.Restarted++
		return r.Store.StartNextGeneration(ctx, d.ID, d.Generation)
	}
	// WorkflowRunning: its worker is busy, or died, and Temporal's timeouts decide.
	// WorkflowPaused: an engineer paused it in Temporal, and unpauses it there. It stays in the count.
	return nil
}

func (r *Reconciler) startOperations(ctx context.Context, result *ReconcileResult) error {
	ids, err := r.Store.OperationsToStart(ctx, operationSlack)
	failures := []error{err}
	for _, id := range ids {
		if err := r.Engine.Operate(ctx, id); err != nil {
			failures = append(failures, err)
			break // Temporal is away, and the next pass is near
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
