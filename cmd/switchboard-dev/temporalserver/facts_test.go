package temporalserver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// TestFacts states what Switchboard relies on but Temporal's documents do not promise. A new
// version of the server or the SDK that changes such a fact fails here first.
func TestFacts(t *testing.T) {
	t.Parallel()
	s := start(t, Config{DatabaseURL: pg.Empty(t)})
	for name, fact := range map[string]func(*testing.T, client.Client){
		"a task given out again is shown without who has it":                taskGivenOutAgain,
		"a failed first attempt leaves six events and one pending activity": pendingAfterHandOver,
		"pause and unpause retry at once and keep number and details":       retryNow,
		"pause and unpause during an execution are forgotten":               retryNowWhileRunning,
		"an execution that ends while paused waits for unpause":             pausedWhileRunning,
		"a cancel in backoff lets the workflow record it":                   cancelInBackoff,
		"a cancel reaches a running execution by its next heartbeat":        cancelWhileRunning,
		"a reset runs as another run that names the original":               reset,
		"a start says whether it made a run":                                startTwice,
		"a terminated workflow is listed":                                   terminated,
		"a schedule is made once and triggered":                             schedule,
		"a worker that stops waits for a local activity":                    stopWaits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fact(t, dial(t, s))
		})
	}
}

// execution is what one execution of the activity sees, and how it should end.
type execution struct {
	attempt int32
	details string
	runID   string
	ctx     context.Context
	end     chan<- error
}

// delivery registers a workflow in the shape of ours: a local activity that fails, then one regular
// activity with a fixed id. The test gets each execution. Each records its own number as heartbeat
// details and ends as the test says.
func delivery(t *testing.T, c client.Client) (start func() client.WorkflowRun, executions <-chan execution) {
	t.Helper()
	ch := make(chan execution)
	attempt := func(ctx context.Context) error {
		info := activity.GetInfo(ctx)
		if info.IsLocalActivity {
			return errors.New("refused")
		}
		var details string
		if activity.HasHeartbeatDetails(ctx) {
			if err := activity.GetHeartbeatDetails(ctx, &details); err != nil {
				return err
			}
		}
		end := make(chan error)
		ch <- execution{info.Attempt, details, info.WorkflowExecution.RunID, ctx, end}
		err := <-end
		activity.RecordHeartbeat(ctx, "not this")
		activity.RecordHeartbeat(ctx, "kept by "+string('0'+info.Attempt))
		return err
	}
	queue := work(t, c, func(r worker.Registry) {
		r.RegisterActivityWithOptions(attempt, activity.RegisterOptions{Name: "Attempt"})
		r.RegisterActivityWithOptions(func(context.Context) error { return nil }, activity.RegisterOptions{Name: "Record"})
		r.RegisterWorkflowWithOptions(deliver, workflow.RegisterOptions{Name: "Deliver"})
	})
	start = func() client.WorkflowRun {
		run, err := c.ExecuteWorkflow(within(t), client.StartWorkflowOptions{ID: t.Name(), TaskQueue: queue, EnableEagerStart: true}, "Deliver")
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	return start, ch
}

func deliver(ctx workflow.Context) (originalRun string, err error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: deadline, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID: "attempt", StartToCloseTimeout: deadline,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 3, MaximumInterval: time.Minute},
	})
	if err := workflow.ExecuteLocalActivity(ctx, "Attempt").Get(ctx, nil); err != nil {
		err = workflow.ExecuteActivity(ctx, "Attempt").Get(ctx, nil)
		if temporal.IsCanceledError(err) {
			recording, _ := workflow.NewDisconnectedContext(ctx)
			if err := workflow.ExecuteLocalActivity(recording, "Record").Get(recording, nil); err != nil {
				return "", err
			}
		}
		if err != nil {
			return "", err
		}
	}
	return workflow.GetInfo(ctx).OriginalRunID, nil
}

// later fails an execution and requests the next one after that time.
func later(in time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("http_503", "Attempt", temporal.ApplicationErrorOptions{
		NextRetryDelay: in, Category: temporal.ApplicationErrorCategoryBenign,
	})
}

