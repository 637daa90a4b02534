package e2e

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// sized is the number of the issue at full size, and else one that takes seconds.
func sized(full, quick int) int {
	if fullSize() {
		return full
	}
	return quick
}

// newRepairableReceiver refuses until it is repaired.
func newRepairableReceiver(t *testing.T) (r *receiver, repaired *atomic.Bool) {
	t.Helper()
	repaired = &atomic.Bool{}
	return newReceiverFunc(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !repaired.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}), repaired
}

// plan plans an operation.
func (s *system) plan(asked client.NewOperation) client.OperationPlan {
	s.t.Helper()
	plan, err := s.api().PlanOperation(s.t.Context(), asked)
	if err != nil {
		s.t.Fatal(err)
	}
	return plan
}

// startOperation starts an operation, and returns its id.
func (s *system) startOperation(asked client.NewOperation) string {
	s.t.Helper()
	asked.Reason = "a test"
	o, err := s.api().StartOperation(s.t.Context(), asked)
	if err != nil {
		s.t.Fatal(err)
	}
	return o.ID
}

// awaitOperation waits until the operation is as wanted.
func (s *system) awaitOperation(id, what string, wanted func(client.Operation) bool) (o client.Operation) {
	s.t.Helper()
	awaitFor(s.t, loadTimeout, what, func() bool {
		found, err := s.api().GetOperation(s.t.Context(), id)
		o = found
		return err == nil && wanted(o)
	})
	return o
}

func finished(o client.Operation) bool { return o.State == switchboard.OperationFinished }

// items are the deliveries of the operation, each with how often it is listed.
func (s *system) items(id string) map[string]int {
	s.t.Helper()
	items := map[string]int{}
	for i, err := range s.api().OperationItems(s.t.Context(), id, switchboard.OutcomeDone) {
		if err != nil {
			s.t.Fatal(err)
		}
		items[i.DeliveryID]++
	}
	return items
}

// number is what a query of the database counts.
func (s *system) number(query string, args ...any) (n int) {
	s.t.Helper()
	db := s.database()
	defer db.Close()
	if err := db.QueryRowContext(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// An operation goes on after every process was killed, twice: each delivery is retried once, and what
// arrives after the plan is not touched.
func TestOperationSurvivesKills(t *testing.T) {
	t.Parallel()
	deliveries, later := sized(20_000, 1000), 10
	p := newProcess(t)
	p.start()
	other := p.beside()
	r, repaired := newRepairableReceiver(t)
	subscription, _ := p.subscribe(r.URL, fields{"max_in_flight": 50, "breaker": fields{"mode": "off"}, "retry": fields{"maximum_attempts": 1}})
	l := newLoad(t, p.system, deliveries)
	if err := l.post(32); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, loadTimeout, "all failed", func() bool { return p.count("failed") == deliveries })
	plan := p.plan(client.NewOperation{Action: switchboard.ActionRetry, Filter: &switchboard.Selection{Subscription: subscription}})
	if want := (switchboard.PlanCount{Value: deliveries, Exact: true}); plan.Count != want {
		t.Errorf("planned %+v, want %+v", plan.Count, want)
	}
	for range later {
		p.post("ticket.created", `{}`)
	}
	awaitFor(t, loadTimeout, "the later ones failed", func() bool { return p.count("failed") == deliveries+later })
	repaired.Store(true)
	id := p.startOperation(client.NewOperation{Plan: plan.Plan, Rate: float64(sized(500, 100))})
	for _, share := range []int{4, 2} {
		p.awaitOperation(id, "a part done", func(o client.Operation) bool { return o.Done >= deliveries/share })
		p.kill()
		other.kill()
		p.start()
		other = p.beside()
	}
	o := p.awaitOperation(id, "finished", finished)
	if o.Done != deliveries || o.Skipped != 0 || o.Failed != 0 || o.Total != deliveries {
		t.Errorf("%d done, %d skipped, %d failed of %d, want %d done", o.Done, o.Skipped, o.Failed, o.Total, deliveries)
	}
	awaitFor(t, loadTimeout, "all delivered", func() bool { return p.count("delivered") == deliveries })
	items := p.items(id)
	for d := range l.accepted {
		if items[d] != 1 {
			t.Errorf("%s is listed %d times", d, items[d])
		}
	}
	// One for which no slot was free is held for a moment, and released in the generation after.
	if n := p.number("SELECT count(*) FROM deliveries WHERE generation >= 2 AND state = 'delivered'"); n != deliveries {
		t.Errorf("%d are delivered in a later generation, want %d", n, deliveries)
	}
	if n := p.number("SELECT count(*) FROM deliveries WHERE generation = 1 AND state = 'failed'"); n != later {
		t.Errorf("%d of the later ones are as they were, want %d", n, later)
	}
	if n := p.number("SELECT count(*) FROM actions WHERE action = 'retry'"); n != deliveries {
		t.Errorf("%d actions, want %d", n, deliveries)
	}
	p.awaitNothingOpen()
}

// A retry of deliveries in backoff makes one further attempt of each.
func TestOperationRetriesWhatIsInBackoff(t *testing.T) {
	t.Parallel()
	deliveries := sized(1000, 100)
	s := newSystem(t)
	r := newReceiver(t, 503)
	subscription, _ := s.subscribe(r.URL, fields{"max_in_flight": 50, "breaker": fields{"mode": "off"}, "retry": hourly["retry"]})
	if err := newLoad(t, s, deliveries).post(32); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, loadTimeout, "all in backoff", func() bool { return s.count("retrying") == deliveries })
	id := s.startOperation(client.NewOperation{Action: switchboard.ActionRetry, Rate: 200, Filter: &switchboard.Selection{Subscription: subscription}})
	s.awaitOperation(id, "finished", finished)
	awaitFor(t, loadTimeout, "a second attempt of each", func() bool {
		return s.number("SELECT count(*) FROM deliveries WHERE attempts_made >= 2 AND dispatch_at IS NULL") == deliveries
	})
	if n := s.number("SELECT count(*) FROM deliveries WHERE attempts_made = 2 AND state = 'retrying'"); n != deliveries {
		t.Errorf("%d have made exactly one further attempt, want %d", n, deliveries)
	}
	if n := len(r.got()); n != 2*deliveries {
		t.Errorf("%d requests, want %d", n, 2*deliveries)
	}
}

