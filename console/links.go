package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Addresses of pages are written only here, so that nothing else must know how to escape them.

func linkDelivery(id string) string { return address(nil, "deliveries", id) }

// linkAttempt leads to an attempt on the page of its delivery.
func linkAttempt(id string, number int) string {
	return linkDelivery(id) + "#attempt-" + strconv.Itoa(number)
}

// linkDeliveryAction leads to the form of an action: retry, cancel, hold, release or resend.
func linkDeliveryAction(id, action string) string { return address(nil, "deliveries", id, action) }

// linkDeliveries leads to the list with that filter. last is the period, such as 24h, unless the
// filter has a time.
func linkDeliveries(filter switchboard.DeliveryFilter, last string) string {
	return linkDeliveryList(deliveryQuery{filter: filter, last: last})
}

// linkPlan leads to the plan of an action on all deliveries of a list.
func linkPlan(action switchboard.ActionKind, filter switchboard.DeliveryFilter, last string) string {
	q := deliveryQuery{filter: filter, last: last}
	query := q.values()
	query.Set("action", string(action))
	return address(query, "operations", "plan")
}

func linkEvent(id, tenant string) string {
	return address(parameters("tenant", tenant), "events", id)
}

func linkEvents(filter switchboard.EventFilter) string {
	return linkEventList(eventQuery{filter: filter})
}

func linkSubscription(id string) string { return address(nil, "subscriptions", id) }

// linkSubscriptionAction leads to the form of an action, such as edit, test or pause.
func linkSubscriptionAction(id, action string) string {
	return address(nil, "subscriptions", id, action)
}

func linkSubscriptions(tenant, state string) string {
	return address(parameters("tenant", tenant, "state", state), "subscriptions")
}

func linkNewSubscription() string { return address(nil, "subscriptions", "new") }

// linkSubscriptionList leads to a page of the list.
func linkSubscriptionList(f subscriptionsFilter, cursor string) string {
	query := f.parameters()
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return address(query, "subscriptions")
}

// linkSubscriptionRows returns the rows with those ids, for a page that updates them.
func linkSubscriptionRows(f subscriptionsFilter, cursor string, ids []string) string {
	query := f.parameters()
	query.Set(shownParameter, strings.Join(ids, ","))
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return address(query, "subscriptions")
}

// linkSubscriptionTab leads to a tab of a subscription's page. last is the period of its chart.
func linkSubscriptionTab(id, tab, last string) string {
	return address(parameters("tab", tab, "last", last), "subscriptions", id)
}

// linkSubscriptionChanges leads to changes of a subscription from that cursor on.
func linkSubscriptionChanges(id, cursor string) string {
	return address(parameters("tab", "changes", "cursor", cursor), "subscriptions", id)
}

func linkCatalogue(platform, text, cursor string) string {
	return address(parameters("platform", platform, "text", text, "cursor", cursor), "catalogue")
}

// linkNewEventType leads to the form of the requested event type.
func linkNewEventType() string { return address(nil, "catalogue", "new") }

// linkEventTypeAction leads to the form that edits or deletes an event type.
func linkEventTypeAction(platform, name, action string) string {
	return address(nil, "catalogue", platform, name, action)
}

func linkOperation(id string) string { return address(nil, "operations", id) }

func linkOperations() string { return address(nil, "operations") }

func linkEventType(platform, name string) string { return address(nil, "catalogue", platform, name) }

func linkSearch(text string) string { return address(parameters("q", text), "search") }

func linkOverview(last string) string { return address(parameters("last", last)) }

// linkSignIn leads to the sign-in, and then to the next page; empty: the first.
func linkSignIn(next string) string { return address(parameters("next", next), "sign-in") }

// linkEnter is the address of portal links.
func linkEnter() string { return address(nil, "enter") }

func linkKeys() string { return address(nil, "keys") }

func linkNewKey() string { return address(nil, "keys", "create") }

func linkRevokeKey(id string) string { return address(nil, "keys", id, "revoke") }

func linkEndSession(id string) string { return address(nil, "keys", "sessions", id, "end") }

func linkWithdrawLink(id string) string { return address(nil, "keys", "links", id, "withdraw") }

// linkAudit leads to the list with that filter.
func linkAudit(filter switchboard.AuditFilter) string {
	return address(auditParameters(filter), "audit")
}

// linkAuditFile leads to the same list as a file.
func linkAuditFile(filter switchboard.AuditFilter) string {
	return address(auditParameters(filter), "audit", "file")
}

// auditParameters writes a filter of the audit with the API's names.
func auditParameters(f switchboard.AuditFilter) url.Values {
	return parameters("tenant", f.Tenant, "object", f.Object, "actor", f.Actor, "person", f.Person, "verb", string(f.Verb), "kind", string(f.Kind),
		"after", instant(f.After), "before", instant(f.Before))
}

func linkTryIt() string { return address(nil, "try") }

func linkSignOut() string { return address(nil, "sign-out") }

// address returns the console's address for that path, with each part escaped.
func address(query url.Values, parts ...string) string {
	text := Root
	for _, part := range parts {
		text += "/" + url.PathEscape(part)
	}
	if len(query) > 0 {
		text += "?" + query.Encode()
	}
	return text
}

// parameters omits empty values.
func parameters(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values
}

// instant writes a time in the API's format, or "" for the zero time.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// linkFailingSubscriptions leads to the subscriptions whose endpoints fail.
func linkFailingSubscriptions() string {
	return address(parameters("failing", "true"), "subscriptions")
}
