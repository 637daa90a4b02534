package store

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// acceptQuery stores the events whose names are free, with their deliveries $8 to
// those of the subscriptions $9 that are not deleted meanwhile. Whoever deletes one
// of them waits for us, and then finds our deliveries to cancel. One statement is
// one round trip, and commits by itself.
const acceptQuery = `
WITH takers AS MATERIALIZED (
	SELECT id FROM subscriptions WHERE id = ANY($9::text[]) AND deleted_at IS NULL ORDER BY id FOR SHARE),
stored AS (
	INSERT INTO events (id, tenant, type, key, occurred_at, created_at, data)
	SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bytea[])
	ON CONFLICT DO NOTHING RETURNING id, tenant),
owed AS (
	INSERT INTO deliveries (id, tenant, event_id, event_type, subscription_id, method, host, state, reason, generation, next_attempt_at, created_at, dispatch_at, response_awaited)
	SELECT n."ID", n."Tenant", n."EventID", n."EventType", n."SubscriptionID", n."Method", n."Host", n."State", n."Reason", n."Generation",
		nullif(n."NextAttemptAt", ` + zeroTime + `), n."CreatedAt", nullif(n."DispatchAt", ` + zeroTime + `), n."ResponseAwaited"
	FROM json_to_recordset($8) AS n` + rowColumns + `
	JOIN stored ON stored.id = n."EventID" AND stored.tenant = n."Tenant" JOIN takers ON takers.id = n."SubscriptionID"
	RETURNING id, event_id, tenant)
SELECT stored.id, stored.tenant, array_remove(array_agg(owed.id), NULL) AS deliveries
FROM stored LEFT JOIN owed ON owed.event_id = stored.id AND owed.tenant = stored.tenant GROUP BY stored.id, stored.tenant`

// posted is an event on its way in, and what became of it.
type posted struct {
	event   switchboard.Event
	only    string // deliver to that subscription alone; empty: to all that want it
	awaited bool   // somebody waits for the first answer
	caller  switchboard.Caller

	takers     []taker
	stored     bool // here, with its deliveries: if accept is called again, its acceptance stands
	acceptance switchboard.Acceptance
}

// eventKey is what names an event.
type eventKey struct{ tenant, id string }

func (p *posted) key() eventKey { return eventKey{p.event.Tenant, p.event.ID} }

// Accept stores events, each with one delivery for every subscription that wants it:
// pending where that is active, held where it is not verified yet. It returns when that
// is durable. Ids and times that are missing are filled in. What became of each event
// is in the acceptance of the same place; an error means that nothing of the call is
// known to be stored. The relay starts what the caller has not started within a few
// seconds.
func (s *Store) Accept(ctx context.Context, caller switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error) {
	batch := make([]*posted, len(events))
	for i := range events {
		batch[i] = &posted{event: s.complete(events[i]), caller: caller}
	}
	if len(batch) == 0 {
		return nil, nil
	}
	store := s.acceptFew
	if weighPosted(batch) > bulkWeight {
		store = s.bulk.do
	}
	accepted, err := store(ctx, batch)
	for i := range accepted {
		settleRepeat(&events[i], &accepted[i])
	}
	return accepted, err
}

// bulkWeight is from which weight on a call's events are stored apart from those of others:
// a sixteenth of what fills a batch, as 14 events with next to no data, or one with more than
// 256 KiB.
const bulkWeight = fullWeight / 16

// acceptFew stores the few events of a call within the time in which a caller is to have
// an answer, the wait for others included.
func (s *Store) acceptFew(ctx context.Context, batch []*posted) ([]switchboard.Acceptance, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.accepts.do(ctx, batch)
}

// AcceptFor stores an event with one delivery, to that subscription alone,
// whatever events it wants and whether or not it is active; one that is not
// verified has it held. What is awaited can be waited for with [Store.Answer].
func (s *Store) AcceptFor(ctx context.Context, caller switchboard.Caller, subscriptionID string, event switchboard.Event, awaited bool) (switchboard.Acceptance, error) {
	accepted, err := s.acceptFew(ctx, []*posted{{event: s.complete(event), only: subscriptionID, awaited: awaited, caller: caller}})
	if err != nil {
		return switchboard.Acceptance{}, err
	}
	settleRepeat(&event, &accepted[0])
	return accepted[0], accepted[0].Err
}

// complete fills in what the platform left out.
func (s *Store) complete(e switchboard.Event) switchboard.Event {
	e.CreatedAt = s.now()
	e.ID = cmp.Or(e.ID, switchboard.NewID(switchboard.EventPrefix, e.CreatedAt))
	e.OccurredAt = e.OccurredAt.UTC().Truncate(time.Microsecond)
	if e.OccurredAt.IsZero() {
		e.OccurredAt = e.CreatedAt
	}
	return e
}

func weighPosted(call []*posted) int {
	weight := itemWeight * (len(call) - 1)
	for _, p := range call {
		weight += len(p.event.Data)
	}
	return weight
}

