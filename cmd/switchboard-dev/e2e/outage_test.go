package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/temporalserver"
	"github.com/seed-49a43567/switchboard/worker"
)

// ownTemporal is a separate Temporal server for one test, which may stop and restart it.
type ownTemporal struct {
	t      *testing.T
	config temporalserver.Config
	server *temporalserver.Server
}

func newOwnTemporal(t *testing.T) *ownTemporal {
	t.Helper()
	o := &ownTemporal{t: t, config: temporalserver.Config{DatabaseURL: shared.databases.Empty(t), Keywords: worker.SearchAttributes()}}
	o.start()
	t.Cleanup(o.stop)
	return o
}

func (o *ownTemporal) start() {
	o.t.Helper()
	server, err := temporalserver.Start(o.t.Context(), o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	_, port, _ := strings.Cut(server.Addr(), ":")
	if o.config.Port, err = strconv.Atoi(port); err != nil {
		o.t.Fatal(err)
	}
	o.server = server
}

func (o *ownTemporal) stop() {
	if o.server == nil {
		return
	}
	if err := o.server.Stop(); err != nil {
		o.t.Errorf("stop Temporal: %v", err)
	}
	o.server = nil
}

// Without Temporal, events are still accepted and deliveries cancelled. Waiting deliveries continue
// when it is back.
func TestTemporalAwayWhilePosting(t *testing.T) {
	t.Parallel()
	const events = 50
	engine := newOwnTemporal(t)
	s := startSystem(t, shared.databases.Database(t), engine.server.Addr(), namespaceOf(t))
	posted, cancelled := newReceiver(t, 200), newReceiver(t, 503)
	waiting, well := newRecoveringReceiver(t)
	shortly := fields{"initial_interval": "3s", "backoff_coefficient": 1}
	s.subscribe(posted.URL, fields{"events": []string{"posted"}})
	s.subscribe(waiting.URL, fields{"events": []string{"waiting"}, "retry": shortly})
	// If Temporal's restart loses a task, Temporal hands it out again after this time.
	later := fields{"initial_interval": "2m", "backoff_coefficient": 1}
	s.subscribe(cancelled.URL, fields{"events": []string{"cancelled"}, "retry": later})
	toWait, toCancel := s.post("waiting", `{}`), s.post("cancelled", `{}`)
	for _, id := range []string{toWait, toCancel} {
		s.awaitBackoff(id)
	}

	engine.stop()
	var ids []string
	for range events {
		ids = append(ids, s.post("posted", `{}`))
	}
	checkReadiness(t, s, http.StatusOK, "degraded", "temporal")
	s.operate(toCancel, "cancel", "customer left")
	if d := s.delivery(toCancel); d.State != "cancelled" {
		t.Errorf("the cancelled delivery is %s", d.State)
	}
	var waits client.Delivery // after one attempt, or after more on a slow machine
	await(t, "no attempt under way", func() bool { waits = s.delivery(toWait); return waits.AttemptsMade == len(waiting.got()) })
	await(t, "the date of the waiting one passed", func() bool { return time.Now().After(*waits.NextAttemptAt) })
	if n := len(posted.got()) + len(waiting.got()) + len(cancelled.got()); n != waits.AttemptsMade+1 {
		t.Errorf("%d requests before Temporal is back, want %d", n, waits.AttemptsMade+1)
	}

	well()
	engine.start()
	for _, id := range append(ids, toWait) {
		checkAttempts(t, s.awaitState(id, "delivered"))
	}
	s.awaitWorkflow(toCancel, enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED)
	checkRequests(t, posted, ids...)
	checkRequests(t, waiting, slices.Repeat([]string{toWait}, waits.AttemptsMade+1)...)
	checkRequests(t, cancelled, toCancel)
	s.awaitNothingOpen()
	checkReadiness(t, s, http.StatusOK, "ok", "")
}

// Waiting for Temporal is visible: in total in the metrics, and as the reason of each delivery.
func TestTemporalAwayIsSeen(t *testing.T) {
	t.Parallel()
	const events = 40
	engine := newOwnTemporal(t)
	s := startSystem(t, shared.databases.Database(t), engine.server.Addr(), namespaceOf(t))
	r := newReceiver(t, 200)
	s.subscribe(r.URL, nil)
	s.awaitState(s.post("ticket.created", `{}`), "delivered")
	before := len(s.log.String()) // includes warnings of a start on a slow machine
	engine.stop()
	ids := make([]string, events)
	for i := range ids {
		ids[i] = s.post("ticket.created", `{}`)
	}
	await(t, "all in the backlog", func() bool { return s.metrics()["switchboard_relay_backlog"] == events })
	if oldest := s.metrics()["switchboard_relay_oldest_seconds"]; oldest < switchboard.DispatchWithin.Seconds() {
		t.Errorf("the oldest is %g s late", oldest)
	}
	for _, id := range ids {
		if d := s.delivery(id); d.State != "pending" || d.Reason != switchboard.ReasonWaitingForTemporal {
			t.Errorf("%s is %s, %q", id, d.State, d.Reason)
		}
	}
	engine.start()
	for _, id := range ids {
		if d := s.awaitState(id, "delivered"); d.Reason != "" || len(d.Attempts) != 1 {
			t.Errorf("%s has the reason %q and the attempts %+v", id, d.Reason, d.Attempts)
		}
	}
	s.awaitNothingOpen()
	if oldest := s.metrics()["switchboard_relay_oldest_seconds"]; oldest != 0 {
		t.Errorf("the oldest is %g s late, with none", oldest)
	}
	log := s.log.String()[before:]
	t.Logf("%d warnings", strings.Count(log, `"level":"WARN"`)+strings.Count(log, `"level":"ERROR"`))
	for _, line := range []string{`"msg":"away","dependency":"temporal"`, `"msg":"back","dependency":"temporal"`} {
		if n := strings.Count(log, line); n < 1 || n > 3 { // a starting server may answer once, and then not
			t.Errorf("%d lines of %s", n, line)
		}
	}
	if n := strings.Count(log, `"level":"WARN"`) + strings.Count(log, `"level":"ERROR"`); n > 20 {
		t.Errorf("%d warnings of one outage:\n%s", n, log)
	}
}

// workflowTaskTimeout is Temporal's default. After it, Temporal considers a silent first attempt
// lost, and hands it out again.
const workflowTaskTimeout = 10 * time.Second

// A request that hangs while Temporal is away for longer than it waits for a worker is not
// duplicated.
func TestTemporalAwayDuringAnAttempt(t *testing.T) {
	t.Parallel()
	engine := newOwnTemporal(t)
	s := startSystem(t, shared.databases.Database(t), engine.server.Addr(), namespaceOf(t))
	r, answer := newHoldingReceiver(t, 200)
	s.subscribe(r.URL, fields{"timeout": "30s"})
	id := s.post("ticket.created", `{}`)
	began := r.await(t, 1)[0].at
	engine.stop()
	await(t, "Temporal away for long enough", func() bool { return time.Since(began) > workflowTaskTimeout })
	engine.start()
	await(t, "the first workflow task lost, or its worker heard of", func() bool {
		return s.happened(id, enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)
	})
	answer()
	d := s.awaitState(id, "delivered")
	checkAttempts(t, d)
	checkRequests(t, r, slices.Repeat([]string{id}, len(d.Attempts))...)
	for _, a := range d.Attempts[:len(d.Attempts)-1] {
		if a.Failure != switchboard.FailureTimeout { // on a machine on which all this takes half a minute
			t.Errorf("an attempt ended with %s", a.Failure)
		}
	}
	s.awaitNothingOpen()
}

// happened reports whether the history of the delivery's workflow has such an event.
func (s *system) happened(id string, kind enumspb.EventType) bool {
	s.t.Helper()
	events := s.temporal.GetWorkflowHistory(s.t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return false
		}
		if event.GetEventType() == kind {
			return true
		}
	}
	return false
}

// checkReadiness waits until /readyz has this answer, with the one missing thing. It remembers
// earlier results for a while.
func checkReadiness(t *testing.T, s *system, code int, status, missing string) {
	t.Helper()
	await(t, fmt.Sprintf("%s, missing %q, on /readyz", status, missing), func() bool {
		a := s.call(http.MethodGet, "/readyz", nil)
		ready := as[struct {
			Status  string
			Missing []struct{ Name string }
		}](t, a)
		var names []string
		for _, m := range ready.Missing {
			names = append(names, m.Name)
		}
		return a.status == code && ready.Status == status && strings.Join(names, " ") == missing
	})
}

// checkRequests checks that the receiver got exactly these deliveries, in any order.
func checkRequests(t *testing.T, r *receiver, want ...string) {
	t.Helper()
	var got []string
	for _, request := range r.got() {
		got = append(got, request.header.Get("webhook-id"))
	}
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("received %d requests, want %d:\n got %v\nwant %v", len(got), len(want), got, want)
	}
}