// Events are replayed to a subscription that was made later, each once.
func TestReplayToANewSubscription(t *testing.T) {
	t.Parallel()
	events := sized(5000, 500)
	s := newSystem(t)
	s.subscribe(newReceiver(t, 200).URL, fields{"max_in_flight": 50})
	if err := newLoad(t, s, events).post(32); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, loadTimeout, "all delivered", func() bool { return s.count("delivered") == events })
	r := newReceiver(t, 200)
	subscription, _ := s.subscribe(r.URL, fields{"max_in_flight": 50})
	id := s.startOperation(client.NewOperation{Action: switchboard.ActionReplay, Rate: 200, Filter: &switchboard.Selection{Subscription: subscription}})
	if o := s.awaitOperation(id, "finished", finished); o.Done != events || o.Skipped != 0 {
		t.Errorf("%d done and %d skipped, want %d done", o.Done, o.Skipped, events)
	}
	awaitFor(t, loadTimeout, "all replayed", func() bool { return s.count("delivered") == 2*events })
	if n := len(r.got()); n != events {
		t.Errorf("%d requests, want %d", n, events)
	}
	if n := s.number("SELECT count(DISTINCT event_id) FROM deliveries WHERE subscription_id = $1", subscription); n != events {
		t.Errorf("%d events replayed, want %d", n, events)
	}
}

// A cancelled operation makes nothing more, so that all is sent that it has dated, at most a second and
// a half ahead, and leaves the rest; one that is paused goes on where it was.
func TestOperationIsPausedAndCancelled(t *testing.T) {
	t.Parallel()
	const events, rate = 300, 20
	s := newSystem(t)
	s.subscribe(newReceiver(t, 200).URL, nil)
	if err := newLoad(t, s, events).post(16); err != nil {
		t.Fatal(err)
	}
	r := newReceiver(t, 200)
	subscription, _ := s.subscribe(r.URL, nil)
	id := s.startOperation(client.NewOperation{Action: switchboard.ActionReplay, Rate: rate, Filter: &switchboard.Selection{Subscription: subscription}})
	r.await(t, 1)
	if _, err := s.api().PauseOperation(t.Context(), id, "wait"); err != nil {
		t.Fatal(err)
	}
	paused, err := s.api().ResumeOperation(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	s.awaitOperation(id, "going on", func(o client.Operation) bool { return o.Done > paused.Done })
	cancelled, err := s.api().CancelOperation(t.Context(), id, "wrong filter")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	await(t, "what was dated is delivered", func() bool {
		return s.number("SELECT count(*) FROM deliveries WHERE subscription_id = $1 AND state = 'delivered'", subscription) >= cancelled.Done
	})
	last := r.got()[len(r.got())-1].at
	t.Logf("the last request came %s after the cancellation", last.Sub(at)) // on a loaded machine the relays are late
	if n := s.number("SELECT count(*) FROM deliveries WHERE subscription_id = $1 AND created_at > $2", subscription, cancelled.UpdatedAt); n != 0 {
		t.Errorf("%d deliveries were made after the cancellation", n)
	}
	o, err := s.api().GetOperation(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.got()); o.Done != cancelled.Done || n != o.Done || n == events || o.State != switchboard.OperationCancelled {
		t.Errorf("%s with %d done, %d at the cancellation, %d requests", o.State, o.Done, cancelled.Done, n)
	}
}
