package e2e

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// A rate limit applies to two processes together. Waiting deliveries are sent in the order of
// acceptance, and have no workflow while they wait.
func TestRateLimitOfTwoProcesses(t *testing.T) {
	t.Parallel()
	const perSecond = 10
	events := 60
	if fullSize() {
		events = 5000
	}
	p := newProcess(t)
	p.start()
	another := p.beside()
	r := newReceiver(t, 200)
	p.subscribe(r.URL, fields{"rate_limit": fields{"per_second": perSecond}})
	var ids []string
	began := time.Now()
	for i := range events {
		ids = append(ids, []*process{p, another}[i%2].post("ticket.created", `{}`))
	}
	awaitFor(t, loadTimeout+time.Duration(events)*time.Second/perSecond, "all delivered", func() bool { return len(r.got()) >= events })
	p.awaitAllDelivered(events)
	got := r.got()
	if len(got) != events {
		t.Errorf("%d requests, want %d", len(got), events)
	}
	checkRate(t, began, got, perSecond)
	checkPlaces(t, got, ids)
}

// checkRate checks that each request came no earlier than its turn, counted from the time before
// the first event, and reports the rate. Load on the machine affects single seconds: a late request
// may come together with later ones. Of 5,000 at 10/s, which took 500.0 s, 24 came in one second on
// a machine with a load of 30.
func checkRate(t *testing.T, began time.Time, got []received, perSecond int) {
	t.Helper()
	most := 0
	for i := range got {
		n := 0
		for _, later := range got[i:] {
			if later.at.Sub(got[i].at) < time.Second {
				n++
			}
		}
		most = max(most, n)
		if turn := time.Duration(i) * time.Second / time.Duration(perSecond); got[i].at.Sub(began) < turn*95/100 {
			t.Errorf("request %d came %s after the first event, want its turn after %s", i, got[i].at.Sub(began), turn)
		}
	}
	took := got[len(got)-1].at.Sub(began)
	rate := float64(len(got)-1) / took.Seconds()
	t.Logf("%d requests in %s, %.2f/s, at most %d in a second", len(got), took.Round(time.Millisecond), rate, most)
	if fullSize() && rate < 0.95*float64(perSecond) {
		t.Errorf("%.2f/s, want %d", rate, perSecond)
	}
}

// checkPlaces checks that the requests came in the order of acceptance, except those that were in
// flight at the same time. In a random order each would be off by a third of all.
func checkPlaces(t *testing.T, got []received, ids []string) {
	t.Helper()
	slices.Sort(ids) // ids have the order of acceptance
	most, sum := 0, 0
	for i, request := range got {
		place := slices.Index(ids, request.header.Get("webhook-id"))
		most = max(most, place-i, i-place)
		sum += max(place-i, i-place)
	}
	t.Logf("%d places off the order of acceptance on average, %d at most", sum/len(got), most)
	if sum/len(got) > len(got)/10 {
		t.Errorf("%d places off the order of acceptance on average", sum/len(got))
	}
}

// max_in_flight applies to two processes together.
func TestMaxInFlightOfTwoProcesses(t *testing.T) {
	t.Parallel()
	const limit, events = 4, 60
	p := newProcess(t)
	p.start()
	another := p.beside()
	var inFlight, most atomic.Int64
	r := newReceiverFunc(t, func(_ int, _ http.ResponseWriter, request *http.Request) {
		n := inFlight.Add(1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); {
			seen = most.Load()
		}
		select { // long compared with starting a request, so that the limit is reached
		case <-time.After(200 * time.Millisecond):
		case <-request.Context().Done():
		}
		inFlight.Add(-1)
	})
	p.subscribe(r.URL, fields{"max_in_flight": limit})
	for i := range events {
		[]*process{p, another}[i%2].post("ticket.created", `{}`)
	}
	p.awaitAllDelivered(events)
	got := r.got()
	t.Logf("%d requests in %s, at most %d in flight", len(got), got[len(got)-1].at.Sub(got[0].at).Round(time.Millisecond), most.Load())
	if n := most.Load(); n > limit || n < 2 {
		t.Errorf("%d requests in flight, want at most %d, and more than one", n, limit)
	}
	if len(got) != events {
		t.Errorf("%d requests, want %d", len(got), events)
	}
}
