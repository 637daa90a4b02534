package store_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// walk reads a list to its end in pages of two and returns the ids in order.
func walk(t *testing.T, list func(switchboard.PageRequest) ([]string, string, error)) []string {
	t.Helper()
	all := []string{}
	for cursor, pages := "", 0; ; pages++ {
		ids, next, err := list(switchboard.PageRequest{Limit: 2, Cursor: cursor})
		must(t, err)
		all = append(all, ids...)
		if next == "" {
			return all
		}
		if len(ids) != 2 || pages > 100 {
			t.Fatalf("page %d: %v", pages, ids)
		}
		cursor = next
	}
}

func pageIDs[T any](p switchboard.Page[T], err error, id func(T) string) ([]string, string, error) {
	ids := []string{}
	for _, item := range p.Items {
		ids = append(ids, id(item))
	}
	return ids, p.NextCursor, err
}

// asked is a time as in a query: its zone may move it out of the years with four digits.
func asked(written string) time.Time {
	at, err := time.Parse(time.RFC3339, written)
	if err != nil {
		panic(err)
	}
	return at
}

func TestEventsList(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i, tenant := range []string{"acme", "other", "acme", "acme", "other", "acme", "acme"} {
		e := event(tenant, fmt.Sprint("e", i))
		e.Key = fmt.Sprint("k", i%2)
		if i == 6 {
			e.Type = "call.rang"
		}
		b.accept(e)
		if i%2 == 1 { // two events share each time
			b.advance(time.Minute)
		}
	}
	for name, c := range map[string]struct {
		caller switchboard.Caller
		filter switchboard.EventFilter
		want   []string
	}{
		"all":             {root(), switchboard.EventFilter{}, []string{"e6", "e5", "e4", "e3", "e2", "e1", "e0"}},
		"a tenant":        {root(), switchboard.EventFilter{Tenant: "other"}, []string{"e4", "e1"}},
		"a tenant's key":  {of("acme"), switchboard.EventFilter{}, []string{"e6", "e5", "e3", "e2", "e0"}},
		"another's":       {of("acme"), switchboard.EventFilter{Tenant: "other"}, []string{}},
		"type":            {root(), switchboard.EventFilter{Type: "call.rang"}, []string{"e6"}},
		"key":             {root(), switchboard.EventFilter{Key: "k1"}, []string{"e5", "e3", "e1"}},
		"after, included": {root(), switchboard.EventFilter{After: begin().Add(2 * time.Minute)}, []string{"e6", "e5", "e4"}},
		"before, not":     {root(), switchboard.EventFilter{Before: begin().Add(time.Minute)}, []string{"e1", "e0"}},
		"after 1960":      {root(), switchboard.EventFilter{Tenant: "other", After: asked("1960-01-01T00:00:00Z")}, []string{"e4", "e1"}},
		"after ever":      {root(), switchboard.EventFilter{Tenant: "other", After: asked("0000-01-01T00:00:00+01:00")}, []string{"e4", "e1"}},
		"after never":     {root(), switchboard.EventFilter{After: asked("9999-12-31T23:59:59-01:00")}, []string{}},
		"before 1960":     {root(), switchboard.EventFilter{Before: asked("1960-01-01T00:00:00Z")}, []string{}},
		"before ever":     {root(), switchboard.EventFilter{Before: asked("0000-01-01T00:00:00+01:00")}, []string{}},
		"before never":    {root(), switchboard.EventFilter{Tenant: "other", Before: asked("9999-12-31T23:59:59-01:00")}, []string{"e4", "e1"}},
	} {
		equal(t, name, walk(t, func(p switchboard.PageRequest) ([]string, string, error) {
			page, err := b.Events(t.Context(), c.caller, c.filter, p)
			return pageIDs(page, err, func(e switchboard.EventDetail) string { return e.Event.ID })
		}), c.want)
	}
}

