package e2e

import (
	"net/http"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/seed-49a43567/switchboard/worker"

	"github.com/seed-49a43567/switchboard/client"
)

// hourly is a retry policy with a backoff that no test waits for.
var hourly = fields{"retry": fields{"initial_interval": "1h"}}

// TestRetryDuringBackoffSendsWithinASecond: of several retries if necessary, because a busy machine
// delays some of them.
func TestRetryDuringBackoffSendsWithinASecond(t *testing.T) {
	t.Parallel()
	const tries = 100
	s := newSystem(t)
	r, well := newRecoveringReceiver(t)
	s.subscribe(r.URL, fields{"retry": fields{"initial_interval": "1h", "maximum_attempts": tries}, "breaker": fields{"mode": "off"}})
	id := s.post("ticket.created", `{}`)
	s.awaitBackoff(id)
	soonest := time.Hour
	for try := 1; soonest > time.Second && try < tries-1; try++ {
		asked := time.Now()
		s.operate(id, "retry", "look again")
		soonest = min(soonest, r.await(t, try+1)[try].at.Sub(asked))
		await(t, "the attempt recorded", func() bool { return s.delivery(id).AttemptsMade == try+1 })
		s.awaitBackoff(id)
	}
	t.Logf("a request %s after the retry was asked for", soonest)
	if soonest > time.Second {
		t.Errorf("the soonest request came %s after the retry was asked for, want within a second", soonest)
	}
	well()
	s.operate(id, "retry", "receiver repaired")
	d := s.awaitState(id, "delivered")
	if last := d.Actions[len(d.Actions)-1]; last.Action != "retry" || last.Reason != "receiver repaired" {
		t.Errorf("actions %+v", d.Actions)
	}
}

// toBackoff subscribes a receiver that refuses, posts an event, and returns its delivery when that
// waits for an attempt in an hour.
func (s *system) toBackoff(url string) (id string) {
	s.t.Helper()
	s.subscribe(url, hourly)
	id = s.post("ticket.created", `{}`)
	s.awaitBackoff(id)
	return id
}

// awaitBackoff waits until the delivery is in backoff, here and in Temporal.
func (s *system) awaitBackoff(id string) {
	s.t.Helper()
	s.awaitState(id, "retrying")
	s.awaitPending(id)
}

// awaitPending waits until the delivery's activity is in backoff.
func (s *system) awaitPending(id string) {
	s.t.Helper()
	await(s.t, "delivery "+id+" pending in Temporal", func() bool {
		seen, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), id, "")
		return err == nil && len(seen.GetPendingActivities()) == 1 &&
			seen.GetPendingActivities()[0].GetNextAttemptScheduleTime() != nil
	})
}

func (s *system) operate(id, action, reason string) {
	s.t.Helper()
	a := s.call(http.MethodPost, "/v1/deliveries/"+id+"/"+action, fields{"reason": reason})
	if a.status >= 300 {
		s.t.Fatalf("%s: answered %d %s", action, a.status, a.body)
	}
}

// TestHoldEndsTheWorkflow of a delivery in backoff. Its release starts the next workflow, which
// knows the attempts so far.
func TestHoldEndsTheWorkflow(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503, 200)
	s.subscribe(r.URL, hourly)
	id := s.post("ticket.created", `{}`)
	s.awaitPending(id)
	s.operate(id, "hold", "wrong price")
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	s.operate(id, "release", "")
	if done := s.awaitState(id, "delivered"); done.AttemptsMade != 2 {
		t.Errorf("%d attempts", done.AttemptsMade)
	}
}

func TestRetryOfAFinalDeliveryStartsANewRun(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503, 503, 503, 200)
	s.subscribe(r.URL, fields{"retry": fields{"initial_interval": "1s", "maximum_attempts": 2}})
	id := s.post("ticket.created", `{}`)
	first := s.awaitState(id, "failed")
	s.operate(id, "retry", "")
	// The new run has all attempts of the policy, not the rest of the first.
	done := s.awaitState(id, "delivered")
	if done.AttemptsMade != 4 || done.TemporalRunID == first.TemporalRunID {
		t.Errorf("%d attempts, run %s after run %s; want 4 and a new run", done.AttemptsMade, done.TemporalRunID, first.TemporalRunID)
	}
}

