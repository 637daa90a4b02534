package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// announcedTo lists the operational events with deliveries to a subscription, as "tenant type id".
func (b *bundle) announcedTo(sub switchboard.Subscription) []string {
	b.t.Helper()
	announced := []string{}
	page, err := b.Deliveries(b.t.Context(), root(), switchboard.DeliveryFilter{Subscription: sub.ID}, switchboard.PageRequest{})
	must(b.t, err)
	for _, d := range page.Items {
		if switchboard.IsOperational(d.EventType) {
			announced = append(announced, fmt.Sprintf("%s %s %s", d.Tenant, d.EventType, d.EventID))
		}
	}
	slices.Sort(announced)
	return announced
}

// fail records an attempt after which the delivery has failed for good.
func (b *bundle) fail(d switchboard.Delivery) switchboard.Record {
	b.t.Helper()
	r := switchboard.Record{
		Attempt:  b.attempt(d, d.AttemptsMade+1, 503),
		Decision: switchboard.Decision{State: switchboard.StateFailed, Reason: "http_503"}, Generation: d.Generation, TemporalRunID: "run_of_" + d.ID,
	}
	_, err := b.Record(b.t.Context(), r)
	must(b.t, err)
	return r
}

func TestFailedDeliveryIsAnnounced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	every, own, foreign := b.subscribe("acme", "*"), b.subscribe("acme", "Switchboard.*"), b.subscribe("globex", "switchboard.*")
	operators, breakers := b.subscribe("_operator", "switchboard.delivery.failed"), b.subscribe("_operator", "switchboard.breaker.*")
	d := b.accept(event("acme", "4711")).Deliveries[0]
	b.advance(time.Minute)
	r := b.fail(d)
	first := "switchboard.delivery.failed switchboard.delivery.failed:" + d.ID + ":1"
	for _, c := range []struct {
		name string
		sub  switchboard.Subscription
		want []string
	}{
		{"every type", every, []string{}},
		{"the tenant's", own, []string{"acme " + first}},
		{"another tenant's", foreign, []string{}},
		{"the operators'", operators, []string{"_operator " + first}},
		{"the operators', for breakers", breakers, []string{}},
	} {
		equal(t, c.name, b.announcedTo(c.sub), c.want)
	}

	e, deliveries, err := b.Event(t.Context(), root(), "_operator", "switchboard.delivery.failed:"+d.ID+":1")
	must(t, err)
	var data switchboard.OperationalData
	must(t, json.Unmarshal(e.Data, &data))
	failed := b.read(d.ID)
	equal(t, "data", data, switchboard.OperationalData{
		Tenant: "acme", Subscription: switchboard.OperationalSubscription{ID: every.ID, Name: every.Name, Host: "receiver.example:8443"}, At: failed.CompletedAt,
		Reason: "all attempts are used up: attempt 1 was the last", Delivery: &switchboard.OperationalDelivery{
			ID: d.ID, EventID: "4711", EventType: "ticket.created", AcceptedAt: d.CreatedAt.UTC(), Reason: "http_503", Attempts: 1, Generation: 1, LastStatusCode: 503, LastFailure: switchboard.FailureHTTP5xx,
		},
	})
	equal(t, "key", e.Key, every.ID)
	equal(t, "the relay starts it at once", b.startDue(deliveries[0].ID), b.clock())

	_, err = b.Record(t.Context(), r)
	must(t, err)
	equal(t, "after the same record again", b.announcedTo(own), []string{"acme " + first})
	again, _, err := b.Retry(t.Context(), root(), d.ID, "")
	must(t, err)
	b.fail(again)
	equal(t, "after a retry that failed too", b.announcedTo(own), []string{"acme " + first, "acme switchboard.delivery.failed switchboard.delivery.failed:" + d.ID + ":2"})
}

// TestClosedDeliveryIsAnnounced: also a delivery that fails without an attempt.
func TestClosedDeliveryIsAnnounced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "ticket.*")
	own := b.subscribe("acme", "switchboard.*")
	expired, cancelled := b.accept(event("acme", "")).Deliveries[0], b.accept(event("acme", "")).Deliveries[0]
	must(t, second(b.CloseDelivery(t.Context(), expired.ID, 1, switchboard.StateFailed, switchboard.ReasonExpired, switchboard.Action{})))
	must(t, second(b.CloseDelivery(t.Context(), cancelled.ID, 1, switchboard.StateCancelled, switchboard.ReasonTerminated, switchboard.Action{})))
	equal(t, "announced", b.announcedTo(own), []string{"acme switchboard.delivery.failed switchboard.delivery.failed:" + expired.ID + ":1"})
}