func TestEventOfSeveralTenants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.accept(event("acme", "e"))
	other := b.accept(event("other", "e"))
	_, _, err := b.Event(t.Context(), root(), "", "e")
	refused(t, "no tenant", err, switchboard.CodeConflict, "tenant")
	for name, read := range map[string]func() (switchboard.Event, []switchboard.Delivery, error){
		"named": func() (switchboard.Event, []switchboard.Delivery, error) {
			return b.Event(t.Context(), root(), "other", "e")
		},
		"by the key": func() (switchboard.Event, []switchboard.Delivery, error) {
			return b.Event(t.Context(), of("other"), "", "e")
		},
	} {
		got, deliveries, err := read()
		must(t, err)
		equal(t, name, got, other.Event)
		equal(t, name, deliveries, []switchboard.Delivery{})
	}
}

func TestDeliveriesFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	names := map[string]string{}
	name := func(d switchboard.Delivery, name string) switchboard.Delivery {
		names[d.ID] = name
		b.advance(time.Minute)
		return d
	}
	pending := name(b.delivery("acme"), "pending")
	name(b.record(b.delivery("acme"), 1, 503), "retrying")
	held := name(b.delivery("acme"), "held")
	b.hold(held.ID, switchboard.StateHeld)
	name(b.record(b.delivery("acme"), 1, 200), "delivered")
	failed := name(b.record(b.delivery("other"), 1, 410), "failed")
	call := b.subscribe("other", "*")
	a, err := b.AcceptFor(t.Context(), root(), call.ID, switchboard.Event{Tenant: "other", Type: "call.rang", ID: "ring%_1", Data: []byte("1")}, false)
	must(t, err)
	name(a.Deliveries[0], "call")
	b.advance(-time.Minute) // the last one is young

	start := begin()
	for what, c := range map[string]struct {
		caller switchboard.Caller
		filter switchboard.DeliveryFilter
		want   string
	}{
		"all":                {root(), switchboard.DeliveryFilter{}, "call failed delivered held retrying pending"},
		"tenant":             {root(), switchboard.DeliveryFilter{Tenant: "other"}, "call failed"},
		"a tenant's key":     {of("other"), switchboard.DeliveryFilter{}, "call failed"},
		"another's":          {of("other"), switchboard.DeliveryFilter{Tenant: "acme"}, ""},
		"subscription":       {root(), switchboard.DeliveryFilter{Subscription: held.SubscriptionID}, "held"},
		"event":              {root(), switchboard.DeliveryFilter{Event: pending.EventID}, "pending"},
		"event type":         {root(), switchboard.DeliveryFilter{EventType: "call.rang"}, "call"},
		"type, any case":     {root(), switchboard.DeliveryFilter{EventType: "Call.RANG"}, "call"},
		"part of a type":     {root(), switchboard.DeliveryFilter{EventType: "call"}, ""},
		"open states":        {root(), switchboard.DeliveryFilter{States: []switchboard.State{switchboard.StatePending, switchboard.StateHeld}}, "call held pending"},
		"delivered too":      {root(), switchboard.DeliveryFilter{States: []switchboard.State{switchboard.StateDelivered, switchboard.StateFailed}}, "failed delivered"},
		"failure":            {root(), switchboard.DeliveryFilter{Failure: switchboard.FailureHTTP5xx}, "retrying"},
		"status code":        {root(), switchboard.DeliveryFilter{StatusCode: 410}, "failed"},
		"host":               {root(), switchboard.DeliveryFilter{Host: "RECEIVER.example:8443", Tenant: "other"}, "call failed"},
		"host of any port":   {root(), switchboard.DeliveryFilter{Host: "Receiver.example", Tenant: "other"}, "call failed"},
		"host, another port": {root(), switchboard.DeliveryFilter{Host: "receiver.example:844"}, ""},
		"part of a host":     {root(), switchboard.DeliveryFilter{Host: "receiver.exampl"}, ""},
		"host, no pattern":   {root(), switchboard.DeliveryFilter{Host: "receiver%"}, ""},
		"after, included":    {root(), switchboard.DeliveryFilter{After: start.Add(4 * time.Minute)}, "call failed"},
		"before, not":        {root(), switchboard.DeliveryFilter{Before: start.Add(2 * time.Minute)}, "retrying pending"},
		"between":            {root(), switchboard.DeliveryFilter{After: start.Add(time.Minute), Before: start.Add(2*time.Minute + time.Microsecond)}, "held retrying"},
		"after 1960":         {root(), switchboard.DeliveryFilter{After: asked("1960-01-01T00:00:00Z")}, "call failed delivered held retrying pending"},
		"after ever":         {root(), switchboard.DeliveryFilter{After: asked("0000-01-01T00:00:00+01:00")}, "call failed delivered held retrying pending"},
		"after never":        {root(), switchboard.DeliveryFilter{After: asked("9999-12-31T23:59:59-01:00")}, ""},
		"before 1960":        {root(), switchboard.DeliveryFilter{Before: asked("1960-01-01T00:00:00Z")}, ""},
		"before ever":        {root(), switchboard.DeliveryFilter{Before: asked("0000-01-01T00:00:00+01:00")}, ""},
		"before never":       {root(), switchboard.DeliveryFilter{Before: asked("9999-12-31T23:59:59-01:00")}, "call failed delivered held retrying pending"},
		"stuck":              {root(), switchboard.DeliveryFilter{Stuck: true}, "retrying pending"},
		"text: type":         {root(), switchboard.DeliveryFilter{Text: "CALL.r"}, "call"},
		"text: reason":       {root(), switchboard.DeliveryFilter{Text: "http_503"}, "retrying"},
		"text: host":         {root(), switchboard.DeliveryFilter{Text: "Receiver.EX", Tenant: "other"}, "call failed"},
		"text: no wildcards": {root(), switchboard.DeliveryFilter{Text: "g%_"}, "call"},
		"text: an id":        {root(), switchboard.DeliveryFilter{Text: failed.ID}, "failed"},
		"text: its event":    {root(), switchboard.DeliveryFilter{Text: failed.EventID}, "failed"},
		"text: its sub":      {root(), switchboard.DeliveryFilter{Text: failed.SubscriptionID}, "failed"},
		"text: part of it":   {root(), switchboard.DeliveryFilter{Text: strings.ToUpper(failed.ID[20:])}, "failed"},
		"ids":                {root(), switchboard.DeliveryFilter{IDs: []string{pending.ID, failed.ID, "dlv_none"}}, "failed pending"},
		"ids of a tenant":    {of("other"), switchboard.DeliveryFilter{IDs: []string{pending.ID, failed.ID}}, "failed"},
		"ids and a state":    {root(), switchboard.DeliveryFilter{IDs: []string{pending.ID, failed.ID}, States: []switchboard.State{switchboard.StatePending}}, "pending"},
		"together":           {root(), switchboard.DeliveryFilter{Tenant: "acme", States: []switchboard.State{switchboard.StateRetrying}, StatusCode: 410}, ""},
	} {
		ids := walk(t, func(p switchboard.PageRequest) ([]string, string, error) {
			page, err := b.Deliveries(t.Context(), c.caller, c.filter, p)
			return pageIDs(page, err, func(d switchboard.Delivery) string { return d.ID })
		})
		got := make([]string, len(ids))
		for i, id := range ids {
			got[i] = names[id]
		}
		equal(t, what, got, strings.Fields(c.want))
	}
}

