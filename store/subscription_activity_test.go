package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// TestSubscriptionActivity: the open deliveries, and the attempts of the last 24 hours from the
// rollups.
func TestSubscriptionActivity(t *testing.T) {
	t.Parallel()
	b, acme, globex := traffic(t)
	idle := b.subscribe("acme", "ticket.created")
	found, err := b.SubscriptionActivity(t.Context(), []string{acme.ID, globex.ID, idle.ID})
	must(t, err)
	since, noon := begin().Add(90*time.Minute-switchboard.ActivityFor).Truncate(time.Hour), begin().Truncate(time.Hour)
	one := found[acme.ID]
	if one.Attempts.P95 < 5000 || one.Attempts.P50 > one.Attempts.P95 {
		t.Errorf("latencies: %+v", one.Attempts)
	}
	want := switchboard.SubscriptionActivity{
		Open: switchboard.Count{Value: 2}, Since: since, DeliveredHour: noon.Add(time.Hour),
		Attempts: switchboard.TrafficCount{Attempts: 4, Succeeded: 2, Failed: 2, P50: one.Attempts.P50, P95: one.Attempts.P95},
		Hours:    []switchboard.ActivityHour{{At: noon, Attempts: 2, Failed: 1}, {At: noon.Add(time.Hour), Attempts: 2, Failed: 1}},
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Error(diff)
	}
	equal(t, "attempts of globex", found[globex.ID].Attempts.Attempts, int64(1))
	if diff := cmp.Diff(switchboard.SubscriptionActivity{Since: since}, found[idle.ID]); diff != "" {
		t.Errorf("of one that was sent nothing: %s", diff)
	}
	for _, status := range []int{410, 200} {
		just, err := b.AcceptFor(t.Context(), root(), globex.ID, event("globex", ""), false)
		must(t, err)
		b.attempted(just.Deliveries[0], status, 0, time.Second)
	}
	b.advance(15 * time.Second)
	b.rollUp()
	found, err = b.SubscriptionActivity(t.Context(), []string{globex.ID})
	must(t, err)
	one = found[globex.ID]
	equal(t, "just attempted", []any{one.Hours, one.DeliveredHour}, []any{[]switchboard.ActivityHour{{At: noon, Attempts: 1}, {At: noon.Add(time.Hour), Attempts: 2, Failed: 1}}, noon.Add(time.Hour)})
	counted, err := b.Traffic(t.Context(), root(), switchboard.TrafficQuery{Subscription: globex.ID})
	must(t, err)
	equal(t, "in its chart", []any{summary(counted), counted.CountedTo}, []any{"succeeded 2/2 12:00:1 13:00:1, failed 1/0 13:00:1", b.clock()})
}

// TestSubscriptionFilters: a subscription fails if its breaker is not closed, or three attempts in
// a row have failed.
func TestSubscriptionFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	later := func(tenant, events string) switchboard.Subscription {
		b.advance(time.Second) // the newest is the first in the list
		return b.subscribe(tenant, events)
	}
	healthy, twice, thrice, open := later("acme", "ticket.*"), later("acme", "ticket.new"), later("globex", "*"), later("globex", "*")
	for sub, failures := range map[*switchboard.Subscription]int{&twice: 2, &thrice: 3, &open: 20} {
		for range failures {
			b.report(b.Store, b.failure(sub, "dlv_x"))
		}
	}
	_, err := b.sql.Exec("UPDATE subscriptions SET name = 'Größe 100 %', url = 'https://CRM.example.com:8443/path' WHERE id = $1", healthy.ID)
	must(t, err)
	names := map[string]string{healthy.ID: "healthy", twice.ID: "twice", thrice.ID: "thrice", open.ID: "open"}
	for _, c := range []struct {
		filter switchboard.SubscriptionFilter
		want   []string
	}{
		{switchboard.SubscriptionFilter{Failing: new(true)}, []string{"open", "thrice"}},
		{switchboard.SubscriptionFilter{Failing: new(false)}, []string{"twice", "healthy"}},
		{switchboard.SubscriptionFilter{Failing: new(true), Tenant: "acme"}, nil},
		{switchboard.SubscriptionFilter{EventType: "Order.Made", Tenant: "globex"}, []string{"open", "thrice"}},
		{switchboard.SubscriptionFilter{EventType: "ticket.created", Tenant: "acme"}, []string{"healthy"}},
		{switchboard.SubscriptionFilter{EventType: "TICKET.new", Tenant: "acme"}, []string{"twice", "healthy"}},
		{switchboard.SubscriptionFilter{Text: "größe"}, []string{"healthy"}},
		{switchboard.SubscriptionFilter{Text: "100 %"}, []string{"healthy"}},
		{switchboard.SubscriptionFilter{Text: "crm.EXAMPLE.com:84"}, []string{"healthy"}},
		{switchboard.SubscriptionFilter{Text: "/path"}, nil},
		{switchboard.SubscriptionFilter{Text: "lobe"}, []string{"open", "thrice"}},
		{switchboard.SubscriptionFilter{Text: twice.ID[4:]}, []string{"twice"}},
		{switchboard.SubscriptionFilter{Text: "acme", Failing: new(false), State: switchboard.SubscriptionActive}, []string{"twice", "healthy"}},
	} {
		page, err := b.Subscriptions(t.Context(), root(), c.filter, switchboard.PageRequest{})
		must(t, err)
		var got []string
		for _, sub := range page.Items {
			got = append(got, names[sub.ID])
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", fmt.Sprintf("%+v", c.filter), diff)
		}
	}
}
