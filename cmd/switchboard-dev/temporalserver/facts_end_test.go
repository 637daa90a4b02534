package temporalserver

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func cancelInBackoff(t *testing.T, c client.Client) {
	begin, executions := delivery(t, c)
	run := begin()
	receive(t, "the first execution", executions).end <- later(time.Hour)
	backoff(t, c)
	if err := c.CancelWorkflow(within(t), run.GetID(), ""); err != nil {
		t.Fatal(err)
	}
	checkCanceled(t, c, run)
}

// checkCanceled waits for the end and checks that the local activity that records the cancellation
// ran before it.
func checkCanceled(t *testing.T, c client.Client, run client.WorkflowRun) {
	t.Helper()
	if err := run.Get(within(t), nil); !temporal.IsCanceledError(err) {
		t.Fatalf("ended with %v, want a cancel", err)
	}
	got := events(t, c, run.GetID(), run.GetRunID())
	want := []string{"ActivityTaskCancelRequested", "MarkerRecorded", "WorkflowExecutionCanceled"}
	if !slices.Equal(got[len(got)-len(want):], want) {
		t.Errorf("events %v, want %v at the end", got, want)
	}
}

func cancelWhileRunning(t *testing.T, c client.Client) {
	begin, executions := delivery(t, c)
	run := begin()
	first := receive(t, "the first execution", executions)
	if err := c.CancelWorkflow(within(t), run.GetID(), ""); err != nil {
		t.Fatal(err)
	}
	checkCanceled(t, c, run) // does not wait for the execution
	if err := first.ctx.Err(); err != nil {
		t.Errorf("the execution learnt of it without a heartbeat: %v", err)
	}
	activity.RecordHeartbeat(first.ctx)
	receive(t, "the end of the execution's context", first.ctx.Done())
	first.end <- nil
}

func reset(t *testing.T, c client.Client) {
	begin, executions := delivery(t, c)
	run := begin()
	receive(t, "the first execution", executions).end <- nil
	if err := run.Get(within(t), nil); err != nil {
		t.Fatal(err)
	}
	first := 1 + slices.Index(events(t, c, run.GetID(), run.GetRunID()), "WorkflowTaskCompleted")
	after, err := c.ResetWorkflowExecution(within(t), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         client.DefaultNamespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: run.GetID(), RunId: run.GetRunID()},
		RequestId:         t.Name(), WorkflowTaskFinishEventId: int64(first),
	})
	if err != nil {
		t.Fatal(err)
	}
	second := receive(t, "the execution after the reset", executions)
	second.end <- nil
	if second.runID != after.GetRunId() || second.runID == run.GetRunID() {
		t.Errorf("activity runs in %s, want %s, the new run of %s", second.runID, after.GetRunId(), run.GetRunID())
	}
	var original string
	if err := c.GetWorkflow(within(t), run.GetID(), after.GetRunId()).Get(within(t), &original); err != nil || original != run.GetRunID() {
		t.Errorf("original run %s, %v, want %s", original, err, run.GetRunID())
	}
}

func startTwice(t *testing.T, c client.Client) {
	block := func(ctx workflow.Context) error { workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil); return nil }
	options := client.StartWorkflowOptions{
		ID: strings.ReplaceAll(t.Name(), "/", "-"), EnableEagerStart: true,
		TaskQueue:             work(t, c, func(r worker.Registry) { r.RegisterWorkflowWithOptions(block, workflow.RegisterOptions{Name: "Block"}) }),
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
	var last string
	for range 3 { // when one has ended, the next one starts and works
		run, err := c.ExecuteWorkflow(within(t), options, "Block")
		if err != nil {
			t.Fatal(err)
		}
		if run.GetRunID() == last {
			t.Error("no new run after the end of the last one")
		}
		last = run.GetRunID()
		if existing, err := c.ExecuteWorkflow(within(t), options, "Block"); err != nil || existing.GetRunID() != last {
			t.Errorf("started again: %v, want the run %s", err, last)
		}
		refused := options
		refused.WorkflowIDConflictPolicy, refused.WorkflowExecutionErrorWhenAlreadyStarted = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, true
		_, err = c.ExecuteWorkflow(within(t), refused, "Block")
		if started, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); !ok || started.RunId != last {
			t.Errorf("started again with conflict policy fail: %v, want an error that names run %s", err, last)
		}
		if err := c.SignalWorkflow(within(t), options.ID, last, "end", nil); err != nil {
			t.Fatal(err)
		}
		if err := run.Get(within(t), nil); err != nil {
			t.Fatal(err)
		}
	}
	history := c.GetWorkflowHistory(within(t), options.ID, last, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	event, err := history.Next()
	if err != nil || !event.GetWorkflowExecutionStartedEventAttributes().GetEagerExecutionAccepted() {
		t.Errorf("the first task was not eager: %v, %v", event, err)
	}
}

