package store

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// Deliveries lists the deliveries that the filter keeps, newest first.
func (s *Store) Deliveries(ctx context.Context, caller switchboard.Caller, f switchboard.DeliveryFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.Delivery], error) {
	var none switchboard.Page[switchboard.Delivery]
	f.EventType, f.Host = strings.ToLower(f.EventType), strings.ToLower(f.Host) // a cursor is for every spelling
	l := listing{s.keys, "deliveries", caller, f}
	limit, behind, err := l.open(p)
	if err != nil {
		return none, err
	}
	c := deliveryConditions(caller, f, s.now())
	if behind != nil {
		c.add("id < ?", behind.ID)
	}
	items := []switchboard.Delivery{}
	c.args = append(c.args, limit+1)
	query := "SELECT " + fields("deliveries", deliveryFields, "") + " FROM deliveries" + c.where() + " ORDER BY id DESC LIMIT " + argument(len(c.args))
	if err := s.search(ctx, "list deliveries", &items, query, c.args...); err != nil {
		return none, err
	}
	return pageOf(l, shownAt(s.now(), items), limit, func(d switchboard.Delivery) position { return position{ID: d.ID} })
}

func deliveryConditions(caller switchboard.Caller, f switchboard.DeliveryFilter, now time.Time) *conditions {
	c := &conditions{}
	c.scope(caller, f.Tenant)
	c.equal("subscription_id", f.Subscription)
	c.equal("event_id", f.Event)
	c.anyCase("event_type", f.EventType)
	c.equal("last_failure", string(f.Failure))
	c.host(strings.ToLower(f.Host))
	if len(f.States) > 0 {
		c.add("state = ANY(?)", pq.Array(f.States))
		if !slices.Contains(f.States, switchboard.StateDelivered) {
			c.add("state <> 'delivered'") // says to Postgres that its partial index will do
		}
	}
	if f.StatusCode != 0 {
		c.add("last_status_code = ?", f.StatusCode)
	}
	c.times(f.After, f.Before)
	// Ids sort by time: the bounds let the index end where the time range does.
	if !f.After.IsZero() {
		c.add("id >= ?", idBound(f.After))
	}
	if !f.Before.IsZero() {
		c.add("id < ?", idBound(f.Before)+"~") // behind every id of that moment
	}
	if f.Stuck {
		c.add(overdue+"?", now.Add(-switchboard.StuckAfter))
	}
	if f.Text != "" {
		c.text(f.Text)
	}
	return c
}

// host keeps to what goes to that host, if one is given: with a port to that port only,
// else to each. The column holds the port where the URL has one.
func (c *conditions) host(host string) {
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	switch _, port, err := net.SplitHostPort(host); {
	case host == "":
	case err == nil && port != "":
		c.equal("host", host)
	default:
		c.add("(host = ? OR starts_with(host, ?))", host, strings.TrimSuffix(host, ":")+":")
	}
}

// text keeps to what holds the text in one of the words that people search for. A
// whole id needs no search.
func (c *conditions) text(text string) {
	switch {
	case switchboard.IsID(switchboard.DeliveryPrefix, text):
		c.equal("id", text)
	case switchboard.IsID(switchboard.EventPrefix, text):
		c.equal("event_id", text)
	case switchboard.IsID(switchboard.SubscriptionPrefix, text):
		c.equal("subscription_id", text)
	default:
		c.add("strpos(lower(concat_ws(' ', id, event_id, subscription_id, event_type, host, reason)), lower(?)) > 0", text)
	}
}
