package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestRepeatByValue: a platform that posts again after a timeout may serialise the data
// differently, and gets its own event: posted alone, for one subscription, and twice in one call.
func TestRepeatByValue(t *testing.T) {
	t.Parallel()
	const first = `{"a":1,"b":"é/"}`
	sameBytes, otherBytes := []string(nil), []string{"data"}
	for _, c := range []struct {
		name, data string
		differs    []string
		conflict   bool
	}{
		{"the same bytes", first, sameBytes, false},
		{"another order", `{"b":"é/","a":1}`, otherBytes, false},
		{"white space", ` { "a" : 1 , "b" : "é/" } `, otherBytes, false},
		{"an escaped letter", `{"a":1,"b":"\u00e9/"}`, otherBytes, false},
		{"an escaped slash", `{"a":1,"b":"é\/"}`, otherBytes, false},
		{"another spelling of a number", `{"a":1.0,"b":"é/"}`, otherBytes, false},
		{"an exponent", `{"a":10e-1,"b":"é/"}`, otherBytes, false},
		{"another number", `{"a":2,"b":"é/"}`, nil, true},
		{"a number as text", `{"a":"1","b":"é/"}`, nil, true},
		{"a member more", `{"a":1,"b":"é/","c":null}`, nil, true},
		{"a decomposed letter", `{"a":1,"b":"e\u0301/"}`, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			sub := b.subscribe("acme", "*")
			posted, again := event("acme", "evt-1"), event("acme", "evt-1")
			posted.Data, again.Data = []byte(first), []byte(c.data)
			both := func(id string) []switchboard.Event {
				pair := []switchboard.Event{posted, again}
				pair[0].ID, pair[1].ID = id, id
				return pair
			}
			check := func(how string, a switchboard.Acceptance, original switchboard.Acceptance) {
				t.Helper()
				if c.conflict {
					refused(t, how, a.Err, switchboard.CodeConflict, "id")
					equal(t, how+": deliveries of a conflict", len(a.Deliveries), 0)
					return
				}
				equal(t, how, a, switchboard.Acceptance{Event: original.Event, Duplicate: true, Deliveries: original.Deliveries, Differs: c.differs})
				equal(t, how+": the bytes", string(a.Event.Data), first)
			}
			original := b.accept(posted)
			got, err := b.Accept(t.Context(), root(), []switchboard.Event{again})
			must(t, err)
			check("alone", got[0], original)

			got, err = b.Accept(t.Context(), root(), both("evt-2"))
			must(t, err)
			check("in one call", got[1], got[0])

			one, err := b.AcceptFor(t.Context(), root(), sub.ID, both("evt-3")[0], false)
			must(t, err)
			repeat, err := b.AcceptFor(t.Context(), root(), sub.ID, both("evt-3")[1], true)
			if !c.conflict {
				must(t, err)
			}
			for i := range one.Deliveries {
				one.Deliveries[i] = b.read(one.Deliveries[i].ID)
			}
			check("for one subscription", repeat, one)
		})
	}
}

// TestRepeatWithTypeInAnotherCase: the first spelling stays, and the answer says so.
func TestRepeatWithTypeInAnotherCase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	posted := event("acme", "evt-1")
	again := posted
	again.Type = strings.ToUpper(posted.Type)
	first := b.accept(posted)
	want := switchboard.Acceptance{Event: first.Event, Duplicate: true, Deliveries: first.Deliveries, Differs: []string{"type"}}
	equal(t, "posted again", b.accept(again), want)
	posted.ID, again.ID = "evt-2", "evt-2"
	got, err := b.Accept(t.Context(), root(), []switchboard.Event{posted, again})
	must(t, err)
	equal(t, "within a batch", []any{got[1].Err, got[1].Event.Type, got[1].Differs}, []any{nil, posted.Type, []string{"type"}})
}

// TestRepeatWithAnotherTime: the first time stays, and the answer says so.
func TestRepeatWithAnotherTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	posted := event("acme", "evt-1")
	posted.OccurredAt = begin().Add(-time.Hour)
	first := b.accept(posted)
	for name, c := range map[string]struct {
		at   time.Time
		want []string
	}{
		"the same":            {posted.OccurredAt, nil},
		"in another zone":     {posted.OccurredAt.In(time.FixedZone("", 3600)), nil},
		"below a microsecond": {posted.OccurredAt.Add(999 * time.Nanosecond), nil},
		"none":                {time.Time{}, nil},
		"another":             {posted.OccurredAt.Add(time.Microsecond), []string{"occurred_at"}},
		"another by an hour":  {posted.OccurredAt.Add(time.Hour), []string{"occurred_at"}},
	} {
		again := posted
		again.OccurredAt = c.at
		got := b.accept(again)
		equal(t, name, got, switchboard.Acceptance{Event: first.Event, Duplicate: true, Deliveries: first.Deliveries, Differs: c.want})
	}
}

// TestRepeatForASubscription: an event that was triggered for one subscription is no repeat for
// another, and a caller may wait for a repeat even if nobody waited for the first.
func TestRepeatForASubscription(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := b.subscribe("acme", "*"), b.subscribe("acme", "*")
	trigger := func(sub switchboard.Subscription, awaited bool) (switchboard.Acceptance, error) {
		return b.AcceptFor(t.Context(), root(), sub.ID, event("acme", "script-1"), awaited)
	}
	a, err := trigger(first, false)
	must(t, err)
	d := a.Deliveries[0]
	_, err = trigger(second, false)
	refused(t, "the other subscription's", err, switchboard.CodeConflict, "id")

	a, err = trigger(first, true)
	must(t, err)
	if !a.Duplicate || len(a.Deliveries) != 1 || a.Deliveries[0].ID != d.ID {
		t.Errorf("the repeat is %+v", a)
	}
	var awaited bool
	must(t, b.sql.Get(&awaited, "SELECT response_awaited FROM deliveries WHERE id = $1", d.ID))
	if !awaited {
		t.Error("the answer to a repeat that waits would not be announced")
	}

	// An event for all subscriptions has one delivery for the subscription that is triggered.
	_, err = b.Accept(t.Context(), root(), []switchboard.Event{event("acme", "to-all")})
	must(t, err)
	a, err = b.AcceptFor(t.Context(), root(), second.ID, event("acme", "to-all"), false)
	must(t, err)
	if len(a.Deliveries) != 1 || a.Deliveries[0].SubscriptionID != second.ID {
		t.Errorf("the repeat for one subscription names %+v", a.Deliveries)
	}
}
