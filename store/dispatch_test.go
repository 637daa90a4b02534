package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

func idsOf(deliveries []switchboard.Delivery) []string {
	ids := []string{}
	for _, d := range deliveries {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestClaimDispatches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.delivery("acme")
	b.advance(time.Second)
	second := b.delivery("acme")
	claim := func(limit int) []string {
		claimed, err := b.ClaimDispatches(t.Context(), limit, 10*time.Second)
		must(t, err)
		return idsOf(claimed)
	}
	equal(t, "within the grace", claim(10), []string{})
	b.advance(5 * time.Second)
	equal(t, "the oldest first", claim(1), []string{first.ID})
	equal(t, "then the next", claim(10), []string{second.ID})
	equal(t, "within the lease", claim(10), []string{})
	b.advance(10 * time.Second)
	must(t, b.MarkDispatched(t.Context(), []switchboard.Delivery{second}))
	equal(t, "after the lease, not started", claim(10), []string{first.ID})
	must(t, b.DispatchNow(t.Context(), []string{first.ID, second.ID}))
	equal(t, "made due", claim(10), idsOf([]switchboard.Delivery{first, second}))
	must(t, b.MarkDispatched(t.Context(), []switchboard.Delivery{first, second}))
	must(t, b.StartNextGeneration(t.Context(), first.ID, 2))
	equal(t, "next generation of another one", claim(10), []string{})
	must(t, b.StartNextGeneration(t.Context(), first.ID, 1))
	equal(t, "next generation", claim(10), []string{first.ID})
	first.Generation = 2
	b.record(first, 1, 200)
	must(t, b.StartNextGeneration(t.Context(), first.ID, 2))
	must(t, b.DispatchNow(t.Context(), []string{first.ID}))
	equal(t, "final", claim(10), []string{})
}

// TestClaimsWhatIsToEnd: cancelled deliveries are dispatched too.
func TestClaimsWhatIsToEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	waiting := b.record(b.delivery("acme"), 1, 503)
	ofDeleted := b.record(b.delivery("globex"), 1, 503)
	ended := b.record(b.delivery("acme"), 1, 200)
	var claimed []switchboard.Delivery
	claim := func() []string {
		var err error
		claimed, err = b.ClaimDispatches(t.Context(), 10, 10*time.Second)
		must(t, err)
		for _, d := range claimed {
			equal(t, d.ID, d.State, switchboard.StateCancelled)
		}
		return idsOf(claimed)
	}
	must(t, b.DeleteSubscription(t.Context(), root(), ofDeleted.SubscriptionID, ""))
	equal(t, "of a deleted subscription, at once", claim(), []string{ofDeleted.ID})
	must(t, second(b.Cancel(t.Context(), root(), waiting.ID, "")))
	equal(t, "left to the one that cancels", claim(), []string{})
	b.advance(5 * time.Second)
	equal(t, "not dispatched yet", claim(), []string{waiting.ID})
	must(t, b.MarkDispatched(t.Context(), []switchboard.Delivery{waiting, ofDeleted})) // late news of their starts
	b.advance(time.Minute)
	equal(t, "started, but not ended", claim(), idsOf([]switchboard.Delivery{waiting, ofDeleted}))
	must(t, b.MarkDispatched(t.Context(), claimed))
	b.advance(time.Minute)
	equal(t, "dispatched", claim(), []string{})

	again, nextGeneration, err := b.Retry(t.Context(), root(), waiting.ID, "")
	must(t, err)
	waiting.State = switchboard.StateCancelled
	must(t, b.MarkDispatched(t.Context(), []switchboard.Delivery{waiting})) // late news of the generation before
	equal(t, "retried", []any{nextGeneration, again.State, b.read(waiting.ID).DispatchAt}, []any{true, switchboard.StatePending, b.clock().Add(5 * time.Second)})
	equal(t, "delivered", b.read(ended.ID).DispatchAt, time.Time{})
}

