package e2e

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	sdk "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/workflows"
)

// record is the folder that histories are written to, one for each released shape of the workflows:
// `make record-histories`. Empty: they are only replayed.
var record = flag.String("record", "", "folder to write the histories to, below workflows/testdata")

// Each possible life of a workflow, run for real. Its history replays, and can be recorded for
// later versions. The last release replays it too, as it must after a rollback of the current one.
// live returns the workflow's id.
func TestHistories(t *testing.T) {
	t.Parallel()
	folder := *record
	if folder == "" {
		folder = t.TempDir()
	}
	t.Run("each", func(t *testing.T) { eachHistory(t, folder) })
	lastRelease.checkReplays(t, folder)
}

func eachHistory(t *testing.T, folder string) {
	for _, c := range []struct {
		name   string
		system func(*testing.T) *system
		live   func(*testing.T, *system) string
	}{
		{"delivered at once", newSystem, liveDelivered},
		{"delivered by retry", newSystem, liveRetried},
		{"failed at once", newSystem, liveGone},
		{"failed in the end", newSystem, liveUsedUp},
		{"cancelled", newSystem, liveCancelled},
		{"cancelled by its row", newSystem, liveCancelledInFlight},
		{"delivered to a slow endpoint", newSystem, liveSlow},
		{"recovered by a probe", newSystem, liveRecovered},
		{"deferred by the receiver", newSystem, liveDeferred},
		{"release", newSystem, liveRelease},
		{"cancel of a deleted subscription", newSystem, liveCancelDeleted},
		{"operation that was paused again", newSystem, livePausedOperation},
		{"operation that was resumed", newSystem, liveResumedOperation},
		{"retain", newOldSystem, liveRetain},
		{"roll up", newSystem, liveRollUp},
		{"erase a tenant", newSystem, liveEraseTenant},
		{"erase an event", newSystem, liveEraseEvent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.system(t)
			id := c.live(t, s)
			history := s.closedHistory(id)
			replayer := worker.NewWorkflowReplayer()
			for _, workflow := range workflows.All() {
				replayer.RegisterWorkflow(workflow)
			}
			if err := replayer.ReplayWorkflowHistory(nil, history); err != nil {
				t.Errorf("replay: %v", err)
			}
			writeHistory(t, filepath.Join(folder, strings.ReplaceAll(c.name, " ", "_")+".json"), history)
		})
	}
}

// startSlowOperation starts an operation of 40 deliveries, which handles that many per second.
func (s *system) startSlowOperation(rate float64) string {
	s.t.Helper()
	sub, _ := s.subscribe(newReceiver(s.t, 200).URL, nil)
	for range 40 {
		s.post("ticket.created", `{}`)
	}
	return s.startOperation(client.NewOperation{Action: switchboard.ActionReplay, Rate: rate, Filter: &switchboard.Selection{Subscription: sub}})
}

