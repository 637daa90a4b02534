package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/seed-49a43567/switchboard/client"
)

// Ziwo's two payloads arrive byte for byte, with signatures that the official library accepts, and
// nothing else arrives.
func TestZiwoPayloadsArriveUnchanged(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	_, secret := s.subscribe(r.URL, fields{"request": fields{"url": r.URL, "body": "data"}})
	verifier, err := standardwebhooks.NewWebhook(secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range []string{"ziwo_call.json", "ziwo_agent.json"} {
		file, err := os.ReadFile("../demo/samples/" + sample)
		if err != nil {
			t.Fatal(err)
		}
		data := bytes.TrimSpace(file)
		before := len(r.got())
		id := s.postRaw("call.ringing", data)
		s.awaitState(id, "delivered")
		got := r.await(t, before+1)[before]
		if sha256.Sum256(got.body) != sha256.Sum256(data) {
			t.Errorf("%s arrived changed:\n%s", sample, got.body)
		}
		if got.header.Get("webhook-id") != id {
			t.Errorf("webhook-id %q, want the delivery's %q", got.header.Get("webhook-id"), id)
		}
		if err := verifier.Verify(got.body, got.header); err != nil {
			t.Errorf("%s: the official library refuses the signature: %v", sample, err)
		}
		tampered := bytes.Replace(got.body, []byte("043"), []byte("044"), 1)
		if err := verifier.Verify(tampered, got.header); err == nil {
			t.Errorf("%s: the official library takes a tampered body", sample)
		}
	}
}

// postRaw posts data without a JSON encoder, which would compact it.
func (s *system) postRaw(eventType string, data []byte) string {
	s.t.Helper()
	a := s.call(http.MethodPost, "/v1/events", `{"tenant":"acme","type":"`+eventType+`","data":`+string(data)+`}`)
	if a.status != http.StatusAccepted {
		s.t.Fatalf("post: answered %d %s", a.status, a.body)
	}
	return as[client.Acceptance](s.t, a).Deliveries[0].ID
}

func TestRetriesUntilDelivered(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var seen atomic.Bool // that it waits; on a slow machine that takes more attempts
	r := newReceiverFunc(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n < 3 || !seen.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "answer")
	})
	s.subscribe(r.URL, fields{"retry": fields{"initial_interval": "2s", "backoff_coefficient": 1.5}})
	id := s.post("ticket.created", `{"id":1}`)

	waiting := s.awaitState(id, "retrying")
	if waiting.Reason != "http_503" || waiting.NextAttemptAt == nil {
		t.Errorf("between attempts: reason %q, next attempt %v; want http_503 and a date", waiting.Reason, waiting.NextAttemptAt)
	}
	await(t, "a pending activity with its failure in Temporal's description", func() bool {
		seen, err := s.temporal.DescribeWorkflowExecution(t.Context(), id, "")
		if err != nil || len(seen.GetPendingActivities()) != 1 {
			return false
		}
		pending := seen.GetPendingActivities()[0]
		return pending.GetActivityId() == "attempt" && strings.Contains(pending.GetLastFailure().GetMessage(), "http_503") &&
			pending.GetNextAttemptScheduleTime() != nil
	})
	seen.Store(true)

	done := s.awaitState(id, "delivered")
	got := r.got()
	if len(got) < 3 || done.AttemptsMade != len(got) || len(done.Attempts) != len(got) {
		t.Fatalf("%d requests, %d attempts made, %d shown; want 3", len(got), done.AttemptsMade, len(done.Attempts))
	}
	stamps := map[string]bool{}
	for i, request := range got {
		if request.header.Get("webhook-id") != id {
			t.Errorf("attempt %d has webhook-id %q, want %q", i+1, request.header.Get("webhook-id"), id)
		}
		stamps[request.header.Get("webhook-timestamp")] = true
		want := http.StatusServiceUnavailable
		if i == len(got)-1 {
			want = http.StatusOK
		}
		if a := done.Attempts[i]; a.Number != i+1 || a.StatusCode == nil || *a.StatusCode != want || a.Response.Body != "answer" {
			t.Errorf("attempt shown as %+v", a)
		}
	}
	if len(stamps) != len(got) {
		t.Errorf("%d different timestamps, want %d", len(stamps), len(got))
	}
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
}

func TestFailedIsRedInTemporal(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 410)
	s.subscribe(r.URL, nil)
	id := s.post("ticket.created", `{}`)
	d := s.awaitState(id, "failed")
	if d.Reason != "http_410" || d.CompletedAt == nil || len(r.got()) != 1 {
		t.Errorf("reason %q, completed %v, %d requests; want http_410, a date, 1", d.Reason, d.CompletedAt, len(r.got()))
	}
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED)
}

func (s *system) awaitWorkflow(id string, want enumspb.WorkflowExecutionStatus) {
	s.t.Helper()
	var seen *workflowservice.DescribeWorkflowExecutionResponse
	var err error
	defer func() {
		if s.t.Failed() {
			s.t.Logf("workflow %s is %s, %v, with %v", id, seen.GetWorkflowExecutionInfo().GetStatus(), err, seen.GetPendingActivities())
		}
	}()
	await(s.t, "workflow "+id+" "+want.String(), func() bool {
		seen, err = s.temporal.DescribeWorkflowExecution(s.t.Context(), id, "")
		return err == nil && seen.GetWorkflowExecutionInfo().GetStatus() == want
	})
}

