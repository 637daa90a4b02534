package workflows_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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

// fakeOperation is an operation with that many steps, each of which asks for the same wait.
type fakeOperation struct {
	steps int
	wait  time.Duration
	fail  map[int]error // the error of the n-th call
	one   int           // the step in which a single item breaks; 0: none

	paused map[int]bool   // the calls that find the operation paused
	during map[int]func() // called during the n-th call

	mu     sync.Mutex
	calls  int
	singly []int // the calls that handled items one by one
	clock  func() time.Time
	stamps []time.Time // of the steps
}

func (f *fakeOperation) OperateStep(_ context.Context, id string) (switchboard.OperationProgress, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if during := f.during[f.calls]; during != nil {
		during()
	}
	if f.paused[f.calls] {
		return switchboard.OperationProgress{Finished: true, State: switchboard.OperationPaused}, nil
	}
	if len(f.stamps)+1 == f.one {
		return switchboard.OperationProgress{}, errors.New("its row breaks it")
	}
	return f.step(id)
}

func (f *fakeOperation) OperateSingly(_ context.Context, id string) (switchboard.OperationProgress, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.singly = append(f.singly, f.calls)
	return f.step(id)
}

func (f *fakeOperation) step(id string) (switchboard.OperationProgress, error) {
	if err := f.fail[f.calls]; err != nil {
		return switchboard.OperationProgress{}, err
	}
	if id != "op_1" {
		return switchboard.OperationProgress{}, switchboard.Errorf(switchboard.CodeNotFound, "there is no operation")
	}
	f.stamps = append(f.stamps, f.clock())
	done := len(f.stamps)
	return switchboard.OperationProgress{
		Action: switchboard.ActionRelease, SubscriptionID: "sub_1", Total: f.steps, Done: done, Changed: 1, Wait: switchboard.Duration(f.wait), Finished: done >= f.steps,
	}, nil
}

func runOperate(f *fakeOperation, id string) *testsuite.TestWorkflowEnvironment {
	env := operateEnvironment(f)
	env.ExecuteWorkflow(workflows.Operate, activities.OperateInput{OperationID: id})
	return env
}

func operateEnvironment(f *fakeOperation) *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	f.clock = env.Now
	env.RegisterActivity(&activities.Operator{Store: f, Log: slog.New(slog.DiscardHandler)})
	return env
}

// TestOperateResumed: a workflow that finds its operation paused ends, unless it heard of the
// resumption by then; it may hear of it at any time.
func TestOperateResumed(t *testing.T) {
	t.Parallel()
	resume := func(env *testsuite.TestWorkflowEnvironment) { env.SignalWorkflow(workflows.ResumeSignal, nil) }
	for name, c := range map[string]struct {
		paused       map[int]bool
		prepare      func(f *fakeOperation, env *testsuite.TestWorkflowEnvironment)
		calls, steps int
		state        switchboard.OperationState
	}{
		"not resumed": {map[int]bool{2: true}, nil, 2, 1, switchboard.OperationPaused},
		"resumed while the step that finds it paused is made": {map[int]bool{2: true}, func(f *fakeOperation, env *testsuite.TestWorkflowEnvironment) {
			f.during = map[int]func(){2: func() { resume(env) }}
		}, 4, 3, ""},
		"resumed, and paused again, while it waits": {map[int]bool{2: true, 3: true}, func(_ *fakeOperation, env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { resume(env) }, 5*time.Second)
		}, 3, 1, switchboard.OperationPaused},
		"paused and resumed while it waits": {nil, func(_ *fakeOperation, env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { resume(env) }, 15*time.Second)
		}, 4, 3, ""},
		"started by the resumption": {nil, func(_ *fakeOperation, env *testsuite.TestWorkflowEnvironment) {
			env.RegisterDelayedCallback(func() { resume(env) }, 0)
		}, 4, 3, ""},
	} {
		f := &fakeOperation{steps: 3, wait: 10 * time.Second, paused: c.paused}
		env := operateEnvironment(f)
		if c.prepare != nil {
			c.prepare(f, env)
		}
		env.ExecuteWorkflow(workflows.Operate, activities.OperateInput{OperationID: "op_1"})
		var progress switchboard.OperationProgress
		if err := env.GetWorkflowResult(&progress); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f.calls != c.calls || min(len(f.stamps), 3) != c.steps || progress.State != c.state || !progress.Finished {
			t.Errorf("%s: %d calls, %d steps, %+v; want %d calls, %d steps", name, f.calls, len(f.stamps), progress, c.calls, c.steps)
		}
	}
}

// TestOperateWaitsAsAsked: it waits between two steps, and returns the progress of the operation.
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

// TestOperateSinglyAfterTries: a step that has broken three times is made one item at a time, and
// the next one as a whole again.
func TestOperateSinglyAfterTries(t *testing.T) {
	t.Parallel()
	f := &fakeOperation{steps: 3, one: 2}
	env := runOperate(f, "op_1")
	if err := env.GetWorkflowError(); err != nil || len(f.stamps) != 3 || !slices.Equal(f.singly, []int{5}) || f.calls != 6 {
		t.Errorf("%d steps, one by one after %v of %d calls, %v", len(f.stamps), f.singly, f.calls, err)
	}
}

// TestOperateContinuesAsNew: so its history stays short.
func TestOperateContinuesAsNew(t *testing.T) {
	t.Parallel()
	f := &fakeOperation{steps: 1000}
	env := runOperate(f, "op_1")
	again, ok := errors.AsType[*workflow.ContinueAsNewError](env.GetWorkflowError())
	if !ok || again.WorkflowType.Name != "Operate" || len(f.stamps) != 500 {
		t.Errorf("%d steps, %v", len(f.stamps), env.GetWorkflowError())
	}
}

// TestOperateWithoutOperation: if the operation was erased with its tenant, its workflow ends.
func TestOperateWithoutOperation(t *testing.T) {
	t.Parallel()
	f := &fakeOperation{steps: 1}
	env := runOperate(f, "op_gone")
	failure, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
	if !ok || !failure.NonRetryable() || f.calls != 1 {
		t.Errorf("%d calls, %v", f.calls, env.GetWorkflowError())
	}
}
