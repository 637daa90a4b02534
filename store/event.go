package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// eventColumns are the columns of switchboard.Event.
const eventColumns = "id, tenant, type, key, data, occurred_at, created_at, " + erasedColumn

const erasedColumn = "coalesce(erased_at, " + zeroTime + ") AS erased_at"

// Event returns an event with its deliveries. Ids are unique only within a tenant: if the tenant is
// left out and several have that id, it returns a Conflict for the field "tenant". A tenant may
// have several events with that id after the idempotency window; then it returns the newest.
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

// Events lists the events that the filter matches, newest first, with their deliveries and without
// their data.
func (s *Store) Events(ctx context.Context, caller switchboard.Caller, f switchboard.EventFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.EventDetail], error) {
	f.Type = strings.ToLower(f.Type) // a cursor is valid for every spelling
	page, err := list(ctx, s, s.eventsQuery(caller, f), p, func(e switchboard.Event) position { return position{e.CreatedAt, e.ID, e.Tenant} })
	if err != nil {
		return switchboard.Page[switchboard.EventDetail]{}, err
	}
	details, err := s.withDeliveries(ctx, page.Items)
	return switchboard.Page[switchboard.EventDetail]{Items: details, NextCursor: page.NextCursor, SearchedTo: page.SearchedTo}, err
}

func (s *Store) eventsQuery(caller switchboard.Caller, f switchboard.EventFilter) pageQuery {
	q := pageQuery{
		cursors: cursors{s.keys, "events", caller, f},
		columns: "id, tenant, type, key, occurred_at, created_at, " + erasedColumn, table: "events", order: "created_at DESC, id DESC, tenant DESC",
		where: &conditions{}, span: timeSpan{f.After, f.Before},
		after: func(c *conditions, p position) {
			c.add("created_at <= ?", p.At) // leaves out partitions, which the comparison of rows does not
			c.add("(created_at, id, tenant) < (?, ?, ?)", p.At, p.ID, p.Tenant)
		},
		end: func(at time.Time) position { return position{At: at} },
	}
	q.where.scope(caller, f.Tenant)
	q.where.anyCase("type", f.Type)
	if f.Key != "" {
		q.where.equal("key", f.Key)
		q.where.add("key <> ''") // lets Postgres use its partial index
	}
	q.where.times(q.span)
	if f.Type != "" {
		q.within = func(c *conditions, from, to time.Time) { c.times(timeSpan{from, to}) }
	}
	return q
}

// withDeliveries adds the deliveries of each event.
func (s *Store) withDeliveries(ctx context.Context, events []switchboard.Event) ([]switchboard.EventDetail, error) {
	details := make([]switchboard.EventDetail, len(events))
	byKey := make(map[eventKey][]*switchboard.EventDetail, len(events)) // several: the same id came again after the idempotency window
	for i, e := range events {
		details[i].Event = e
		key := eventKey{e.Tenant, e.ID}
		byKey[key] = append(byKey[key], &details[i])
	}
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	deliveries, err := selectDeliveriesOf(bounded, s.searches, events)
	for _, d := range shownAt(s.now(), deliveries) {
		of := byKey[eventKey{d.Tenant, d.EventID}]
		i := max(0, slices.IndexFunc(of, func(e *switchboard.EventDetail) bool { return e.Event.CreatedAt.Equal(d.CreatedAt) }))
		of[i].Deliveries = append(of[i].Deliveries, d)
	}
	return details, mapError(ctx, "list events", err)
}
