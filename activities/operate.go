package activities

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/seed-49a43567/switchboard"
)

// OperationStore is what the workflow Operate needs of the store.
type OperationStore interface {
	// OperateStep does the next part of an operation, in one transaction. It may be repeated.
	OperateStep(ctx context.Context, operationID string) (switchboard.OperationProgress, error)
	// OperateSingly does so one item at a time. An item whose transaction always fails gets the
	// outcome failed, and the others are done.
	OperateSingly(ctx context.Context, operationID string) (switchboard.OperationProgress, error)
}

// OperateInput is the input of the workflow Operate. The operation itself is in Postgres.
type OperateInput struct {
	OperationID string `json:"operation_id"`
}

// StepHeartbeatTimeout is how long a step may be silent before its worker counts as lost. A release
// only keeps its rate if this is noticed soon.
const StepHeartbeatTimeout = 5 * time.Second

// stepTries is how often a step is tried as a whole, which takes some seconds. Then its items are
// done one by one, to find the one that fails.
const stepTries = 3

// Operator has the activities of the workflow Operate.
type Operator struct {
	Store   OperationStore
	Metrics *OperationMetrics
	Log     *slog.Logger
}

// OperateStep does the next part of an operation, and returns its progress.
func (o *Operator) OperateStep(ctx context.Context, in OperateInput) (switchboard.OperationProgress, error) {
	defer heartbeatEvery(ctx, StepHeartbeatTimeout/4)()
	step, try := o.Store.OperateStep, activity.GetInfo(ctx).Attempt
	if try > stepTries {
		step = o.Store.OperateSingly
	}
	progress, err := step(ctx, in.OperationID)
	switch {
	case err == nil:
		o.Metrics.stepped(ctx, progress)
		if progress.Broken > 0 {
			o.Log.WarnContext(ctx, "an operation could not act on some deliveries", "operation", in.OperationID, "failed", progress.Broken)
		}
		return progress, nil
	case switchboard.CodeOf(err) == switchboard.CodeNotFound:
		return progress, temporal.NewNonRetryableApplicationError("there is no such operation", "not_found", nil)
	}
	o.Log.WarnContext(ctx, "a step of an operation failed, and is tried again", "operation", in.OperationID, "attempt", try, "error", err)
	return progress, temporal.NewApplicationError(infraMessage(err), infraErrorType)
}

// OperationMetrics counts the items of operations, and holds that ended; nil: nothing is counted.
type OperationMetrics struct {
	actions                         map[switchboard.ActionKind]metric.MeasurementOption
	changed, skipped, failed, holds metric.Int64Counter
}

// NewOperationMetrics registers the instruments with the meter.
func NewOperationMetrics(meter metric.Meter) (*OperationMetrics, error) {
	in := instruments{meter: meter}
	m := &OperationMetrics{
		changed: in.counter("switchboard_operation_deliveries", "Deliveries that operations have changed or made, by action: retry, cancel, hold, release or replay."),
		skipped: in.counter("switchboard_operation_skipped", "Deliveries that operations have left as they were, and events that were not replayed, by action."),
		failed:  in.counter("switchboard_operation_failed", "Deliveries and events that operations could not act on because of an error of Switchboard's own, by action."),
		holds:   in.counter("switchboard_holds_expired", "Held or blocked deliveries that failed because their hold was over."),
		actions: map[switchboard.ActionKind]metric.MeasurementOption{},
	}
	if in.err != nil {
		return nil, in.err
	}
	for _, action := range switchboard.OperationActions() {
		m.actions[action] = metric.WithAttributes(attribute.String("action", string(action)))
		m.changed.Add(context.Background(), 0, m.actions[action])
		m.skipped.Add(context.Background(), 0, m.actions[action])
		m.failed.Add(context.Background(), 0, m.actions[action])
	}
	m.holds.Add(context.Background(), 0)
	return m, nil
}

// stepped counts the items that a step changed, skipped, or could not change.
func (m *OperationMetrics) stepped(ctx context.Context, p switchboard.OperationProgress) {
	if m == nil || m.actions[p.Action] == nil {
		return
	}
	m.changed.Add(ctx, int64(p.Changed), m.actions[p.Action])
	m.skipped.Add(ctx, int64(p.Passed), m.actions[p.Action])
	m.failed.Add(ctx, int64(p.Broken), m.actions[p.Action])
}

// expired counts holds that ended.
func (m *OperationMetrics) expired(ctx context.Context, holds int) {
	if m != nil && holds > 0 {
		m.holds.Add(ctx, int64(holds))
	}
}
