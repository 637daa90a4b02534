package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/seed-49a43567/switchboard/workflows"
)

// record is the folder that histories are written to, one for each released shape
// of the workflow: `make record-histories`. Empty: they are replayed only.
var record = flag.String("record", "", "folder to write the histories to, below workflows/testdata")

// Each way that a delivery's life can go, run for real; its history replays, and
// can be kept for the versions to come.
func TestHistories(t *testing.T) {
	t.Parallel()
	for name, live := range map[string]func(*testing.T, *system) string{
		"delivered at once":    liveDelivered,
		"delivered by retry":   liveRetried,
		"failed at once":       liveGone,
		"failed in the end":    liveUsedUp,
		"cancelled":            liveCancelled,
		"cancelled by its row": liveCancelledInFlight,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			id := live(t, s)
			history := s.closedHistory(id)
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflow(workflows.Deliver)
			if err := replayer.ReplayWorkflowHistory(nil, history); err != nil {
				t.Errorf("replay: %v", err)
			}
			if *record != "" {
				writeHistory(t, filepath.Join(*record, strings.ReplaceAll(name, " ", "_")+".json"), history)
			}
		})
	}
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
	s.operate(id, "cancel", "")
	return id
}

// closedHistory returns the history of the delivery's workflow once it is closed.
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

// forgetMachine takes out of a history which process on which machine made it.
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