// TestDeletionEndsOneAfterTheOther: the starts of others do not wait behind a deletion, and
// deliveries without an open workflow are not dispatched.
func TestDeletionEndsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var ids []string
	for range 3 {
		ids = append(ids, b.record(b.delivery("acme"), 1, 503).ID)
	}
	sub := b.read(ids[0]).SubscriptionID
	_, err := b.sql.Exec("UPDATE deliveries SET subscription_id = $1", sub)
	must(t, err)
	b.hold(ids[2], switchboard.StateHeld)
	must(t, b.DeleteSubscription(t.Context(), root(), sub, ""))
	slices.Sort(ids[:2])
	first, second := b.read(ids[0]).DispatchAt, b.read(ids[1]).DispatchAt
	if gap := second.Sub(first); gap < 10*time.Millisecond || first.Before(b.clock()) || second.Sub(b.clock()) > 20*time.Millisecond {
		t.Errorf("due at %s and %s, at %s", first, second, b.clock())
	}
	equal(t, "held", b.read(ids[2]).DispatchAt, time.Time{})
}

func TestClaimDispatchesConcurrently(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	var events []switchboard.Event
	for range 200 {
		events = append(events, event("acme", ""))
	}
	_, err := b.Accept(t.Context(), root(), events)
	must(t, err)
	b.advance(time.Minute)
	var mu sync.Mutex
	var all []string
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				claimed, err := b.ClaimDispatches(t.Context(), 7, time.Minute)
				if err != nil {
					t.Error(err)
				}
				if len(claimed) == 0 {
					return
				}
				mu.Lock()
				all = append(all, idsOf(claimed)...)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	slices.Sort(all)
	equal(t, "claimed, distinct", []int{len(all), len(slices.Compact(all))}, []int{200, 200})
}

