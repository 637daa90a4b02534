package activities_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/activities/inflight"
	"github.com/seed-49a43567/switchboard/webhook"
)

// heartbeats are the heartbeats of an execution.
type heartbeats struct {
	mu    sync.Mutex
	notes []inflight.UnrecordedOutcome
	came  chan struct{} // closed with the first
}

func (h *heartbeats) listen(_ *activity.Info, details converter.EncodedValues) {
	var k inflight.UnrecordedOutcome
	if err := details.Get(&k); err != nil {
		panic(err)
	}
	h.add(k)
}

func (h *heartbeats) Note(_ context.Context, _ []byte, details any) error {
	h.add(*details.(*inflight.UnrecordedOutcome))
	return nil
}

func (h *heartbeats) StartedElsewhere(context.Context, string, string) (bool, error) {
	return true, nil
}

func (h *heartbeats) add(k inflight.UnrecordedOutcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.notes = append(h.notes, k); len(h.notes) == 1 {
		close(h.came)
	}
}

func (h *heartbeats) last() inflight.UnrecordedOutcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.notes) == 0 {
		return inflight.UnrecordedOutcome{}
	}
	return h.notes[len(h.notes)-1]
}

// heard runs the regular activity of the delivery, and returns its heartbeats.
func (d *fakeStore) heard(h *heartbeats) error {
	d.t.Helper()
	h.came = make(chan struct{})
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(slog.New(slog.DiscardHandler))
	env := suite.NewTestActivityEnvironment()
	env.SetOnActivityHeartbeatListener(h.listen)
	d.Tasks = h
	env.RegisterActivity(d.Deliveries)
	_, err := env.ExecuteActivity(d.Deliveries.Attempt, activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_1", Generation: 1}})
	return err
}

// TestKilledAttemptLeavesAHeartbeat: if the process is killed, the heartbeat of its execution
// becomes an attempt in the record of the next one.
func TestKilledAttemptLeavesAHeartbeat(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.loaded.Delivery.State, d.loaded.Delivery.AttemptsMade = switchboard.StateRetrying, 1
	var h heartbeats
	var trace inflight.UnrecordedOutcome
	d.sending = func(context.Context) {
		<-h.came // the request is slow
		trace = h.last()
	}
	if err := d.heard(&h); err != nil {
		t.Fatal(err)
	}
	if trace.Number != 2 || trace.Generation != 1 || trace.Failure != switchboard.FailureUnknown || trace.AttemptID != d.recorded[0].ID {
		t.Fatalf("the trace is %+v, of the attempt %+v", trace, d.recorded[0])
	}

	next := newFakeStore(t) // another process, which finds the row unchanged
	next.loaded.Delivery.State, next.loaded.Delivery.AttemptsMade = switchboard.StateRetrying, 1
	_, err := next.attempt(activities.AttemptInput{}, &trace)
	if kind, wait := delay(t, err); kind != "unknown" || wait <= 0 || next.sent != 0 {
		t.Errorf("failed as %s for %s after %d requests; want unknown, dated, and none beside the lost one", kind, wait, next.sent)
	}
	if len(next.recorded) != 1 || next.recorded[0].Number != 2 || next.recorded[0].Outcome.Failure != switchboard.FailureUnknown || next.recorded[0].Outcome.Detail == "" {
		t.Fatalf("recorded %+v, want the second attempt as unknown", next.recorded)
	}
	next.loaded.Delivery.NextAttemptAt = time.Now()
	if result, err := next.attempt(activities.AttemptInput{}, &trace); err != nil || result.State != switchboard.StateDelivered || next.sent != 1 || len(next.recorded) != 2 {
		t.Errorf("the one after it: %+v, %v after %d requests, %d recorded", result, err, next.sent, len(next.recorded))
	}
}

// TestHeartbeatOfWhatIsKnown: the heartbeat has no attempt that is recorded, or known, or was not
// sent.
func TestHeartbeatOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	notSent := &webhook.Interrupted{Err: errors.New("too many open files")}
	for name, c := range map[string]struct {
		sendErr, recordErr error
		want               inflight.UnrecordedOutcome
	}{
		"recorded":          {nil, nil, inflight.UnrecordedOutcome{Number: 1, Failure: switchboard.FailureUnknown}}, // the row counts it
		"not recorded":      {nil, switchboard.Errorf(switchboard.CodeUnavailable, "away"), inflight.UnrecordedOutcome{Number: 1, StatusCode: 200}},
		"never sent":        {notSent, nil, inflight.UnrecordedOutcome{}},
		"sent, interrupted": {&webhook.Interrupted{Sent: true, Err: context.Canceled}, nil, inflight.UnrecordedOutcome{Number: 1, Failure: switchboard.FailureUnknown}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeStore(t)
			d.sendErr, d.recordErr = c.sendErr, c.recordErr
			var h heartbeats
			d.sending = func(context.Context) { <-h.came }
			_ = d.heard(&h)
			if got := h.last(); got.Number != c.want.Number || got.Failure != c.want.Failure || got.StatusCode != c.want.StatusCode {
				t.Errorf("the last heartbeat is %+v, want %+v", got, c.want)
			}
		})
	}
}

// A fast response costs Temporal nothing more. A busy machine makes some of them slow.
func TestFastAttemptHasNoHeartbeat(t *testing.T) {
	t.Parallel()
	heard := true
	for try := 0; heard && try < 20; try++ {
		var h heartbeats
		if err := newFakeStore(t).heard(&h); err != nil {
			t.Fatal(err)
		}
		heard = h.last().Number != 0
	}
	if heard {
		t.Error("each attempt has a heartbeat")
	}
}