// TestSearchThatTakesTooLong: the error does not say that Postgres is unavailable.
func TestSearchThatTakesTooLong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tx, err := b.sql.Beginx()
	must(t, err)
	defer func() { must(t, tx.Rollback()) }()
	_, err = tx.Exec("LOCK TABLE deliveries")
	must(t, err)
	search := func(ctx context.Context) error {
		return second(b.Deliveries(ctx, root(), switchboard.DeliveryFilter{}, switchboard.PageRequest{}))
	}
	hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	refused(t, "a caller who leaves", search(hurried), switchboard.CodeUnavailable, "")
	err = search(t.Context())
	refused(t, "the search", err, switchboard.CodeInvalid, "")
	if !strings.Contains(err.Error(), "longer than 5s") {
		t.Errorf("it says %q", err)
	}
}

func TestPagesWhileRowsAreAdded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	for range 7 {
		want = append(want, b.subscribe("acme", "*").ID)
		b.advance(time.Millisecond)
	}
	slices.Reverse(want)
	equal(t, "subscriptions", walk(t, func(p switchboard.PageRequest) ([]string, string, error) {
		page, err := b.Subscriptions(t.Context(), root(), switchboard.SubscriptionFilter{State: switchboard.SubscriptionActive}, p)
		b.advance(time.Millisecond)
		b.subscribe("acme", "*") // newer than the first page, so it is never listed
		return pageIDs(page, err, func(s switchboard.Subscription) string { return s.ID })
	}), want)
}

func TestPageRequestsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 3 {
		b.accept(event("acme", fmt.Sprint("e", i)))
		_, err := b.CreateKey(t.Context(), root(), switchboard.Key{Role: switchboard.RoleViewer}, switchboard.Secret(fmt.Sprint("key ", i)))
		must(t, err)
	}
	first, err := b.Events(t.Context(), root(), switchboard.EventFilter{}, switchboard.PageRequest{Limit: 1})
	must(t, err)
	cursor := first.NextCursor
	events := func(s interface {
		Events(context.Context, switchboard.Caller, switchboard.EventFilter, switchboard.PageRequest) (switchboard.Page[switchboard.EventDetail], error)
	}, caller switchboard.Caller, f switchboard.EventFilter, cursor string) error {
		return second(s.Events(t.Context(), caller, f, switchboard.PageRequest{Cursor: cursor}))
	}
	must(t, events(b.Store, root(), switchboard.EventFilter{}, cursor))
	must(t, events(b.open("newer:"+strings.Repeat("ab", 32)+","+ring), root(), switchboard.EventFilter{}, cursor))
	for name, err := range map[string]error{
		"another filter":   events(b.Store, root(), switchboard.EventFilter{Tenant: "acme"}, cursor),
		"another caller":   events(b.Store, of("acme"), switchboard.EventFilter{}, cursor),
		"another list":     second(b.Keys(t.Context(), root(), switchboard.PageRequest{Cursor: cursor})),
		"another keyring":  events(b.open(strings.Repeat("ab", 32)), root(), switchboard.EventFilter{}, cursor),
		"cut":              events(b.Store, root(), switchboard.EventFilter{}, cursor[:len(cursor)-1]),
		"lengthened":       events(b.Store, root(), switchboard.EventFilter{}, cursor+"A"),
		"not base64":       events(b.Store, root(), switchboard.EventFilter{}, "?"),
		"a key id only":    events(b.Store, root(), switchboard.EventFilter{}, "dGVzdDo"),
		"deliveries":       second(b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{}, switchboard.PageRequest{Cursor: cursor})),
		"in subscriptions": second(b.Subscriptions(t.Context(), root(), switchboard.SubscriptionFilter{}, switchboard.PageRequest{Cursor: cursor})),
	} {
		refused(t, name, err, switchboard.CodeInvalid, "cursor")
	}
	for _, limit := range []int{-1, switchboard.MaxPage + 1} {
		p := switchboard.PageRequest{Limit: limit}
		for name, err := range map[string]error{
			"events":        second(b.Events(t.Context(), root(), switchboard.EventFilter{}, p)),
			"deliveries":    second(b.Deliveries(t.Context(), root(), switchboard.DeliveryFilter{}, p)),
			"subscriptions": second(b.Subscriptions(t.Context(), root(), switchboard.SubscriptionFilter{}, p)),
			"keys":          second(b.Keys(t.Context(), root(), p)),
		} {
			refused(t, fmt.Sprint(name, limit), err, switchboard.CodeInvalid, "limit")
		}
	}
}
