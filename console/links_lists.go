package console

import (
	"net/url"
	"strconv"

	"github.com/seed-49a43567/switchboard"
)

// linkDeliveryList leads to the list of deliveries for a query.
func linkDeliveryList(q deliveryQuery) string { return address(q.values(), "deliveries") }

// linkDeliveryPart leads to a part of that list, or to the list if the name is empty, with the
// parameters that only the page's own parts use.
func linkDeliveryPart(q deliveryQuery, part string) string {
	values := q.values()
	for _, id := range q.shown {
		values.Add("shown", id)
	}
	if !q.newer.IsZero() {
		values.Set("newer", instant(q.newer))
	}
	if q.facet {
		values.Set("facets", "true")
	}
	if part != "" {
		values.Set(partParameter, part)
	}
	return address(values, "deliveries")
}

// linkEventList leads to the list of events for a query.
func linkEventList(q eventQuery) string { return address(q.values(), "events") }

// linkEventConditions leads to an event with every condition of one subscription.
func linkEventConditions(id, tenant, subscription string) string {
	return address(parameters("tenant", tenant, "conditions", subscription), "events", id) + "#" + url.PathEscape(subscription)
}

// linkEventAll leads to an event with every subscription that it was matched against.
func linkEventAll(id, tenant string) string {
	return address(parameters("tenant", tenant, "all", "true"), "events", id)
}

// linkEventData leads to the data of an event as a file.
func linkEventData(id, tenant string) string {
	return address(parameters("tenant", tenant), "events", id, "data")
}

// linkEventSend leads to the form that sends an event's data to one subscription.
func linkEventSend(id, tenant, subscription string) string {
	return address(parameters("tenant", tenant, "subscription", subscription), "events", id, "send")
}

// linkOperationList leads to the list of operations with that filter.
func linkOperationList(f switchboard.OperationFilter, cursor string) string {
	return address(parameters("tenant", f.Tenant, "subscription", f.Subscription, "cursor", cursor), "operations")
}

// linkOperationItems leads to the items of an operation. An empty outcome means all.
func linkOperationItems(id string, outcome switchboard.OperationOutcome, cursor string) string {
	return address(parameters("outcome", string(outcome), "cursor", cursor), "operations", id)
}

// linkOperationChange leads to the form that pauses, resumes or cancels an operation.
func linkOperationChange(id string, change switchboard.OperationChange) string {
	return address(nil, "operations", id, string(change))
}

// linkReplay leads to the form for a replay.
func linkReplay(s switchboard.Selection) string {
	return address(selectionValues(&s), "operations", "replay")
}

// linkSelectionPlan leads to the plan of an operation, which changes nothing. Without an action,
// the page asks for one.
func linkSelectionPlan(action switchboard.ActionKind, s switchboard.Selection) string {
	values := selectionValues(&s)
	if action != "" {
		values.Set("action", string(action))
	}
	return address(values, "operations", "plan")
}

// selectionValues writes an operation's selection as a query.
func selectionValues(s *switchboard.Selection) url.Values {
	values := parameters("tenant", s.Tenant, "subscription", s.Subscription, "event", s.Event, "event_type", s.EventType, "key", s.Key, "failure", string(s.Failure),
		"host", s.Host, "after", instant(s.After), "before", instant(s.Before), "text", s.Text)
	for _, id := range s.IDs {
		values.Add("id", id)
	}
	for _, state := range s.States {
		values.Add("state", string(state))
	}
	if s.StatusCode != 0 {
		values.Set("status_code", strconv.Itoa(s.StatusCode))
	}
	if s.Stuck {
		values.Set("stuck", "true")
	}
	return values
}

// selectionOf returns the selection of an operation on the deliveries of a list.
func selectionOf(f switchboard.DeliveryFilter) switchboard.Selection {
	return switchboard.Selection{
		IDs: f.IDs, Tenant: f.Tenant, Subscription: f.Subscription, Event: f.Event, EventType: f.EventType, States: f.States, Failure: f.Failure,
		StatusCode: f.StatusCode, Host: f.Host, After: f.After, Before: f.Before, Stuck: f.Stuck, Text: f.Text,
	}
}
