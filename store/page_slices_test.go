package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestListsThatAreSearched: matches that no index finds are searched backwards in slices of time.
// When the time is used up the page says how far it has searched, and its cursor continues there.
func TestListsThatAreSearched(t *testing.T) {
	t.Parallel()
	for name, budget := range map[string]time.Duration{"in time": time.Minute, "never in time": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.SetSearchBudget(budget)
			sub := b.subscribe("acme", "*")
			var rare []string
			for i := range 60 { // ten days
				e := event("acme", fmt.Sprint("e", i))
				if i%20 == 0 {
					e.Type = "call.rang"
					rare = append([]string{e.ID}, rare...)
				}
				b.record(b.accept(e).Deliveries[0], 1, 200)
				b.advance(4 * time.Hour)
			}
			for list, read := range map[string]func(switchboard.PageRequest) ([]string, string, time.Time, error){
				"events": func(p switchboard.PageRequest) ([]string, string, time.Time, error) {
					page, err := b.Events(t.Context(), root(), switchboard.EventFilter{Type: "call.rang"}, p)
					ids, next, err := pageIDs(page, err, func(e switchboard.EventDetail) string { return e.Event.ID })
					return ids, next, page.SearchedTo, err
				},
				"deliveries": func(p switchboard.PageRequest) ([]string, string, time.Time, error) {
					page, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{Text: "CALL.", Subscription: sub.ID}, p)
					ids, next, err := pageIDs(page, err, func(d switchboard.Delivery) string { return d.EventID })
					return ids, next, page.SearchedTo, err
				},
			} {
				var all []string
				partial := 0
				searched := b.clock()
				for cursor := ""; ; {
					ids, next, to, err := read(switchboard.PageRequest{Limit: 2, Cursor: cursor})
					must(t, err)
					all = append(all, ids...)
					if !to.IsZero() {
						partial++
						if !to.Before(searched) || next == "" {
							t.Fatalf("%s: searched to %s after %s, and goes on at %q", list, to, searched, next)
						}
						searched = to
					}
					if cursor = next; cursor == "" {
						break
					}
				}
				equal(t, list, all, rare)
				if (partial > 0) != (budget == 0) {
					t.Errorf("%s: %d pages were cut short", list, partial)
				}
			}
		})
	}
}

// TestEventIDAfterTheWindow: after the idempotency window an id names a new event, and each
// event has its own deliveries.
func TestEventIDAfterTheWindow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	first := b.accept(event("acme", "evt-1"))
	b.advance(7*24*time.Hour - time.Microsecond)
	if again := b.accept(event("acme", "evt-1")); !again.Duplicate {
		t.Errorf("within the window: %+v", again)
	}
	b.advance(2 * time.Microsecond)
	second := b.accept(event("acme", "evt-1"))
	if second.Duplicate || len(second.Deliveries) != 1 {
		t.Errorf("after the window: %+v", second)
	}
	if again := b.accept(event("acme", "evt-1")); !again.Duplicate || again.Deliveries[0].ID != second.Deliveries[0].ID {
		t.Errorf("again after the window: %+v", again)
	}
	got, deliveries, err := b.Event(t.Context(), root(), "", "evt-1")
	must(t, err)
	equal(t, "the newest", []any{got, deliveries}, []any{second.Event, second.Deliveries})
	page, err := b.Events(t.Context(), root(), switchboard.EventFilter{}, switchboard.PageRequest{})
	must(t, err)
	first.Event.Data, second.Event.Data = nil, nil
	for i, want := range []switchboard.Acceptance{second, first} {
		equal(t, "listed", page.Items[i].Event, want.Event)
		equal(t, "its deliveries", page.Items[i].Deliveries[0].ID, want.Deliveries[0].ID)
	}
	of, err := b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{Event: "evt-1"}, switchboard.PageRequest{})
	ids, _, err := pageIDs(of, err, func(d switchboard.Delivery) string { return d.ID })
	must(t, err)
	equal(t, "deliveries of the id", ids, []string{second.Deliveries[0].ID, first.Deliveries[0].ID})
}

// TestOwnIDsPostedAgain: an id that Switchboard made names its event for ever, and an id that only
// looks like one is the platform's own.
func TestOwnIDsPostedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	made := b.accept(event("acme", ""))
	b.advance(time.Hour)
	again := b.accept(event("acme", made.Event.ID))
	equal(t, "the id that we made", again, switchboard.Acceptance{Event: made.Event, Duplicate: true, Deliveries: made.Deliveries})
	other := event("acme", made.Event.ID)
	other.Data = []byte("1")
	got, err := b.Accept(t.Context(), root(), []switchboard.Event{other})
	must(t, err)
	refused(t, "with other data", got[0].Err, switchboard.CodeConflict, "id")

	look := switchboard.NewID(switchboard.EventPrefix, begin().AddDate(-1, 0, 0))
	first := b.accept(event("acme", look))
	b.advance(time.Hour)
	again = b.accept(event("acme", look))
	equal(t, "an id that looks like ours", again, switchboard.Acceptance{Event: first.Event, Duplicate: true, Deliveries: first.Deliveries})
}
