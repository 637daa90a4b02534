package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/worker"
)

// TestCancelOfAHundredHangingDeliveries: every running request is aborted, and no other is made.
func TestCancelOfAHundredHangingDeliveries(t *testing.T) {
	t.Parallel()
	const hanging = 100
	s := prepareSystem(t, shared.databases.Database(t), shared.addr(t), namespaceOf(t))
	s.config.Slots, s.config.SlowSlots = 4*hanging, 4*hanging // a tenant has half of them
	s.start()
	t.Cleanup(func() { s.stop() })
	r, gaveUp := newHangingReceiver(t)
	s.subscribe(r.URL, fields{"timeout": "30s", "max_in_flight": hanging, "breaker": fields{"mode": "off"}, "retry": hourly["retry"]})
	load := newLoad(t, s, hanging)
	if err := load.post(10); err != nil {
		t.Fatal(err)
	}
	ids := slices.Collect(maps.Keys(load.accepted))
	r.await(t, hanging)
	asked := time.Now()
	var cancelling errgroup.Group
	cancelling.SetLimit(10)
	for _, id := range ids {
		cancelling.Go(func() error {
			a, err := s.try(s.key, http.MethodPost, "/v1/deliveries/"+id+"/cancel", fields{"reason": "stop"})
			if err == nil && a.status != http.StatusOK {
				err = fmt.Errorf("answered %d %s", a.status, a.body)
			}
			return err
		})
	}
	if err := cancelling.Wait(); err != nil {
		t.Fatal(err)
	}
	for range hanging {
		wantAborted(t, gaveUp)
	}
	for _, id := range ids {
		s.awaitState(id, "cancelled")
		s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED) // so that nothing can be sent any more
	}
	s.awaitNothingOpen()
	checkRequests(t, r, ids...)
	for _, request := range r.got() {
		id := request.header.Get("webhook-id")
		await(t, "the attempt of "+id+" shown", func() bool { return len(s.delivery(id).Attempts) == 1 })
		// On a machine that posts slowly, the first ones end by themselves.
		if a := s.delivery(id).Attempts[0]; a.Failure != switchboard.FailureAborted && request.at.After(asked.Add(abortTimeout-30*time.Second)) {
			t.Errorf("%s ended with %s", id, a.Failure)
		}
	}
}

// TestRetryDuringAnAttemptInFlight: the running attempt is the retry. It counts once. The next one
// is made at its own date, or at the next retry.
func TestRetryDuringAnAttemptInFlight(t *testing.T) {
	t.Parallel()
	for name, before := range map[string][]int{"first attempt": nil, "further attempt": {503}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			holding := len(before) + 1
			released := make(chan struct{})
			r := newReceiverFunc(t, func(n int, w http.ResponseWriter, _ *http.Request) {
				switch {
				case n == holding:
					<-released
					w.WriteHeader(http.StatusServiceUnavailable)
				case n < holding:
					w.WriteHeader(before[n-1])
				}
			})
			release := sync.OnceFunc(func() { close(released) })
			t.Cleanup(release) // before the server's Close, which waits for its handlers
			s.subscribe(r.URL, hourly)
			id := s.post("ticket.created", `{}`)
			if holding == 2 {
				s.awaitBackoff(id)
				s.operate(id, "retry", "once")
			}
			r.await(t, holding)
			s.operate(id, "retry", "while it runs")
			release()
			await(t, "the attempt recorded", func() bool { return s.delivery(id).AttemptsMade == holding })
			s.awaitBackoff(id)
			if n := len(r.got()); n != holding {
				t.Errorf("%d requests, want %d", n, holding)
			}
			s.operate(id, "retry", "again")
			d := s.awaitState(id, "delivered")
			if d.AttemptsMade != holding+1 || len(d.Actions) != holding+1 {
				t.Errorf("%d attempts, %d actions", d.AttemptsMade, len(d.Actions))
			}
		})
	}
}

