package alerts

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	temporal "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/store/postgres"
)

// Switchboard's names in Temporal. Importing its packages for them would bring the whole worker
// into this test.
const (
	taskQueue      = "deliveries"
	retainSchedule = "switchboard-retain"
	rollUpSchedule = "switchboard-roll-up"
)

// reconcile waits until the reconciler has run twice: the monitor sees no increase after the first
// run.
func (l *lab) reconcile() {
	l.t.Helper()
	l.until("the reconciler ran twice", interval, nil, func() bool { return !l.fires("SwitchboardReconcilerStopped") })
}

func (l *lab) fires(alert string) bool { return !l.clear([]string{alert}) }

// trigger makes a schedule run now.
func (l *lab) trigger(schedule string) {
	l.t.Helper()
	must(l.t, l.temporal.ScheduleClient().GetHandle(l.t.Context(), schedule).Trigger(l.t.Context(), temporal.ScheduleTriggerOptions{}))
}

// pauseSchedule stops a schedule until it is resumed.
func (l *lab) pauseSchedule(schedule string) (resume func()) {
	l.t.Helper()
	handle := l.temporal.ScheduleClient().GetHandle(l.t.Context(), schedule)
	must(l.t, handle.Pause(l.t.Context(), temporal.SchedulePauseOptions{Note: "a fault"}))
	return func() {
		l.t.Helper()
		must(l.t, handle.Unpause(l.t.Context(), temporal.ScheduleUnpauseOptions{}))
	}
}

// processFaults are the faults of our own processes and their dependencies.
func processFaults() []fault {
	return []fault{
		{name: "the worker is killed", alerts: []string{
			"SwitchboardDeliveriesOverdue", "SwitchboardReconcilerStopped", "SwitchboardOperationStalled", "SwitchboardOperationIdle", "TemporalBacklog",
		}, fail: func(l *lab) (repair, meanwhile func()) {
			retried := l.subscribe("acme", "retried.event", "fails/retried", `,"retry":{"initial_interval":"20s"},"breaker":{"mode":"off"}`)
			l.post("acme", "retried.event", 150)
			l.awaitOpen(retried, "retrying", 150)
			// An operation with that pace runs when the worker is killed. The test does not wait
			// ten minutes for its next step to be late.
			_, err := l.client.StartOperation(l.t.Context(), client.NewOperation{
				Action: switchboard.ActionHold, Filter: &switchboard.Selection{Subscription: retried}, Rate: 5, Reason: "a fault",
			})
			must(l.t, err)
			l.awaitOpen(retried, "held", 1)
			l.killWorker()
			l.sql("UPDATE operations SET updated_at = updated_at - interval '10 min', next_at = next_at - interval '10 min' WHERE state = 'running'")
			l.post("acme", "fine.event", 150)
			return func() {
				l.receiver.repair("retried")
				l.startWorker()
				l.unsubscribe(retried)
			}, nil
		}},
		{name: "Temporal is away", alerts: []string{"SwitchboardDispatchLate", "SwitchboardDispatchBacklog"}, fail: func(l *lab) (repair, meanwhile func()) {
			l.engine.kill()
			l.post("acme", "fine.event", 1100)
			return l.startTemporal, nil
		}},
		{name: "Postgres is away", alerts: []string{"SwitchboardPostgresAway", "SwitchboardAPIErrors"}, fail: func(l *lab) (repair, meanwhile func()) {
			must(l.t, l.ours.Stop())
			return func() {
					var err error
					l.ours, err = postgres.Start(l.t.Context(), l.oursConfig)
					must(l.t, err)
				}, func() { // one event before each scrape: first refused, later accepted
					ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Second)
					defer cancel()
					_, _ = l.client.PostEvent(ctx, client.NewEvent{Tenant: "acme", Type: "fine.event", Data: json.RawMessage(`1`)})
				}
		}},
		{name: "Postgres is slow", alerts: []string{"SwitchboardPostsSlow"}, fail: func(l *lab) (repair, meanwhile func()) {
			slow := true
			return func() { slow = false }, func() {
				if slow {
					l.lockFor(500*time.Millisecond, "events")
				}
				l.postData("acme", "fine.event", `1`)
			}
		}},
		{name: "Temporal's Postgres is slow", alerts: []string{"TemporalPersistenceSlow"}, fail: func(l *lab) (repair, meanwhile func()) {
			slow := true
			return func() { slow = false }, func() {
				if slow {
					l.lockTemporalFor(500 * time.Millisecond)
				}
				l.post("acme", "fine.event", 5)
			}
		}},
		{name: "a release cannot continue open workflows", alerts: []string{"SwitchboardNonDeterminism"}, fail: func(l *lab) (repair, meanwhile func()) {
			const id = "dlv_of_another_release"
			l.worker.stop(l.t)
			l.worker = nil
			l.startOtherRelease(id)
			l.startWorker()
			must(l.t, l.temporal.CancelWorkflow(l.t.Context(), id, "")) // which gives the task to the worker
			return func() { must(l.t, l.temporal.TerminateWorkflow(l.t.Context(), id, "", "the release is rolled back")) }, nil
		}},
	}
}

// startOtherRelease starts a workflow of the type Deliver with a worker whose Deliver does
// something else: it waits. Its history does not fit Switchboard's code.
func (l *lab) startOtherRelease(id string) {
	l.t.Helper()
	other := worker.New(l.temporal, taskQueue, worker.Options{})
	other.RegisterWorkflowWithOptions(func(ctx workflow.Context, _ any) error { return workflow.Sleep(ctx, time.Hour) }, workflow.RegisterOptions{Name: "Deliver"})
	must(l.t, other.Start())
	defer other.Stop()
	_, err := l.temporal.ExecuteWorkflow(l.t.Context(), temporal.StartWorkflowOptions{ID: id, TaskQueue: taskQueue}, "Deliver", nil)
	must(l.t, err)
	awaitReal(l.t, "a timer in its history", func() bool {
		events := l.temporal.GetWorkflowHistory(l.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			event, err := events.Next()
			must(l.t, err)
			if event.GetEventType() == enumspb.EVENT_TYPE_TIMER_STARTED {
				return true
			}
		}
		return false
	})
}

// lockFor prevents all others from writing a table of Switchboard for that long.
func (l *lab) lockFor(span time.Duration, table string) { l.lockIn(l.db, span, table) }

// lockTemporalFor prevents Temporal from writing its workflows for that long.
func (l *lab) lockTemporalFor(span time.Duration) { l.lockIn(l.theirDB(), span, "executions") }

func (l *lab) lockIn(db *sql.DB, span time.Duration, table string) {
	l.t.Helper()
	tx, err := db.BeginTx(l.t.Context(), nil)
	must(l.t, err)
	_, err = tx.ExecContext(l.t.Context(), "LOCK TABLE "+table+" IN SHARE ROW EXCLUSIVE MODE")
	must(l.t, err)
	time.AfterFunc(span, func() { _ = tx.Commit() }) // it has nothing to write
}
