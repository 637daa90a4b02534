package api

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
)

// maxExplained limits how many subscriptions of a tenant an event is matched against.
const maxExplained = 200

// explanation says which subscriptions of the event's tenant receive it, and why the others do not.
type explanation struct {
	EventID       string                  `json:"event_id" example:"ticket-4711-created"`
	Tenant        string                  `json:"tenant" example:"acme"`
	EventType     string                  `json:"event_type" example:"ticket.created"`
	CreatedAt     time.Time               `json:"created_at" doc:"When the event was accepted"`
	Text          string                  `json:"text" doc:"The explanation in words" example:"acme has 2 subscriptions; 1 takes the event, and 1 has a delivery of it"`
	Subscriptions []explainedSubscription `json:"subscriptions" nullable:"false" doc:"Current subscriptions of the tenant, newest first; then deleted ones with a delivery of the event"`
	More          bool                    `json:"more" doc:"The tenant has more subscriptions than these newest 200"`
}

// explainedSubscription is a subscription that was matched against an event.
type explainedSubscription struct {
	SubscriptionID string                        `json:"subscription_id" example:"sub_01k0000000000000000000000"`
	Name           string                        `json:"name" doc:"Empty if the subscription is deleted" example:"CRM sync"`
	State          switchboard.SubscriptionState `json:"state" doc:"Empty if the subscription is deleted" example:"active"`
	Deleted        bool                          `json:"deleted,omitempty"`
	Matches        bool                          `json:"matches" doc:"Whether the subscription, as it is now, takes the event" example:"false"`
	Undecided      bool                          `json:"undecided,omitempty" doc:"Whether it takes the event is not known: the event's data are erased, or the filter costs too much. If the filter cost too much at acceptance, the subscription got the event"`
	Unmet          *filter.Finding               `json:"unmet,omitempty" doc:"The first condition that does not hold"`
	Notes          []note                        `json:"notes" nullable:"false" doc:"Differences at the time of acceptance"`
	Deliveries     []eventDelivery               `json:"deliveries" nullable:"false" doc:"Deliveries of the event to this subscription; more than one after a replay"`
	Text           string                        `json:"text" doc:"The explanation in words" example:"CRM sync does not take it: data.ticket.priority is 2; it must be at least 3"`
}

// note describes a difference between now and the time when the event was accepted.
type note struct {
	Code string    `json:"code" enum:"made_after,changed_since,inactive_then,state_changed_since" example:"made_after"`
	Text string    `json:"text" example:"made after the event, at 2026-01-31T12:00:00Z"`
	At   time.Time `json:"at,omitzero" doc:"Left out if it is not known"`
}

// eventDelivery is the short form of a delivery of an event.
type eventDelivery struct {
	ID     string            `json:"id" example:"dlv_01k0000000000000000000000"`
	State  switchboard.State `json:"state" enum:"pending,retrying,held,blocked,delivered,failed,cancelled" example:"delivered"`
	Reason string            `json:"reason" example:"http_503"`
}

