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

// Overdue finds deliveries for the reconciler.
type Overdue interface {
	// Overdue returns open deliveries whose date passed more than slack ago, in a stable
	// order, from the one after behind.
	Overdue(ctx context.Context, slack time.Duration, behind switchboard.Delivery, limit int) ([]switchboard.Delivery, error)
	// Find returns the deliveries with those ids.
	Find(ctx context.Context, ids []string) ([]switchboard.Delivery, error)
	// Restart gives an open delivery its next run, which the relay starts.
	StartNextGeneration(ctx context.Context, deliveryID string, run int) error
	// Settle moves an open delivery of that run to a final state.
	CloseDelivery(ctx context.Context, deliveryID string, run int, state switchboard.State, reason string, action switchboard.Action) (switchboard.Delivery, error)
}

// Sweeper makes good what was done to a subscription and has not come to all of its
// deliveries: they were very many, or the process died. It returns how many it came to.
type Sweeper interface {
	// ReleaseVerified sets going what was held for subscriptions that are verified by now.
	ReleaseVerified(ctx context.Context) (int, error)
	// CancelDeleted cancels what is open of subscriptions that are deleted.
	CancelDeleted(ctx context.Context) (int, error)
}

// Engine is what the reconciler asks of Temporal.
type Engine interface {
	// Look says where the delivery's latest workflow stands.
	Describe(ctx context.Context, deliveryID string) (WorkflowView, error)
	// RetryNow lets the waiting attempt of a delivery run at once.
	RetryNow(ctx context.Context, deliveryID string) error
	// Stopped lists deliveries whose workflow was cancelled or terminated since then.
	ClosedExternally(ctx context.Context, since time.Time) ([]string, error)
}

// Seen is what Temporal says of a delivery's latest workflow run.
type WorkflowView struct {
	Status        WorkflowStatus
	Generation    int    // of the delivery, for which it was started
	TemporalRunID string // its own
}

// stopped reports whether the workflow was stopped while it had the delivery: as the one
// that was started for the delivery's run, or as a reset of an earlier one, which takes
// the delivery without giving it another run.
func (s WorkflowView) stopped(d switchboard.Delivery) bool {
	return s.Status == WorkflowClosedExternally && (s.Generation == d.Generation || s.TemporalRunID == d.TemporalRunID)
}

// Sight is where a delivery's workflow run stands in Temporal.
type WorkflowStatus string

// What the reconciler can see.
const (
	WorkflowNotFound   WorkflowStatus = "missing" // no run: never started, or forgotten after its retention
	WorkflowBackingOff WorkflowStatus = "waiting" // open, and its attempt waits for a date that is far
	WorkflowRunning    WorkflowStatus = "busy"    // open, and something of it is or will soon be worked on
	// PausedInTemporal is open, and its attempt was paused in Temporal itself.
	WorkflowPaused           WorkflowStatus = "paused_in_temporal"
	WorkflowClosedExternally WorkflowStatus = "stopped" // cancelled or terminated
	WorkflowEnded            WorkflowStatus = "ended"   // closed in any other way
)

// ReconcileResult counts what a pass of the reconciler found and did.
type ReconcileResult struct {
	Overdue   int `json:"overdue"`   // deliveries whose date had passed
	Restarted int `json:"restarted"` // given a new workflow run
	Woken     int `json:"woken"`     // whose waiting attempt was told to run
	Cancelled int `json:"cancelled"` // whose workflow had been stopped in Temporal
	Released  int `json:"released"`  // held until their subscription was verified, which it is
	Deleted   int `json:"deleted"`   // cancelled with their subscription
}

// Reconciler proves that no delivery is stuck, and mends one that is.
type Reconciler struct {
	Store interface {
		Overdue
		Sweeper
	}
	Engine Engine
	Log    *slog.Logger

	mu     sync.Mutex
	behind switchboard.Delivery // where the next pass continues; zero: it starts with the longest overdue
}

const (
	// reconcileLimit bounds a pass. The next pass continues behind it: deliveries that may
	// not be repaired, as those that an engineer has paused in Temporal, stay overdue and
	// must not keep it from the others.
	reconcileLimit = 1000
	// reconcilePatience is how many deliveries in a row are tried in vain: by then
	// Temporal or Postgres is away, and the next pass is near.
	reconcilePatience = 10
	// stoppedWindow is how far back workflows stopped in Temporal are looked for:
	// many passes, so that an outage of the reconciler is bridged. Older ones are
	// found when their delivery's date passes.
	stoppedWindow = time.Hour
)

