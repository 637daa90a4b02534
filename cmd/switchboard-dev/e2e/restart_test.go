package e2e

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A graceful stop between two attempts changes nothing: the date and the count stay, and the next
// attempt is made when it is due.
func TestRestartResumesBackoff(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var stopping atomic.Bool
	later := newReceiver(t, 503, 200)
	soon := newReceiverFunc(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !stopping.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	s.subscribe(later.URL, fields{"events": []string{"later"}, "retry": hourly["retry"]})
	s.subscribe(soon.URL, fields{"events": []string{"soon"}, "retry": fields{"initial_interval": "3s"}})
	toCome, due := s.post("later", `{}`), s.post("soon", `{}`)
	for _, id := range []string{toCome, due} {
		s.awaitBackoff(id)
	}
	before := s.delivery(toCome)
	waiting := s.delivery(due) // for its second attempt, or on a slow machine for a later one
	stopping.Store(true)
	s.stop()
	s.start()

	after := s.delivery(toCome)
	before.Diagnosis.Alike, after.Diagnosis.Alike = nil, nil // the other one may have been delivered
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the delivery in backoff, before and after the restart:\n%s", diff)
	}
	s.awaitPending(toCome)
	delivered := s.awaitState(due, "delivered")
	checkAttempts(t, delivered)
	got := soon.got()
	checkRequests(t, soon, slices.Repeat([]string{due}, delivered.AttemptsMade)...)
	if last := got[len(got)-1].at; len(got) <= waiting.AttemptsMade || last.Before(*waiting.NextAttemptAt) {
		t.Errorf("the last of %d attempts came at %s, after %d were made and the next was due at %s", len(got), last, waiting.AttemptsMade, waiting.NextAttemptAt)
	}
	s.operate(toCome, "retry", "")
	checkAttempts(t, s.awaitState(toCome, "delivered"))
	checkRequests(t, later, toCome, toCome)
}

// A graceful stop lets the attempts in flight finish, and they are not repeated.
func TestStopFinishesAttemptsInFlight(t *testing.T) {
	t.Parallel()
	for name, statuses := range map[string][]int{"first attempt": {200}, "further attempt": {503, 200}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			r, answer := newHoldingReceiver(t, statuses...)
			s.subscribe(r.URL, fields{"timeout": "30s", "retry": fields{"initial_interval": "100ms"}})
			id := s.post("ticket.created", `{}`)
			r.await(t, len(statuses))
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				s.stop()
			}()
			await(t, "no answer from the API that stops", func() bool {
				_, err := s.try("", "GET", "/healthz", nil)
				return err != nil
			})
			answer()
			<-stopped
			s.start()
			checkAttempts(t, s.awaitState(id, "delivered"))
			if n := len(r.got()); n != len(statuses) {
				t.Errorf("%d requests, want %d", n, len(statuses))
			}
			s.awaitNothingOpen()
		})
	}
}
