package browser

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// The tenant of the seeds, in addition to the demo's.
const acme = "acme"

// seeds are the objects of the tests. Calls to the API make them, with the same names in every run.
type seeds struct {
	once          sync.Once
	subscriptions map[string]string // ids by name
	event         string            // received by some subscriptions
	untaken       string            // received by none
	retrying      string            // deliveries by state
	delivered     string
	failed        string
	held          string
	refusing      string      // host that answers 503
	repaired      atomic.Bool // the receiver of the subscription Repaired works
}

// seeded is the running stack with the seeds.
func (r *running) seeded(t *testing.T) *seeds {
	t.Helper()
	r.stack(t)
	r.seeds.once.Do(func() { r.seeds.make(t, r) })
	if r.seeds.held == "" {
		t.Fatal("there are no seeds")
	}
	return &r.seeds
}

func (s *seeds) make(t *testing.T, r *running) {
	t.Helper()
	refusing := r.receive(func(w http.ResponseWriter) {
		w.Header().Set("X-Request-Id", "crm-4711")
		// A receiver's answer is shown unchanged, and never executed.
		http.Error(w, `upstream connect error <script>document.title = "stolen"</script>`, http.StatusServiceUnavailable)
	})
	healthy := r.receive(func(w http.ResponseWriter) {
		w.Header().Set("X-Request-Id", "archive-4711")
		_, _ = io.WriteString(w, "archived")
	})
	repaired := r.receive(func(w http.ResponseWriter) {
		if !s.repaired.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	s.refusing = strings.TrimPrefix(refusing, "http://")
	late := switchboard.RetryPolicy{InitialInterval: switchboard.Duration(time.Hour)}
	s.subscriptions = r.subscribe(t, acme,
		switchboard.Subscription{Name: "CRM sync", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: refusing + "/hook"}, Retry: late},
		switchboard.Subscription{Name: "Archive", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: healthy + "/archive"}},
		switchboard.Subscription{Name: "One try", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: refusing + "/once"}, Retry: switchboard.RetryPolicy{MaxAttempts: 1}},
		switchboard.Subscription{Name: "Paused", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: healthy + "/paused"}},
		switchboard.Subscription{Name: "Urgent alone", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: healthy + "/urgent"}, Filter: json.RawMessage(`{"data":{"priority":{"$gte":3}}}`)},
		switchboard.Subscription{Name: "Repaired", Events: []string{"repair.*"}, Request: switchboard.Request{URL: repaired + "/hook"}, Retry: switchboard.RetryPolicy{MaxAttempts: 1}},
		switchboard.Subscription{Name: "Chats", Events: []string{"chat.*"}, Request: switchboard.Request{URL: healthy + "/chats"}},
	)
	_, err := r.api.PauseSubscription(t.Context(), s.subscriptions["Paused"], "their wish: a migration", client.Actor("Ana"))
	must(t, err)
	s.event, s.untaken = "ticket-20817-created", "order-1-shipped"
	made := r.post(t, s, "ticket.created", s.event)
	s.retrying, s.delivered, s.failed, s.held = made["CRM sync"], made["Archive"], made["One try"], made["Paused"]
	r.post(t, s, "order.shipped", s.untaken)
	for id, state := range map[string]switchboard.State{s.retrying: switchboard.StateRetrying, s.delivered: switchboard.StateDelivered, s.failed: switchboard.StateFailed, s.held: switchboard.StateHeld} {
		r.awaitState(t, id, state)
	}
}

// post posts an event, and returns its deliveries by the names of their subscriptions.
func (r *running) post(t *testing.T, s *seeds, kind, id string) map[string]string {
	t.Helper()
	return r.postOf(t, acme, s.subscriptions, kind, id)
}

// postOf does so for another tenant, with the ids of its subscriptions by their names.
func (r *running) postOf(t *testing.T, tenant string, subscriptions map[string]string, kind, id string) map[string]string {
	t.Helper()
	data := json.RawMessage(`{"id": 20817, "priority": 2, "number": 12345678901234567890}`)
	accepted, err := r.api.PostEvent(t.Context(), client.NewEvent{Tenant: tenant, Type: kind, ID: id, Data: data})
	must(t, err)
	made := map[string]string{}
	for _, d := range accepted.Deliveries {
		for name, subscription := range subscriptions {
			if d.SubscriptionID == subscription {
				made[name] = d.ID
			}
		}
	}
	return made
}

// subscribe makes subscriptions of a tenant, and returns their ids by their names.
func (r *running) subscribe(t *testing.T, tenant string, subscriptions ...switchboard.Subscription) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for _, s := range subscriptions {
		s.Tenant = tenant
		made, err := r.api.CreateSubscription(t.Context(), client.NewSubscription{Subscription: s})
		must(t, err)
		ids[s.Name] = made.ID
	}
	return ids
}

// receive starts a receiver, and returns its URL. It lasts as long as the stack.
func (r *running) receive(answer func(w http.ResponseWriter)) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		_, _ = io.Copy(io.Discard, request.Body)
		answer(w)
	}))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.receivers = append(r.receivers, server)
	return server.URL
}

// awaitState returns when the delivery is in that state.
func (r *running) awaitState(t *testing.T, id string, state switchboard.State) {
	t.Helper()
	await(t, id+" "+string(state), func() bool {
		d, err := r.api.GetDelivery(t.Context(), id)
		must(t, err)
		return d.State == state
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
