package console

import (
	"net/url"
	"strconv"

	"github.com/seed-49a43567/switchboard"
)

// linkDeliveryList is the list of deliveries that a query asks for.
func linkDeliveryList(q deliveryQuery) string { return address(q.values(), "deliveries") }

// linkDeliveryPart is a part of that list, or with an empty name the list, with what only the page's own
// parts ask for.
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

// linkEventList is the list of events that a query asks for.
func linkEventList(q eventQuery) string { return address(q.values(), "events") }

// linkEventConditions is an event with every condition of one subscription.
func linkEventConditions(id, tenant, subscription string) string {
	return address(parameters("tenant", tenant, "conditions", subscription), "events", id) + "#" + url.PathEscape(subscription)
}

// linkEventAll is an event with every subscription that it was held against.
func linkEventAll(id, tenant string) string {
	return address(parameters("tenant", tenant, "all", "true"), "events", id)
}

// linkEventData is the data of an event as a file.
func linkEventData(id, tenant string) string {
	return address(parameters("tenant", tenant), "events", id, "data")
}

// linkEventSend is the form that sends an event's data to one subscription.
func linkEventSend(id, tenant, subscription string) string {
	return address(parameters("tenant", tenant, "subscription", subscription), "events", id, "send")
}

// linkOperationList is the list of operations with that filter.
func linkOperationList(f switchboard.OperationFilter, cursor string) string {
	return address(parameters("tenant", f.Tenant, "subscription", f.Subscription, "cursor", cursor), "operations")
}

// linkOperationItems are what an operation has come to; an empty outcome is every one.
func linkOperationItems(id string, outcome switchboard.OperationOutcome, cursor string) string {
	return address(parameters("outcome", string(outcome), "cursor", cursor), "operations", id)
}

// linkOperationChange is the form that pauses, resumes or cancels an operation.
func linkOperationChange(id string, change switchboard.OperationChange) string {
	return address(nil, "operations", id, string(change))
}

// linkReplay is the form that asks what to replay.
func linkReplay(s switchboard.Selection) string {
	return address(selectionValues(&s), "operations", "replay")
}

// linkSelectionPlan is the plan of an operation, which changes nothing. Without an action it asks for one.
func linkSelectionPlan(action switchboard.ActionKind, s switchboard.Selection) string {
	values := selectionValues(&s)
	if action != "" {
		values.Set("action", string(action))
	}
	return address(values, "operations", "plan")
}

// selectionValues writes what an operation is about as a query.
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

// selectionOf is what an operation on the deliveries of a list is about.
func selectionOf(f switchboard.DeliveryFilter) switchboard.Selection {
	return switchboard.Selection{
		IDs: f.IDs, Tenant: f.Tenant, Subscription: f.Subscription, Event: f.Event, EventType: f.EventType, States: f.States, Failure: f.Failure,
		StatusCode: f.StatusCode, Host: f.Host, After: f.After, Before: f.Before, Stuck: f.Stuck, Text: f.Text,
	}
}