// TestStartsAreNotedInOneOrder: deliveries are always locked in the same order, whatever the order
// of the call, so there are no deadlocks.
func TestStartsAreNotedInOneOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	events := make([]switchboard.Event, 100)
	for i := range events {
		events[i] = event("acme", "")
	}
	accepted, err := b.Accept(t.Context(), root(), events)
	must(t, err)
	var forth []switchboard.Delivery
	for _, a := range accepted {
		forth = append(forth, a.Deliveries...)
	}
	back := slices.Clone(forth)
	slices.Reverse(back)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for range 10 {
				dispatched := [][]switchboard.Delivery{forth, back}[i%2]
				if err := errors.Join(b.MarkDispatched(t.Context(), dispatched), b.DispatchNow(t.Context(), idsOf(dispatched))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	b.noDeadlocks()
}

func TestOverdueAndStats(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pending, started, retrying, held := b.delivery("acme"), b.delivery("acme"), b.delivery("acme"), b.delivery("acme")
	b.record(b.delivery("acme"), 1, 200)
	b.record(b.delivery("acme"), 1, 410)
	must(t, b.MarkDispatched(t.Context(), []switchboard.Delivery{started}))
	b.record(retrying, 1, 503)
	b.hold(held.ID, switchboard.StateHeld)
	overdue := func(slack time.Duration) []string {
		found, err := b.Overdue(t.Context(), slack, switchboard.Delivery{}, 10)
		must(t, err)
		return idsOf(found)
	}
	equal(t, "nothing is late", overdue(0), []string{})
	b.advance(switchboard.StuckAfter + time.Second)
	equal(t, "started", overdue(switchboard.StuckAfter), []string{started.ID})
	b.advance(time.Hour)
	equal(t, "both, the longest first", overdue(switchboard.StuckAfter), idsOf([]switchboard.Delivery{started, retrying}))
	// Both may have the same date, and the second must still come after the first.
	_, err := b.sql.Exec("UPDATE deliveries SET next_attempt_at = $1 WHERE id = ANY($2)", begin(), pq.Array([]string{started.ID, retrying.ID}))
	must(t, err)
	inOrder := slices.Sorted(slices.Values([]string{started.ID, retrying.ID}))
	limited, err := b.Overdue(t.Context(), 0, switchboard.Delivery{}, 1)
	must(t, err)
	equal(t, "the first", idsOf(limited), inOrder[:1])
	limited, err = b.Overdue(t.Context(), 0, limited[0], 1)
	must(t, err)
	equal(t, "the next after it", idsOf(limited), inOrder[1:])
	limited, err = b.Overdue(t.Context(), 0, limited[0], 1)
	must(t, err)
	equal(t, "none after the last", idsOf(limited), []string{})

	stats, err := b.Stats(t.Context())
	must(t, err)
	equal(t, "stats", stats, switchboard.Stats{
		Open: map[switchboard.State]int{switchboard.StatePending: 2, switchboard.StateRetrying: 1, switchboard.StateHeld: 1, switchboard.StateBlocked: 0},
		// The delivery that the relay has not started yet counts as overdue too.
		Overdue: 3, Breakers: map[string]int{}, RelayBacklog: 1, RelayOldest: b.clock().Sub(begin()), Oldest: stats.Oldest,
	})
	equal(t, "due for the relay", b.read(pending.ID).DispatchAt, begin().Add(5*time.Second))
}

// TestStuckWhileTheRelayTries: a relay that claims a delivery and cannot start it neither hides it
// nor leaves it to the reconciler.
func TestStuckWhileTheRelayTries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	b.advance(switchboard.StuckAfter + time.Second)
	backlog := func() switchboard.Stats {
		stats, err := b.Stats(t.Context())
		must(t, err)
		return switchboard.Stats{RelayBacklog: stats.RelayBacklog, RelayOldest: stats.RelayOldest}
	}
	late := switchboard.StuckAfter + time.Second
	equal(t, "unclaimed", backlog(), switchboard.Stats{RelayBacklog: 1, RelayOldest: late})
	must(t, second(b.ClaimDispatches(t.Context(), 10, time.Minute)))
	equal(t, "claimed, and not dispatched", backlog(), switchboard.Stats{RelayBacklog: 1, RelayOldest: late})
	page, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{Stuck: true}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "stuck", idsOf(page.Items), []string{d.ID})
	stats, err := b.Stats(t.Context())
	must(t, err)
	equal(t, "overdue", stats.Overdue, 1)
	overdue, err := b.Overdue(t.Context(), switchboard.StuckAfter, switchboard.Delivery{}, 10)
	must(t, err)
	equal(t, "the reconciler's", idsOf(overdue), []string{})
}

// TestBacklogIsWhatHasNoWorkflow: it excludes deliveries that their own process starts, that wait
// for their date, or that are started.
func TestBacklogIsWhatHasNoWorkflow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  string
		backlog int
		oldest  time.Duration
	}{
		"just accepted":                 {"dispatch_at = $1::timestamptz + interval '3s', next_attempt_at = $1::timestamptz - interval '2s'", 0, 0},
		"not started":                   {"dispatch_at = $1::timestamptz - interval '6s', next_attempt_at = $1::timestamptz - interval '11s'", 1, 11 * time.Second},
		"claimed by a relay":            {"dispatch_at = $1::timestamptz + interval '9s', next_attempt_at = $1::timestamptz - interval '1h'", 1, time.Hour},
		"given its next generation":     {"dispatch_at = $1::timestamptz, next_attempt_at = $1::timestamptz - interval '1m', generation = 2", 1, time.Minute},
		"released, waits for its date":  {"dispatch_at = $1::timestamptz + interval '1m', next_attempt_at = $1::timestamptz + interval '1m'", 0, 0},
		"started":                       {"dispatch_at = NULL, next_attempt_at = $1::timestamptz - interval '1h'", 0, 0},
		"cancelled, waits for its date": {"state = 'cancelled', reason = 'operator', next_attempt_at = NULL, completed_at = $1, dispatch_at = $1::timestamptz + interval '1m'", 0, 0},
		"cancelled, due to be ended":    {"state = 'cancelled', reason = 'operator', next_attempt_at = NULL, completed_at = $1, dispatch_at = $1", 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.delivery("acme")
			must(t, second(b.sql.Exec("UPDATE deliveries SET "+c.change, b.clock())))
			stats, err := b.Stats(t.Context())
			must(t, err)
			equal(t, "backlog", stats.RelayBacklog, c.backlog)
			equal(t, "oldest", stats.RelayOldest, c.oldest)
		})
	}
}

