package store

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// filterSettings make Postgres walk an index in the order of the list: state, failure and
// status code go together, which it does not know, so that it would rather sort everything.
const filterSettings = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off; SET LOCAL max_parallel_workers_per_gather = 0; "

// Deliveries lists the deliveries that the filter keeps, newest first.
func (s *Store) Deliveries(ctx context.Context, caller switchboard.Caller, f switchboard.DeliveryFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.Delivery], error) {
	f.EventType, f.Host = strings.ToLower(f.EventType), strings.ToLower(f.Host) // a cursor is for every spelling
	q, err := s.deliveriesQuery(ctx, caller, f)
	if err != nil {
		return switchboard.Page[switchboard.Delivery]{}, err
	}
	page, err := list(ctx, s, q, p, func(d switchboard.Delivery) position { return position{ID: d.ID} })
	shownAt(s.now(), page.Items)
	return page, err
}

// afterID is the position in a list in the order of ids, the newest first.
func afterID(c *conditions, p position) { c.add("id < ?", p.ID) }

func (s *Store) deliveriesQuery(ctx context.Context, caller switchboard.Caller, f switchboard.DeliveryFilter) (pageQuery, error) {
	c := &conditions{}
	q := pageQuery{
		cursors: cursors{s.keys, "deliveries", caller, f}, columns: fields("deliveries", deliveryFields, ""), table: "deliveries", order: "id DESC",
		where: c, after: afterID, span: timeSpan{f.After, f.Before},
		end: func(at time.Time) position { return position{At: at, ID: idBound(at)} },
	}
	event, text := f.Event, f.Text
	switch { // a whole id needs no search
	case switchboard.IsID(switchboard.DeliveryPrefix, text):
		c.equal("id", text)
		text = ""
	case switchboard.IsID(switchboard.EventPrefix, text) && (event == "" || event == text):
		event, text = text, ""
	case switchboard.IsID(switchboard.SubscriptionPrefix, text):
		c.equal("subscription_id", text)
		text = ""
	}
	c.scope(caller, f.Tenant)
	c.equal("subscription_id", f.Subscription)
	c.anyCase("event_type", f.EventType)
	c.equal("last_failure", string(f.Failure))
	c.host(f.Host)
	if f.StatusCode != 0 {
		c.add("last_status_code = ?", f.StatusCode)
	}
	c.times(q.span)
	c.idsWithin(f.After, f.Before)
	if text != "" {
		c.add("strpos(lower(concat_ws(' ', id, event_id, subscription_id, event_type, host, reason)), lower(?)) > 0", text)
	}
	c.states(f.States)
	pending := slices.Contains(f.States, switchboard.StatePending)
	switch {
	case event != "":
		return q, s.ofEvent(ctx, c, caller, f.Tenant, event)
	case f.Stuck:
		c.add(overdue+"?", s.now().Add(-switchboard.StuckAfter))
		return q, nil
	case !pending: // of which an index by next_attempt_at holds few, that are sorted
		q.settings = filterSettings
	}
	healthy := len(f.States) == 0 || pending || slices.Contains(f.States, switchboard.StateDelivered)
	if text != "" || f.EventType != "" || f.StatusCode != 0 || f.Host != "" && healthy || slices.Contains(f.States, switchboard.StateDelivered) {
		q.within = func(c *conditions, from, to time.Time) { c.idsWithin(from, to) }
	}
	return q, nil
}

// idsWithin keeps to the ids of that time. Ids sort by time: the bounds leave out partitions.
func (c *conditions) idsWithin(from, to time.Time) {
	if !from.IsZero() {
		c.add("id >= ?", idBound(from))
	}
	if !to.IsZero() {
		c.add("id < ?", idBound(to))
	}
}

// states keeps to what is in one of the states, if any is given.
func (c *conditions) states(states []switchboard.State) {
	terms := make([]string, len(states))
	for i, state := range slices.Compact(slices.Sorted(slices.Values(states))) {
		switch terms[i] = c.term("state = ?", string(state)); state {
		case switchboard.StatePending:
			terms[i] += " AND next_attempt_at IS NOT NULL" // both tell Postgres which partial index will do
		case switchboard.StateDelivered:
		default:
			terms[i] += " AND state NOT IN ('pending', 'delivered')"
		}
	}
	if len(terms) > 0 {
		c.either(slices.DeleteFunc(terms, func(term string) bool { return term == "" })...)
	}
}

// ofEvent keeps to the deliveries of the event. Those that were made with it have ids of its
// time; the others have an index of their own.
func (s *Store) ofEvent(ctx context.Context, c *conditions, caller switchboard.Caller, tenant, id string) error {
	e := &conditions{}
	e.add("id = ?", id)
	e.scope(caller, tenant)
	var times []time.Time
	if err := s.search(ctx, "list deliveries", &times, "SELECT DISTINCT created_at FROM events"+e.where(), e.args...); err != nil {
		return err
	}
	terms := []string{c.term("event_id = ? AND event_at IS NOT NULL", id)}
	for _, at := range times {
		terms = append(terms, c.term("event_id = ? AND id >= ? AND id < ? AND event_at IS NULL", id, idBound(at), idBound(at)+"~"))
	}
	c.either(terms...)
	return nil
}

// hostWithoutPort is a delivery's host as an index holds it.
const hostWithoutPort = "regexp_replace(host, ':[0-9]+$', '')"

// host keeps to what goes to that host, if one is given: with a port to that port only,
// else to each. The column holds the port where the URL has one.
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
