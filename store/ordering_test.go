package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// ordering makes a subscription of the tenant to everything, with those settings.
func (b *bundle) ordering(tenant string, set func(*switchboard.Subscription)) switchboard.Subscription {
	b.t.Helper()
	sub := b.subscribe(tenant, "*")
	sub, err := b.UpdateSubscription(b.t.Context(), root(), sub.ID, sub.Version, func(s *switchboard.Subscription) error {
		set(s)
		return nil
	})
	must(b.t, err)
	return sub
}

func byKey(s *switchboard.Subscription) { s.Ordering = switchboard.OrderingKey }

// keyed is an event of the tenant with that key.
func keyed(tenant, id, key string) switchboard.Event {
	e := event(tenant, id)
	e.Key = key
	return e
}

// acceptKeyed accepts one event after the other, and returns the one delivery of each.
func (b *bundle) acceptKeyed(tenant string, keys ...string) []switchboard.Delivery {
	b.t.Helper()
	var made []switchboard.Delivery
	for _, key := range keys {
		b.advance(time.Millisecond)
		made = append(made, b.accept(keyed(tenant, "", key)).Deliveries[0])
	}
	return made
}

// queue describes the deliveries: each as pending, as held with its reason, or by the number of the
// one that it waits for.
func (b *bundle) queue(all []switchboard.Delivery) string {
	b.t.Helper()
	var words []string
	for _, d := range all {
		now := b.read(d.ID)
		word := string(now.State)
		switch now.State {
		case switchboard.StateBlocked:
			word = fmt.Sprint(slices.IndexFunc(all, func(d switchboard.Delivery) bool { return d.ID == now.BlockedBy }))
		case switchboard.StateHeld:
			word = now.Reason
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// keysLeft checks how many keys have a queue.
func (b *bundle) keysLeft(want int) {
	b.t.Helper()
	var left int
	must(b.t, b.sql.Get(&left, "SELECT count(*) FROM ordering_keys"))
	equal(b.t, "keys with a queue", left, want)
}

// end records a response with that status to the delivery's next attempt.
func (b *bundle) end(id string, status int) switchboard.Delivery {
	b.t.Helper()
	d := b.read(id)
	return b.record(d, d.AttemptsMade+1, status)
}

// state brings a subscription into that state.
func (b *bundle) state(id string, state switchboard.SubscriptionState) {
	b.t.Helper()
	must(b.t, second(b.sql.Exec("UPDATE subscriptions SET state = $2, flow = flow + 1 WHERE id = $1", id, state)))
}

// eraseEvent erases the event of a delivery.
func (b *bundle) eraseEvent(d switchboard.Delivery) error {
	e, err := b.EraseEvent(b.t.Context(), root(), d.Tenant, d.EventID, "")
	if err == nil {
		_, err = b.EraseStep(b.t.Context(), e.ID)
	}
	return err
}

// releaseAll releases the held deliveries of the subscription.
func (b *bundle) releaseAll(id string) {
	b.t.Helper()
	operation, err := b.ReleaseHeld(b.t.Context(), id)
	must(b.t, err)
	for finished := false; !finished; b.advance(time.Second) {
		progress, err := b.OperateStep(b.t.Context(), operation)
		must(b.t, err)
		finished = progress.Finished
	}
}

func TestOrderedDeliveriesWaitForTheOneBefore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ordering("acme", byKey)
	all := b.acceptKeyed("acme", "k", "k", "other", "k", "")
	equal(t, "accepted", b.queue(all), "pending 0 pending 1 pending")
	blocked := b.read(all[1].ID)
	equal(t, "answered", all[1], blocked)
	equal(t, "reason, dispatch, end of the hold", []any{blocked.Reason, blocked.DispatchAt, blocked.HeldUntil},
		[]any{switchboard.ReasonEarlierDeliveryOpen, time.Time{}, blocked.CreatedAt.Add(switchboard.DefaultHold)})

	b.advance(time.Second)
	b.end(all[0].ID, 503)
	equal(t, "after a failure that is retried", b.queue(all), "retrying 0 pending 1 pending")
	b.end(all[0].ID, 200)
	equal(t, "after the first", b.queue(all), "delivered pending pending 1 pending")
	next := b.read(all[1].ID)
	equal(t, "generation, dispatch, next attempt", []any{next.Generation, next.DispatchAt, next.NextAttemptAt}, []any{2, b.clock(), b.clock()})
	equal(t, "actions", b.actions(next.ID), []string{"switchboard release no earlier delivery of its key is open any more"})
	b.end(all[1].ID, 200)
	b.end(all[3].ID, 410)
	b.end(all[2].ID, 200)
	equal(t, "at the end", b.queue(all), "delivered delivered delivered failed pending")
	b.keysLeft(0)
	equal(t, "violations", b.checks(), []string(nil))
}

// TestNextIsReleased: everything that ends a delivery or sets it aside lets the next of its key be
// sent.
func TestNextIsReleased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		do   func(d switchboard.Delivery) error
		want string
	}{
		"cancel": {func(d switchboard.Delivery) error { return second(b.Cancel(ctx, root(), d.ID, "")) }, "cancelled pending 1"},
		"close": {func(d switchboard.Delivery) error {
			return second(b.CloseDelivery(ctx, d.ID, 1, switchboard.StateCancelled, switchboard.ReasonTerminated, switchboard.Action{}))
		}, "cancelled pending 1"},
		"deadline": {func(d switchboard.Delivery) error {
			return second(b.CloseDelivery(ctx, d.ID, 1, switchboard.StateFailed, switchboard.ReasonExpired, switchboard.Action{}))
		}, "failed pending 1"},
		"permanent failure":    {func(d switchboard.Delivery) error { b.end(d.ID, 410); return nil }, "failed pending 1"},
		"held by an operator":  {func(d switchboard.Delivery) error { return second(b.SetAside(ctx, root(), d.ID, "")) }, "operator pending 1"},
		"its event is erased":  {func(d switchboard.Delivery) error { return b.eraseEvent(d) }, "cancelled pending 1"},
		"failure with a retry": {func(d switchboard.Delivery) error { b.end(d.ID, 503); return nil }, "retrying 0 1"},
	} {
		tenant := strings.ReplaceAll(name, " ", "-")
		b.ordering(tenant, byKey)
		all := b.acceptKeyed(tenant, "k", "k", "k")
		must(t, c.do(all[0]))
		equal(t, name, b.queue(all), c.want)
	}
	equal(t, "violations", b.checks(), []string(nil))
}