// TestNothingIsAnnouncedInLoops: if a delivery of an operational event fails, no other event
// follows; the same is true of a test.
func TestNothingIsAnnouncedInLoops(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "ticket.*")
	own, operators := b.subscribe("acme", "switchboard.*"), b.subscribe("_operator", "switchboard.*")
	b.fail(b.accept(event("acme", "")).Deliveries[0])
	for _, sub := range []switchboard.Subscription{own, operators} {
		page, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{Subscription: sub.ID}, switchboard.PageRequest{})
		must(t, err)
		b.fail(page.Items[0])
	}
	tried, err := b.AcceptFor(t.Context(), root(), own.ID, switchboard.Event{Tenant: "acme", Type: "switchboard.test", Data: []byte("1")}, false)
	must(t, err)
	b.fail(tried.Deliveries[0])
	var announced int
	must(t, b.sql.Get(&announced, "SELECT count(*) FROM events WHERE type = 'switchboard.delivery.failed'"))
	equal(t, "announced: once for acme, and once for the operators", announced, 2)
}

// TestFailureCostsNothingWhereNobodyListens: the one statement for many records does everything,
// and stores no event.
func TestFailureCostsNothingWhereNobodyListens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "ticket.*")
	b.subscribe("globex", "switchboard.*")
	record := func() bool {
		d := b.accept(event("acme", "")).Deliveries[0]
		moved, err := b.RecordFast(t.Context(), []switchboard.Record{{Attempt: b.attempt(d, 1, 503), Decision: switchboard.Decision{State: switchboard.StateFailed, Reason: "http_503"}, Generation: 1}})
		must(t, err)
		return len(moved) == 1
	}
	equal(t, "by one statement", record(), true)
	var stored int
	must(t, b.sql.Get(&stored, "SELECT count(*) FROM events WHERE type LIKE 'switchboard.%'"))
	equal(t, "operational events stored", stored, 0)
	listener := b.subscribe("_operator", "switchboard.*")
	equal(t, "by one statement where the operators listen", record(), false)
	must(t, b.DeleteSubscription(t.Context(), root(), listener.ID, ""))
	equal(t, "by one statement after they have stopped", record(), true)
}

// opened is the event that the breaker of a subscription opened now.
func (b *bundle) opened(sub switchboard.Subscription) switchboard.OperationalEvent {
	return switchboard.NewBreakerOpened(&switchboard.Health{SubscriptionID: sub.ID, BreakerSince: b.clock(), ProbeAt: b.clock().Add(time.Minute), BreakerReason: "10 attempts in a row failed"})
}

// TestAnnounce: who gets an event about a subscription.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	subject := b.subscribe("acme", "ticket.*", "switchboard.*")
	own, operators := b.subscribe("acme", "switchboard.breaker.*"), b.subscribe("_operator", "switchboard.*")
	filtered := switchboard.Subscription{
		Tenant: "_operator", Name: "of globex", Events: []string{"switchboard.*"}, Filter: json.RawMessage(`{"data":{"tenant":"globex"}}`),
		Request: switchboard.Request{URL: "https://receiver.example"}, Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
	}
	filtered.SetDefaults()
	must(t, b.CreateSubscription(ctx, root(), &filtered))
	id := fmt.Sprintf("switchboard.breaker.opened:%s:%d", subject.ID, b.clock().UnixMicro())
	gone := errors.New("the transaction fails")
	if err := b.Announce(ctx, func() error { return gone }, b.opened(subject)); !errors.Is(err, gone) {
		t.Fatal(err)
	}
	equal(t, "after a transaction that failed", b.announcedTo(own), []string{})
	for range 2 {
		must(t, b.Announce(ctx, nil, b.opened(subject)))
	}
	for name, c := range map[string]struct {
		sub  switchboard.Subscription
		want []string
	}{
		"itself":                 {subject, []string{}},
		"the tenant's":           {own, []string{"acme switchboard.breaker.opened " + id}},
		"the operators'":         {operators, []string{"_operator switchboard.breaker.opened " + id}},
		"those of other tenants": {filtered, []string{}},
	} {
		equal(t, name, b.announcedTo(c.sub), c.want)
	}

	before := len(b.announcedTo(operators))
	must(t, b.Announce(ctx, nil, b.opened(operators)))
	equal(t, "the operators' own, about itself", len(b.announcedTo(operators)), before)
	must(t, b.DeleteSubscription(ctx, root(), subject.ID, ""))
	b.advance(time.Hour)
	must(t, b.Announce(ctx, nil, b.opened(subject)))
	equal(t, "about a deleted subscription", len(b.announcedTo(operators)), before)
}