func TestCancelDuringBackoff(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	id := s.toBackoff(r.URL)
	s.operate(id, "cancel", "customer left")
	d := s.awaitState(id, "cancelled")
	if d.NextAttemptAt != nil || d.CompletedAt == nil {
		t.Errorf("next attempt %v, completed %v; want none and a date", d.NextAttemptAt, d.CompletedAt)
	}
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
	if n := len(r.got()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	retryOnce(t, s, r, id)
}

// The deletion of a subscription also ends the workflows of its deliveries, not only their rows,
// and no other workflows.
func TestDeletionEndsTheWorkflows(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	kept, deleted := newReceiver(t, 503, 200), newReceiver(t, 503)
	other := s.toBackoff(kept.URL)
	id, _ := s.subscribe(deleted.URL, fields{"tenant": "globex", "retry": hourly["retry"], "breaker": fields{"mode": "off"}})
	var deliveries []string
	for range 20 {
		a := s.call(http.MethodPost, "/v1/events", fields{"tenant": "globex", "type": "ticket.created", "data": 1})
		deliveries = append(deliveries, as[client.Acceptance](t, a).Deliveries[0].ID)
	}
	for _, d := range deliveries {
		s.awaitBackoff(d)
	}
	if a := s.call(http.MethodDelete, "/v1/subscriptions/"+id+"?reason=r", nil); a.status != http.StatusNoContent {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	for _, d := range deliveries {
		s.awaitState(d, "cancelled")
		s.awaitWorkflow(d, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
	}
	if n := len(deleted.got()); n != len(deliveries) {
		t.Errorf("%d requests to the deleted subscription, want %d", n, len(deliveries))
	}
	s.operate(other, "retry", "")
	s.awaitState(other, "delivered")
	s.awaitNothingOpen()
	await(t, "an empty outbox", func() bool { return s.metrics()["switchboard_relay_backlog"] == 0 })
}

// An activity that an engineer paused in Temporal does not survive its subscription.
func TestDeletionEndsWhatIsPausedInTemporal(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	subscription, _ := s.subscribe(r.URL, hourly)
	id := s.post("ticket.created", `{}`)
	s.awaitBackoff(id)
	_, err := s.temporal.WorkflowService().PauseActivityExecution(t.Context(), &workflowservice.PauseActivityExecutionRequest{
		Namespace: s.namespace, WorkflowId: id, ActivityId: "attempt", Identity: "engineer", Reason: "let me look", RequestId: "engineer",
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := s.call(http.MethodDelete, "/v1/subscriptions/"+subscription+"?reason=r", nil); a.status != http.StatusNoContent {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
	if d := s.delivery(id); d.State != "cancelled" || len(r.got()) != 1 {
		t.Errorf("%s after %d requests, want cancelled after 1", d.State, len(r.got()))
	}
}

// retryOnce shows that a cancelled delivery can be started again.
func retryOnce(t *testing.T, s *system, r *receiver, id string) {
	t.Helper()
	s.operate(id, "retry", "customer is back")
	r.await(t, 2)
	s.awaitState(id, "retrying")
}

func TestCancelDuringAHangingRequest(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]int{"first attempt": nil, "further attempt": {503}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			r, gaveUp := newHangingReceiver(t, before...)
			s.subscribe(r.URL, fields{"timeout": "30s", "retry": fields{"initial_interval": "100ms"}})
			id := s.post("ticket.created", `{}`)
			r.await(t, len(before)+1)
			s.operate(id, "cancel", "r")
			wantAborted(t, gaveUp)
			s.awaitState(id, "cancelled")
			s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
			await(t, "the aborted attempt shown", func() bool {
				attempts := s.delivery(id).Attempts
				return len(attempts) == len(before)+1 && attempts[len(before)].Failure == "aborted"
			})
			if n := len(r.got()); n != len(before)+1 {
				t.Errorf("%d requests, want %d", n, len(before)+1)
			}
		})
	}
}

func TestCancelInTemporal(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	s.subscribe(r.URL, hourly)
	id := s.post("ticket.created", `{}`)
	s.awaitPending(id)
	if err := s.temporal.CancelWorkflow(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	d := s.awaitState(id, "cancelled")
	if len(d.Actions) != 1 || d.Actions[0].Actor != "temporal" {
		t.Errorf("actions %+v, want one by temporal", d.Actions)
	}
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
}

func TestCancelInTemporalDuringAHangingRequest(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r, gaveUp := newHangingReceiver(t, 503)
	s.subscribe(r.URL, fields{"timeout": "30s", "retry": fields{"initial_interval": "100ms"}})
	id := s.post("ticket.created", `{}`)
	r.await(t, 2)
	if err := s.temporal.CancelWorkflow(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	wantAborted(t, gaveUp)
	s.awaitState(id, "cancelled")
}

// abortTimeout is below the 30 s after which the requests of these tests end by themselves.
const abortTimeout = 25 * time.Second

// wantAborted fails the test unless the receiver's caller gives up.
func wantAborted(t *testing.T, gaveUp <-chan struct{}) {
	t.Helper()
	select {
	case <-gaveUp:
	case <-time.After(abortTimeout):
		t.Error("the request under way was not aborted")
	}
}

// terminate terminates the delivery's workflow, as an engineer does in Temporal's UI.
func (s *system) terminate(id string) {
	s.t.Helper()
	if err := s.temporal.TerminateWorkflow(s.t.Context(), id, "", "test"); err != nil {
		s.t.Fatal(err)
	}
}

func TestTerminateInTemporal(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	s.subscribe(r.URL, hourly)
	id := s.post("ticket.created", `{}`)
	s.awaitPending(id)
	s.terminate(id)
	d := s.awaitState(id, "cancelled") // by the reconciler, whose schedule runs by itself
	if d.Reason != "terminated" {
		t.Errorf("reason %q, want terminated", d.Reason)
	}
}

func TestTerminateInTemporalDuringTheFirstAttempt(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r, gaveUp := newHangingReceiver(t)
	s.subscribe(r.URL, fields{"timeout": "30s"})
	id := s.post("ticket.created", `{}`)
	r.await(t, 1)
	s.terminate(id)
	s.awaitState(id, "cancelled")
	wantAborted(t, gaveUp)
	if n := len(r.got()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// firstTaskCompleted is the event in a workflow's history that ends its first task. A reset to it
// repeats everything.
const firstTaskCompleted = 4

// reset resets a run of the delivery's workflow to that event, as an engineer does in
// Temporal's UI.
func (s *system) reset(id, temporalRunID string, event int64) {
	s.t.Helper()
	_, err := s.temporal.ResetWorkflowExecution(s.t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
		Namespace:         s.namespace,
		WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id, RunId: temporalRunID},
		Reason:            "test", WorkflowTaskFinishEventId: event, RequestId: "reset-" + id,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// The reset run takes over the delivery, although it was started for an earlier generation.
func TestTerminatedResetOfAnEarlierRunIsCancelled(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	subscription, _ := s.subscribe(r.URL, fields{"retry": fields{"maximum_attempts": 1}})
	id := s.post("ticket.created", `{}`)
	first := s.awaitState(id, "failed")
	s.operate(id, "retry", "")
	r.await(t, 2)
	s.awaitState(id, "failed")
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED)
	if a := s.call(http.MethodPatch, "/v1/subscriptions/"+subscription, fields{"version": 1, "retry": fields{"initial_interval": "1h", "maximum_attempts": 10}}); a.status != http.StatusOK {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	s.reset(id, first.TemporalRunID, firstTaskCompleted)
	r.await(t, 3)
	s.awaitPending(id)
	s.terminate(id)
	s.awaitState(id, "cancelled")
}

func TestResetInTemporalDeliversAgain(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	s.subscribe(r.URL, nil)
	id := s.post("ticket.created", `{}`)
	first := s.awaitState(id, "delivered")
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	s.reset(id, first.TemporalRunID, firstTaskCompleted)
	got := r.await(t, 2)
	if got[1].header.Get("webhook-id") != id {
		t.Errorf("webhook-id %q, want %q", got[1].header.Get("webhook-id"), id)
	}
	await(t, "delivered again", func() bool { d := s.delivery(id); return d.State == "delivered" && d.AttemptsMade == 2 })
}

func TestResetAfterRetriesDeliversAgain(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 500, 500, 200)
	s.subscribe(r.URL, fields{"retry": fields{"initial_interval": "100ms", "maximum_attempts": 2}})
	id := s.post("ticket.created", `{}`)
	failed := s.awaitState(id, "failed")
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED)
	// To the last workflow task: the results of the attempts stay in the history.
	var last int64
	for events := s.temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			last = event.GetEventId()
		}
	}
	s.reset(id, failed.TemporalRunID, last)
	await(t, "delivered again", func() bool { d := s.delivery(id); return d.State == "delivered" && d.AttemptsMade == 3 })
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
}

func TestRetryAtOnceAfterCancelIsNotLost(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503, 200)
	s.subscribe(r.URL, hourly)
	id := s.post("ticket.created", `{}`)
	s.awaitState(id, "retrying")
	s.operate(id, "cancel", "wrong button")
	s.operate(id, "retry", "right button")
	s.awaitState(id, "delivered")
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	if n := len(r.got()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// The pause of a retry may be all that is left after the death of the process that made it.
func TestReconcilerFinishesAHalfDoneRetry(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503, 200)
	id := s.toBackoff(r.URL)
	_, err := s.temporal.WorkflowService().PauseActivityExecution(t.Context(), &workflowservice.PauseActivityExecutionRequest{
		Namespace: s.namespace, WorkflowId: id, ActivityId: "attempt", Identity: "switchboard", Reason: "retry now", RequestId: "switchboard",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.operate(id, "retry", "again")
	s.awaitState(id, "delivered")
}

func TestReconcilerRunsBySchedule(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	await(t, "the schedule has run", func() bool {
		seen, err := s.temporal.ScheduleClient().GetHandle(t.Context(), worker.ReconcileSchedule).Describe(t.Context())
		return err == nil && seen.Info.NumActions > 0
	})
}
