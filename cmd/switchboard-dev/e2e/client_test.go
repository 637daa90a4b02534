package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// The shapes of the API as far as the tests read them, written down anew: a
// change of shape must show.
type (
	deliveryView struct {
		ID            string        `json:"id"`
		Tenant        string        `json:"tenant"`
		EventID       string        `json:"event_id"`
		State         string        `json:"state"`
		Reason        string        `json:"reason"`
		AttemptsMade  int           `json:"attempts_made"`
		NextAttemptAt *time.Time    `json:"next_attempt_at"`
		CompletedAt   *time.Time    `json:"completed_at"`
		WorkflowID    string        `json:"workflow_id"`
		RunID         string        `json:"run_id"`
		TemporalURL   string        `json:"temporal_url"`
		Attempts      []attemptView `json:"attempts"`
		Actions       []struct {
			Actor  string `json:"actor"`
			Action string `json:"action"`
			Reason string `json:"reason"`
		} `json:"actions"`
	}
	attemptView struct {
		Number     int       `json:"number"`
		At         time.Time `json:"at"`
		StatusCode int       `json:"status_code"`
		Failure    string    `json:"failure"`
		Requests   int       `json:"requests"`
		Request    struct {
			Method  string            `json:"method"`
			URL     string            `json:"url"`
			Headers map[string]string `json:"headers"`
		} `json:"request"`
		Response struct {
			Body string `json:"body"`
		} `json:"response"`
	}
	acceptedView struct {
		ID         string `json:"id"`
		Duplicate  bool   `json:"duplicate"`
		Deliveries []struct {
			ID             string `json:"id"`
			SubscriptionID string `json:"subscription_id"`
		} `json:"deliveries"`
	}
	problemView struct {
		Status int    `json:"status"`
		Code   string `json:"code"`
		Field  string `json:"field"`
		Detail string `json:"detail"`
	}
)

// answer is what the API answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// as decodes the answer's body.
func as[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("answered %d %s: %v", a.status, a.body, err)
	}
	return v
}

// call sends a request with the test's key. A body that is a string or bytes goes
// out as it is, anything else as JSON.
func (s *system) call(method, path string, body any) answer {
	s.t.Helper()
	a, err := s.try(s.key, method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *system) try(key switchboard.Secret, method, path string, body any) (answer, error) {
	var sent io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		sent = strings.NewReader(b)
	case []byte:
		sent = bytes.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		sent = bytes.NewReader(encoded)
	}
	request, err := http.NewRequest(method, s.url(path), sent)
	if err != nil {
		return answer{}, err
	}
	if sent != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		request.Header.Set("Authorization", "Bearer "+key.Reveal())
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, read}, err
}

// fields are those of a JSON object.
type fields map[string]any

// subscribe creates a subscription of the tenant "acme" to every event; extra
// fields replace the defaults. It returns its id and signing secret.
func (s *system) subscribe(url string, extra fields) (id string, secret switchboard.Secret) {
	s.t.Helper()
	body := fields{
		"tenant": "acme", "name": "test " + switchboard.NewID("", time.Now()), "events": []string{"*"},
		"request": fields{"url": url},
	}
	for name, value := range extra {
		body[name] = value
	}
	a := s.call(http.MethodPost, "/v1/subscriptions", body)
	if a.status != http.StatusCreated {
		s.t.Fatalf("subscribe: answered %d %s", a.status, a.body)
	}
	created := as[struct{ ID, Secret string }](s.t, a)
	return created.ID, switchboard.Secret(created.Secret)
}

// post posts an event of the tenant "acme", and returns the id of its one delivery.
func (s *system) post(eventType, data string) string {
	s.t.Helper()
	a := s.call(http.MethodPost, "/v1/events", fields{"tenant": "acme", "type": eventType, "data": json.RawMessage(data)})
	if a.status != http.StatusAccepted {
		s.t.Fatalf("post: answered %d %s", a.status, a.body)
	}
	accepted := as[acceptedView](s.t, a)
	if len(accepted.Deliveries) != 1 {
		s.t.Fatalf("post: %d deliveries, want 1", len(accepted.Deliveries))
	}
	return accepted.Deliveries[0].ID
}

func (s *system) delivery(id string) deliveryView {
	s.t.Helper()
	a := s.call(http.MethodGet, "/v1/deliveries/"+id, nil)
	if a.status != http.StatusOK {
		s.t.Fatalf("delivery %s: answered %d %s", id, a.status, a.body)
	}
	return as[deliveryView](s.t, a)
}

// awaitState waits until the delivery is in that state, and returns it.
func (s *system) awaitState(id, state string) deliveryView {
	s.t.Helper()
	var d deliveryView
	await(s.t, "delivery "+id+" "+state, func() bool {
		d = s.delivery(id)
		return d.State == state
	})
	return d
}

func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