// Reconcile makes one pass: deliveries whose workflow was stopped in Temporal
// become cancelled, and each overdue one is restarted, woken or closed.
func (r *Reconciler) Reconcile(ctx context.Context) (ReconcileResult, error) {
	var result ReconcileResult
	// No part needs the others, and one delivery that cannot be mended is no reason
	// to leave the others.
	err := errors.Join(r.closeStopped(ctx, &result), r.mendOverdue(ctx, &result), r.sweep(ctx, &result))
	if err != nil {
		r.Log.WarnContext(ctx, "reconciler's pass incomplete", "error", err)
		return result, temporal.NewApplicationError(faultMessage(err), "fault")
	}
	return result, nil
}

func (r *Reconciler) closeStopped(ctx context.Context, result *ReconcileResult) error {
	ids, err := r.Engine.ClosedExternally(ctx, time.Now().Add(-stoppedWindow))
	if err != nil || len(ids) == 0 {
		return err
	}
	found, err := r.Store.Find(ctx, ids)
	return errors.Join(err, each(found, func(d switchboard.Delivery) error {
		if d.State.Final() {
			return nil
		}
		seen, err := r.Engine.Describe(ctx, d.ID)
		if err != nil || !seen.stopped(d) {
			return err
		}
		return r.cancel(ctx, d, result)
	}))
}

func (r *Reconciler) mendOverdue(ctx context.Context, result *ReconcileResult) error {
	overdue, err := r.overdue(ctx)
	if len(overdue) == 0 {
		return err
	}
	result.Overdue = len(overdue)
	err = errors.Join(err, each(overdue, func(d switchboard.Delivery) error { return r.mend(ctx, d, result) }))
	r.Log.WarnContext(ctx, "deliveries overdue", "overdue", result.Overdue, "restarted", result.Restarted, "woken", result.Woken,
		"first", overdue[0].ID, "next_attempt_at", overdue[0].NextAttemptAt)
	return err
}

// overdue returns the next of the overdue deliveries. Each worker continues its own passes.
func (r *Reconciler) overdue(ctx context.Context) ([]switchboard.Delivery, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, err := r.Store.Overdue(ctx, switchboard.StuckAfter, r.behind, reconcileLimit)
	r.behind = switchboard.Delivery{}
	if len(found) == reconcileLimit {
		r.behind = found[reconcileLimit-1]
	}
	return found, err
}

// each does the same for every delivery, until it has failed too often in a row.
func each(deliveries []switchboard.Delivery, do func(switchboard.Delivery) error) error {
	var failures []error
	inVain := 0
	for _, d := range deliveries {
		err := do(d)
		if err == nil {
			inVain = 0
			continue
		}
		failures = append(failures, err)
		if inVain++; inVain == reconcilePatience {
			break
		}
	}
	return errors.Join(failures...)
}

func (r *Reconciler) mend(ctx context.Context, d switchboard.Delivery, result *ReconcileResult) error {
	seen, err := r.Engine.Describe(ctx, d.ID)
	if err != nil {
		return err
	}
	r.Log.DebugContext(ctx, "delivery overdue", "delivery", d.ID, "tenant", d.Tenant, "state", d.State, "next_attempt_at", d.NextAttemptAt, "workflow", seen.Status)
	if seen.stopped(d) {
		return r.cancel(ctx, d, result)
	}
	switch seen.Status {
	case WorkflowBackingOff:
		result.Woken++
		return r.Engine.RetryNow(ctx, d.ID)
	case WorkflowNotFound, WorkflowEnded, WorkflowClosedExternally: // stopped, but before an operator set it going again
		result.Restarted++
		return r.Store.StartNextGeneration(ctx, d.ID, d.Generation)
	}
	// Busy: a crowded worker, or one that died, and Temporal's timeouts decide.
	// PausedInTemporal: an operator's wish, who unpauses it there; it stays in the count.
	return nil
}

func (r *Reconciler) sweep(ctx context.Context, result *ReconcileResult) error {
	var released, deleted error
	result.Released, released = r.Store.ReleaseVerified(ctx)
	result.Deleted, deleted = r.Store.CancelDeleted(ctx)
	return errors.Join(released, deleted)
}

func (r *Reconciler) cancel(ctx context.Context, d switchboard.Delivery, result *ReconcileResult) error {
	_, err := r.Store.CloseDelivery(ctx, d.ID, d.Generation, switchboard.StateCancelled, switchboard.ReasonTerminated, switchboard.Action{
		At: time.Now(), Actor: switchboard.ActorTemporal, Kind: switchboard.ActionCancel, Reason: "the workflow was stopped in Temporal",
	})
	result.Cancelled++
	return err
}