// TestTwoRecordsOfOneDelivery: if one of several records that share a transaction ends a delivery,
// the next of its key is released.
func TestTwoRecordsOfOneDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ordering("acme", byKey)
	all := b.acceptKeyed("acme", "k", "k")
	var records []switchboard.Record
	for number, decision := range []switchboard.Decision{{State: switchboard.StateDelivered}, {State: switchboard.StateRetrying, Reason: "http_503"}} {
		records = append(records, switchboard.Record{Attempt: b.attempt(all[0], number+1, 503), Decision: decision, Generation: 1, TemporalRunID: "run"})
	}
	must(t, b.RecordLocked(t.Context(), records))
	equal(t, "queue", b.queue(all), "delivered pending")
}

// TestMiddleOfAQueueLeaves: the one after it waits for the one before it.
func TestMiddleOfAQueueLeaves(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ordering("acme", byKey)
	all := b.acceptKeyed("acme", "k", "k", "k", "k")
	must(t, second(b.Cancel(t.Context(), root(), all[1].ID, "")))
	equal(t, "the second is cancelled", b.queue(all), "pending cancelled 0 2")
	must(t, second(b.Cancel(t.Context(), root(), all[3].ID, "")))
	all = append(all, b.acceptKeyed("acme", "k")...)
	equal(t, "after the last has left", b.queue(all), "pending cancelled 0 cancelled 2")
	must(t, second(b.SetAside(t.Context(), root(), all[2].ID, "")))
	equal(t, "the third is set aside", b.queue(all), "pending cancelled operator cancelled 0")
	must(t, second(b.ReleaseDelivery(t.Context(), root(), all[2].ID, "")))
	equal(t, "and released, behind the others", b.queue(all), "pending cancelled 4 cancelled 0")
	b.end(all[0].ID, 200)
	equal(t, "the first ends", b.queue(all), "delivered cancelled 4 cancelled pending")
}

