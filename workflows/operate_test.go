package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// fakeOperation is an operation of so many steps, each of which asks for the same wait.
type fakeOperation struct {
	steps int
	wait  time.Duration
	fail  map[int]error // what the n-th call fails with

	mu     sync.Mutex
	calls  int
	clock  func() time.Time
	stamps []time.Time // of the steps
}

func (f *fakeOperation) OperateStep(_ context.Context, id string) (switchboard.OperationProgress, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if err := f.fail[f.calls]; err != nil {
		return switchboard.OperationProgress{}, err
	}
	if id != "op_1" {
		return switchboard.OperationProgress{}, switchboard.Errorf(switchboard.CodeNotFound, "there is no operation")
	}
	f.stamps = append(f.stamps, f.clock())
	done := len(f.stamps)
	return switchboard.OperationProgress{
		Action: switchboard.ActionRelease, SubscriptionID: "sub_1", Total: f.steps, Done: done, Changed: 1, Wait: switchboard.Duration(f.wait), Finished: done == f.steps,
	}, nil
}

func runOperate(f *fakeOperation, id string) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestWorkflowEnvironment()
	f.clock = env.Now
	env.RegisterActivity(&activities.Operator{Store: f, Log: slog.New(slog.DiscardHandler)})
	env.ExecuteWorkflow(workflows.Operate, activities.OperateInput{OperationID: id})
	return env
}

// TestOperateWaitsAsAsked between two steps, and returns where the operation stands.
func TestOperateWaitsAsAsked(t *testing.T) {
	t.Parallel()
	f := &fakeOperation{steps: 4, wait: time.Second}
	env := runOperate(f, "op_1")
	var progress switchboard.OperationProgress
	if err := env.GetWorkflowResult(&progress); err != nil {
		t.Fatal(err)
	}
	if progress.Done != 4 || !progress.Finished {
		t.Errorf("result %+v", progress)
	}
	for i := 1; i < len(f.stamps); i++ {
		if gap := f.stamps[i].Sub(f.stamps[i-1]); gap != time.Second {
			t.Errorf("step %d is %s after the one before", i, gap)
		}
	}
}

// TestOperateGoesOnAfterOutages: a step that fails is made again, for as long as it takes.
func TestOperateGoesOnAfterOutages(t *testing.T) {
	t.Parallel()
	away := &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "the database is away", Err: errors.New("secret words")}
	f := &fakeOperation{steps: 2, fail: map[int]error{}}
	for i := 2; i < 8; i++ {
		f.fail[i] = away
	}
	env := runOperate(f, "op_1")
	if err := env.GetWorkflowError(); err != nil || len(f.stamps) != 2 {
		t.Errorf("%d steps, %v", len(f.stamps), err)
	}
}

// TestOperateContinuesAsNew, so that its history stays short.
func TestOperateContinuesAsNew(t *testing.T) {
	t.Parallel()
	f := &fakeOperation{steps: 1000}
	env := runOperate(f, "op_1")
	again, ok := errors.AsType[*workflow.ContinueAsNewError](env.GetWorkflowError())
	if !ok || again.WorkflowType.Name != "Operate" || len(f.stamps) != 500 {
		t.Errorf("%d steps, %v", len(f.stamps), env.GetWorkflowError())
	}
}

// TestOperateWithoutOperation: one that was erased with its tenant ends its workflow.
func TestOperateWithoutOperation(t *testing.T) {
	t.Parallel()
	f := &fakeOperation{steps: 1}
	env := runOperate(f, "op_gone")
	failure, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
	if !ok || !failure.NonRetryable() || f.calls != 1 {
		t.Errorf("%d calls, %v", f.calls, env.GetWorkflowError())
	}
}
