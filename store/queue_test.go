package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// beyondCap is the admission of a delivery that exceeds max_in_flight.
func beyondCap() switchboard.Admission {
	return switchboard.Admission{Kind: switchboard.AdmissionPark, State: switchboard.StateHeld, Reason: switchboard.ReasonWaitingForSlot, HoldFor: time.Hour}
}

// roomFor allows the release of that many.
func roomFor(n int) func(switchboard.Subscription, switchboard.Health) int {
	return func(switchboard.Subscription, switchboard.Health) int { return n }
}

// post accepts an event that one subscription takes, and returns its delivery.
func (b *bundle) post(n int) switchboard.Delivery {
	b.t.Helper()
	b.advance(time.Second)
	return b.accept(event("acme", fmt.Sprint("evt-", n))).Deliveries[0]
}

func (b *bundle) queueReason(subscriptionID string) (reason string) {
	b.t.Helper()
	must(b.t, b.sql.Get(&reason, "SELECT coalesce((SELECT queue_reason FROM subscription_health WHERE subscription_id = $1), '')", subscriptionID))
	return reason
}

func inOrder(deliveries []switchboard.Delivery) []string {
	var ids []string
	for _, d := range deliveries {
		ids = append(ids, d.ID)
	}
	return ids
}

// TestQueueIsFirstInFirstOut: behind the first parked delivery new ones wait too, and are released
// in order; when none waits any more, events are sent at once again.
func TestQueueIsFirstInFirstOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.limited(2, switchboard.RateLimit{})
	first := b.post(1)
	parked, err := b.QueueDelivery(t.Context(), first, beyondCap())
	must(t, err)
	if parked.State != switchboard.StateHeld || parked.Reason != switchboard.ReasonWaitingForSlot || b.queueReason(sub.ID) != switchboard.ReasonWaitingForSlot {
		t.Fatalf("parked as %s %s, the queue waits for %q", parked.State, parked.Reason, b.queueReason(sub.ID))
	}
	var behind []switchboard.Delivery
	for i := range 4 {
		behind = append(behind, b.post(2+i))
	}
	for _, d := range behind {
		if d = b.read(d.ID); d.State != switchboard.StateHeld || d.Reason != switchboard.ReasonWaitingForSlot {
			t.Errorf("one that is accepted meanwhile is %s %s", d.State, d.Reason)
		}
	}
	want := append([]string{first.ID}, inOrder(behind)...)
	var got []string
	for _, room := range []int{0, 2, 1, 5} {
		released, err := b.ReleaseNext(t.Context(), sub.ID, time.Second, roomFor(room))
		must(t, err)
		got = append(got, inOrder(released)...)
		for _, d := range released {
			if d.State != switchboard.StatePending || d.Generation != 2 || !d.NextAttemptAt.Equal(b.clock()) || !d.DispatchAt.Equal(b.clock().Add(switchboard.DispatchGrace)) {
				t.Errorf("released as %+v", d)
			}
		}
	}
	equal(t, "released", got, want)
	if reason := b.queueReason(sub.ID); reason != "" {
		t.Errorf("nothing waits, and the queue waits for %q", reason)
	}
	if d := b.post(10); d.State != switchboard.StatePending {
		t.Errorf("after the queue an event is %s", d.State)
	}
}

// TestQueueBehindARateLimit: each delivery gets a turn of its own, if turns come in that time.
func TestQueueBehindARateLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.limited(16, switchboard.RateLimit{PerSecond: 0.001, Burst: 2}) // one in 1,000 seconds, so that the time of the test does not matter
	a := beyondCap()
	a.Reason = switchboard.ReasonRateLimited
	first := b.post(1)
	_, err := b.QueueDelivery(t.Context(), first, a)
	must(t, err)
	for i := range 5 {
		b.post(2 + i)
	}
	b.advance(time.Second)
	released, err := b.ReleaseNext(t.Context(), sub.ID, 2500*time.Second, roomFor(16))
	must(t, err)
	var turns []time.Duration
	for _, d := range released {
		turns = append(turns, d.NextAttemptAt.Sub(b.clock()).Round(500*time.Second))
		if !d.HasTurn() {
			t.Errorf("released as %s %s, without its turn", d.State, d.Reason)
		}
	}
	equal(t, "turns", turns, []time.Duration{0, 0, 1000 * time.Second, 2000 * time.Second})
	if wait, err := b.TakeTurn(t.Context(), sub.ID, sub.RateLimit); err != nil || wait < 2500*time.Second {
		t.Errorf("a request beside them has its turn in %s, %v", wait, err)
	}
	if reason := b.queueReason(sub.ID); reason != switchboard.ReasonRateLimited {
		t.Errorf("two wait, and the queue waits for %q", reason)
	}
}

