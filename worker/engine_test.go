package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/workflows"
)

// TestDispatch: the calls to Temporal for a delivery, by its row and by Temporal's state.
func TestDispatch(t *testing.T) {
	t.Parallel()
	open := serviceerror.NewWorkflowExecutionAlreadyStarted("open", "", "")
	away := errors.New("Temporal is away")
	nothing, paused := serviceerror.NewNotFound("no activity waits"), serviceerror.NewFailedPrecondition("activity is already paused")
	for name, c := range map[string]struct {
		delivery   switchboard.Delivery
		started    error // what a start is answered
		paused     error // what a pause is answered
		calls      []string
		dispatched bool
		err        error
	}{
		"a new one":                                 {of(switchboard.StatePending, 1), nil, nil, []string{"start d"}, true, nil},
		"somebody was faster":                       {of(switchboard.StatePending, 1), open, nil, []string{"start d"}, true, nil},
		"a later generation, nothing waits":         {of(switchboard.StatePending, 2), open, nothing, []string{"start d", "pause d"}, false, nil},
		"a later generation, the earlier one waits": {of(switchboard.StatePending, 2), open, nil, []string{"start d", "pause d", "unpause d"}, false, nil},
		"away":                             {of(switchboard.StatePending, 1), away, nil, []string{"start d"}, false, away},
		"a cancelled one is never started": {of(switchboard.StateCancelled, 1), nil, nothing, []string{"pause d"}, true, nil},
		"nor is a later generation that is cancelled": {of(switchboard.StateCancelled, 3), nil, nil, []string{"pause d", "unpause d"}, false, nil}, // which may be lost
		"a cancelled one, paused in Temporal":         {of(switchboard.StateCancelled, 1), nil, paused, []string{"pause d", "unpause d"}, false, nil},
		"a cancelled one, and Temporal away":          {of(switchboard.StateCancelled, 1), nil, away, []string{"pause d"}, false, away},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := &fakeTemporal{start: func(client.StartWorkflowOptions) error { return c.started }, pause: c.paused}
			dispatched, err := newEngine(t, fake, &fakeOutbox{}).dispatch(t.Context(), c.delivery)
			if dispatched != c.dispatched || !errors.Is(err, c.err) {
				t.Errorf("dispatched %t, %v; want %t, %v", dispatched, err, c.dispatched, c.err)
			}
			if diff := cmp.Diff(c.calls, fake.calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func of(state switchboard.State, generation int) switchboard.Delivery {
	return switchboard.Delivery{ID: "d", Generation: generation, State: state}
}

// TestRetryNowUnpausesAlways: the caller may have left by then, and nobody else would do it.
func TestRetryNowUnpausesAlways(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fake := &fakeTemporal{}
	if err := newEngine(t, fake, &fakeOutbox{}).RetryNow(ctx, "d"); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"pause d", "unpause d"}, fake.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// TestStartOptions: a first generation is started once, by whoever asks first; a later one follows.
func TestStartOptions(t *testing.T) {
	t.Parallel()
	for generation, want := range map[int]enumspb.WorkflowIdReusePolicy{
		1: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, 2: enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	} {
		got := startOptions(switchboard.Delivery{ID: "dlv_1", Tenant: "acme", Generation: generation, Method: "POST", Host: "a.example", EventType: "ticket.created"})
		if got.WorkflowIDReusePolicy != want || got.ID != "dlv_1" || got.Priority.FairnessKey != "acme" {
			t.Errorf("generation %d: %+v", generation, got)
		}
		if later := got.Memo[workflows.GenerationMemo] == generation; later != (generation > 1) {
			t.Errorf("generation %d: memo %v", generation, got.Memo)
		}
		if got.StaticSummary != "POST a.example · ticket.created" {
			t.Errorf("summary %q", got.StaticSummary)
		}
	}
	long := switchboard.Delivery{Tenant: string(make([]byte, 128))}
	if key := startOptions(long).Priority.FairnessKey; len(key) != 64 {
		t.Errorf("a fairness key of %d bytes; Temporal takes 64", len(key))
	}
}

// TestEagerWhileTemporalAnswers: if it does not answer, the answer may come too late.
func TestEagerWhileTemporalAnswers(t *testing.T) {
	t.Parallel()
	outages := &activities.Outages{Log: slog.New(slog.DiscardHandler)}
	var eager []bool
	room := &fakeTemporal{start: func(o client.StartWorkflowOptions) error {
		eager = append(eager, o.EnableEagerStart)
		return nil
	}}
	e := NewEngine(room, "default", "me", &fakeOutbox{}, outages, slog.New(slog.DiscardHandler))
	for _, now := range []error{nil, errors.New("away"), errors.New("still away"), nil} {
		outages.Observe(t.Context(), activities.Temporal, now)
		outages.Observe(t.Context(), activities.Postgres, errors.New("another"))
		if ok, err := e.start(t.Context(), of(switchboard.StatePending, 1)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if diff := cmp.Diff([]bool{true, false, false, true}, eager); diff != "" {
		t.Errorf("eager starts (-want +got):\n%s", diff)
	}
}

// TestCancelIsOfTheRunThatHasTheDelivery: it cancels no later run.
func TestCancelIsOfTheRunThatHasTheDelivery(t *testing.T) {
	t.Parallel()
	for temporalRunID, want := range map[string][]string{"its run": {"cancel d its run"}, "": {"pause d", "unpause d"}} {
		room := &fakeTemporal{seen: &workflowservice.DescribeWorkflowExecutionResponse{}}
		if err := newEngine(t, room, &fakeOutbox{}).Cancel(t.Context(), switchboard.Delivery{ID: "d", TemporalRunID: temporalRunID}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, room.calls); diff != "" {
			t.Errorf("run %q (-want +got):\n%s", temporalRunID, diff)
		}
	}
}

// TestDescribeTellsTheGeneration: it is the one that a workflow was started for.
func TestDescribeTellsTheGeneration(t *testing.T) {
	t.Parallel()
	for _, generation := range []int{1, 2, 7} {
		info := &workflowpb.WorkflowExecutionInfo{
			Execution: &commonpb.WorkflowExecution{RunId: "its own"},
			Status:    enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{}},
		}
		for name, value := range startOptions(switchboard.Delivery{Generation: generation}).Memo {
			payload, err := converter.GetDefaultDataConverter().ToPayload(value)
			if err != nil {
				t.Fatal(err)
			}
			info.Memo.Fields[name] = payload
		}
		room := &fakeTemporal{seen: &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: info}}
		seen, err := newEngine(t, room, &fakeOutbox{}).Describe(t.Context(), "d")
		if want := (activities.WorkflowView{Status: activities.WorkflowClosedExternally, Generation: generation, TemporalRunID: "its own"}); seen != want || err != nil {
			t.Errorf("generation %d: %+v, %v", generation, seen, err)
		}
	}
}

// TestStartOfALaterGenerationIsMarked: at once, because otherwise the relay would start it again
// after it was terminated in Temporal.
func TestStartOfALaterGenerationIsMarked(t *testing.T) {
	t.Parallel()
	for generation, want := range map[int][]string{1: nil, 2: {"d"}} {
		box := &fakeOutbox{}
		e := newEngine(t, &fakeTemporal{start: func(client.StartWorkflowOptions) error { return nil }}, box)
		e.Start(t.Context(), []switchboard.Delivery{of(switchboard.StatePending, generation)})
		e.Drain()
		if diff := cmp.Diff(want, box.started); diff != "" {
			t.Errorf("generation %d: marked (-want +got):\n%s", generation, diff)
		}
	}
}

// TestStartLeavesToTheRelay: it leaves what the pool has no room for within the wait, and the
// caller waits no longer.
func TestStartLeavesToTheRelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		fake := &fakeTemporal{start: func(client.StartWorkflowOptions) error { <-hangs; return nil }}
		box := &fakeOutbox{}
		e := newEngine(t, fake, box)
		deliveries := make([]switchboard.Delivery, startPool+2)
		for i := range deliveries {
			deliveries[i] = switchboard.Delivery{ID: string(rune('A' + i)), Generation: 1, State: switchboard.StatePending}
		}
		began := time.Now()
		e.Start(t.Context(), deliveries)
		if waited := time.Since(began); waited != startPoolWait {
			t.Errorf("waited for %s, want %s", waited, startPoolWait)
		}
		want := []string{deliveries[startPool].ID, deliveries[startPool+1].ID}
		if diff := cmp.Diff(want, box.soon); diff != "" {
			t.Errorf("left to the relay (-want +got):\n%s", diff)
		}
		close(hangs)
		e.Drain()
		if len(fake.calls) != startPool {
			t.Errorf("%d starts, want %d", len(fake.calls), startPool)
		}
	})
}