// TestReasonOfWhatWaitsForUs: a date that has passed is our fault, and the delivery says so
// wherever it is shown.
func TestReasonOfWhatWaitsForUs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	undispatched, dispatched, known := b.delivery("acme"), b.record(b.delivery("acme"), 1, 503), b.delivery("acme")
	must(t, b.MarkDispatched(t.Context(), []switchboard.Delivery{known}))
	b.advance(time.Hour + switchboard.StuckAfter + time.Second)
	why := switchboard.WaitingForSwitchboard("its subscription cannot be read")
	changed, err := b.Postpone(t.Context(), known, known.NextAttemptAt, why)
	must(t, err)
	equal(t, "noted", changed, true)
	changed, err = b.Postpone(t.Context(), known, known.NextAttemptAt, why)
	must(t, err)
	equal(t, "noted once", changed, false)
	want := map[string]string{
		undispatched.ID: "waiting_for_temporal",
		dispatched.ID:   "waiting_for_switchboard: no worker has made the attempt that is due",
		known.ID:        "waiting_for_switchboard: its subscription cannot be read",
	}
	page, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{}, switchboard.PageRequest{})
	must(t, err)
	events, err := b.Events(t.Context(), root(), switchboard.EventFilter{}, switchboard.PageRequest{})
	must(t, err)
	shown := page.Items
	for _, e := range events.Items {
		shown = append(shown, e.Deliveries...)
		_, deliveries, err := b.Event(t.Context(), root(), "acme", e.Event.ID)
		must(t, err)
		shown = append(shown, deliveries...)
	}
	equal(t, "shown in three places", len(shown), 3*len(want))
	for _, d := range shown {
		equal(t, d.ID, d.Reason, want[d.ID])
		detail, err := b.Delivery(t.Context(), root(), d.ID)
		must(t, err)
		equal(t, "alone", detail.Delivery.Reason, want[d.ID])
	}
}

// heard collects the calls of a listener.
type heard struct {
	starts, cancels chan string
	ended           chan struct{}
}

func (b *bundle) listen(ctx context.Context) heard {
	h := heard{make(chan string, 1000), make(chan string, 1000), make(chan struct{})}
	go func() {
		b.Listen(ctx, func() { h.starts <- "start" }, func(id string) { h.cancels <- id })
		close(h.ended)
	}()
	return h
}

func next[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(longest):
		t.Fatalf("never: %s", what)
		panic("unreachable")
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	h := b.listen(ctx)
	next(t, "start after connecting", h.starts)

	d := b.record(b.delivery("acme"), 1, 410)
	_, _, err := b.Retry(t.Context(), root(), d.ID, "")
	must(t, err)
	_, _, err = b.Retry(t.Context(), root(), d.ID, "") // within the grace
	must(t, err)
	next(t, "start after a retry that is due for the relay", h.starts)
	must(t, b.DispatchNow(t.Context(), []string{d.ID}))
	next(t, "start after DispatchNow", h.starts)
	must(t, b.StartNextGeneration(t.Context(), d.ID, 2))
	next(t, "start after the next generation", h.starts)

	_, err = b.Cancel(t.Context(), root(), d.ID, "")
	must(t, err)
	equal(t, "cancelled", next(t, "cancel", h.cancels), d.ID)
	closed, deleted := b.delivery("acme"), b.delivery("acme")
	_, err = b.CloseDelivery(t.Context(), closed.ID, 1, switchboard.StateCancelled, "x", switchboard.Action{Actor: "a", Kind: "v"})
	must(t, err)
	equal(t, "closed", next(t, "cancel by CloseDelivery", h.cancels), closed.ID)
	must(t, b.DeleteSubscription(t.Context(), root(), deleted.SubscriptionID, ""))
	equal(t, "deleted", next(t, "cancel by deletion", h.cancels), deleted.ID)

	// A lost connection is made again, and start is called in case a notification was lost.
	_, err = b.sql.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'")
	must(t, err)
	next(t, "start after reconnecting", h.starts)

	cancel()
	next(t, "end", h.ended)
}