// TestBackToTheEndOfTheQueue: a delivery that is started again comes after the open ones.
func TestBackToTheEndOfTheQueue(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(b *bundle, id string) error{
		"retry": func(b *bundle, id string) error {
			_, started, err := b.Retry(t.Context(), root(), id, "")
			equal(t, "started at once", started, false)
			return err
		},
		"reset": func(b *bundle, id string) error {
			return second(b.Reset(t.Context(), id, "run_reset", switchboard.Action{Actor: switchboard.ActorTemporal, Kind: switchboard.ActionReset}))
		},
	} {
		b := setup(t)
		b.ordering("acme", byKey)
		all := b.acceptKeyed("acme", "k", "k", "k")
		b.end(all[0].ID, 410)
		must(t, again(b, all[0].ID))
		equal(t, name, b.queue(all), "2 pending 1")
		all = append(all, b.acceptKeyed("acme", "k")...)
		equal(t, name+", and the next", b.queue(all), "2 pending 1 0")
		for _, i := range []int{1, 2, 0, 3} {
			b.end(all[i].ID, 200)
		}
		b.keysLeft(0)
		// Alone in its key it is started at once.
		must(t, second(b.Reset(t.Context(), all[0].ID, "run_alone", switchboard.Action{Actor: switchboard.ActorTemporal, Kind: switchboard.ActionReset})))
		equal(t, name+", alone", b.queue(all), "pending delivered delivered delivered")
		b.keysLeft(1)
		equal(t, "violations", b.checks(), []string(nil))
	}
}

// TestPausedInOrder: the next of a key is held while its subscription is paused, and the release
// keeps the order.
func TestPausedInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.ordering("acme", byKey)
	all := b.acceptKeyed("acme", "k", "k", "k")
	b.state(sub.ID, switchboard.SubscriptionPaused)
	all = append(all, b.acceptKeyed("acme", "k")...)
	equal(t, "paused", b.queue(all), "pending 0 1 subscription_paused")
	must(t, second(b.HoldDelivery(t.Context(), b.read(all[0].ID), switchboard.Conditions{})))
	equal(t, "its attempt was due", b.queue(all), "subscription_paused 0 1 subscription_paused")
	must(t, second(b.Cancel(t.Context(), root(), all[0].ID, "")))
	equal(t, "the first is cancelled", b.queue(all), "cancelled subscription_paused 1 subscription_paused")
	b.state(sub.ID, switchboard.SubscriptionActive)
	b.releaseAll(sub.ID)
	equal(t, "released", b.queue(all), "cancelled pending 1 2")
	for _, d := range all[1:] {
		b.end(d.ID, 200)
	}
	b.keysLeft(0)
}

// TestBatchInOrder: if a call has several events of a key, each waits for the one before it in the
// call; duplicates block nothing.
func TestBatchInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ordering("acme", byKey)
	must(t, second(b.Accept(t.Context(), root(), []switchboard.Event{keyed("acme", "d", "k"), keyed("acme", "b", "other")})))
	accepted, err := b.Accept(t.Context(), root(), []switchboard.Event{
		keyed("acme", "z", "k"), keyed("acme", "d", "k"), keyed("acme", "c", "k"), keyed("acme", "z", "k"), keyed("acme", "b", "other"), keyed("acme", "a", "k"), keyed("acme", "e", "other"),
	})
	must(t, err)
	var all []switchboard.Delivery
	for i, duplicate := range []bool{false, true, false, true, true, false, false} {
		must(t, accepted[i].Err)
		equal(t, fmt.Sprint("duplicate ", i), accepted[i].Duplicate, duplicate)
		all = append(all, accepted[i].Deliveries[0])
		equal(t, fmt.Sprint("answered ", i), accepted[i].Deliveries[0], b.read(all[i].ID))
	}
	equal(t, "queues", b.queue(all), "1 pending 0 1 pending 2 4")
	b.keysLeft(2)
	equal(t, "violations", b.checks(), []string(nil))
}

