package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/workflows"
)

// loadTimeout is for what a loaded machine does thousands of times.
const loadTimeout = 5 * time.Minute

// Killing serve in the middle of a load loses nothing that was answered 202, and repeats only what
// was in flight at that moment.
func TestKillServeUnderLoad(t *testing.T) {
	t.Parallel()
	const events, posters, inFlight = 2000, 32, 32
	p := newProcess(t)
	p.start()
	r := newReceiver(t, 200)
	p.subscribe(r.URL, fields{"max_in_flight": inFlight, "timeout": "5s"})

	l := newCrowd(t, p.system, events)
	posted := make(chan error, 1)
	go func() { posted <- l.post(posters) }()
	select {
	case <-l.half:
	case err := <-posted:
		t.Fatalf("posting ended early: %v", err)
	}
	before := len(r.got())
	p.kill()
	atKill := len(r.got())
	p.start()
	if err := <-posted; err != nil {
		t.Fatal(err)
	}
	awaitFor(t, loadTimeout, "all delivered", func() bool { return p.count("pending,retrying,held,blocked") == 0 })

	if n := p.count("delivered"); n != events || len(l.accepted) != events {
		t.Errorf("%d events answered 202, %d deliveries delivered; want %d each", len(l.accepted), n, events)
	}
	if n := p.countOf("/v1/events?"); n != events {
		t.Errorf("%d events, want %d", n, events)
	}
	// A request holds its slot until its outcome is durable. A request that was answered but not
	// recorded at the kill held one, and is repeated. Nothing else is.
	duplicates := l.checkDelivered(r)
	if duplicates > inFlight {
		t.Errorf("%d sent twice, want at most the %d that can be in flight", duplicates, inFlight)
	}
	p.awaitNothingOpen()
	t.Logf("killed after %d to %d requests, with at most %d in flight; %d posts had to be repeated; %d of %d deliveries sent twice",
		before, atKill, inFlight, l.repeated, duplicates, events)
}

// A process that is killed while it waits for a receiver leaves a trace: of a first attempt in the
// workflow's history, of a later one in its heartbeat.
func TestKilledAttemptsAreInTheRecord(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	first, answerFirst := newHoldingReceiver(t, 200)
	second, answerSecond := newHoldingReceiver(t, 503, 200)
	soon := fields{"initial_interval": "1s", "backoff_coefficient": 1}
	p.subscribe(first.URL, fields{"events": []string{"first"}, "timeout": "30s", "retry": soon})
	p.subscribe(second.URL, fields{"events": []string{"second"}, "timeout": "30s", "retry": soon})
	ofFirst, ofSecond := p.post("first", `{}`), p.post("second", `{}`)
	first.await(t, 1)
	second.await(t, 2)
	await(t, "the second attempt noted in Temporal", func() bool {
		seen, err := p.temporal.DescribeWorkflowExecution(t.Context(), ofSecond, "")
		return err == nil && len(seen.GetPendingActivities()) == 1 && seen.GetPendingActivities()[0].GetHeartbeatDetails() != nil
	})
	p.kill()
	answerFirst()
	answerSecond()
	p.start()
	// Temporal hands out the second task again a minute later, when the longest attempt is over.
	for id, want := range map[string][]string{ofFirst: {"unknown", ""}, ofSecond: {"http_5xx", "unknown", ""}} {
		awaitFor(t, loadTimeout, "delivered", func() bool { return p.delivery(id).State == "delivered" })
		var got []string
		for _, a := range p.delivery(id).Attempts {
			got = append(got, string(a.Failure))
		}
		if !slices.Equal(got, want) {
			t.Errorf("attempts ended with %q, want %q", got, want)
		}
	}
	checkRequests(t, first, ofFirst, ofFirst)
	checkRequests(t, second, ofSecond, ofSecond, ofSecond)
	p.awaitNothingOpen()
}

// crowd is held by a test that posts so many events that others would only delay it.
var crowd sync.Mutex

// newCrowd is the load of such a test, which waits until no other runs.
func newCrowd(t *testing.T, s *system, events int) *load {
	t.Helper()
	crowd.Lock()
	t.Cleanup(crowd.Unlock)
	return newLoad(t, s, events)
}

// load posts events one by one, each until it is answered 202.
type load struct {
	s      *system
	events int
	half   chan struct{} // closed when half of them have been answered

	mu       sync.Mutex
	next     int
	repeated int
	accepted map[string]bool // ids of the deliveries in the 202s
}

func newLoad(t *testing.T, s *system, events int) *load {
	t.Helper()
	return &load{s: s, events: events, half: make(chan struct{}), accepted: map[string]bool{}}
}