// TestAnnounceWaitsForNoSubscription: a transaction that has locked other rows does not wait for
// one that changes who gets the event. The attempt decides later.
func TestAnnounceWaitsForNoSubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	subject, paused := b.subscribe("acme", "ticket.*"), b.subscribe("acme", "switchboard.*")
	must(t, second(b.sql.Exec("UPDATE subscriptions SET state = 'paused', flow = flow + 1 WHERE id = $1", paused.ID)))
	must(t, b.Announce(t.Context(), nil, b.opened(subject)))
	b.advance(time.Minute)
	change, err := b.sql.Beginx()
	must(t, err)
	defer func() { _ = change.Rollback() }()
	must(t, second(change.Exec("UPDATE subscriptions SET flow = flow + 1 WHERE id = $1", paused.ID)))
	bounded, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, b.Announce(bounded, nil, b.opened(subject)))
	page, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{Subscription: paused.ID}, switchboard.PageRequest{})
	must(t, err)
	var states []switchboard.State
	for _, d := range page.Items { // the newest first
		states = append(states, d.State)
	}
	equal(t, "while it is being changed, and before", states, []switchboard.State{switchboard.StatePending, switchboard.StateHeld})
}

// TestAnnouncementsHaveNoOrder: neither ordering nor superseding applies to them.
func TestAnnouncementsHaveNoOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	subject, ordered := b.subscribe("acme", "ticket.*"), b.subscribe("acme", "switchboard.*")
	must(t, second(b.sql.Exec("UPDATE subscriptions SET ordered = true, supersede = true WHERE id = $1", ordered.ID)))
	for range 2 {
		must(t, b.Announce(t.Context(), nil, b.opened(subject)))
		b.advance(time.Minute)
	}
	page, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{Subscription: ordered.ID}, switchboard.PageRequest{})
	must(t, err)
	equal(t, "announced", len(page.Items), 2)
	for _, d := range page.Items {
		equal(t, "state, key, ordered", []any{d.State, d.Key, d.Ordered}, []any{switchboard.StatePending, "", false})
	}
}

// TestOperatorsTenantIsTheirs: the platform's keys neither list nor find rows of the operators.
func TestOperatorsTenantIsTheirs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "ticket.*")
	sub := b.subscribe("_operator", "switchboard.*")
	b.fail(b.accept(event("acme", "")).Deliveries[0])
	for _, c := range []struct {
		caller switchboard.Caller
		want   []int // subscriptions, events and deliveries of the operators
	}{
		{root(), []int{1, 1, 1}},
		{switchboard.Caller{Role: switchboard.RoleViewer}, []int{1, 1, 1}},
		{switchboard.Caller{Role: switchboard.RoleIntegrator}, []int{0, 0, 0}},
		{of("acme"), []int{0, 0, 0}},
	} {
		subscriptions, err := b.Subscriptions(t.Context(), c.caller, switchboard.SubscriptionFilter{}, switchboard.PageRequest{})
		must(t, err)
		events, err := b.Events(t.Context(), c.caller, switchboard.EventFilter{}, switchboard.PageRequest{})
		must(t, err)
		deliveries, err := b.Deliveries(t.Context(), c.caller, switchboard.DeliveryFilter{}, switchboard.PageRequest{})
		must(t, err)
		got := make([]int, 3)
		for _, s := range subscriptions.Items {
			got[0] += countIf(s.Tenant == "_operator")
		}
		for _, e := range events.Items {
			got[1] += countIf(e.Event.Tenant == "_operator")
		}
		for _, d := range deliveries.Items {
			got[2] += countIf(d.Tenant == "_operator")
		}
		equal(t, fmt.Sprintf("%+v lists", c.caller), got, c.want)
		_, err = b.Subscription(t.Context(), c.caller, sub.ID)
		equal(t, fmt.Sprintf("%+v finds it", c.caller), err == nil, c.want[0] == 1)
	}
}

func countIf(holds bool) int {
	if holds {
		return 1
	}
	return 0
}

// TestEraseTenantFromTheOperators: the operators' events about a tenant are erased with it, and
// those about others stay.
func TestEraseTenantFromTheOperators(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	operators := b.subscribe("_operator", "switchboard.*")
	b.withCanary("acme")
	own := b.subscribe("acme", "switchboard.*")
	b.subscribe("globex", "ticket.*")
	other := b.accept(event("globex", "")).Deliveries[0]
	b.fail(other)
	for i := range 2 {
		b.fail(b.accept(switchboard.Event{ID: fmt.Sprint(canary, "-failed-", i), Tenant: "acme", Type: "ticket.created", Data: []byte("1")}).Deliveries[0])
	}
	equal(t, "told before", []int{len(b.announcedTo(operators)), len(b.announcedTo(own))}, []int{3, 2})
	page, err := b.Deliveries(ctx, root(), switchboard.DeliveryFilter{Subscription: operators.ID}, switchboard.PageRequest{})
	must(t, err)
	b.record(page.Items[0], 1, 200) // one is delivered, the others are open

	e, err := b.EraseTenant(ctx, root(), "acme", "asked for by letter 5")
	must(t, err)
	b.eraseAll(e.ID)
	equal(t, "rows that hold the canary", b.canaries(), []string{})
	equal(t, "told about others", b.announcedTo(operators), []string{"_operator switchboard.delivery.failed switchboard.delivery.failed:" + other.ID + ":1"})
	equal(t, "violations", b.verifyDatabase().Violations, []switchboard.Violation{})
}