func (s *server) explainEvent(ctx context.Context, caller switchboard.Caller, in *oneEventInput) (*reply[explanation], error) {
	tenant, err := tenantFilter(caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	e, deliveries, err := s.Store.Event(ctx, caller, tenant, in.ID)
	if err != nil {
		return nil, err
	}
	subs, err := s.Store.Subscriptions(ctx, caller, switchboard.SubscriptionFilter{Tenant: e.Tenant}, switchboard.PageRequest{Limit: maxExplained})
	if err != nil {
		return nil, err
	}
	out := explanation{
		EventID: e.ID, Tenant: e.Tenant, EventType: e.Type, CreatedAt: e.CreatedAt.UTC(), More: subs.NextCursor != "", Subscriptions: []explainedSubscription{},
	}
	of := map[string][]eventDelivery{}
	for _, d := range deliveries {
		of[d.SubscriptionID] = append(of[d.SubscriptionID], eventDelivery{d.ID, d.State, d.Reason})
	}
	then, err := s.Store.SubscriptionsThen(ctx, e.CreatedAt, changedSince(subs.Items, &e))
	if err != nil {
		return nil, err
	}
	held := &against{event: &e, input: filter.NewInput(&e), budget: filter.NewExplainBudget(), then: then}
	matching := 0
	for i := range subs.Items {
		sub := &subs.Items[i]
		one := held.explain(caller, sub)
		one.Deliveries = append([]eventDelivery{}, of[sub.ID]...)
		delete(of, sub.ID)
		if one.Matches {
			matching++
		}
		one.Text = one.text()
		out.Subscriptions = append(out.Subscriptions, one)
	}
	for _, d := range deliveries { // in their order
		if rest := of[d.SubscriptionID]; rest != nil && !out.More {
			out.Subscriptions = append(out.Subscriptions, explainedSubscription{
				SubscriptionID: d.SubscriptionID, Deleted: true, Notes: []note{}, Deliveries: rest, Text: "the subscription " + d.SubscriptionID + " is deleted",
			})
			delete(of, d.SubscriptionID)
		}
	}
	out.Text = fmt.Sprintf("%s has %s; %s the event, and it has %s", e.Tenant, counted(len(subs.Items), "subscription"), howManyTake(matching), countedDeliveries(len(deliveries)))
	if out.More {
		out.Text = "of the newest " + fmt.Sprint(maxExplained) + " subscriptions of " + e.Tenant + " " + howManyTake(matching) + " the event, and it has " + countedDeliveries(len(deliveries))
	}
	return &reply[explanation]{Body: out}, nil
}

// against holds the event that subscriptions are matched against.
type against struct {
	event  *switchboard.Event
	input  *filter.Input
	budget *filter.Budget
	then   map[string]switchboard.SubscriptionThen // of the subscriptions that have changed since
}

// changedSince returns the ids of the subscriptions that existed when the event was accepted and
// have changed since.
func changedSince(subs []switchboard.Subscription, e *switchboard.Event) (ids []string) {
	for i := range subs {
		if s := &subs[i]; !s.CreatedAt.After(e.CreatedAt) && (s.UpdatedAt.After(e.CreatedAt) || s.StateSince.After(e.CreatedAt)) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (a *against) explain(caller switchboard.Caller, sub *switchboard.Subscription) explainedSubscription {
	shown, then := *sub, a.then[sub.ID]
	if caller.IsTenants() {
		shown.StateBy, then.By = "", ""
	}
	out := explainedSubscription{SubscriptionID: sub.ID, Name: sub.Name, State: sub.State, Notes: notesOf(&shown, a.event, then)}
	if byType := typeFinding(sub, a.event.Type); !byType.Holds {
		out.Unmet = &byType
		return out
	}
	f, err := filter.Parse(sub.Filter)
	switch {
	case err != nil || !a.event.ErasedAt.IsZero() && !f.IsZero():
		out.Undecided = true
		return out
	}
	verdict, unmet := f.Unmet(a.input, a.budget)
	out.Matches, out.Undecided = verdict == filter.VerdictMatched, verdict == filter.VerdictUndecided
	if unmet != nil && !caller.ReadPayload {
		hidden := unmet.Redacted()
		unmet = &hidden
	}
	out.Unmet = unmet
	return out
}

// notesOf describes what was different when the event was accepted, as far as the subscription's
// dates and the audit show it.
func notesOf(sub *switchboard.Subscription, e *switchboard.Event, then switchboard.SubscriptionThen) []note {
	notes := []note{}
	add := func(code, text string, at time.Time) {
		if !at.IsZero() {
			text += " at " + at.UTC().Format(time.RFC3339)
		}
		notes = append(notes, note{code, text, at.UTC()})
	}
	switch {
	case sub.CreatedAt.After(e.CreatedAt):
		add("made_after", "made after the event,", sub.CreatedAt)
		return notes
	case sub.UpdatedAt.After(e.CreatedAt):
		add("changed_since", fmt.Sprintf("%schanged since the event, to version %d,", whatChanged(then), sub.Version), sub.UpdatedAt)
	}
	const held = "%[1]s then, so its deliveries were held: %[1]s%[2]s,"
	if !sub.StateSince.After(e.CreatedAt) {
		if sub.State != switchboard.SubscriptionActive {
			add("inactive_then", fmt.Sprintf(held, sub.State, byWhom(sub.StateBy, sub.StateReason)), sub.StateSince)
		}
		return notes
	}
	was := ""
	switch {
	case then.State == switchboard.SubscriptionActive:
		was = "active then; "
	case then.State != "" && !then.Since.IsZero():
		add("inactive_then", fmt.Sprintf(held, then.State, byWhom(then.By, then.Reason)), then.Since)
	case then.State != "":
		add("inactive_then", fmt.Sprintf("%s then, so its deliveries were held", then.State), time.Time{})
	}
	add("state_changed_since", fmt.Sprintf("%sbecame %s after the event%s,", was, sub.State, byWhom(sub.StateBy, sub.StateReason)), sub.StateSince)
	return notes
}

// whatChanged says whether the audit shows a later change of the event types or the filter, or "".
func whatChanged(then switchboard.SubscriptionThen) string {
	switch {
	case then.EventsChanged && then.FilterChanged:
		return "events and filter were "
	case then.EventsChanged:
		return "events were "
	case then.FilterChanged:
		return "filter was "
	}
	return ""
}

// byWhom says who did something and why, as far as it is known.
func byWhom(by, reason string) (words string) {
	if by != "" {
		words = " by " + by
	}
	if reason != "" {
		words += " (" + reason + ")"
	}
	return words
}

// text explains the result for a subscription in one sentence.
func (x *explainedSubscription) text() string {
	text := x.Name + " takes it"
	switch {
	case x.Undecided:
		text = x.Name + " may take it: whether its filter matches is not known"
	case x.Unmet != nil:
		text = x.Name + " does not take it: " + x.Unmet.Text
	case !x.Matches:
		text = x.Name + " does not take it: its filter does not match"
	}
	has := len(x.Deliveries) > 0
	switch {
	case has:
		text += "; its delivery is " + string(x.Deliveries[len(x.Deliveries)-1].State)
	case x.Matches && len(x.Notes) == 0:
		text += "; it has no delivery: the event was posted only to another subscription, or its delivery is past its retention"
	}
	for _, n := range x.Notes {
		text += "; " + n.Text
	}
	return text
}

func counted(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func countedDeliveries(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}

// howManyTake says in words how many subscriptions receive an event.
func howManyTake(n int) string {
	switch n {
	case 0:
		return "none takes"
	case 1:
		return "1 takes"
	}
	return fmt.Sprintf("%d take", n)
}