func TestSupersede(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ordering("acme", func(s *switchboard.Subscription) { s.Supersede = true })
	of := func(id, key, kind string) switchboard.Event {
		e := keyed("acme", id, key)
		e.Type = kind
		return e
	}
	var all []switchboard.Delivery
	for _, e := range []switchboard.Event{of("", "k", "ticket.changed"), of("", "k", "ticket.closed"), of("", "other", "ticket.changed"), of("", "", "ticket.changed"), of("", "", "ticket.changed")} {
		all = append(all, b.accept(e).Deliveries[0])
	}
	b.record(all[0], 1, 503)
	must(t, b.MarkDispatched(t.Context(), []switchboard.Delivery{all[0]}))
	b.advance(time.Second)
	all = append(all, b.accept(of("", "k", "Ticket.Changed")).Deliveries[0])
	equal(t, "one more", b.queue(all), "cancelled pending pending pending pending pending")
	old := b.read(all[0].ID)
	equal(t, "reason, wake-up of its workflow", []any{old.Reason, old.DispatchAt}, []any{switchboard.ReasonSuperseded, b.clock()})
	equal(t, "action", b.actions(old.ID), []string{"switchboard cancel a later event of the same type and key was accepted"})

	accepted, err := b.Accept(t.Context(), root(), []switchboard.Event{of("1", "k", "ticket.changed"), of("2", "k", "ticket.changed"), of("1", "k", "ticket.changed"), of("3", "k", "ticket.changed")})
	must(t, err)
	for i, want := range []switchboard.State{"cancelled", "cancelled", "cancelled", "pending"} {
		equal(t, fmt.Sprint("of a call ", i), accepted[i].Deliveries[0].State, want)
		equal(t, fmt.Sprint("stored ", i), b.read(accepted[i].Deliveries[0].ID), accepted[i].Deliveries[0])
	}
	equal(t, "before the call", b.queue(all), "cancelled pending pending pending pending cancelled")
	// A duplicate supersedes nothing.
	again := b.accept(of("1", "k", "ticket.changed"))
	equal(t, "duplicate", []any{again.Duplicate, b.read(accepted[3].Deliveries[0].ID).State}, []any{true, switchboard.StatePending})
	b.keysLeft(0)
}

func TestSupersedeInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.ordering("acme", func(s *switchboard.Subscription) { s.Ordering, s.Supersede = switchboard.OrderingKey, true })
	first := b.accept(keyed("acme", "", "k")).Deliveries[0]
	closed := keyed("acme", "", "k")
	closed.Type = "ticket.closed"
	next := b.accept(closed).Deliveries[0]
	last := b.accept(keyed("acme", "", "k")).Deliveries[0]
	equal(t, "queue", b.queue([]switchboard.Delivery{first, next, last}), "cancelled pending 1")
	equal(t, "answered", last, b.read(last.ID))
	only := b.accept(keyed("acme", "", "alone")).Deliveries[0]
	newer := b.accept(keyed("acme", "", "alone")).Deliveries[0]
	equal(t, "queue of two", b.queue([]switchboard.Delivery{only, newer}), "cancelled pending")
	equal(t, "answered", newer, b.read(newer.ID))
	b.keysLeft(2)
	equal(t, "violations", b.checks(), []string(nil))
}

// TestDeadline: it applies to events that are accepted after it was set.
func TestDeadline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	before := b.accept(event("acme", "")).Deliveries[0]
	must(t, second(b.UpdateSubscription(t.Context(), root(), sub.ID, 1, func(s *switchboard.Subscription) error {
		s.DeliverWithin = switchboard.Duration(time.Minute)
		return nil
	})))
	after := b.accept(event("acme", "")).Deliveries[0]
	equal(t, "deadlines", []time.Time{b.read(before.ID).ExpiresAt, b.read(after.ID).ExpiresAt}, []time.Time{{}, b.clock().Add(time.Minute)})
	b.advance(time.Hour)
	got, err := b.HoldDelivery(t.Context(), after, switchboard.Conditions{})
	must(t, err)
	equal(t, "late", []any{got.State, got.Reason}, []any{switchboard.StateFailed, switchboard.ReasonExpired})
	got, err = b.HoldDelivery(t.Context(), before, switchboard.Conditions{})
	must(t, err)
	equal(t, "without a deadline", got, before)
	got, _, err = b.Retry(t.Context(), root(), after.ID, "")
	must(t, err)
	equal(t, "retried, deadline", []any{got.State, b.read(after.ID).ExpiresAt}, []any{switchboard.StatePending, time.Time{}})
}
