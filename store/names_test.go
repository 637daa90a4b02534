package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// TestNamesCountInAnyCase: an event is stored as it was posted, and found by its type in every
// spelling. A cursor is valid for all of them.
func TestNamesCountInAnyCase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "TICKET.created")
	for _, eventType := range []string{"Ticket.Created", "ticket.created", "TICKET.CREATED", "ticket.create", "ticket.created.late"} {
		b.accept(switchboard.Event{Tenant: "acme", Type: eventType, Data: []byte("1")})
		b.advance(time.Minute)
	}
	const want = "TICKET.CREATED ticket.created Ticket.Created"
	for _, asked := range []string{"ticket.created", "Ticket.Created", "tICKET.cREATED"} {
		var posted, delivered []string
		cursor := ""
		for {
			page, err := b.Events(t.Context(), root(), switchboard.EventFilter{Type: asked}, switchboard.PageRequest{Limit: 1, Cursor: cursor})
			must(t, err)
			for _, e := range page.Items {
				posted = append(posted, e.Event.Type)
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
			asked = strings.ToUpper(asked)
		}
		page, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{EventType: asked, Subscription: sub.ID}, switchboard.PageRequest{})
		must(t, err)
		for _, d := range page.Items {
			delivered = append(delivered, d.EventType)
		}
		equal(t, asked+" posted", strings.Join(posted, " "), want)
		equal(t, asked+" delivered", strings.Join(delivered, " "), want)
	}
}

// TestEventTypeIsOneInAnyCase: it is stored as one row, whatever the spelling.
func TestEventTypeIsOneInAnyCase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stored := func() (all []string) {
		types, err := b.EventTypes(t.Context())
		must(t, err)
		for _, et := range types {
			all = append(all, et.Name+" "+et.Description)
		}
		return all
	}
	must(t, b.SaveEventType(t.Context(), root(), switchboard.EventType{Platform: "own", Name: "Order.Paid", Description: "one"}))
	must(t, b.SaveEventType(t.Context(), root(), switchboard.EventType{Platform: "own", Name: "order.paid", Description: "two"}))
	equal(t, "saved twice", stored(), []string{"order.paid two"})
	_, err := b.ChangeEventType(t.Context(), root(), switchboard.EventType{Platform: "own", Name: "ORDER.PAID"}, func(et *switchboard.EventType) error {
		et.Description += "!"
		return nil
	})
	must(t, err)
	equal(t, "changed", stored(), []string{"ORDER.PAID two!"})
	must(t, b.DeleteEventType(t.Context(), root(), "own", "oRDER.pAID"))
	equal(t, "deleted", stored(), []string(nil))
}

// TestTenantUsage: what is known of a tenant.
func TestTenantUsage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("subscribed", "*")
	deleted := b.subscribe("deleted", "*")
	must(t, b.DeleteSubscription(t.Context(), root(), deleted.ID, ""))
	b.accept(switchboard.Event{Tenant: "posted", Type: "call.rang", Data: []byte("1")})
	b.accept(switchboard.Event{Tenant: "posted", Type: "Call.Ended", Data: []byte("1")})
	b.accept(switchboard.Event{Tenant: "posted", Type: "call.rang", Key: "call-1", Data: []byte("1")})
	_, err := b.CreateKey(t.Context(), root(), switchboard.Key{Role: switchboard.RoleViewer, Tenant: "keyed"}, "a key")
	must(t, err)
	for tenant, want := range map[string]switchboard.TenantUsage{
		"subscribed": {Known: true, EventTypes: []string{}},
		"deleted":    {EventTypes: []string{}},
		"posted":     {Known: true, EventTypes: []string{"Call.Ended", "call.rang"}, Keyless: []string{"Call.Ended"}},
		"keyed":      {Known: true, EventTypes: []string{}},
		"Posted":     {EventTypes: []string{}},
		"nobody":     {EventTypes: []string{}},
	} {
		got, err := b.TenantUsage(t.Context(), root(), tenant)
		must(t, err)
		equal(t, tenant, got, want)
	}
	_, err = b.TenantUsage(t.Context(), of("acme"), "posted")
	refused(t, "another tenant's", err, switchboard.CodeForbidden, "")
}

// TestUndecidedIsDelivered: a filter whose budget is used up loses no event, and the acceptance
// names the subscription.
func TestUndecidedIsDelivered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	subscribe := func(document string) switchboard.Subscription {
		s := switchboard.Subscription{
			Tenant: "acme", Name: document, Events: []string{"*"}, Filter: json.RawMessage(document), Request: switchboard.Request{URL: "https://receiver.example/"},
			Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
		}
		s.SetDefaults()
		must(t, b.CreateSubscription(t.Context(), root(), &s))
		return s
	}
	const costly = `{"data":{"text":{"$regex":"(?:a?){200}z"}}}`
	plain := subscribe(`{"data":{"status":"open"}}`)
	undecided := subscribe(costly)
	turned := subscribe(`{"$not":` + costly + `}`)
	subscribe(`{"data":{"status":"closed","text":{"$regex":"(?:a?){200}z"}}}`)
	a := b.accept(switchboard.Event{Tenant: "acme", Type: "t", Data: []byte(`{"status":"open","text":"` + strings.Repeat("b", 100<<10) + `"}`)})
	got, want := map[string]bool{}, map[string]bool{plain.ID: true, undecided.ID: true, turned.ID: true}
	for _, d := range a.Deliveries {
		got[d.SubscriptionID] = true
	}
	equal(t, "delivered to", got, want)
	equal(t, "undecided", unordered(a.Undecided), unordered([]string{undecided.ID, turned.ID}))
}

// TestTenantsOfACommitHaveBudgetsOfTheirOwn: the work of one tenant's filters on all its events is
// bounded, because a batch of them could otherwise never be stored in time. The filters of another
// tenant are matched as usual.
func TestTenantsOfACommitHaveBudgetsOfTheirOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tenant := range []string{"heavy", "light"} {
		s := switchboard.Subscription{
			Tenant: tenant, Name: tenant, Events: []string{"*"}, Filter: json.RawMessage(`{"data":{"a":{"$eq":5}}}`), Request: switchboard.Request{URL: "https://receiver.example/"},
			Secrets: []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}},
		}
		s.SetDefaults()
		must(t, b.CreateSubscription(t.Context(), root(), &s))
	}
	long := []byte(`{"a":[1` + strings.Repeat(",1", 200_000-1) + `]}`)
	events := make([]switchboard.Event, 10)
	for i := range events {
		events[i] = switchboard.Event{Tenant: "heavy", Type: "t", Data: long}
	}
	got, err := b.Accept(t.Context(), root(), append(events, switchboard.Event{Tenant: "light", Type: "t", Data: long}))
	must(t, err)
	undecided := 0
	for _, a := range got[:10] {
		undecided += len(a.Undecided)
	}
	equal(t, "undecided, of the other tenant, and its deliveries", []int{undecided, len(got[10].Undecided), len(got[10].Deliveries)}, []int{5, 0, 0})
}

func unordered(ids []string) map[string]int {
	counts := map[string]int{}
	for _, id := range ids {
		counts[id]++
	}
	return counts
}