func (s *system) pauseOperation(id string) {
	s.t.Helper()
	if _, err := s.api().PauseOperation(s.t.Context(), id, "test"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) resumeOperation(id string) {
	s.t.Helper()
	if _, err := s.api().ResumeOperation(s.t.Context(), id, ""); err != nil {
		s.t.Fatal(err)
	}
}

// livePausedOperation pauses an operation between two steps, resumes it and pauses it again. The
// workflow gets the signal of the resumption, and still ends.
func livePausedOperation(t *testing.T, s *system) string {
	id := s.startSlowOperation(1) // slow enough for a slow machine; nobody waits for its end
	s.awaitOperation(id, "a step made", func(o client.Operation) bool { return o.Done > 0 })
	s.pauseOperation(id)
	s.resumeOperation(id)
	s.pauseOperation(id)
	return id
}

// liveResumedOperation resumes an operation whose workflow ended because of the pause.
func liveResumedOperation(t *testing.T, s *system) string {
	id := s.startSlowOperation(10)
	s.pauseOperation(id)
	s.closedHistory(id)
	s.resumeOperation(id)
	s.awaitOperation(id, "finished", finished)
	return id
}

func liveDelivered(t *testing.T, s *system) string {
	s.subscribe(newReceiver(t, 200).URL, nil)
	return s.post("ticket.created", `{}`)
}

func liveRetried(t *testing.T, s *system) string {
	s.subscribe(newReceiver(t, 503, 500, 200).URL, fields{"retry": fields{"initial_interval": "200ms"}})
	return s.post("ticket.created", `{}`)
}

func liveGone(t *testing.T, s *system) string {
	s.subscribe(newReceiver(t, 410).URL, nil)
	return s.post("ticket.created", `{}`)
}

func liveUsedUp(t *testing.T, s *system) string {
	s.subscribe(newReceiver(t, 500).URL, fields{"retry": fields{"initial_interval": "100ms", "maximum_attempts": 3, "backoff_coefficient": 1}})
	return s.post("ticket.created", `{}`)
}

// liveRecovered opens the breaker with the first failure, and its first probe succeeds.
func liveRecovered(t *testing.T, s *system) string {
	sub, _ := s.subscribe(newReceiver(t, 503, 200).URL, fields{"retry": fields{"initial_interval": "1s"}, "breaker": fields{"failures_in_a_row": 1}})
	id := s.post("ticket.created", `{}`)
	awaitFor(t, switchboard.MinProbeInterval+awaitTimeout, "delivered", func() bool { return s.delivery(id).State == switchboard.StateDelivered })
	return workflows.RecoverID(sub)
}

// liveDeferred answers the first request with the shortest Retry-After that holds all deliveries.
func liveDeferred(t *testing.T, s *system) string {
	receiver := newReceiverFunc(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Retry-After", "5")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	sub, _ := s.subscribe(receiver.URL, nil)
	id := s.post("ticket.created", `{}`)
	s.awaitState(id, switchboard.StateDelivered)
	return workflows.RecoverID(sub)
}

func liveCancelled(t *testing.T, s *system) string {
	s.subscribe(newReceiver(t, 503).URL, hourly)
	id := s.post("ticket.created", `{}`)
	s.awaitPending(id)
	if err := s.temporal.CancelWorkflow(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	return id
}

func liveCancelledInFlight(t *testing.T, s *system) string {
	r, _ := newHangingReceiver(t)
	s.subscribe(r.URL, nil)
	id := s.post("ticket.created", `{}`)
	r.await(t, 1)
	s.operate(id, "cancel", "r")
	return id
}

// liveRelease releases more deliveries than one step does, and returns the operation.
func liveRelease(t *testing.T, s *system) string {
	r := newReceiver(t, 200)
	sub, _ := s.subscribe(r.URL, fields{"release_rate": 10})
	if _, err := s.api().PauseSubscription(t.Context(), sub, "test"); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		s.post("ticket.created", `{}`)
	}
	if _, err := s.api().ResumeSubscription(t.Context(), sub, ""); err != nil {
		t.Fatal(err)
	}
	r.await(t, 20)
	return s.operation(sub)
}

// liveCancelDeleted cancels deliveries that wait for another attempt, and returns the operation.
func liveCancelDeleted(t *testing.T, s *system) string {
	sub, _ := s.subscribe(newReceiver(t, 503).URL, hourly)
	id := s.post("ticket.created", `{}`)
	s.awaitPending(id)
	if err := s.api().DeleteSubscription(t.Context(), sub, "it is not needed any more"); err != nil {
		t.Fatal(err)
	}
	return s.operation(sub)
}

// operation returns the id of the latest operation on deliveries of a subscription.
func (s *system) operation(sub string) string {
	s.t.Helper()
	page, err := s.api().ListOperations(s.t.Context(), switchboard.OperationFilter{Subscription: sub}, switchboard.PageRequest{})
	if err != nil || len(page.Items) == 0 {
		s.t.Fatalf("operations of %s: %d, %v", sub, len(page.Items), err)
	}
	return page.Items[0].ID
}

// newOldSystem starts a Switchboard with partitions that are past the retention.
func newOldSystem(t *testing.T) *system {
	t.Helper()
	s := prepareOldSystem(t)
	s.start()
	t.Cleanup(s.stop)
	return s
}

func liveRetain(t *testing.T, s *system) string {
	const id = "retain-by-test"
	if steps := s.retain(id).Steps; len(steps) < 10 {
		t.Errorf("it visited nothing: %+v", steps)
	}
	return id
}

// liveRollUp makes a pass that has something to count.
func liveRollUp(t *testing.T, s *system) string {
	const id = "roll-up-by-test"
	s.awaitState(liveDelivered(t, s), "delivered")
	run, err := s.temporal.ExecuteWorkflow(t.Context(), sdk.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue}, workflows.RollUp)
	var result switchboard.RollupResult
	if err == nil {
		err = run.Get(t.Context(), &result)
	}
	if err != nil || !result.From.Before(result.To) {
		t.Errorf("counted %+v, %v", result, err)
	}
	found, err := s.api().GetStats(t.Context(), switchboard.TrafficQuery{})
	if err != nil || len(found.Groups) != 1 || found.Groups[0].Succeeded != 1 {
		t.Errorf("counted %+v, %v", found, err)
	}
	return id
}

func liveEraseTenant(t *testing.T, s *system) string {
	s.awaitState(liveDelivered(t, s), "delivered")
	return s.erase("/v1/tenants/acme").ID
}

func liveEraseEvent(t *testing.T, s *system) string {
	id := liveDelivered(t, s)
	s.awaitState(id, "delivered")
	d, err := s.api().GetDelivery(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s.erase("/v1/events/" + d.EventID + "/data").ID
}

// liveSlow posts an event while an earlier one stays unanswered for more than a second.
func liveSlow(t *testing.T, s *system) string {
	r, answer := newHoldingReceiver(t, 200)
	s.subscribe(r.URL, nil)
	s.post("ticket.created", `{}`)
	began := r.await(t, 1)[0].at
	await(t, "a request under way for more than a second", func() bool { return time.Since(began) > switchboard.SlowAfter })
	id := s.post("ticket.created", `{}`)
	r.await(t, 2)
	answer()
	return id
}

// closedHistory returns the history of a workflow after it is closed.
func (s *system) closedHistory(id string) *historypb.History {
	s.t.Helper()
	await(s.t, "workflow "+id+" closed", func() bool {
		seen, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), id, "")
		return err == nil && seen.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	})
	var history historypb.History
	for events := s.temporal.GetWorkflowHistory(s.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			s.t.Fatal(err)
		}
		history.Events = append(history.Events, event)
	}
	return &history
}

func writeHistory(t *testing.T, path string, history *historypb.History) {
	t.Helper()
	forgetMachine(history.ProtoReflect())
	encoded, err := temporalproto.CustomJSONMarshalOptions{Indent: " "}.Marshal(history)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(encoded, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// forgetMachine removes the process and the machine from a history.
func forgetMachine(m protoreflect.Message) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				forgetMachine(value.List().Get(i).Message())
			}
		case field.IsMap():
		case field.Message() != nil:
			forgetMachine(value.Message())
		case field.Name() == "identity" || field.Name() == "binary_checksum" || field.Name() == "worker_instance_key":
			m.Set(field, protoreflect.ValueOfString("worker"))
		}
		return true
	})
}