// pending waits until the workflow's one pending activity is in that state.
func pending(t *testing.T, c client.Client, state enumspb.PendingActivityState) (*workflowpb.PendingActivityInfo, int64) {
	t.Helper()
	var d *workflowservice.DescribeWorkflowExecutionResponse
	eventually(t, "the activity is "+state.String(), func() bool {
		var err error
		if d, err = c.DescribeWorkflowExecution(within(t), t.Name(), ""); err != nil {
			t.Fatal(err)
		}
		return len(d.GetPendingActivities()) == 1 && d.GetPendingActivities()[0].GetState() == state
	})
	return d.GetPendingActivities()[0], d.GetWorkflowExecutionInfo().GetHistoryLength()
}

// backoff waits until the first execution has failed and the next one has a date.
func backoff(t *testing.T, c client.Client) (got *workflowpb.PendingActivityInfo, length int64) {
	t.Helper()
	eventually(t, "the activity is in backoff", func() bool {
		got, length = pending(t, c, enumspb.PENDING_ACTIVITY_STATE_SCHEDULED)
		return got.GetAttempt() == 2
	})
	return got, length
}

func pause(t *testing.T, c client.Client) {
	t.Helper()
	if _, err := c.WorkflowService().PauseActivityExecution(within(t), &workflowservice.PauseActivityExecutionRequest{
		Namespace: client.DefaultNamespace, WorkflowId: t.Name(), ActivityId: "attempt", Reason: "retry now",
	}); err != nil {
		t.Fatal(err)
	}
}

func unpause(t *testing.T, c client.Client) {
	t.Helper()
	if _, err := c.WorkflowService().UnpauseActivityExecution(within(t), &workflowservice.UnpauseActivityExecutionRequest{
		Namespace: client.DefaultNamespace, WorkflowId: t.Name(), ActivityId: "attempt",
	}); err != nil {
		t.Fatal(err)
	}
}

func pendingAfterHandOver(t *testing.T, c client.Client) {
	begin, executions := delivery(t, c)
	begin()
	before := time.Now()
	receive(t, "the first execution", executions).end <- later(time.Hour)
	got, length := backoff(t, c)
	if length != 6 {
		t.Errorf("%d events, want 6: %v", length, events(t, c, t.Name(), ""))
	}
	if got.GetLastFailure().GetMessage() != "http_503" {
		t.Errorf("last failure %v, want http_503", got.GetLastFailure())
	}
	if next := got.GetNextAttemptScheduleTime().AsTime(); next.Before(before.Add(time.Hour)) {
		t.Errorf("next attempt at %s, want an hour after %s", next, before)
	}
}

func retryNow(t *testing.T, c client.Client) {
	begin, executions := delivery(t, c)
	run := begin()
	first := receive(t, "the first execution", executions)
	first.end <- later(time.Hour)
	backoff(t, c)
	pause(t, c)
	unpause(t, c)
	second := receive(t, "the retry that is due in an hour", executions)
	second.end <- nil
	if diff := cmp.Diff([]any{int32(2), "kept by 1", run.GetRunID()}, []any{second.attempt, second.details, second.runID}); diff != "" {
		t.Errorf("attempt, details, run (-want +got):\n%s", diff)
	}
}

func retryNowWhileRunning(t *testing.T, c client.Client) {
	begin, executions := delivery(t, c)
	begin()
	first := receive(t, "the first execution", executions)
	pause(t, c)
	unpause(t, c)
	first.end <- later(time.Hour)
	got, _ := backoff(t, c)
	if next := got.GetNextAttemptScheduleTime().AsTime(); time.Until(next) < time.Minute {
		t.Errorf("next attempt at %s, want it in an hour", next)
	}
}

func pausedWhileRunning(t *testing.T, c client.Client) {
	begin, executions := delivery(t, c)
	begin()
	first := receive(t, "the first execution", executions)
	pause(t, c)
	pending(t, c, enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED)
	first.end <- later(time.Hour)
	pending(t, c, enumspb.PENDING_ACTIVITY_STATE_PAUSED)
	unpause(t, c)
	second := receive(t, "the retry", executions)
	second.end <- nil
	if second.attempt != 2 {
		t.Errorf("attempt %d, want 2", second.attempt)
	}
}
