package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
)

const (
	// retainStepTimeout bounds one step: at 100 deliveries/s, copying a day takes a few minutes.
	retainStepTimeout = 2 * time.Hour
	// retainTries is how often a step is tried before it is left to the next run.
	retainTries = 10
	// A swap waits 100 ms for its locks and is tried again half a second later, so that nobody
	// queues behind it for longer. If something such as a dump holds the locks for minutes, the
	// swap is left to the next run.
	swapRetryInterval = 500 * time.Millisecond
	swapTries         = 200
	// visitPause is the pause between two visits. After a swap, Postgres plans every statement
	// again on each connection, and deletes the files of the old tables.
	visitPause = time.Second
	// pruneRecords is a step that runs started by older releases do not have.
	pruneRecords = "prune records"
)

// RetainResult says what each step of a run did.
type RetainResult struct {
	Steps []switchboard.RetentionStep `json:"steps"`
}

// Retain makes partitions ahead, and removes event ids, payloads and rows whose retention is over.
// A Temporal Schedule starts it every hour. If a step fails, the others still run, and the next run
// tries it again.
func Retain(ctx workflow.Context) (RetainResult, error) {
	run := &retain{ctx: workflow.WithActivityOptions(ctx, retainOptions(temporal.RetryPolicy{
		InitialInterval: time.Second, MaximumInterval: 30 * time.Second, MaximumAttempts: retainTries,
	}))}
	var r *activities.Retainer
	run.step("make partitions", r.MakePartitions)
	run.step("close partitions", r.ClosePartitions)
	run.step("prune event ids", r.PruneEventIDs)
	if workflow.GetVersion(ctx, pruneRecords, workflow.DefaultVersion, 1) == 1 {
		run.step(pruneRecords, r.PruneRecords)
	}
	var visits []switchboard.PartitionVisit
	if err := workflow.ExecuteActivity(run.ctx, r.PlanVisits).Get(ctx, &visits); err != nil {
		run.failed("plan visits", nil, err)
	}
	for i, v := range visits {
		if i > 0 {
			if err := workflow.Sleep(ctx, visitPause); err != nil {
				return run.result, err
			}
		}
		if !run.visit(v) {
			break // the next ones would meet the same obstacle
		}
	}
	run.step("prune survivors", r.PruneSurvivors)
	if len(run.failures) > 0 {
		return run.result, temporal.NewApplicationErrorWithOptions("some steps are left to the next run", "incomplete",
			temporal.ApplicationErrorOptions{Cause: errors.Join(run.failures...), Details: []any{run.result}})
	}
	return run.result, workflow.ExecuteActivity(run.ctx, r.FinishRetention).Get(ctx, nil)
}

func retainOptions(retry temporal.RetryPolicy) workflow.ActivityOptions {
	return workflow.ActivityOptions{StartToCloseTimeout: retainStepTimeout, HeartbeatTimeout: activities.HeartbeatTimeout, RetryPolicy: &retry}
}

// retain is one run.
type retain struct {
	ctx      workflow.Context
	result   RetainResult
	failures []error
}

// step runs one step, and records what it did.
func (r *retain) step(name string, activity any, args ...any) bool {
	var done switchboard.RetentionStep
	if err := workflow.ExecuteActivity(r.ctx, activity, args...).Get(r.ctx, &done); err != nil {
		r.failed(name, nil, err)
		return false
	}
	r.result.Steps = append(r.result.Steps, done)
	return true
}

func (r *retain) failed(name string, partitions []string, err error) {
	r.failures = append(r.failures, err)
	r.result.Steps = append(r.result.Steps, switchboard.RetentionStep{Step: name, Partitions: partitions, Note: "failed: " + err.Error()})
}

// visit replaces partitions by the rows in them that are kept, and reports whether it did.
func (r *retain) visit(v switchboard.PartitionVisit) bool {
	var a *activities.Retainer
	if !r.step("stage", a.Stage, v) {
		return false
	}
	swapping := workflow.WithActivityOptions(r.ctx, retainOptions(temporal.RetryPolicy{
		InitialInterval: swapRetryInterval, BackoffCoefficient: 1, MaximumAttempts: swapTries,
	}))
	var swapped activities.SwapResult
	if err := workflow.ExecuteActivity(swapping, a.Swap, v).Get(r.ctx, &swapped); err != nil {
		r.failed("swap", v.Parts, err)
		return false
	}
	r.result.Steps = append(r.result.Steps, swapped.Step)
	return swapped.Done && r.step("drop", a.DropReplaced)
}