// What support engineers search for in Temporal's own list.
func TestSearchAttributesAndNothingSecretInTemporal(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	subscription, secret := s.subscribe(r.URL, fields{"request": fields{"url": r.URL + "/path-of-the-customer", "headers": fields{"Authorization": "Bearer hidden-token"}}})
	id := s.post("ticket.created", `{"note":"private-payload"}`)
	s.awaitState(id, "delivered")
	s.awaitWorkflow(id, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)

	var history bytes.Buffer
	for events := s.temporal.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		event, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		history.Write(encoded)
		history.WriteString(event.String())
	}
	for _, private := range []string{"private-payload", "hidden-token", secret.Reveal(), "path-of-the-customer"} {
		if strings.Contains(history.String(), private) {
			t.Errorf("the history holds %q", private)
		}
	}
	for _, attribute := range []string{"SwitchboardTenant", "SwitchboardSubscription", "SwitchboardEventType", "SwitchboardEventId", subscription} {
		if !strings.Contains(history.String(), attribute) {
			t.Errorf("the history lacks %q", attribute)
		}
	}
}

func TestSameIDTwiceAtOnceIsOneEvent(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	s.subscribe(r.URL, nil)
	const posts = 20
	body := `{"tenant":"acme","type":"ticket.created","id":"order-1","data":{"n":1}}`
	answers := make([]answer, posts)
	var posting sync.WaitGroup
	for i := range posts {
		posting.Go(func() {
			a, err := s.try(s.key, http.MethodPost, "/v1/events", body)
			if err != nil {
				t.Error(err)
			}
			answers[i] = a
		})
	}
	posting.Wait()
	fresh, deliveries := 0, map[string]bool{}
	for _, a := range answers {
		if a.status != http.StatusAccepted {
			t.Fatalf("answered %d %s", a.status, a.body)
		}
		accepted := as[client.Acceptance](t, a)
		if !accepted.Duplicate {
			fresh++
		}
		for _, d := range accepted.Deliveries {
			deliveries[d.ID] = true
		}
	}
	if fresh != 1 || len(deliveries) != 1 {
		t.Errorf("%d answers without duplicate, %d deliveries; want 1 and 1", fresh, len(deliveries))
	}
	for id := range deliveries {
		s.awaitState(id, "delivered")
	}
	if n := len(r.got()); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	other := s.call(http.MethodPost, "/v1/events", strings.Replace(body, `"n":1`, `"n":2`, 1))
	if p := as[client.Error](t, other); other.status != http.StatusConflict || p.Code != "conflict" || p.Field != "id" {
		t.Errorf("same id, other content: answered %d %s", other.status, other.body)
	}
}

func TestNothingIsDeliveredTwiceUnderLoad(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 200)
	s.subscribe(r.URL, nil)
	const events = 300
	var batch []fields
	for i := range events {
		batch = append(batch, fields{"tenant": "acme", "type": "ticket.created", "data": i})
	}
	a := s.call(http.MethodPost, "/v1/events/batch", fields{"events": batch})
	if a.status != http.StatusAccepted {
		t.Fatalf("answered %d %s", a.status, a.body)
	}
	await(t, "all delivered", func() bool { return s.count("delivered") == events })
	ids := map[string]int{}
	for _, request := range r.got() {
		ids[request.header.Get("webhook-id")]++
	}
	if len(ids) != events || len(r.got()) != events {
		t.Errorf("%d requests for %d deliveries, want %d each", len(r.got()), len(ids), events)
	}
}

// count counts the deliveries in a state, or in one of several separated by commas, with the API's
// list.
func (s *system) count(state string) int {
	s.t.Helper()
	return s.countOf("/v1/deliveries?state=" + state + "&")
}

// countOf counts the entries of a list. Its path ends with ? or &.
func (s *system) countOf(list string) int {
	s.t.Helper()
	n, next := 0, ""
	for {
		a := s.call(http.MethodGet, list+"limit=250"+next, nil)
		page := as[struct {
			Data       []json.RawMessage `json:"data"`
			NextCursor string            `json:"next_cursor"`
		}](s.t, a)
		if a.status != http.StatusOK {
			s.t.Fatalf("answered %d %s", a.status, a.body)
		}
		n += len(page.Data)
		if page.NextCursor == "" {
			return n
		}
		next = "&cursor=" + page.NextCursor
	}
}

func TestCappedSubscriptionStillDeliversAll(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var mu sync.Mutex
	now, most := 0, 0
	r := newReceiverFunc(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-time.After(20 * time.Millisecond) // the receiver's own slowness
		mu.Lock()
		now--
		mu.Unlock()
		w.WriteHeader(200)
	})
	s.subscribe(r.URL, fields{"max_in_flight": 2})
	const events = 30
	for range events {
		s.post("ticket.created", `{}`)
	}
	await(t, "all delivered", func() bool { return s.count("delivered") == events })
	mu.Lock()
	defer mu.Unlock()
	if most > 2 {
		t.Errorf("%d requests in flight, want at most 2", most)
	}
}
