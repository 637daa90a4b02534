package e2e

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/temporalserver"
	"github.com/seed-49a43567/switchboard/worker"
)

// If Temporal uses the same Postgres as Switchboard, an outage also takes what Temporal would store
// about a running attempt. The process remembers it, so the request is not repeated.
func TestPostgresOfTemporalAndSwitchboardAway(t *testing.T) {
	t.Parallel()
	s, database, stop := startSharedPostgres(t)
	first, answerFirst := newHoldingReceiver(t, 200)
	further, answerFurther := newHoldingReceiver(t, 503, 200)
	steady := newReceiver(t, 200)
	for name, r := range map[string]*receiver{"first": first, "further": further, "steady": steady} {
		s.subscribe(r.URL, fields{"events": []string{name}, "timeout": "30s", "retry": fields{"initial_interval": "100ms", "backoff_coefficient": 1}})
	}
	held := []string{s.post("first", `{}`), s.post("further", `{}`)}
	first.await(t, 1)
	further.await(t, 2)
	answers := postUntilAway(s, database.kill)
	answerFirst()
	answerFurther()
	s.awaitUnrecorded(held...)

	database.start()
	for _, id := range held {
		checkAttempts(t, s.awaitState(id, "delivered"))
	}
	checkRequests(t, first, held[0])
	checkRequests(t, further, held[1], held[1])
	checkRequests(t, steady, s.checkWhole(answers)...)
	s.awaitNothingOpen()
	stop()
}

// If Temporal does not hear about a task for longer than it waits for a worker, it hands the task
// to any worker as soon as it is back. The worker with the outcome does not wait for that: it
// records the outcome as soon as Postgres is back.
func TestAnotherWorkerDoesNotRepeatAnUnrecordedAttempt(t *testing.T) {
	t.Parallel()
	engine, database := newOwnTemporal(t), newOwnPostgres(t)
	s := startSystem(t, database.url(), engine.server.Addr(), namespaceOf(t))
	stopAnother := s.startWorkerBeside()
	r, answer := newHoldingReceiver(t, 200)
	s.subscribe(r.URL, fields{"timeout": "30s"})
	var held []string
	for range 10 {
		held = append(held, s.post("ticket.created", `{}`))
	}
	last := r.await(t, len(held))[len(held)-1].at
	engine.stop()
	database.kill()
	answer()
	s.awaitUnrecorded(held...)
	await(t, "Temporal away for long enough", func() bool { return time.Since(last) > workflowTaskTimeout })

	// If both come back at once, the machine decides which one is first.
	database.start()
	for _, id := range held {
		checkAttempts(t, s.awaitState(id, "delivered"))
	}
	engine.start()
	for _, id := range held {
		s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	}
	checkRequests(t, r, held...)
	s.awaitNothingOpen()
	stopAnother()
	s.stop()
}

// startSharedPostgres starts a Switchboard whose database is in the same Postgres as Temporal's.
// Both must be stopped before the test ends, because a restarted Postgres is cleaned up first.
func startSharedPostgres(t *testing.T) (s *system, database *ownPostgres, stop func()) {
	t.Helper()
	database = newOwnPostgres(t)
	engine, err := temporalserver.Start(t.Context(), temporalserver.Config{DatabaseURL: database.server.URL("temporal"), Keywords: worker.SearchAttributes()})
	if err != nil {
		t.Fatal(err)
	}
	stopEngine := sync.OnceFunc(func() {
		if err := engine.Stop(); err != nil {
			t.Errorf("stop Temporal: %v", err)
		}
	})
	t.Cleanup(stopEngine)
	s = startSystem(t, database.url(), engine.Addr(), namespaceOf(t))
	return s, database, func() {
		s.stop()
		stopEngine()
	}
}

// awaitUnrecorded waits until the worker reports that it could not record the outcomes of those
// deliveries.
func (s *system) awaitUnrecorded(ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		await(s.t, "the outcome of "+id+" not recorded", func() bool {
			return slices.ContainsFunc(strings.Split(s.log.String(), "\n"), func(line string) bool {
				return strings.Contains(line, "outcome not recorded yet") && strings.Contains(line, id)
			})
		})
	}
}
