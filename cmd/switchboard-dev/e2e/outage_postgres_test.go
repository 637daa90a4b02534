package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/seed-49a43567/switchboard/store/postgres"

	"github.com/seed-49a43567/switchboard/client"
)

// ownPostgres is a separate Postgres for the Switchboard of one test, which may kill and restart
// it. Temporal has another one.
type ownPostgres struct {
	t      *testing.T
	config postgres.Config
	server *postgres.Server
}

func newOwnPostgres(t *testing.T) *ownPostgres {
	t.Helper()
	o := &ownPostgres{t: t}
	o.server, o.config = shared.databases.Own(t)
	return o
}

func (o *ownPostgres) url() string { return o.server.URL("switchboard") }

func (o *ownPostgres) kill() {
	o.t.Helper()
	if err := o.server.Kill(); err != nil {
		o.t.Fatal(err)
	}
}

func (o *ownPostgres) start() {
	o.t.Helper()
	server, err := postgres.Start(o.t.Context(), o.config)
	if err != nil {
		o.t.Fatal(err)
	}
	o.server = server
	o.t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			o.t.Errorf("stop Postgres: %v", err)
		}
	})
}

// Without Postgres nothing is accepted and nothing is half done. A running request is not repeated:
// its outcome is recorded when Postgres is back.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	database := newOwnPostgres(t)
	s := startSystem(t, database.url(), shared.addr(t), namespaceOf(t))
	first, answerFirst := newHoldingReceiver(t, 200)
	further, answerFurther := newHoldingReceiver(t, 503, 200)
	refused, answerRefused := newHoldingReceiver(t, 410)
	steady := newReceiver(t, 200)
	quick := fields{"initial_interval": "100ms", "backoff_coefficient": 1}
	for name, r := range map[string]*receiver{"first": first, "further": further, "refused": refused, "steady": steady} {
		s.subscribe(r.URL, fields{"events": []string{name}, "timeout": "30s", "retry": quick})
	}
	held := []string{s.post("first", `{}`), s.post("further", `{}`), s.post("refused", `{}`)}
	first.await(t, 1)
	further.await(t, 2)
	refused.await(t, 1)
	answers := postUntilAway(s, database.kill)

	checkUnavailable(t, s.call(http.MethodPost, "/v1/events", fields{"tenant": "acme", "type": "steady", "id": "while-away", "data": 1}))
	checkUnavailable(t, s.call(http.MethodPost, "/v1/deliveries/"+held[0]+"/cancel", map[string]string{"reason": "r"}))
	answerFirst()
	answerFurther()
	answerRefused()
	for _, id := range held {
		s.awaitFault(id)
	}
	checkReadiness(t, s, http.StatusServiceUnavailable, "unavailable", "postgres")

	database.start()
	checkAttempts(t, s.awaitState(held[0], "delivered"))
	checkAttempts(t, s.awaitState(held[1], "delivered"))
	if d := s.awaitState(held[2], "failed"); d.Reason != "http_410" || d.AttemptsMade != 1 || len(d.Attempts) != 1 {
		t.Errorf("refused: %+v", d)
	}
	checkRequests(t, first, held[0])
	checkRequests(t, further, held[1], held[1])
	checkRequests(t, refused, held[2])
	checkRequests(t, steady, s.checkWhole(answers)...)
	if a := s.call(http.MethodGet, "/v1/events/while-away", nil); a.status != http.StatusNotFound {
		t.Errorf("the event posted while Postgres was away: answered %d %s", a.status, a.body)
	}
	s.awaitNothingOpen()
	checkReadiness(t, s, http.StatusOK, "ok", "")
}

// postUntilAway posts events of the type "steady", calls goAway in the middle, and returns the
// answers by event id.
func postUntilAway(s *system, goAway func()) map[string]answer {
	const posters, before = 4, 40
	var mu sync.Mutex
	answers := map[string]answer{}
	enough := make(chan struct{})
	var posting sync.WaitGroup
	for i := range posters {
		posting.Go(func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("steady-%d-%d", i, n)
				a, err := s.try(s.key, http.MethodPost, "/v1/events", fields{"tenant": "acme", "type": "steady", "id": id, "data": n})
				if err != nil {
					s.t.Errorf("post: %v", err)
				}
				mu.Lock()
				answers[id] = a
				if len(answers) == before {
					close(enough)
				}
				mu.Unlock()
				if a.status != http.StatusAccepted {
					return
				}
			}
		})
	}
	await(s.t, "so many events posted", func() bool {
		select {
		case <-enough:
			return true
		default:
			return false
		}
	})
	goAway()
	posting.Wait()
	return answers
}

func checkUnavailable(t *testing.T, a answer) {
	t.Helper()
	p := as[client.Error](t, a)
	if a.status != http.StatusServiceUnavailable || p.Status != a.status || p.Code != "unavailable" ||
		a.header.Get("Content-Type") != "application/problem+json" || a.header.Get("Retry-After") == "" {
		t.Errorf("answered %d %v %s, want 503 and a problem with the code unavailable", a.status, a.header, a.body)
	}
}

// checkWhole checks that each accepted event exists, and that each refused one either exists with
// its delivery or not at all. It waits for their deliveries and returns them.
func (s *system) checkWhole(answers map[string]answer) []string {
	s.t.Helper()
	var deliveries []string
	for id, posted := range answers {
		if posted.status != http.StatusAccepted {
			checkUnavailable(s.t, posted)
		}
		a := s.call(http.MethodGet, "/v1/events/"+id, nil)
		if a.status == http.StatusNotFound && posted.status != http.StatusAccepted {
			continue
		}
		event := as[struct{ Deliveries []client.Delivery }](s.t, a)
		if a.status != http.StatusOK || len(event.Deliveries) != 1 {
			s.t.Errorf("event %s, posted with the answer %d, is now %d %s", id, posted.status, a.status, a.body)
			continue
		}
		delivery := event.Deliveries[0].ID
		checkAttempts(s.t, s.awaitState(delivery, "delivered"))
		deliveries = append(deliveries, delivery)
	}
	return deliveries
}

// awaitFault waits until Temporal shows that the delivery's activity failed by one of our own
// errors and will be repeated.
func (s *system) awaitFault(id string) {
	s.t.Helper()
	await(s.t, "a fault shown for "+id, func() bool {
		seen, err := s.temporal.DescribeWorkflowExecution(s.t.Context(), id, "")
		if err != nil || len(seen.GetPendingActivities()) != 1 {
			return false
		}
		failure := seen.GetPendingActivities()[0].GetLastFailure()
		return failure.GetApplicationFailureInfo().GetType() == "infrastructure"
	})
}
