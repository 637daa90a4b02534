package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Addresses of pages are written here alone, so that nothing else has to know how to escape them.

func linkDelivery(id string) string { return address(nil, "deliveries", id) }

// linkAttempt is the place of an attempt on the page of its delivery.
func linkAttempt(id string, number int) string {
	return linkDelivery(id) + "#attempt-" + strconv.Itoa(number)
}

// linkDeliveryAction is the form of an action: retry, cancel, hold, release or resend.
func linkDeliveryAction(id, action string) string { return address(nil, "deliveries", id, action) }

// linkDeliveries is the list with that filter; last says how far back it goes, as 24h, unless the
// filter has a time.
func linkDeliveries(filter switchboard.DeliveryFilter, last string) string {
	return linkDeliveryList(deliveryQuery{filter: filter, last: last})
}

// linkPlan is the plan of an action on all deliveries of a list.
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

// linkSubscriptionAction is the form of an action, as edit, test or pause.
func linkSubscriptionAction(id, action string) string {
	return address(nil, "subscriptions", id, action)
}

func linkSubscriptions(tenant, state string) string {
	return address(parameters("tenant", tenant, "state", state), "subscriptions")
}

func linkNewSubscription() string { return address(nil, "subscriptions", "new") }

// linkSubscriptionList is a page of the list.
func linkSubscriptionList(f subscriptionsFilter, cursor string) string {
	query := f.parameters()
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return address(query, "subscriptions")
}

// linkSubscriptionRows are the rows with those ids, for a page that keeps them up to date.
func linkSubscriptionRows(f subscriptionsFilter, cursor string, ids []string) string {
	query := f.parameters()
	query.Set(shownParameter, strings.Join(ids, ","))
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return address(query, "subscriptions")
}

// linkSubscriptionTab is a tab of the page of a subscription; last is how far back its chart goes.
func linkSubscriptionTab(id, tab, last string) string {
	return address(parameters("tab", tab, "last", last), "subscriptions", id)
}

// linkSubscriptionChanges are changes of a subscription from that cursor on.
func linkSubscriptionChanges(id, cursor string) string {
	return address(parameters("tab", "changes", "cursor", cursor), "subscriptions", id)
}

func linkCatalogue(platform, text, cursor string) string {
	return address(parameters("platform", platform, "text", text, "cursor", cursor), "catalogue")
}

// linkNewEventType leads to the form of the event type that it is asked for.
func linkNewEventType() string { return address(nil, "catalogue", "new") }

// linkEventTypeAction is the form that edits an event type, or takes it back.
func linkEventTypeAction(platform, name, action string) string {
	return address(nil, "catalogue", platform, name, action)
}

func linkOperation(id string) string { return address(nil, "operations", id) }

func linkOperations() string { return address(nil, "operations") }

func linkEventType(platform, name string) string { return address(nil, "catalogue", platform, name) }

func linkSearch(text string) string { return address(parameters("q", text), "search") }

func linkOverview(last string) string { return address(parameters("last", last)) }

// linkSignIn leads to the next page afterwards; empty: to the first.
func linkSignIn(next string) string { return address(parameters("next", next), "sign-in") }

// linkEnter is where a portal link leads to.
func linkEnter() string { return address(nil, "enter") }

func linkKeys() string { return address(nil, "keys") }

func linkNewKey() string { return address(nil, "keys", "create") }

func linkRevokeKey(id string) string { return address(nil, "keys", id, "revoke") }

func linkEndSession(id string) string { return address(nil, "keys", "sessions", id, "end") }

func linkWithdrawLink(id string) string { return address(nil, "keys", "links", id, "withdraw") }

// linkAudit is the list with that filter.
func linkAudit(filter switchboard.AuditFilter) string {
	return address(auditParameters(filter), "audit")
}

// linkAuditFile is the same as a file.
func linkAuditFile(filter switchboard.AuditFilter) string {
	return address(auditParameters(filter), "audit", "file")
}

// auditParameters writes a filter of the audit with the names that the API has for it.
func auditParameters(f switchboard.AuditFilter) url.Values {
	return parameters("tenant", f.Tenant, "object", f.Object, "actor", f.Actor, "person", f.Person, "verb", string(f.Verb), "kind", string(f.Kind),
		"after", instant(f.After), "before", instant(f.Before))
}

func linkTryIt() string { return address(nil, "try") }

func linkSignOut() string { return address(nil, "sign-out") }

// address is the console's page of that path, each part of which is escaped.
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

// parameters leaves out what is empty.
func parameters(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values
}

// instant writes a time as the API reads it; empty: there is none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// linkFailingSubscriptions are those whose endpoints fail.
func linkFailingSubscriptions() string {
	return address(parameters("failing", "true"), "subscriptions")
}