// TestStartDoesNotWaitForACallerThatLeft: the relay finds the deliveries by itself.
func TestStartDoesNotWaitForACallerThatLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs := make(chan struct{})
		fake := &fakeTemporal{start: func(client.StartWorkflowOptions) error { <-hangs; return nil }}
		box := &fakeOutbox{}
		e := newEngine(t, fake, box)
		ctx, leave := context.WithCancel(t.Context())
		began := time.Now()
		time.AfterFunc(time.Millisecond, leave)
		e.Start(ctx, slices.Repeat([]switchboard.Delivery{of(switchboard.StatePending, 1)}, startPool+1))
		if waited := time.Since(began); waited != time.Millisecond || len(box.soon) != 0 {
			t.Errorf("waited for %s, left %v to the relay; want no wait for nobody", waited, box.soon)
		}
		close(hangs)
		e.Drain()
	})
}

// fakeHistory is the history of a workflow whose tasks were started by those processes.
type fakeHistory struct {
	client.HistoryEventIterator
	by  []string
	err error
}

func (h *fakeHistory) HasNext() bool { return len(h.by) > 0 }

func (h *fakeHistory) Next() (*historypb.HistoryEvent, error) {
	by := h.by[0]
	h.by = h.by[1:]
	switch by {
	case "":
		return &historypb.HistoryEvent{}, h.err
	case "unnamed":
		by = ""
	}
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
		WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{Identity: by},
	}}, h.err
}