// TestParkedInsteadOfDispatched: a delivery that may not be sent when a relay would start it is
// parked, and needs no workflow for that.
func TestParkedInsteadOfDispatched(t *testing.T) {
	t.Parallel()
	queue := func(b *bundle, sub *switchboard.Subscription) {
		must(b.t, second(b.QueueDelivery(b.t.Context(), b.accept(event(sub.Tenant, "")).Deliveries[0], beyondCap())))
	}
	for name, c := range map[string]struct {
		meanwhile func(*bundle, *switchboard.Subscription)
		earlier   bool // it was dispatched before, and now a release dispatches it
		want      string
	}{
		"nothing":                      {func(*bundle, *switchboard.Subscription) {}, false, "pending claimed"},
		"paused":                       {func(b *bundle, sub *switchboard.Subscription) { b.state(sub.ID, switchboard.SubscriptionPaused) }, false, "held subscription_paused"},
		"breaker open":                 {func(b *bundle, sub *switchboard.Subscription) { b.openBreaker(sub) }, false, "held breaker_open"},
		"others wait":                  {queue, false, "held waiting_for_slot"},
		"others wait, its turn is now": {queue, true, "pending claimed"},
		"breaker open, a resend": {func(b *bundle, sub *switchboard.Subscription) {
			must(b.t, second(b.sql.Exec("INSERT INTO resends (delivery_id, original_id, tenant, created_at, changed) SELECT id, id, tenant, created_at, '{url}' FROM deliveries")))
			b.openBreaker(sub)
		}, false, "pending claimed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			sub := b.subscribe("acme", "ticket.*")
			id := b.accept(event("acme", "")).Deliveries[0].ID
			if c.earlier {
				must(t, second(b.sql.Exec("UPDATE deliveries SET generation = 2 WHERE id = $1", id)))
			}
			c.meanwhile(b, &sub)
			b.advance(switchboard.DispatchGrace)
			claimed, err := b.ClaimDispatches(t.Context(), 10, 10*time.Second)
			must(t, err)
			d := b.read(id)
			got := string(d.State) + " " + d.Reason
			if slices.Contains(idsOf(claimed), id) {
				got = string(d.State) + " claimed"
			}
			equal(t, "it is", got, c.want)
			equal(t, "to be dispatched", d.DispatchAt.IsZero(), d.State.Parked())
		})
	}
}

// TestNewDeliveryOfAFailingEndpoint: before the breaker opens, new deliveries wait for some
// seconds.
func TestNewDeliveryOfAFailingEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "ticket.*")
	for range 3 {
		equal(t, "due", b.accept(event("acme", "")).Deliveries[0].NextAttemptAt, b.clock())
		b.report(b.Store, b.failure(&sub, "dlv_x"))
	}
	d, later := b.accept(event("acme", "")).Deliveries[0], b.clock().Add(switchboard.FailingDelay)
	equal(t, "after three failures", []any{d.State, d.Reason, d.NextAttemptAt, d.DispatchAt}, []any{switchboard.StatePending, switchboard.ReasonEndpointFailing, later, later})
	asked, err := b.AcceptFor(t.Context(), root(), sub.ID, event("acme", ""), false)
	must(t, err)
	equal(t, "one that somebody asked for", asked.Deliveries[0].NextAttemptAt, b.clock())
	b.report(b.Store, b.success(&sub, "dlv_x"))
	equal(t, "after an answer", b.accept(event("acme", "")).Deliveries[0].NextAttemptAt, b.clock())
}
