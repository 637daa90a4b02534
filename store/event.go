package store

import (
	"context"
	"strconv"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// eventColumns are the columns of switchboard.Event.
const eventColumns = "id, tenant, type, key, data, occurred_at, created_at"

// argument names the n-th argument of a query.
func argument(n int) string { return "$" + strconv.Itoa(n) }

// Event returns an event with its deliveries. Ids are unique in their tenant only:
// where the tenant is left out and several have that id, it is a Conflict for the
// field "tenant". Of several events of a tenant, as there may be after the idempotency
// window, it is the newest.
func (s *Store) Event(ctx context.Context, caller switchboard.Caller, tenant, id string) (switchboard.Event, []switchboard.Delivery, error) {
	c := &conditions{}
	c.add("id = ?", id)
	c.scope(caller, tenant)
	var found []switchboard.Event
	if err := s.list(ctx, "read event", &found, "SELECT DISTINCT ON (tenant) "+eventColumns+" FROM events"+c.where()+" ORDER BY tenant, created_at DESC LIMIT 2", c.args...); err != nil {
		return switchboard.Event{}, nil, err
	}
	switch len(found) {
	case 0:
		return switchboard.Event{}, nil, noEvent(id)
	case 2:
		return switchboard.Event{}, nil, &switchboard.Error{Code: switchboard.CodeConflict, Field: "tenant", Message: "several tenants have an event with this id: name one"}
	}
	var deliveries []switchboard.Delivery
	err := s.direct(ctx, "read event", func(ctx context.Context, db session) (err error) {
		deliveries, err = selectDeliveriesOf(ctx, db, found)
		return err
	})
	return found[0], shownAt(s.now(), deliveries), err
}

// Events lists the events that the filter keeps, newest first, with their
// deliveries and without their data.
func (s *Store) Events(ctx context.Context, caller switchboard.Caller, f switchboard.EventFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.EventDetail], error) {
	var none switchboard.Page[switchboard.EventDetail]
	f.Type = strings.ToLower(f.Type) // a cursor is for every spelling
	l := listing{s.keys, "events", caller, f}
	limit, behind, err := l.open(p)
	if err != nil {
		return none, err
	}
	c := &conditions{}
	c.scope(caller, f.Tenant)
	c.anyCase("type", f.Type)
	if f.Key != "" {
		c.equal("key", f.Key)
		c.add("key <> ''") // says to Postgres that its partial index will do
	}
	c.times(f.After, f.Before)
	if behind != nil {
		c.add("(created_at, id, tenant) < (?, ?, ?)", behind.At, behind.ID, behind.Tenant)
	}
	c.args = append(c.args, limit+1)
	items := []switchboard.Event{}
	query := "SELECT id, tenant, type, key, occurred_at, created_at FROM events" + c.where() + " ORDER BY created_at DESC, id DESC, tenant DESC LIMIT " + argument(len(c.args))
	if err := s.search(ctx, "list events", &items, query, c.args...); err != nil {
		return none, err
	}
	page, err := pageOf(l, items, limit, func(e switchboard.Event) position { return position{e.CreatedAt, e.ID, e.Tenant} })
	if err != nil {
		return none, err
	}
	details, err := s.withDeliveries(ctx, page.Items)
	return switchboard.Page[switchboard.EventDetail]{Items: details, NextCursor: page.NextCursor}, err
}

// withDeliveries adds to each event its deliveries.
func (s *Store) withDeliveries(ctx context.Context, events []switchboard.Event) ([]switchboard.EventDetail, error) {
	details := make([]switchboard.EventDetail, len(events))
	places := make(map[eventKey]*switchboard.EventDetail, len(events))
	for i, e := range events {
		details[i].Event = e
		places[eventKey{e.Tenant, e.ID}] = &details[i]
	}
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	deliveries, err := selectDeliveriesOf(bounded, s.searches, events)
	for _, d := range shownAt(s.now(), deliveries) {
		detail := places[eventKey{d.Tenant, d.EventID}]
		detail.Deliveries = append(detail.Deliveries, d)
	}
	return details, mapError(ctx, "list events", err)
}
