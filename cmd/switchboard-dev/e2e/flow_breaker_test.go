package e2e

import (
	"cmp"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Two processes that each see half of the failures open the breaker at the documented threshold.
// While it is open, nothing is sent and no attempt is used up, even if both are killed. After a
// successful probe, everything is delivered.
func TestBreakerOfTwoProcesses(t *testing.T) {
	t.Parallel()
	const failures = 10 // in a row, by default
	p := newProcess(t)
	p.start()
	another := p.beside()
	var healthy atomic.Bool
	r := newReceiverFunc(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !healthy.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	subscription, _ := p.subscribe(r.URL, fields{"retry": fields{"initial_interval": "5s", "backoff_coefficient": 1}})
	var failed, parked []string
	opened := time.Now() // or later
	for i := range failures {
		failed = append(failed, []*process{p, another}[i%2].post("ticket.created", `{}`))
	}
	for _, by := range []*process{p, another} {
		await(t, "breaker open", func() bool { return by.breaker(subscription) == switchboard.BreakerOpen })
	}
	for i := range failures {
		parked = append(parked, []*process{p, another}[i%2].post("ticket.created", `{}`))
	}
	all := slices.Concat(failed, parked)
	made, sum := map[string]int{}, 0
	for _, id := range all {
		d := p.awaitState(id, "held")
		if made[id], sum = d.AttemptsMade, sum+d.AttemptsMade; d.Reason != switchboard.ReasonBreakerOpen {
			t.Errorf("%s is held for %s", id, d.Reason)
		}
	}
	sent := len(r.got())
	for _, id := range parked {
		if made[id] != 0 {
			t.Errorf("%s was accepted while the breaker was open, and has made %d attempts", id, made[id])
		}
	}
	// One more failure opens the breaker, because all of them may be in flight then. On a slow
	// machine a probe may already have been made.
	probes := int(time.Since(opened) / switchboard.MinProbeInterval)
	if most := failures - 1 + len(failed) + probes; sum < failures || sum > most {
		t.Errorf("%d attempts were made by %d requests, want %d to %d", sum, sent, failures, most)
	}
	p.kill()
	another.kill()
	p.start()
	another.start()
	if state := p.breaker(subscription); state == switchboard.BreakerClosed {
		t.Errorf("the breaker is %s after a restart", state)
	}
	healthy.Store(true)
	awaitFor(t, loadTimeout, "breaker closed", func() bool { return p.breaker(subscription) == switchboard.BreakerClosed })
	p.awaitAllDelivered(2 * failures)
	for _, id := range all[1:] {
		if d := p.delivery(id); d.AttemptsMade != made[id]+1 {
			t.Errorf("%s was delivered by attempt %d, want %d", id, d.AttemptsMade, made[id]+1)
		}
	}
	if probe := r.got()[sent]; probe.header.Get("webhook-id") != failed[0] {
		t.Errorf("the probe was %s, want the oldest delivery %s", probe.header.Get("webhook-id"), failed[0])
	}
	t.Logf("the probe came %s after the last failure", r.got()[sent].at.Sub(r.got()[sent-1].at).Round(time.Second))
}

// breaker is the state of the subscription's breaker in the API. A healthy endpoint has no health
// in the answer.
func (s *system) breaker(subscription string) switchboard.BreakerState {
	s.t.Helper()
	a := s.call(http.MethodGet, "/v1/subscriptions/"+subscription, nil)
	return cmp.Or(as[struct {
		Health struct{ Breaker switchboard.BreakerState }
	}](s.t, a).Health.Breaker, switchboard.BreakerClosed)
}
