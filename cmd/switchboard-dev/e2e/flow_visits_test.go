package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard/client"
)

// postKey posts an event of the tenant "acme" with a key, and returns the id of its one delivery.
func (s *system) postKey(key string, n int) string {
	s.t.Helper()
	accepted, err := s.api().PostEvent(s.t.Context(), client.NewEvent{
		Tenant: "acme", Type: "ticket.updated", Key: key, Data: fmt.Appendf(nil, `{"key":%q,"n":%d}`, key, n),
	})
	if err != nil {
		s.t.Fatalf("post: %v", err)
	}
	if len(accepted.Deliveries) != 1 {
		s.t.Fatalf("post: %d deliveries, want 1", len(accepted.Deliveries))
	}
	return accepted.Deliveries[0].ID
}

// change pauses, resumes, disables or enables a subscription.
func (s *system) change(subscription, what string) {
	s.t.Helper()
	a := s.call(http.MethodPost, "/v1/subscriptions/"+subscription+"/"+what, fields{"reason": "a test"})
	if a.status != http.StatusOK {
		s.t.Fatalf("%s: answered %d %s", what, a.status, a.body)
	}
}

// visit is one request for an event with a key.
type visit struct {
	id     string
	key    string
	n      int
	status int
	from   time.Time
	to     time.Time // when it was answered
}

// visits records the requests of events with keys.
type visits struct {
	mu  sync.Mutex
	all []visit
}

// newKeyedReceiver answers requests for events with keys with the status from decide, which may
// wait.
func newKeyedReceiver(t *testing.T, decide func(v visit) int) (*receiver, *visits) {
	t.Helper()
	seen := &visits{}
	r := newReceiverFunc(t, func(_ int, w http.ResponseWriter, request *http.Request) {
		v := visit{id: request.Header.Get("webhook-id"), from: time.Now()}
		var body struct {
			Data struct {
				Key string
				N   int
			}
		}
		if err := json.NewDecoder(request.Body).Decode(&body); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		v.key, v.n = body.Data.Key, body.Data.N
		v.status = decide(v)
		v.to = time.Now()
		seen.mu.Lock()
		seen.all = append(seen.all, v)
		seen.mu.Unlock()
		w.WriteHeader(v.status)
	})
	return r, seen
}

// got returns what has been answered so far, in the order of arrival.
func (v *visits) got() []visit {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := slices.Clone(v.all)
	slices.SortStableFunc(all, func(a, b visit) int { return a.from.Compare(b.from) })
	return all
}

// checkOrder checks that the events of each key came in order: each comes only after a success of
// the previous one was answered. It returns how many came again after a success.
func (v *visits) checkOrder(t *testing.T, keys, events int) (duplicates int) {
	t.Helper()
	done := map[string]int{} // by key, number of successes
	last := map[string]time.Time{}
	for _, one := range v.got() {
		switch {
		case one.n == done[one.key]: // a process that died before it knew about the success sends it again
			duplicates++
		case one.n != done[one.key]+1:
			t.Errorf("%s: %d came when %d had succeeded", one.key, one.n, done[one.key])
		case one.from.Before(last[one.key]):
			t.Errorf("%s: %d came before %d was answered", one.key, one.n, done[one.key])
		}
		if one.status == http.StatusOK && one.n == done[one.key]+1 {
			done[one.key], last[one.key] = one.n, one.to
		}
	}
	for key, n := range done {
		if n != events {
			t.Errorf("%s: %d events have succeeded, want %d", key, n, events)
		}
	}
	if len(done) != keys {
		t.Errorf("%d keys, want %d", len(done), keys)
	}
	return duplicates
}
