package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) eventRoutes() []route {
	return []route{
		{"GET /console/events", readers, c.events},
		{"GET /console/events/{id}", readers, c.event},
		{"GET /console/events/{id}/data", readers, c.eventData},
		{"GET /console/events/{id}/send", editors, c.eventSendForm},
		{"POST /console/events/{id}/send", editors, c.eventSend},
	}
}

// eventQuery is a query for the list of events.
type eventQuery struct {
	filter switchboard.EventFilter // After and Before only if the query names them
	last   string
	tenant string // of the caller; empty: the caller sees several
	cursor string
}

func readEventQuery(r *queryReader, tenant string) eventQuery {
	return eventQuery{
		filter: switchboard.EventFilter{Tenant: r.text("tenant"), Type: r.text("event_type"), Key: r.text("key"), After: r.time("after"), Before: r.time("before")},
		last:   r.last(), tenant: tenant, cursor: r.text("cursor"),
	}
}

// period works as for a [deliveryQuery].
func (q *eventQuery) period() string {
	f := &q.filter
	switch {
	case !f.After.IsZero() || !f.Before.IsZero():
		return ""
	case q.last != "":
		return q.last
	case q.tenant != "", f.Tenant != "", f.Key != "":
		return lastAll
	}
	return lastDefault
}

func (q *eventQuery) asked(now time.Time) switchboard.EventFilter {
	f := q.filter
	f.After = begins(f.After, q.period(), now)
	return f
}

func (q *eventQuery) values() url.Values {
	f := &q.filter
	return parameters("tenant", f.Tenant, "event_type", f.Type, "key", f.Key, "after", instant(f.After), "before", instant(f.Before), "last", q.last, "cursor", q.cursor)
}

func (q *eventQuery) first() eventQuery {
	return eventQuery{filter: q.filter, last: q.last, tenant: q.tenant}
}

// permanent returns the same list with times instead of a period.
func (q *eventQuery) permanent(now time.Time) string {
	fixed := eventQuery{filter: q.asked(now), cursor: q.cursor}
	fixed.filter.Before = untilNow(fixed.filter.Before, now)
	return linkEventList(fixed)
}

func (q *eventQuery) chips() []filterChip {
	var chips []filterChip
	values := q.values()
	for _, c := range []struct {
		name   string
		remove func(f *switchboard.EventFilter)
	}{
		{"tenant", func(f *switchboard.EventFilter) { f.Tenant = "" }},
		{"event_type", func(f *switchboard.EventFilter) { f.Type = "" }},
		{"key", func(f *switchboard.EventFilter) { f.Key = "" }},
		{"after", func(f *switchboard.EventFilter) { f.After = time.Time{} }},
		{"before", func(f *switchboard.EventFilter) { f.Before = time.Time{} }},
	} {
		if values.Has(c.name) {
			without := q.first()
			c.remove(&without.filter)
			chips = append(chips, filterChip{conditionText(c.name, values.Get(c.name)), linkEventList(without)})
		}
	}
	return chips
}

// eventRow is one line of the list of events.
type eventRow struct {
	ID, Link, Type, Tenant, Key string
	Accepted                    time.Time
	Erased                      bool
	Deliveries                  []stateCount
}

// stateCount is how many deliveries of an event have a state.
type stateCount struct {
	State switchboard.State
	Count int
}

func eventRows(events []client.Event) []eventRow {
	rows := make([]eventRow, len(events))
	for i := range events {
		e := &events[i]
		rows[i] = eventRow{
			ID: e.ID, Link: linkEvent(e.ID, e.Tenant), Type: e.Type, Tenant: e.Tenant, Key: e.Key, Accepted: e.CreatedAt, Erased: !e.ErasedAt.IsZero(),
			Deliveries: countStates(e.Deliveries),
		}
	}
	return rows
}

// countStates counts deliveries by state, in the order of states.
func countStates(deliveries []client.Delivery) []stateCount {
	var counts []stateCount
	for _, state := range switchboard.States() {
		n := 0
		for i := range deliveries {
			if deliveries[i].State == state {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, stateCount{state, n})
		}
	}
	return counts
}

// eventsPage is the list of events.
type eventsPage struct {
	Form      map[string]string // the typed values
	Periods   []option
	Default   string // the period if none is chosen
	Faults    []fieldFault
	Chips     []filterChip
	Rows      []eventRow
	Pager     pager
	Permanent string
	Nothing   *emptyState
}

func (c *Console) events(v *visit) (answer, error) {
	values := v.request.URL.Query()
	r := readQuery(values)
	q := readEventQuery(r, v.session.Caller.Tenant)
	if err := v.checkQuery(r.known...); err != nil {
		return answer{}, err
	}
	data := eventsPage{Form: map[string]string{}, Periods: periodOptions(q.last), Default: defaultPeriod(&eventQuery{filter: q.filter, tenant: q.tenant}), Faults: r.faults, Chips: q.chips()}
	for _, name := range []string{"tenant", "event_type", "key", "after", "before"} {
		data.Form[name] = strings.Join(values[name], " ")
	}
	shown := page("events", "Events", &data)
	if len(r.faults) > 0 {
		return shown.status(http.StatusUnprocessableEntity), nil
	}
	if isUntidy(values) {
		return redirect(linkEventList(q)), nil
	}
	err := data.read(v.request.Context(), v, &q)
	if faults := queryFaults(err); len(faults) > 0 {
		data.Faults = faults
		return shown.status(http.StatusUnprocessableEntity), nil
	}
	return shown, err
}

func (p *eventsPage) read(ctx context.Context, v *visit, q *eventQuery) error {
	found, err := v.api.ListEvents(ctx, q.asked(v.now), switchboard.PageRequest{Cursor: q.cursor})
	if err != nil {
		return err
	}
	p.Rows, p.Permanent = eventRows(found.Items), q.permanent(v.now)
	if found.NextCursor != "" {
		p.Pager.Older = linkEventList(eventQuery{filter: q.asked(v.now), last: q.last, cursor: found.NextCursor})
	}
	if q.cursor != "" {
		p.Pager.First = linkEventList(q.first())
	}
	if !found.SearchedTo.IsZero() {
		p.Pager.SearchedTo = found.SearchedTo
	}
	if len(p.Rows) > 0 {
		return nil
	}
	if !found.SearchedTo.IsZero() {
		p.Nothing = &emptyState{Kind: kindSearched, Text: "No match yet: the list was not searched to its end.", More: filterChip{"Go on", p.Pager.Older}}
		return nil
	}
	p.Nothing = &emptyState{Kind: kindNoMatch, Text: "No event matches.", Chips: p.Chips}
	if next, found := nextPeriod(q.period()); found {
		longer := q.first()
		longer.last = next.Name
		p.Nothing.Wider = filterChip{"look in " + next.Label, linkEventList(longer)}
	}
	if q.cursor != "" {
		return nil
	}
	one, err := v.api.ListEvents(ctx, switchboard.EventFilter{}, switchboard.PageRequest{Limit: 1})
	if err == nil && len(one.Items) == 0 {
		p.Nothing = noEventsYet()
	}
	return err
}