func (c *fakeTemporal) GetWorkflowHistory(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
	return c.history
}

func TestStartedElsewhere(t *testing.T) {
	t.Parallel()
	away := errors.New("Temporal is away")
	for name, c := range map[string]struct {
		history   fakeHistory
		elsewhere bool
	}{
		"here alone":               {fakeHistory{by: []string{"", "", "me"}}, false},
		"here twice":               {fakeHistory{by: []string{"", "", "me", "", "", "me"}}, false},
		"here, then under way":     {fakeHistory{by: []string{"", "", "me", "", "", "unnamed"}}, false},
		"elsewhere, under way":     {fakeHistory{by: []string{"", "", "another", "", "", "unnamed"}}, true},
		"elsewhere, then here":     {fakeHistory{by: []string{"", "", "another", "", "", "me"}}, true},
		"a process of that name":   {fakeHistory{by: []string{"", "", "me@another"}}, true},
		"no history any more":      {fakeHistory{}, false},
		"Temporal does not answer": {fakeHistory{by: []string{""}, err: away}, false},
	} {
		e := newEngine(t, &fakeTemporal{history: &c.history}, &fakeOutbox{})
		got, err := e.StartedElsewhere(t.Context(), "d", "r")
		if got != c.elsewhere || !errors.Is(err, c.history.err) {
			t.Errorf("%s: %t, %v; want %t", name, got, err, c.elsewhere)
		}
	}
	if one, other := NewIdentity(), NewIdentity(); one == other {
		t.Errorf("two processes are %s", one)
	}
}

// TestOperate: the workflow has the operation's id, and names the action and the subscription.
func TestOperate(t *testing.T) {
	t.Parallel()
	var got client.StartWorkflowOptions
	fake := &fakeTemporal{start: func(o client.StartWorkflowOptions) error { got = o; return nil }}
	if err := newEngine(t, fake, &fakeOutbox{}).Operate(t.Context(), "op_1"); err != nil {
		t.Fatal(err)
	}
	if got.ID != "op_1" || got.StaticSummary != "release · sub_1" || got.WorkflowIDConflictPolicy != enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING {
		t.Errorf("%+v", got)
	}
	if err := newEngine(t, fake, &fakeOutbox{away: errors.New("Postgres is away")}).Operate(t.Context(), "op_1"); err == nil {
		t.Error("started without the operation")
	}
}
