package e2e

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// sized returns the number of the issue at full size, and otherwise one that takes seconds.
func sized(full, quick int) int {
	if fullSize() {
		return full
	}
	return quick
}

// sizedTimeout is for what a loaded machine does with so many of them.
func sizedTimeout() time.Duration {
	if fullSize() {
		return 4 * loadTimeout
	}
	return loadTimeout
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
	awaitFor(s.t, sizedTimeout(), what, func() bool {
		found, err := s.api().GetOperation(s.t.Context(), id)
		o = found
		return err == nil && wanted(o)
	})
	return o
}

func finished(o client.Operation) bool { return o.State == switchboard.OperationFinished }

// items returns the deliveries of the operation, each with how often it is listed.
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

// number returns the result of a query that counts.
func (s *system) number(query string, args ...any) (n int) {
	s.t.Helper()
	db := s.database()
	defer db.Close()
	if err := db.QueryRowContext(s.t.Context(), query, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// noteGenerations makes Postgres record the state of each delivery when its next generation began.
func (s *system) noteGenerations() {
	s.t.Helper()
	db := s.database()
	defer db.Close()
	_, err := db.ExecContext(s.t.Context(), `
CREATE TABLE generations (id text, was text);
CREATE FUNCTION note_generation() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO generations VALUES (OLD.id, concat_ws(' ', OLD.state, OLD.reason)); RETURN NULL; END $$;
CREATE TRIGGER note_generation AFTER UPDATE ON deliveries FOR EACH ROW WHEN (NEW.generation > OLD.generation) EXECUTE FUNCTION note_generation()`)
	if err != nil {
		s.t.Fatal(err)
	}
}

// checkActedOnOnce checks that the operation, which retries deliveries whose last attempt was
// answered 503, has begun one generation of each. Other generations begin only where max_in_flight
// kept a delivery waiting in Postgres, which costs no attempt.
func (s *system) checkActedOnOnce(deliveries int) {
	s.t.Helper()
	const retried, waited = "failed http_503", "held waiting_for_slot"
	if n := s.number("SELECT count(DISTINCT id) FROM generations WHERE was = $1", retried); n != deliveries {
		s.t.Errorf("%d are retried, want %d", n, deliveries)
	}
	if n := s.number("SELECT count(*) FROM generations WHERE was = $1", retried); n != deliveries {
		s.t.Errorf("%d retries, want %d", n, deliveries)
	}
	if n := s.number("SELECT count(*) FROM generations WHERE was NOT IN ($1, $2)", retried, waited); n != 0 {
		s.t.Errorf("%d generations began otherwise", n)
	}
	if n := s.number("SELECT count(*) FROM actions WHERE action = 'retry'"); n != deliveries {
		s.t.Errorf("%d actions, want %d", n, deliveries)
	}
	s.t.Logf("%d generations began after max_in_flight", s.number("SELECT count(*) FROM generations WHERE was = $1", waited))
}

// An operation continues after every process was killed, twice. Each delivery is retried once, and
// later deliveries are not affected.
func TestOperationSurvivesKills(t *testing.T) {
	t.Parallel()
	deliveries, later := sized(20_000, 1000), 10
	p := newProcess(t)
	p.start()
	other := p.beside()
	r, repaired := newRepairableReceiver(t)
	subscription, _ := p.subscribe(r.URL, fields{"max_in_flight": 50, "breaker": fields{"mode": "off"}, "retry": fields{"maximum_attempts": 1}})
	l := newCrowd(t, p.system, deliveries)
	if err := l.post(32); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, sizedTimeout(), "all failed", func() bool { return p.count("failed") == deliveries })
	plan := p.plan(client.NewOperation{Action: switchboard.ActionRetry, Filter: &switchboard.Selection{Subscription: subscription}})
	if want := (switchboard.PlanCount{Value: deliveries, Exact: true}); plan.Count != want {
		t.Errorf("planned %+v, want %+v", plan.Count, want)
	}
	for range later {
		p.post("ticket.created", `{}`)
	}
	awaitFor(t, sizedTimeout(), "the later ones failed", func() bool { return p.count("failed") == deliveries+later })
	repaired.Store(true)
	p.noteGenerations()
	began := time.Now()
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
	awaitFor(t, sizedTimeout(), "all delivered", func() bool { return p.count("delivered") == deliveries })
	items := p.items(id)
	for d := range l.accepted {
		if items[d] != 1 {
			t.Errorf("%s is listed %d times", d, items[d])
		}
	}
	t.Logf("all %d delivered %s after the start", deliveries, time.Since(began).Round(time.Second))
	p.checkActedOnOnce(deliveries)
	if n := p.number("SELECT count(*) FROM deliveries WHERE generation = 1 AND state = 'failed'"); n != later {
		t.Errorf("%d of the later ones are as they were, want %d", n, later)
	}
	p.awaitNothingOpen()
	p.wantVerified()
}

// A cancelled operation takes back what it has scheduled but not sent yet: those deliveries have
// their previous state.
func TestCancelledOperationStops(t *testing.T) {
	t.Parallel()
	deliveries := sized(20_000, 1000)
	s := newSystem(t)
	r, repaired := newRepairableReceiver(t)
	subscription, _ := s.subscribe(r.URL, fields{"max_in_flight": 50, "breaker": fields{"mode": "off"}, "retry": fields{"maximum_attempts": 1}})
	if err := newCrowd(t, s, deliveries).post(32); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, sizedTimeout(), "all failed", func() bool { return s.count("failed") == deliveries })
	repaired.Store(true)
	sent := len(r.got())
	id := s.startOperation(client.NewOperation{Action: switchboard.ActionRetry, Rate: float64(sized(500, 100)), Filter: &switchboard.Selection{Subscription: subscription}})
	s.awaitOperation(id, "a part done", func(o client.Operation) bool { return o.Done >= deliveries/4 })
	if _, err := s.api().CancelOperation(t.Context(), id, "wrong filter"); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	awaitFor(t, sizedTimeout(), "all taken back", func() bool {
		return s.number("SELECT count(*) FROM operations WHERE id = $1 AND back_id = ''", id) == 1
	})
	awaitFor(t, sizedTimeout(), "what was dispatched is delivered", func() bool { return s.count("pending,retrying,held,blocked") == 0 })
	late := r.got()[len(r.got())-1].at.Sub(at)
	t.Logf("the last request came %s after the cancellation", late)
	if fullSize() && late > 2*time.Second {
		t.Errorf("the last request came %s after the cancellation, want within 2 s", late)
	}
	o := s.awaitOperation(id, "cancelled", func(o client.Operation) bool { return o.State == switchboard.OperationCancelled })
	delivered, requests := s.count("delivered"), len(r.got())-sent
	t.Logf("%d done, %d taken back, of %d", o.Done, o.Skipped, o.Total)
	if o.Done != delivered || o.Done != requests || o.Failed != 0 || o.Done == deliveries {
		t.Errorf("%d done, %d failed, of %d; %d delivered by %d requests", o.Done, o.Failed, o.Total, delivered, requests)
	}
	if n := s.count("failed"); n != deliveries-delivered {
		t.Errorf("%d stand as before, want %d", n, deliveries-delivered)
	}
	s.awaitNothingOpen()
	s.wantVerified()
}

