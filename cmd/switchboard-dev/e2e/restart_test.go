package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A graceful stop between two attempts changes nothing: the date and the count
// stay, and the next attempt is made when it is due.
func TestRestartResumesBackoff(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	later, soon := newReceiver(t, 503, 200), newReceiver(t, 503, 200)
	s.subscribe(later.URL, fields{"events": []string{"later"}, "retry": hourly["retry"]})
	s.subscribe(soon.URL, fields{"events": []string{"soon"}, "retry": fields{"initial_interval": "3s"}})
	toCome, due := s.post("later", `{}`), s.post("soon", `{}`)
	for _, id := range []string{toCome, due} {
		s.awaitBackoff(id)
	}
	before := s.delivery(toCome)
	date := *s.delivery(due).NextAttemptAt
	s.stop()
	s.start()

	if diff := cmp.Diff(before, s.delivery(toCome)); diff != "" {
		t.Errorf("the delivery in backoff, before and after the restart:\n%s", diff)
	}
	s.awaitPending(toCome)
	checkAttempts(t, s.awaitState(due, "delivered"))
	checkRequests(t, soon, due, due)
	if second := soon.got()[1].at; second.Before(date) {
		t.Errorf("the second attempt came at %s, before its date %s", second, date)
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
