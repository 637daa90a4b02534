package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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

// fakePartitions answers as the store does, and notes its calls.
type fakePartitions struct {
	visits []switchboard.PartitionVisit
	fail   map[string]int // how often each step fails before it works
	lost   bool           // an erasure drops the stages

	mu    sync.Mutex
	calls []string
}

func (f *fakePartitions) call(name string) (switchboard.RetentionStep, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail[name] > 0 {
		f.fail[name]--
		if name == "swap" {
			return switchboard.RetentionStep{}, switchboard.ErrSwapDeferred
		}
		return switchboard.RetentionStep{}, errors.New("pq: secret words")
	}
	f.calls = append(f.calls, name)
	return switchboard.RetentionStep{Step: name, Rows: 7}, nil
}

func (f *fakePartitions) MakePartitionsAhead(context.Context, switchboard.Retention) (switchboard.RetentionStep, error) {
	return f.call("make")
}

func (f *fakePartitions) ClosePartitions(context.Context) (switchboard.RetentionStep, error) {
	return f.call("close")
}

func (f *fakePartitions) PlanVisits(context.Context, switchboard.Retention) ([]switchboard.PartitionVisit, error) {
	_, err := f.call("plan")
	return f.visits, err
}

func (f *fakePartitions) FinishRetention(context.Context) error {
	_, err := f.call("finish")
	return err
}

func (f *fakePartitions) Stage(context.Context, switchboard.PartitionVisit) (switchboard.RetentionStep, error) {
	return f.call("stage")
}

func (f *fakePartitions) Swap(context.Context, switchboard.PartitionVisit) (bool, switchboard.RetentionStep, error) {
	step, err := f.call("swap")
	return !f.lost && err == nil, step, err
}

func (f *fakePartitions) DropReplaced(context.Context) (switchboard.RetentionStep, error) {
	return f.call("drop")
}

func (f *fakePartitions) PruneEventIDs(context.Context, time.Duration) (switchboard.RetentionStep, bool, error) {
	step, err := f.call("ids")
	return step, err == nil && f.count("ids") < 3, err
}

func (f *fakePartitions) PruneRecords(context.Context, switchboard.Retention) (switchboard.RetentionStep, bool, error) {
	step, err := f.call("records")
	return step, false, err
}

func (f *fakePartitions) PruneSurvivors(context.Context, switchboard.Retention) (switchboard.RetentionStep, bool, error) {
	step, err := f.call("survivors")
	return step, false, err
}

func (f *fakePartitions) count(name string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, call := range f.calls {
		if call == name {
			n++
		}
	}
	return n
}

func quietEnvironment() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	return env
}

func TestRetain(t *testing.T) {
	t.Parallel()
	const prepared = "make close ids ids ids records plan "
	for _, c := range []struct {
		name   string
		visits int
		fail   map[string]int
		lost   bool
		calls  string // the successful calls
		fails  bool
	}{
		{"nothing is due", 0, nil, false, prepared + "survivors finish", false},
		{"two visits", 2, nil, false, prepared + "stage swap drop stage swap drop survivors finish", false},
		{"locks are not free at once", 1, map[string]int{"swap": 150}, false, prepared + "stage swap drop survivors finish", false},
		{"locks are never free", 2, map[string]int{"swap": 1000}, false, prepared + "stage survivors", true},
		{"an erasure drops the stage", 2, nil, true, prepared + "stage swap survivors finish", false},
		{"a step fails for a while", 1, map[string]int{"make": 3, "stage": 3, "drop": 3, "finish": 3}, false, prepared + "stage swap drop survivors finish", false},
		{"a step fails for good", 1, map[string]int{"close": 1000}, false, "make ids ids ids records plan stage swap drop survivors", true},
		{"nothing can be planned", 1, map[string]int{"plan": 1000}, false, "make close ids ids ids records survivors", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fakePartitions{fail: c.fail, lost: c.lost}
			for i := range c.visits {
				f.visits = append(f.visits, switchboard.PartitionVisit{Parts: []string{fmt.Sprint("p", i)}})
			}
			env := quietEnvironment()
			env.RegisterActivity(&activities.Retainer{Store: f, Log: slog.New(slog.DiscardHandler)})
			env.ExecuteWorkflow(workflows.Retain)
			err := env.GetWorkflowError()
			if !env.IsWorkflowCompleted() || (err != nil) != c.fails {
				t.Fatalf("completed %t, error %v", env.IsWorkflowCompleted(), err)
			}
			if got := strings.Join(f.calls, " "); got != c.calls {
				t.Errorf("got  %s\nwant %s", got, c.calls)
			}
			result := workflows.RetainResult{}
			if err == nil {
				err = env.GetWorkflowResult(&result)
			} else if failure, ok := errors.AsType[*temporal.ApplicationError](err); ok {
				err = failure.Details(&result)
			}
			if err != nil {
				t.Fatal(err)
			}
			failed := slices.ContainsFunc(result.Steps, func(s switchboard.RetentionStep) bool { return strings.HasPrefix(s.Note, "failed: ") })
			if failed != c.fails || strings.Contains(fmt.Sprint(result, env.GetWorkflowError()), "secret words") {
				t.Errorf("result %+v", result)
			}
		})
	}
}

// fakeErasure finishes after that many steps. Workflows are waited for during the first of them.
type fakeErasure struct {
	steps, waiting, fails int
	err                   error
}

func (f *fakeErasure) EraseStep(_ context.Context, id string) (switchboard.ErasureProgress, error) {
	switch {
	case id != "era_1":
		return switchboard.ErasureProgress{}, fmt.Errorf("the erasure %q", id)
	case f.err != nil:
		return switchboard.ErasureProgress{}, f.err
	case f.fails > 0:
		f.fails--
		return switchboard.ErasureProgress{}, switchboard.ErrMaintenanceBusy
	case f.waiting > 0:
		f.waiting--
		return switchboard.ErasureProgress{Waiting: f.waiting + 1}, nil
	}
	f.steps--
	return switchboard.ErasureProgress{Finished: f.steps == 0}, nil
}

func TestErase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		f    fakeErasure
		ends string // "", or a part of the error
	}{
		{"one step", fakeErasure{steps: 1}, ""},
		{"many steps", fakeErasure{steps: 40}, ""},
		{"workflows of cancelled deliveries end first", fakeErasure{steps: 2, waiting: 30}, ""},
		{"another has the lock for long", fakeErasure{steps: 1, fails: 8}, ""},
		{"a history does not grow for ever", fakeErasure{steps: 1000}, "continue as new"},
		{"it is gone", fakeErasure{err: switchboard.Errorf(switchboard.CodeNotFound, "gone")}, "there is no such erasure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := quietEnvironment()
			env.RegisterActivity(&activities.Eraser{Store: &c.f, Log: slog.New(slog.DiscardHandler)})
			env.ExecuteWorkflow(workflows.Erase, activities.EraseInput{ErasureID: "era_1"})
			err := env.GetWorkflowError()
			if _, ok := errors.AsType[*workflow.ContinueAsNewError](err); ok {
				err = errors.New("continue as new")
			}
			if !env.IsWorkflowCompleted() || (err == nil) != (c.ends == "") || err != nil && !strings.Contains(err.Error(), c.ends) {
				t.Errorf("completed %t, error %v; want %q", env.IsWorkflowCompleted(), err, c.ends)
			}
		})
	}
}