func terminated(t *testing.T, c client.Client) {
	begin, executions := delivery(t, c)
	run := begin()
	first := receive(t, "the first execution", executions)
	before := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	if err := c.TerminateWorkflow(within(t), run.GetID(), "", "by hand"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the terminated workflow is listed", func() bool {
		list, err := c.ListWorkflow(within(t), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "ExecutionStatus = 'Terminated' AND WorkflowType = 'Deliver' AND CloseTime > '" + before + "'",
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.GetExecutions()) == 1 && list.GetExecutions()[0].GetExecution().GetRunId() == run.GetRunID()
	})
	first.end <- nil
}

func schedule(t *testing.T, c client.Client) {
	ran := make(chan string, 1)
	tick := func(ctx workflow.Context) error { ran <- workflow.GetInfo(ctx).WorkflowExecution.ID; return nil }
	queue := work(t, c, func(r worker.Registry) { r.RegisterWorkflowWithOptions(tick, workflow.RegisterOptions{Name: "Tick"}) })
	options := client.ScheduleOptions{
		ID: "tick", Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		Spec:   client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: 24 * time.Hour}}},
		Action: &client.ScheduleWorkflowAction{ID: "tick", Workflow: "Tick", TaskQueue: queue},
	}
	handle, err := c.ScheduleClient().Create(within(t), options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ScheduleClient().Create(within(t), options); !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		t.Errorf("made again: %v, want ErrScheduleAlreadyRunning", err)
	}
	if err := handle.Trigger(within(t), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	receive(t, "the triggered run", ran)
}

func stopWaits(t *testing.T, c client.Client) {
	started := make(chan struct{})
	w := worker.New(c, t.Name(), worker.Options{WorkerStopTimeout: deadline})
	w.RegisterActivityWithOptions(func(ctx context.Context) (bool, error) {
		close(started)
		<-activity.GetWorkerStopChannel(ctx) // closed as soon as the worker is told to stop
		return ctx.Err() == nil, nil
	}, activity.RegisterOptions{Name: "Wait"})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) (undisturbed bool, err error) {
		ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: deadline})
		err = workflow.ExecuteLocalActivity(ctx, "Wait").Get(ctx, &undisturbed)
		return undisturbed, err
	}, workflow.RegisterOptions{Name: "Waiting"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	run, err := c.ExecuteWorkflow(within(t), client.StartWorkflowOptions{TaskQueue: t.Name(), EnableEagerStart: true}, "Waiting")
	if err != nil {
		t.Fatal(err)
	}
	receive(t, "the local activity", started)
	w.Stop()
	var undisturbed bool
	if err := run.Get(within(t), &undisturbed); err != nil || !undisturbed { // reported although no worker runs
		t.Errorf("ended with %t, %v", undisturbed, err)
	}
}

// taskGivenOutAgain takes a workflow's first task, fails it, and takes it again.
func taskGivenOutAgain(t *testing.T, c client.Client) {
	const namespace = "default"
	queue := &taskqueuepb.TaskQueue{Name: t.Name(), Kind: enumspb.TASK_QUEUE_KIND_NORMAL}
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: t.Name(), TaskQueue: queue.GetName()}, "Nothing")
	if err != nil {
		t.Fatal(err)
	}
	take := func() []byte {
		task, err := c.WorkflowService().PollWorkflowTaskQueue(within(t), &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: namespace, TaskQueue: queue, Identity: "me",
		})
		if err != nil {
			t.Fatal(err)
		}
		return task.GetTaskToken()
	}
	if _, err := c.WorkflowService().RespondWorkflowTaskFailed(t.Context(), &workflowservice.RespondWorkflowTaskFailedRequest{
		Namespace: namespace, TaskToken: take(), Identity: "me",
	}); err != nil {
		t.Fatal(err)
	}
	take()
	var by []string
	for events := c.GetWorkflowHistory(t.Context(), run.GetID(), run.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if started := event.GetWorkflowTaskStartedEventAttributes(); started != nil {
			by = append(by, started.GetIdentity())
		}
	}
	if diff := cmp.Diff([]string{"me", ""}, by); diff != "" {
		t.Errorf("started by (-want +got):\n%s", diff)
	}
}