// TestRetryAtADate: a delivery in backoff and one that has ended are sent at that date, and not
// before.
func TestRetryAtADate(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]fields{"in backoff": {"initial_interval": "1h"}, "final": {"maximum_attempts": 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			r := newReceiver(t, 503, 200)
			s.subscribe(r.URL, fields{"retry": policy})
			id := s.post("ticket.created", `{}`)
			if name == "final" {
				s.awaitState(id, "failed")
			} else {
				s.awaitBackoff(id)
			}
			at := time.Now().Add(3 * time.Second)
			asked, err := s.api().RetryDelivery(t.Context(), id, client.Retry{Act: client.Act{Reason: "in a moment"}, RetryAt: &at})
			if err != nil || !asked.NextAttemptAt.Equal(at.Truncate(time.Microsecond)) {
				t.Fatalf("%v, next attempt at %v, want %s", err, asked.NextAttemptAt, at)
			}
			s.awaitState(id, "delivered")
			if got := r.got(); len(got) != 2 || got[1].at.Before(at.Add(-10*time.Millisecond)) { // clocks have a precision of a millisecond
				t.Errorf("%d requests, the last at %s, want it at %s", len(got), got[len(got)-1].at, at)
			}
		})
	}
}

// TestResendElsewhere: the copy goes to the other address with the changes, and with nothing that
// is meant only for the subscription's receiver. The answer there does not count for the
// subscription's endpoint.
func TestResendElsewhere(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	own, other := newReceiver(t, 200), newReceiver(t, 410, 200)
	subscription, secret := s.subscribe(own.URL, fields{
		"request": fields{"url": own.URL, "headers": fields{"X-Env": "prod", "X-Api-Key": "s3cret"}}, "auth": fields{"type": "bearer", "token": "t0ken"},
	})
	id := s.post("ticket.created", `{"a":1}`)
	s.awaitState(id, "delivered")
	body := "changed"
	d, err := s.api().ResendDelivery(t.Context(), id, client.Resend{Act: client.Act{Reason: "show me"}, ResendChanges: client.ResendChanges{URL: other.URL + "/bin", Body: &body, Headers: map[string]string{"X-Debug": "1"}}})
	if err != nil {
		t.Fatal(err)
	}
	s.awaitState(d.ID, "failed") // by 410, which does not disable the subscription, because it comes from another endpoint
	if _, err := s.api().RetryDelivery(t.Context(), d.ID, client.Retry{}); err != nil {
		t.Fatal(err)
	}
	s.awaitState(d.ID, "delivered")
	verifier, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	got := other.await(t, 2)
	for _, request := range got {
		sent := fmt.Sprint(request.header)
		if string(request.body) != body || request.path != "/bin" || request.header.Get("X-Debug") != "1" || request.header.Get("X-Env") != "prod" || request.header.Get("webhook-id") != d.ID {
			t.Errorf("sent %s %s with %v", request.path, request.body, request.header)
		}
		if strings.Contains(sent, "s3cret") || strings.Contains(sent, "t0ken") || verifier.Verify(request.body, request.header) == nil {
			t.Error("a secret of the subscription went to another host")
		}
	}
	if n := len(own.got()); n != 1 {
		t.Errorf("%d requests to the subscription's own address", n)
	}
	sub, err := s.api().GetSubscription(t.Context(), subscription)
	if err != nil || sub.State != "active" {
		t.Errorf("%v: the subscription is %s", err, sub.State)
	}
	original := s.delivery(id)
	if text, _ := json.Marshal(original.ResentAs); string(text) != `["`+d.ID+`"]` || s.delivery(d.ID).ResendOf != id {
		t.Errorf("resent as %s, resend of %s", text, s.delivery(d.ID).ResendOf)
	}
}

// pending returns the delivery's activity in Temporal; nil: none.
func (s *system) pending(id string) *workflowpb.PendingActivityInfo {
	s.t.Helper()
	seen, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), id, "")
	if err != nil || len(seen.GetPendingActivities()) != 1 {
		return nil
	}
	return seen.GetPendingActivities()[0]
}