// TestFirstAttemptOfALostWorker: the local activity has no heartbeat, but the workflow's
// history shows that another worker had its first task.
func TestFirstAttemptOfALostWorker(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-10 * time.Second).UTC()
	for name, c := range map[string]struct {
		in    activities.AttemptInput
		set   func(*switchboard.Delivery)
		sent  int
		first switchboard.Failure // of the recorded attempt
	}{
		"lost":                        {activities.AttemptInput{LostAt: began}, func(*switchboard.Delivery) {}, 0, switchboard.FailureUnknown},
		"lost, of a later generation": {activities.AttemptInput{LostAt: began}, func(d *switchboard.Delivery) { d.AttemptsMade, d.PriorAttempts = 3, 3 }, 0, switchboard.FailureUnknown},
		"not lost":                    {activities.AttemptInput{}, func(*switchboard.Delivery) {}, 1, ""},
		"what it recorded stands":     {activities.AttemptInput{LostAt: began}, func(d *switchboard.Delivery) { d.State, d.AttemptsMade = switchboard.StateRetrying, 1 }, 1, ""},
		"an outcome waits of it":      {activities.AttemptInput{LostAt: began, Unrecorded: &inflight.UnrecordedOutcome{AttemptID: "att_1", Number: 1, Generation: 1, StatusCode: 200}}, func(*switchboard.Delivery) {}, 0, ""},
		"it is final":                 {activities.AttemptInput{LostAt: began}, func(d *switchboard.Delivery) { d.State = switchboard.StateCancelled }, 0, "none"},
		"outdated by now":             {activities.AttemptInput{LostAt: began}, func(d *switchboard.Delivery) { d.Generation = 2 }, 0, "none"},
		"its address is gone by now":  {activities.AttemptInput{LostAt: began}, func(d *switchboard.Delivery) { d.State, d.NextAttemptAt = switchboard.StateHeld, time.Time{} }, 0, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeStore(t)
			c.set(&d.loaded.Delivery)
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(slog.New(slog.DiscardHandler))
			c.in.DeliverInput = activities.DeliverInput{DeliveryID: "dlv_1", Generation: 1}
			before := d.loaded.Delivery.AttemptsMade
			if _, err := suite.NewTestActivityEnvironment().ExecuteLocalActivity(d.Deliveries.Attempt, c.in); err != nil {
				t.Fatal(err)
			}
			recorded := switchboard.Failure("none")
			if len(d.recorded) > 0 {
				recorded = d.recorded[0].Outcome.Failure
				if d.recorded[0].Number != before+1 {
					t.Errorf("recorded as number %d after %d", d.recorded[0].Number, before)
				}
			}
			if d.sent != c.sent || recorded != c.first || len(d.recorded) > 1 {
				t.Errorf("%d requests, recorded %+v; want %d, %q", d.sent, d.recorded, c.sent, c.first)
			}
			if recorded == switchboard.FailureUnknown && !d.recorded[0].At.Equal(began) {
				t.Errorf("dated %s, want %s", d.recorded[0].At, began)
			}
		})
	}
}

// The flag must survive if Temporal holds an outcome that Postgres could not record.
func TestUnrecordedOutcomeStaysPermanent(t *testing.T) {
	t.Parallel()
	d := newFakeStore(t)
	d.outcome = switchboard.Outcome{Failure: switchboard.FailureForbidden, Permanent: true}
	d.recordErr = switchboard.Errorf(switchboard.CodeUnavailable, "Postgres is away")
	var h heartbeats
	if err := d.heard(&h); err == nil {
		t.Fatal("ended, want an error of our own")
	}
	outcome := h.last()
	next := newFakeStore(t)
	result, err := next.attempt(activities.AttemptInput{}, &outcome)
	if err != nil || result.State != switchboard.StateFailed || !result.Permanent || !next.recorded[0].Outcome.Permanent {
		t.Errorf("ended %+v, %v; recorded %+v; want a permanent failure", result, err, next.recorded)
	}
}

// tasks is a Temporal that gives prepared answers.
type tasks struct {
	elsewhere bool
	err       error
	asked     int
}

func (f *tasks) Note(context.Context, []byte, any) error { return nil }

func (f *tasks) StartedElsewhere(context.Context, string, string) (bool, error) {
	f.asked++
	return f.elsewhere, f.err
}

// TestTaskThatThisProcessHad: what was sent here is recorded or in the buffer, so a task that was
// given to no other process has sent nothing.
func TestTaskThatThisProcessHad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tasks tasks
		lost  bool // whether a task was lost
		want  switchboard.Failure
		asked int
	}{
		"another process had it":     {tasks{elsewhere: true}, true, switchboard.FailureUnknown, 1},
		"this one had it":            {tasks{}, true, "", 1},
		"Temporal does not say":      {tasks{err: errors.New("away")}, true, "", 1},
		"none was lost, none is due": {tasks{elsewhere: true}, false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newFakeStore(t)
			d.Tasks = &c.tasks
			in := activities.AttemptInput{DeliverInput: activities.DeliverInput{DeliveryID: "dlv_1", Generation: 1}}
			if c.lost {
				in.LostAt = time.Now().Add(-10 * time.Second)
			}
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(slog.New(slog.DiscardHandler))
			if _, err := suite.NewTestActivityEnvironment().ExecuteLocalActivity(d.Deliveries.Attempt, in); err != nil {
				t.Fatal(err)
			}
			if len(d.recorded) != 1 || d.recorded[0].Outcome.Failure != c.want || c.tasks.asked != c.asked {
				t.Errorf("recorded %+v after %d questions; want %q after %d", d.recorded, c.tasks.asked, c.want, c.asked)
			}
		})
	}
}