// A retry of deliveries in backoff makes one additional attempt of each.
func TestOperationRetriesWhatIsInBackoff(t *testing.T) {
	t.Parallel()
	deliveries := sized(1000, 100)
	s := newSystem(t)
	r := newReceiver(t, 503)
	subscription, _ := s.subscribe(r.URL, fields{"max_in_flight": 50, "breaker": fields{"mode": "off"}, "retry": hourly["retry"]})
	if err := newLoad(t, s, deliveries).post(32); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, sizedTimeout(), "all in backoff", func() bool { return s.count("retrying") == deliveries })
	id := s.startOperation(client.NewOperation{Action: switchboard.ActionRetry, Rate: 200, Filter: &switchboard.Selection{Subscription: subscription}})
	s.awaitOperation(id, "finished", finished)
	awaitFor(t, sizedTimeout(), "a second attempt of each", func() bool {
		return s.number("SELECT count(*) FROM deliveries WHERE attempts_made >= 2 AND dispatch_at IS NULL") == deliveries
	})
	if n := s.number("SELECT count(*) FROM deliveries WHERE attempts_made = 2 AND state = 'retrying'"); n != deliveries {
		t.Errorf("%d have made exactly one further attempt, want %d", n, deliveries)
	}
	if n := len(r.got()); n != 2*deliveries {
		t.Errorf("%d requests, want %d", n, 2*deliveries)
	}
	s.wantVerified()
}

// Events are replayed to a subscription that was made later, each once.
func TestReplayToANewSubscription(t *testing.T) {
	t.Parallel()
	events := sized(5000, 1000)
	s := newSystem(t)
	s.subscribe(newReceiver(t, 200).URL, fields{"max_in_flight": 50})
	if err := newCrowd(t, s, events).post(32); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, sizedTimeout(), "all delivered", func() bool { return s.count("delivered") == events })
	r := newReceiver(t, 200)
	subscription, _ := s.subscribe(r.URL, fields{"max_in_flight": 50})
	began := time.Now()
	id := s.startOperation(client.NewOperation{Action: switchboard.ActionReplay, Rate: 200, Filter: &switchboard.Selection{Subscription: subscription}})
	if o := s.awaitOperation(id, "finished", finished); o.Done != events || o.Skipped != 0 {
		t.Errorf("%d done and %d skipped, want %d done", o.Done, o.Skipped, events)
	}
	awaitFor(t, sizedTimeout(), "all replayed", func() bool { return s.count("delivered") == 2*events })
	t.Logf("%d events replayed in %s", events, time.Since(began).Round(time.Second))
	if n := len(r.got()); n != events {
		t.Errorf("%d requests, want %d", n, events)
	}
	if n := s.number("SELECT count(DISTINCT event_id) FROM deliveries WHERE subscription_id = $1", subscription); n != events {
		t.Errorf("%d events replayed, want %d", n, events)
	}
	s.wantVerified()
}

// A paused operation continues where it was. A cancelled one makes nothing more, and takes back
// what it has made but not sent yet.
func TestOperationIsPausedAndCancelled(t *testing.T) {
	t.Parallel()
	const events, rate = 300, 10
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
	await(t, "what was dispatched is delivered", func() bool { return s.count("pending,retrying,held,blocked") == 0 })
	if n := s.number("SELECT count(*) FROM deliveries WHERE subscription_id = $1 AND created_at > $2", subscription, cancelled.UpdatedAt); n != 0 {
		t.Errorf("%d deliveries were made after the cancellation", n)
	}
	o, err := s.api().GetOperation(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	back := s.number("SELECT count(*) FROM deliveries WHERE subscription_id = $1 AND state = 'cancelled'", subscription)
	if n := len(r.got()); o.Done != n || o.Skipped != back || n == events || o.State != switchboard.OperationCancelled {
		t.Errorf("%s with %d done and %d skipped, %d requests, %d taken back", o.State, o.Done, o.Skipped, n, back)
	}
	s.wantVerified()
}