// TestPauseOfTheActivityInTemporal: nothing is sent during the pause, although the date has passed
// and the reconciler has run. The unpause sends.
func TestPauseOfTheActivityInTemporal(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503, 200)
	id := s.toBackoff(r.URL)
	if _, err := s.temporal.WorkflowService().PauseActivityExecution(t.Context(), &workflowservice.PauseActivityExecutionRequest{
		Namespace: s.namespace, WorkflowId: id, ActivityId: "attempt", Identity: "engineer", Reason: "let me look", RequestId: "engineer",
	}); err != nil {
		t.Fatal(err)
	}
	s.operate(id, "retry", "at once") // the retry is stored, and waits for the unpause
	passes, seen := 0, false
	await(t, "two passes of the reconciler", func() bool {
		now, err := s.reconcilerPasses()
		if err == nil && !seen {
			passes, seen = now, true
		}
		return err == nil && now >= passes+2
	})
	if state := s.pending(id).GetState(); state != enumspb.PENDING_ACTIVITY_STATE_PAUSED || len(r.got()) != 1 {
		t.Fatalf("%s, %d requests", state, len(r.got()))
	}
	if _, err := s.temporal.WorkflowService().UnpauseActivityExecution(t.Context(), &workflowservice.UnpauseActivityExecutionRequest{
		Namespace: s.namespace, WorkflowId: id, ActivityId: "attempt", Identity: "engineer",
	}); err != nil {
		t.Fatal(err)
	}
	s.awaitState(id, "delivered")
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
}

func (s *system) reconcilerPasses() (int, error) {
	seen, err := s.temporal.ScheduleClient().GetHandle(s.t.Context(), worker.ReconcileSchedule).Describe(s.t.Context())
	if err != nil {
		return 0, err
	}
	return seen.Info.NumActions, nil
}

// TestResetOfTheActivityInTemporal: the activity runs at once, finds that the delivery is not due,
// and waits for the same date.
func TestResetOfTheActivityInTemporal(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503, 200)
	id := s.toBackoff(r.URL)
	before := s.pending(id).GetLastAttemptCompleteTime().AsTime()
	if _, err := s.temporal.WorkflowService().ResetActivityExecution(t.Context(), &workflowservice.ResetActivityExecutionRequest{
		Namespace: s.namespace, WorkflowId: id, ActivityId: "attempt", Identity: "engineer", RequestId: "engineer",
	}); err != nil {
		t.Fatal(err)
	}
	await(t, "run once more, and in backoff", func() bool {
		p := s.pending(id)
		return p.GetLastAttemptCompleteTime().AsTime().After(before) && p.GetNextAttemptScheduleTime() != nil && time.Until(p.GetNextAttemptScheduleTime().AsTime()) > 30*time.Minute
	})
	if d := s.delivery(id); d.State != "retrying" || d.AttemptsMade != 1 || len(r.got()) != 1 {
		t.Errorf("%s after %d attempts and %d requests", d.State, d.AttemptsMade, len(r.got()))
	}
	s.operate(id, "retry", "")
	s.awaitState(id, "delivered")
}

// TestTemporalLinksToTheDelivery if the address of the API is known.
func TestTemporalLinksToTheDelivery(t *testing.T) {
	t.Parallel()
	s := prepareSystem(t, shared.databases.Database(t), shared.addr(t), namespaceOf(t))
	s.config.PublicURL = "https://switchboard.example.com/"
	s.start()
	t.Cleanup(func() { s.stop() })
	s.subscribe(newReceiver(t, 200).URL, nil)
	id := s.post("ticket.created", `{}`)
	s.awaitState(id, "delivered")
	seen, err := s.temporal.DescribeWorkflowExecution(t.Context(), id, "")
	if details := string(seen.GetExecutionConfig().GetUserMetadata().GetDetails().GetData()); err != nil || !strings.Contains(details, "(https://switchboard.example.com/v1/deliveries/"+id+")") {
		t.Errorf("%v: details %s", err, details)
	}
}
