package console

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// deliveryQuery is a query for the list of deliveries.
type deliveryQuery struct {
	filter switchboard.DeliveryFilter // After and Before only if the query names them
	last   string                     // the period if the query names it; see period
	tenant string                     // of the caller; empty: the caller sees several
	cursor string

	// For the page's own parts, not for links to it.
	shown []string  // the rows that are shown and will be read again
	newer time.Time // deliveries accepted after this are newer than what is shown
	facet bool      // the values are counted with the page, for example without JavaScript
}

// readDeliveryQuery parses a query of a caller from that tenant.
func readDeliveryQuery(r *queryReader, tenant string) deliveryQuery {
	f := switchboard.DeliveryFilter{
		IDs: r.list("id"), Tenant: r.text("tenant"), Subscription: r.text("subscription"), Event: r.text("event"), EventType: r.text("event_type"),
		Failure: switchboard.Failure(r.text("failure")), StatusCode: r.number("status_code"), Host: r.text("host"),
		After: r.time("after"), Before: r.time("before"), Stuck: r.flag("stuck"), Text: r.text("text"),
	}
	for _, state := range r.list("state") {
		f.States = append(f.States, switchboard.State(state))
	}
	return deliveryQuery{filter: f, last: r.last(), tenant: tenant, cursor: r.text("cursor"), shown: r.list("shown"), newer: r.time("newer"), facet: r.flag("facets")}
}

// period is how far back the list looks. Empty: the query's times say so, which take precedence
// over a period. Without either, the list has no end if an index serves the query.
func (q *deliveryQuery) period() string {
	f := &q.filter
	switch {
	case !f.After.IsZero() || !f.Before.IsZero():
		return ""
	case q.last != "":
		return q.last
	case f.Text != "":
		return lastDefault
	case q.tenant != "", f.Tenant != "", f.Subscription != "", f.Event != "", len(f.IDs) > 0, f.Stuck,
		len(f.States) > 0 && !slices.Contains(f.States, switchboard.StateDelivered):
		return lastAll
	}
	return lastDefault
}

// asked returns the filter for the API's list, with the beginning of the period as a time.
func (q *deliveryQuery) asked(now time.Time) switchboard.DeliveryFilter {
	f := q.filter
	f.After = begins(f.After, q.period(), now)
	return f
}

// absolute returns the same query with times instead of a period, so that it shows the same later.
func (q *deliveryQuery) absolute(now time.Time) deliveryQuery {
	out := deliveryQuery{filter: q.asked(now), tenant: q.tenant, cursor: q.cursor}
	out.filter.Before = untilNow(out.filter.Before, now)
	return out
}

// values writes the query in the form that readDeliveryQuery parses.
func (q *deliveryQuery) values() url.Values {
	selection := selectionOf(q.filter)
	values := selectionValues(&selection)
	if q.last != "" {
		values.Set("last", q.last)
	}
	if q.cursor != "" {
		values.Set("cursor", q.cursor)
	}
	return values
}

// chips returns the conditions of the query, each of which can be removed.
func (q *deliveryQuery) chips() []filterChip {
	var chips []filterChip
	values := q.values()
	for _, name := range []string{"id", "tenant", "subscription", "event", "event_type", "state", "failure", "status_code", "host", "after", "before", "stuck", "text"} {
		for i, value := range values[name] {
			without := q.first()
			without.remove(name, i)
			chips = append(chips, filterChip{conditionText(name, value), linkDeliveryList(without)})
		}
	}
	return chips
}

// conditionText writes a condition in words, such as "state: failed".
func conditionText(name, value string) string {
	switch name {
	case "id":
		name, value = "delivery", short(value)
	case "stuck":
		return "overdue"
	}
	return strings.ReplaceAll(name, "_", " ") + ": " + value
}

// first is the query of the first page.
func (q *deliveryQuery) first() deliveryQuery {
	return deliveryQuery{filter: q.filter, last: q.last, tenant: q.tenant}
}

// remove removes one condition.
func (q *deliveryQuery) remove(name string, i int) {
	f := &q.filter
	switch name {
	case "id":
		f.IDs = slices.Delete(slices.Clone(f.IDs), i, i+1)
	case "state":
		f.States = slices.Delete(slices.Clone(f.States), i, i+1)
	case "tenant":
		f.Tenant = ""
	case "subscription":
		f.Subscription = ""
	case "event":
		f.Event = ""
	case "event_type":
		f.EventType = ""
	case "failure":
		f.Failure = ""
	case "status_code":
		f.StatusCode = 0
	case "host":
		f.Host = ""
	case "after":
		f.After = time.Time{}
	case "before":
		f.Before = time.Time{}
	case "stuck":
		f.Stuck = false
	case "text":
		f.Text = ""
	}
}

// with returns the first page of the query narrowed to a value of a facet. Facets have the names of
// filters.
func (q *deliveryQuery) with(facet switchboard.Facet, value string) deliveryQuery {
	out := q.first()
	f := &out.filter
	switch facet {
	case switchboard.FacetState:
		f.States = []switchboard.State{switchboard.State(value)}
	case switchboard.FacetFailure:
		f.Failure = switchboard.Failure(value)
	case switchboard.FacetHost:
		f.Host = value
	case switchboard.FacetSubscription:
		f.Subscription = value
	case switchboard.FacetEventType:
		f.EventType = value
	case switchboard.FacetTenant:
		f.Tenant = value
	}
	return out
}
