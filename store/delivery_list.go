package store

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// filterSettings make Postgres follow an index in the order of the list. State, failure and status
// code depend on each other, which Postgres does not know, so without the settings it sorts
// everything.
const filterSettings = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0; "

// Deliveries lists the deliveries that the filter matches, newest first.
func (s *Store) Deliveries(ctx context.Context, caller switchboard.Caller, f switchboard.DeliveryFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.Delivery], error) {
	q, err := s.deliveriesQuery(ctx, caller, f)
	if err != nil {
		return switchboard.Page[switchboard.Delivery]{}, err
	}
	var count *switchboard.Count
	if p.Count {
		if count, err = s.countMatches(ctx, q); err != nil {
			return switchboard.Page[switchboard.Delivery]{}, err
		}
	}
	page, err := list(ctx, s, q, p, func(d switchboard.Delivery) position { return position{ID: d.ID} })
	page.Count = count
	shownAt(s.now(), page.Items)
	return page, err
}

// deliveriesQuery makes the list of the deliveries that the filter matches.
func (s *Store) deliveriesQuery(ctx context.Context, caller switchboard.Caller, f switchboard.DeliveryFilter) (pageQuery, error) {
	f.EventType, f.Host = strings.ToLower(f.EventType), strings.ToLower(f.Host) // a cursor is valid for every spelling
	times, err := s.timesOfEvent(ctx, caller, f)
	if err != nil {
		return pageQuery{}, err
	}
	q := deliveriesQuery(caller, f, s.now(), times)
	q.keys = s.keys
	return q, nil
}

// timesOfEvent returns the times of the events with the id that the filter names, if any.
func (s *Store) timesOfEvent(ctx context.Context, caller switchboard.Caller, f switchboard.DeliveryFilter) (times []time.Time, err error) {
	if event := eventOf(f); event != "" {
		c := &conditions{}
		c.add("id = ?", event)
		c.scope(caller, f.Tenant)
		err = s.search(ctx, "list deliveries", &times, "SELECT DISTINCT created_at FROM events"+c.where(), c.args...)
	}
	return times, err
}

// eventOf returns the event whose deliveries the filter matches, if there is only one.
func eventOf(f switchboard.DeliveryFilter) string {
	if switchboard.IsID(switchboard.EventPrefix, f.Text) {
		return cmp.Or(f.Event, f.Text)
	}
	return f.Event
}

// afterID adds the position in a list that is ordered by ids, newest first.
func afterID(c *conditions, p position) { c.add("id < ?", p.ID) }

// deliveriesQuery makes the list of the deliveries that the filter matches. times are those of the
// events with the id that the filter names, if any.
func deliveriesQuery(caller switchboard.Caller, f switchboard.DeliveryFilter, now time.Time, times []time.Time) pageQuery {
	c := &conditions{}
	q := pageQuery{
		cursors: cursors{name: "deliveries", caller: caller, filter: f}, columns: fields("deliveries", deliveryFields, ""), table: "deliveries", order: "id DESC",
		where: c, after: afterID, span: timeSpan{f.After, f.Before},
		end: func(at time.Time) position { return position{At: at, ID: idBound(at)} },
	}
	c.scope(caller, f.Tenant)
	if len(f.IDs) > 0 {
		c.add("id = ANY(?)", pq.Array(f.IDs))
	}
	c.equal("subscription_id", f.Subscription)
	c.equal("event_id", f.Event)
	c.anyCase("event_type", f.EventType)
	c.equal("last_failure", string(f.Failure))
	c.host(f.Host)
	if f.StatusCode != 0 {
		c.add("last_status_code = ?", f.StatusCode)
	}
	c.times(q.span)
	if !f.After.IsZero() { // ids sort by time, so their bounds leave out partitions
		c.add("id >= ?", idBound(f.After))
	}
	if !f.Before.IsZero() {
		c.add("id < ?", idBound(f.Before)+"~") // after every id of those 8 ms
	}
	searched := c.text(f.Text)
	c.states(f.States)
	pending := slices.Contains(f.States, switchboard.StatePending)
	delivered := slices.Contains(f.States, switchboard.StateDelivered)
	switch {
	case eventOf(f) != "":
		c.ofEvent(eventOf(f), times)
		return q
	case len(f.IDs) > 0: // Postgres reads so few rows by their ids, and sorts them
		return q
	case f.Stuck:
		c.add(overdue+"?", now.Add(-switchboard.StuckAfter))
		return q
	case !pending: // pending ones are sorted: the index of next_attempt_at has few
		q.settings = filterSettings
	}
	if searched || f.EventType != "" || f.StatusCode != 0 || delivered || f.Host != "" && (pending || len(f.States) == 0) {
		q.within = func(c *conditions, from, to time.Time) {
			if !from.IsZero() {
				c.add("id >= ?", idBound(from))
			}
			if !to.IsZero() {
				c.add("id < ?", idBound(to))
			}
		}
	}
	return q
}

// text keeps the rows that have the text in one of the columns that people search. It reports
// whether that needs a search: a whole id does not.
func (c *conditions) text(text string) (searched bool) {
	switch {
	case text == "":
	case switchboard.IsID(switchboard.DeliveryPrefix, text):
		c.equal("id", text)
	case switchboard.IsID(switchboard.EventPrefix, text):
		c.equal("event_id", text)
	case switchboard.IsID(switchboard.SubscriptionPrefix, text):
		c.equal("subscription_id", text)
	default:
		c.add("strpos(lower(concat_ws(' ', id, event_id, subscription_id, event_type, host, reason)), lower(?)) > 0", text)
		return true
	}
	return false
}

// states keeps the rows in one of the states, if any is given.
func (c *conditions) states(states []switchboard.State) {
	terms := make([]string, len(states))
	for i, state := range slices.Compact(slices.Sorted(slices.Values(states))) {
		switch terms[i] = c.term("state = ?", string(state)); state {
		case switchboard.StatePending:
			terms[i] += " AND next_attempt_at IS NOT NULL" // both let Postgres use a partial index
		case switchboard.StateDelivered:
		default:
			terms[i] += " AND state NOT IN ('pending', 'delivered')"
		}
	}
	if len(terms) > 0 {
		c.either(slices.DeleteFunc(terms, func(term string) bool { return term == "" })...)
	}
}

// ofEvent keeps the deliveries of the events with that id and those times. Deliveries that were
// made with the event have ids of its time; the others have an index of their own.
func (c *conditions) ofEvent(id string, times []time.Time) {
	terms := []string{c.term("event_id = ? AND event_at IS NOT NULL", id)}
	for _, at := range times {
		terms = append(terms, c.term("event_id = ? AND id >= ? AND id < ? AND event_at IS NULL", id, idBound(at), idBound(at)+"~"))
	}
	c.either(terms...)
}

// hostWithoutPort is a delivery's host as an index holds it.
const hostWithoutPort = "regexp_replace(host, ':[0-9]+$', '')"

// host keeps the deliveries to that host, if one is given: with a port only to that port, otherwise
// to every port. The column has the port if the URL has one.
func (c *conditions) host(host string) {
	if host == "" {
		return
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	host = strings.TrimSuffix(host, ":")
	name := host
	if _, port, err := net.SplitHostPort(host); err == nil {
		name = strings.TrimSuffix(host, ":"+port)
		c.equal("host", host)
	}
	c.add(hostWithoutPort+" = ?", name)
}