// TestTurnsCountFromWhenTheyAreTaken: a release that waits for the turns while another process has them makes no
// delivery due before its turn.
func TestTurnsCountFromWhenTheyAreTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.limited(16, switchboard.RateLimit{PerSecond: 0.001, Burst: 1})
	must(t, second(b.TakeTurn(t.Context(), sub.ID, sub.RateLimit)))
	a := beyondCap()
	a.Reason = switchboard.ReasonRateLimited
	must(t, second(b.QueueDelivery(t.Context(), b.post(1), a)))
	b.advance(time.Second)
	another, err := b.sql.Beginx()
	must(t, err)
	defer func() { _ = another.Rollback() }()
	must(t, second(another.Exec("SELECT FROM subscription_rates FOR UPDATE")))
	asked := b.clock()
	released := make(chan error, 1)
	var found []switchboard.Delivery
	go func() {
		var err error
		found, err = b.ReleaseNext(t.Context(), sub.ID, 2500*time.Second, roomFor(16))
		released <- err
	}()
	b.awaitLockWait()
	b.advance(time.Hour)
	must(t, another.Rollback())
	must(t, next(t, "the release", released))
	if len(found) != 1 || found[0].NextAttemptAt.Before(asked.Add(time.Hour)) {
		t.Errorf("released %v, want one that is due after %s", found, asked.Add(time.Hour))
	}
}

// TestQueueOfASubscriptionThatMayNotBeSent: it stays until the subscription may be sent to.
func TestQueueOfASubscriptionThatMayNotBeSent(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{
		"paused":       "UPDATE subscriptions SET state = 'paused'",
		"breaker open": "UPDATE subscription_health SET breaker = 'open', breaker_since = now(), probe_at = now()",
		"deferred":     "UPDATE subscription_health SET deferred_until = '2026-07-02'",
	} {
		b := setup(t)
		sub := b.limited(2, switchboard.RateLimit{})
		_, err := b.QueueDelivery(t.Context(), b.post(1), beyondCap())
		must(t, err)
		_, err = b.sql.Exec(change)
		must(t, err)
		b.advance(time.Second)
		released, err := b.ReleaseNext(t.Context(), sub.ID, time.Second, roomFor(5))
		must(t, err)
		if len(released) != 0 || b.queueReason(sub.ID) == "" {
			t.Errorf("%s: released %v, the queue waits for %q", name, inOrder(released), b.queueReason(sub.ID))
		}
	}
}

// TestQueueDecidesAgain: a delivery that may not be sent for another reason now is parked for that
// one.
func TestQueueDecidesAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.limited(2, switchboard.RateLimit{})
	d := b.post(1)
	_, err := b.sql.Exec("UPDATE subscriptions SET state = 'paused', flow = flow + 1")
	must(t, err)
	if d, err = b.QueueDelivery(t.Context(), d, beyondCap()); err != nil || d.Reason != switchboard.ReasonSubscriptionPaused {
		t.Errorf("parked for %s, %v", d.Reason, err)
	}
	old := d
	old.Generation = 7
	if after, err := b.QueueDelivery(t.Context(), old, beyondCap()); err != nil || after != d {
		t.Errorf("one of another generation is now %+v, %v", after, err)
	}
}

func TestTwoWorkersReleaseEachOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.limited(2, switchboard.RateLimit{})
	_, err := b.QueueDelivery(t.Context(), b.post(0), beyondCap())
	must(t, err)
	for i := range 30 {
		b.post(1 + i)
	}
	b.advance(time.Second)
	found := make(chan []string, 2)
	for _, s := range []*store.Store{b.Store, b.open(ring)} {
		go func() {
			var all []string
			for b.count(sub, switchboard.StateHeld) > 0 && !t.Failed() {
				released, err := s.ReleaseNext(t.Context(), sub.ID, time.Second, roomFor(3))
				if err != nil {
					t.Error(err)
				}
				all = append(all, inOrder(released)...)
			}
			found <- all
		}()
	}
	all := append(<-found, <-found...)
	slices.Sort(all)
	if len(all) != 31 || len(slices.Compact(all)) != 31 {
		t.Errorf("released %d, %d different ones; want 31", len(all), len(slices.Compact(all)))
	}
}

// TestClassOfAnEndpoint: every process hears of a change, and of nothing else.
func TestClassOfAnEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	d := b.post(1)
	flow := func() (flow int) {
		must(t, b.sql.Get(&flow, "SELECT flow FROM subscriptions"))
		return flow
	}
	slow := func() bool {
		loaded, err := b.LoadForAttempt(t.Context(), d.ID)
		must(t, err)
		return loaded.Health.Slow
	}
	before := flow()
	for i, c := range []struct {
		slow    bool
		changes int
	}{{false, 0}, {true, 1}, {true, 1}, {false, 2}} {
		must(t, b.SetSlow(t.Context(), d.SubscriptionID, c.slow))
		if slow() != c.slow || flow()-before != c.changes {
			t.Errorf("step %d: slow %t after %d changes, want %t and %d", i, slow(), flow()-before, c.slow, c.changes)
		}
	}
	forgotten, err := b.ForgetHealthy(t.Context())
	must(t, err)
	var rows int
	if must(t, b.sql.Get(&rows, "SELECT count(*) FROM subscription_health")); rows != 0 || forgotten != 1 {
		t.Error("a healthy endpoint has a row")
	}
}