// post posts them all, that many at a time.
func (l *load) post(posters int) error {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	failed := make([]error, posters)
	var posting sync.WaitGroup
	for i := range posters {
		posting.Go(func() {
			for n, more := l.take(); more && failed[i] == nil; n, more = l.take() {
				failed[i] = l.postOne(ctx, n)
			}
		})
	}
	posting.Wait()
	return errors.Join(failed...)
}

func (l *load) take() (n int, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	return l.next, l.next <= l.events
}

// postOne repeats the post, with the same id, while there is no answer.
func (l *load) postOne(ctx context.Context, n int) error {
	body := fields{"tenant": "acme", "type": "ticket.created", "id": fmt.Sprintf("load-%d", n), "data": n}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		a, err := l.s.try(l.s.key, http.MethodPost, "/v1/events", body)
		if err == nil {
			return l.note(a)
		}
		l.mu.Lock()
		l.repeated++
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return fmt.Errorf("event %d is still not answered: %w", n, err)
		case <-again.C:
		}
	}
}

func (l *load) note(a answer) error {
	var accepted client.Acceptance
	if err := json.Unmarshal(a.body, &accepted); err != nil || a.status != http.StatusAccepted || len(accepted.Deliveries) != 1 {
		return fmt.Errorf("answered %d %s", a.status, a.body)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accepted[accepted.Deliveries[0].ID] = true
	if len(l.accepted) == l.events/2 {
		close(l.half)
	}
	return nil
}

// checkDelivered checks that every accepted delivery arrived and that its attempts match its state.
// It returns how many requests were repeated.
func (l *load) checkDelivered(r *receiver) (duplicates int) {
	t := l.s.t
	requests := map[string]int{}
	for _, request := range r.got() {
		requests[request.header.Get("webhook-id")]++
	}
	for id := range requests {
		if !l.accepted[id] {
			t.Errorf("%s was sent, and is none of the accepted", id)
		}
	}
	for id := range l.accepted {
		d := l.s.delivery(id)
		checkAttempts(t, d)
		unknown := 0
		for _, a := range d.Attempts {
			if a.Failure == "unknown" {
				unknown++
			}
		}
		// Each request is recorded. A request with an unknown outcome may not have been sent.
		if requests[id] > len(d.Attempts) || requests[id] < len(d.Attempts)-unknown || unknown > 1 {
			t.Errorf("%s: %d requests, %d attempts, %d of them unknown", id, requests[id], len(d.Attempts), unknown)
		}
		duplicates += requests[id] - 1
	}
	return duplicates
}

// checkAttempts checks that the attempts of a delivered delivery are numbered without gaps, and
// that only the last one succeeded.
func checkAttempts(t *testing.T, d client.Delivery) {
	t.Helper()
	if d.State != "delivered" || d.CompletedAt == nil || d.NextAttemptAt != nil || d.AttemptsMade != len(d.Attempts) || len(d.Attempts) == 0 {
		t.Errorf("%s is %s, completed %v, next attempt %v, with %d attempts made and %d shown",
			d.ID, d.State, d.CompletedAt, d.NextAttemptAt, d.AttemptsMade, len(d.Attempts))
	}
	for i, a := range d.Attempts {
		last := i == len(d.Attempts)-1
		if a.Number != i+1 || (a.Failure == "") != last {
			t.Errorf("%s: attempt %d of %d has the number %d, answer %v and failure %q", d.ID, i+1, len(d.Attempts), a.Number, a.Response, a.Failure)
		}
	}
}

// TestLostWake: the worker that should end the workflow of a held delivery dies with the task. Its
// policy would repeat it in an hour, but the workflow still ends soon.
func TestLostWake(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	id := p.toBackoff(newReceiver(t, 503).URL)
	p.kill()
	p.serve("api")
	p.operate(id, "hold", "wrong price")
	await(t, "the task taken, and never answered", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		task, err := p.temporal.WorkflowService().PollActivityTaskQueue(ctx, &workflowservice.PollActivityTaskQueueRequest{
			Namespace: p.namespace, TaskQueue: &taskqueuepb.TaskQueue{Name: workflows.TaskQueue}, Identity: "a worker that dies",
		})
		return err == nil && task.GetWorkflowExecution().GetWorkflowId() == id
	})
	p.kill()
	p.start()
	p.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	if d := p.delivery(id); d.State != "held" || d.AttemptsMade != 1 {
		t.Errorf("%s after %d attempts", d.State, d.AttemptsMade)
	}
	p.wantVerified()
}
