package e2e

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-49a43567/switchboard/client"
)

// Pauses and resumes during posts lose nothing, send nothing twice, and leave nothing held.
func TestPausesBesidePosts(t *testing.T) {
	t.Parallel()
	const pairs, posters, mostEach = 25, 3, 200
	s := newSystem(t)
	r := newReceiver(t, http.StatusOK)
	subscription, _ := s.subscribe(r.URL, fields{"release_rate": 1000, "max_in_flight": 100})
	var posted atomic.Int64
	var over atomic.Bool
	var group sync.WaitGroup
	for range posters {
		group.Go(func() {
			for n := 0; n < mostEach && !over.Load(); n++ {
				if _, err := s.api().PostEvent(t.Context(), client.NewEvent{Tenant: "acme", Type: "ticket.updated", Data: []byte(`1`)}); err != nil {
					t.Errorf("post: %v", err)
					return
				}
				posted.Add(1)
			}
		})
	}
	for range pairs {
		s.change(subscription, "pause")
		s.change(subscription, "resume")
	}
	over.Store(true)
	group.Wait()
	s.awaitAllDelivered(int(posted.Load()))
	times := map[string]int{}
	for _, one := range r.got() {
		times[one.header.Get("webhook-id")]++
	}
	if len(times) != int(posted.Load()) || len(r.got()) != len(times) {
		t.Errorf("%d requests for %d of %d events", len(r.got()), len(times), posted.Load())
	}
}