// acceptWithin is acceptAll, bounded.
func (s *Store) acceptWithin(timeout time.Duration) func(context.Context, [][]*posted) ([][]switchboard.Acceptance, error) {
	return func(ctx context.Context, calls [][]*posted) ([][]switchboard.Acceptance, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return s.acceptAll(ctx, calls)
	}
}

// acceptAll stores the events of several calls together.
func (s *Store) acceptAll(ctx context.Context, calls [][]*posted) ([][]switchboard.Acceptance, error) {
	all := slices.Concat(calls...)
	err := s.direct(ctx, func(ctx context.Context, db session) error { return s.accept(ctx, db, all) })
	if err != nil {
		return nil, err
	}
	results := make([][]switchboard.Acceptance, len(calls))
	for i, call := range calls {
		for _, p := range call {
			results[i] = append(results[i], p.acceptance)
		}
	}
	return results, nil
}

// accept may be called again after a failure. What it had stored before is no repeat then.
func (s *Store) accept(ctx context.Context, db session, all []*posted) error {
	fresh := slices.DeleteFunc(slices.Clone(all), func(p *posted) bool { return p.stored })
	for _, p := range fresh {
		p.acceptance = switchboard.Acceptance{}
	}
	if err := s.findTakers(ctx, db, fresh); err != nil {
		return err
	}
	first := distinct(all)
	if err := storeEvents(ctx, db, first); err != nil {
		return err
	}
	return resolveRepeats(ctx, db, all, first)
}

// distinct keeps the first of the events with the same tenant and id, in the
// order of the call; those that may not be stored are left out.
func distinct(all []*posted) map[eventKey]*posted {
	first := map[eventKey]*posted{}
	for _, p := range all {
		if p.acceptance.Err == nil && first[p.key()] == nil {
			first[p.key()] = p
		}
	}
	return first
}

// storeEvents stores the events whose names are free, with their deliveries, and fills
// in their acceptances. Somebody who is storing the same name is waited for; the order
// of the names keeps two batches from waiting for each other.
func storeEvents(ctx context.Context, db session, first map[eventKey]*posted) error {
	batch := slices.SortedFunc(maps.Values(first), func(a, b *posted) int {
		return cmp.Or(strings.Compare(a.event.ID, b.event.ID), strings.Compare(a.event.Tenant, b.event.Tenant))
	})
	batch = slices.DeleteFunc(batch, func(p *posted) bool { return p.stored })
	if len(batch) == 0 {
		return nil
	}
	deliveries, args, err := owedTo(batch)
	if err != nil {
		return err
	}
	var found []struct {
		ID, Tenant string
		Deliveries pq.StringArray
	}
	if err := db.SelectContext(ctx, &found, acceptQuery, args...); err != nil {
		return err
	}
	for _, f := range found {
		p := first[eventKey{f.Tenant, f.ID}]
		p.stored, p.acceptance.Event = true, p.event
		for _, id := range slices.Sorted(slices.Values(f.Deliveries)) {
			p.acceptance.Deliveries = append(p.acceptance.Deliveries, deliveries[id])
		}
	}
	return nil
}

// owedTo makes the deliveries that the events owe, by their ids, and the arguments with
// which acceptQuery stores both.
func owedTo(batch []*posted) (map[string]switchboard.Delivery, []any, error) {
	var ids, tenants, types, keys, occurred, created, takers []string
	var data pq.ByteaArray
	rows, deliveries := []*row{}, map[string]switchboard.Delivery{}
	for _, p := range batch {
		e := p.event
		ids, tenants, types, keys = append(ids, e.ID), append(tenants, e.Tenant), append(types, e.Type), append(keys, e.Key)
		occurred, created = append(occurred, e.OccurredAt.Format(time.RFC3339Nano)), append(created, e.CreatedAt.Format(time.RFC3339Nano))
		data = append(data, e.Data)
		for _, t := range p.takers {
			r := newDelivery(p, t)
			rows, takers, deliveries[r.ID] = append(rows, r), append(takers, t.ID), r.Delivery
		}
	}
	owed, err := json.Marshal(rows)
	return deliveries, []any{
		pq.Array(ids), pq.Array(tenants), pq.Array(types), pq.Array(keys), pq.Array(occurred), pq.Array(created), data, string(owed), pq.Array(unique(takers)),
	}, err
}

// newDelivery is the delivery of an event to a subscription that wants it.
func newDelivery(p *posted, t taker) *row {
	e := p.event
	r := &row{
		Delivery: switchboard.Delivery{
			ID: switchboard.NewID(switchboard.DeliveryPrefix, e.CreatedAt), Tenant: e.Tenant, EventID: e.ID, EventType: e.Type,
			SubscriptionID: t.ID, Method: t.Method, Host: hostOf(t.URL),
		},
		ResponseAwaited: p.awaited,
	}
	r.Accept(e.CreatedAt, switchboard.Admit(e.CreatedAt, switchboard.Conditions{Subscription: &switchboard.Subscription{State: t.State}}))
	return r
}

// hostOf is the host and port of a URL; empty if it is none.
func hostOf(address string) string {
	u, err := url.Parse(switchboard.Address(address)) // path and query may hold templates
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
