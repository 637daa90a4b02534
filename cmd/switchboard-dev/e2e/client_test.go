package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/freeport"
)

// answer is an answer of the API.
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

// call sends a request with the test's key. It sends a string or bytes unchanged, and anything else
// as JSON.
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

// fields is a JSON object.
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

// api is the client of the API, with the test's key.
func (s *system) api() *client.Client {
	s.t.Helper()
	c, err := client.New(client.Config{URL: strings.TrimSuffix(s.url("/"), "/"), Key: s.key, HTTP: s.client})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// post posts an event of the tenant "acme", and returns the id of its one delivery.
func (s *system) post(eventType, data string) string {
	s.t.Helper()
	accepted, err := s.api().PostEvent(s.t.Context(), client.NewEvent{Tenant: "acme", Type: eventType, Data: json.RawMessage(data)})
	if err != nil {
		s.t.Fatalf("post: %v", err)
	}
	if len(accepted.Deliveries) != 1 {
		s.t.Fatalf("post: %d deliveries, want 1", len(accepted.Deliveries))
	}
	return accepted.Deliveries[0].ID
}

func (s *system) delivery(id string) client.Delivery {
	s.t.Helper()
	d, err := s.api().GetDelivery(s.t.Context(), id)
	if err != nil {
		s.t.Fatalf("delivery %s: %v", id, err)
	}
	return d
}

// awaitState waits until the delivery is in that state, and returns it.
func (s *system) awaitState(id string, state switchboard.State) client.Delivery {
	s.t.Helper()
	var d client.Delivery
	await(s.t, fmt.Sprintf("delivery %s %s", id, state), func() bool {
		d = s.delivery(id)
		return d.State == state
	})
	return d
}

func freeAddr(t *testing.T) string {
	t.Helper()
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
