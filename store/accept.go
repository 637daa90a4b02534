package store

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

// acceptQuery stores the events, with their deliveries $10 to those of the subscriptions $11 that
// are not deleted. It leaves out named events whose name came since $12. A transaction that deletes
// one of the subscriptions waits for this statement, and then finds its deliveries to cancel. One
// statement is one round trip, and commits by itself.
//
// A delivery is parked only if its subscription's flow is still that of $13, because a release that
// has begun since would not find it. Otherwise it is pending, and its attempt decides again.
var acceptQuery = acceptStatement("FOR SHARE", "JOIN")

// announceQuery is acceptQuery for a transaction that has already locked other rows, so it waits
// for no subscription. A delivery to a subscription that another transaction is changing is
// pending, and its attempt decides.
var announceQuery = acceptStatement("FOR SHARE SKIP LOCKED", "LEFT JOIN")

// acceptStatement locks the subscriptions in that way, and joins the deliveries with those locked.
// The count of the locked subscriptions makes Postgres lock them before it stores a name. Otherwise
// two statements could wait for each other: one for a name, the other for a subscription that a
// third one changes.
func acceptStatement(lock, join string) string {
	return `
WITH live AS MATERIALIZED (
	SELECT s.id, s.flow FROM subscriptions s WHERE s.id = ANY($11::text[]) AND s.deleted_at IS NULL ORDER BY s.id ` + lock + `),
known AS (SELECT * FROM unnest($11::text[], $13::int[]) AS k(id, flow)),
named AS (
	INSERT INTO event_ids AS known (name, created_at, content)
	SELECT name::uuid, created_at, content FROM unnest($8::text[], $6::timestamptz[], $9::bytea[]) AS n(name, created_at, content)
	WHERE name <> '' AND (SELECT count(*) FROM live) >= 0
	ON CONFLICT (name) DO UPDATE SET created_at = excluded.created_at, content = excluded.content WHERE known.created_at < $12
	RETURNING name),
stored AS (
	INSERT INTO events (id, tenant, type, key, occurred_at, created_at, data, trace_parent)
	SELECT id, tenant, type, key, occurred_at, created_at, data, nullif(trace_parent, '')
	FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bytea[], $8::text[], $14::text[])
		AS n(id, tenant, type, key, occurred_at, created_at, data, name, trace_parent)
	WHERE name = '' OR name::uuid IN (SELECT name FROM named)
	ON CONFLICT DO NOTHING RETURNING id, tenant),
made AS (
	INSERT INTO deliveries (id, tenant, event_id, event_type, subscription_id, method, host, state, reason, next_attempt_at, created_at, dispatch_at, response_awaited,
		parked_at, held_until, blocked_by, expires_at, key, ordered, position)
	SELECT n.id, n.tenant, n.event_id, n.event_type, n.subscription_id, n.method, n.host,
		CASE WHEN outdated THEN 'pending' ELSE n.state END, CASE WHEN outdated THEN '' ELSE n.reason END,
		CASE WHEN outdated THEN n.created_at ELSE n.next_attempt_at END, n.created_at, CASE WHEN outdated THEN n.created_at ELSE n.dispatch_at END, n.response_awaited,
		CASE WHEN NOT outdated THEN n.parked_at END, CASE WHEN NOT outdated THEN n.held_until END, CASE WHEN outdated THEN '' ELSE n.blocked_by END, n.expires_at, n.key, n.ordered, coalesce(n.position, 0)
	FROM json_populate_recordset(NULL::deliveries, $10) AS n
	JOIN stored ON stored.id = n.event_id AND stored.tenant = n.tenant ` + join + ` live ON live.id = n.subscription_id JOIN known ON known.id = n.subscription_id
	CROSS JOIN LATERAL (SELECT live.flow IS DISTINCT FROM known.flow AND n.state IN ('held', 'blocked') AS outdated) AS o
	RETURNING id, event_id, tenant, parked_at)
SELECT stored.id, stored.tenant, array_remove(array_agg(made.id), NULL) AS deliveries, array_agg(made.id) FILTER (WHERE made.parked_at IS NOT NULL) AS parked
FROM stored LEFT JOIN made ON made.event_id = stored.id AND made.tenant = stored.tenant GROUP BY stored.id, stored.tenant`
}

// pendingEvent is an event that is being accepted, with the result.
type pendingEvent struct {
	event           switchboard.Event
	name            string // in event_ids; empty: the platform did not choose its id
	only            string // deliver only to that subscription; empty: to all that take it
	except          string // do not deliver to that subscription; empty: none
	responseAwaited bool   // a caller waits for the first response
	leftToRelay     bool   // no process starts its deliveries after the commit, so the relay does it at once
	caller          switchboard.Caller

	order      int         // among the events that are accepted together
	matched    []candidate // the subscriptions that it is delivered to
	made       []made      // its deliveries
	stored     bool        // stored by this call, which stands if accept is called again
	acceptance switchboard.Acceptance
}

// made is a new delivery, with its subscription.
type made struct {
	*row
	candidate candidate
}

// eventKey identifies an event.
type eventKey struct{ tenant, id string }

func (p *pendingEvent) key() eventKey { return eventKey{p.event.Tenant, p.event.ID} }

// Accept stores events, each with one delivery for every subscription that takes it: pending if it
// may be sent now, otherwise parked. It returns when they are durable. It fills in missing ids and
// times. The acceptance at the same index has the result of each event; after an error it is not
// known whether anything of the call is stored. The relay starts deliveries that the caller has not
// started within a few seconds.
func (s *Store) Accept(ctx context.Context, caller switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error) {
	pending := make([]*pendingEvent, len(events))
	for i := range events {
		pending[i] = s.pending(caller, events[i])
	}
	if len(pending) == 0 {
		return nil, nil
	}
	store := s.acceptFew
	if sizeOfEvents(pending) > bulkSize {
		store = s.acceptMany
	}
	accepted, err := store(ctx, pending)
	for i := range accepted {
		compareDuplicate(&events[i], &accepted[i])
	}
	return accepted, err
}

// bulkSize is the size from which a call's events are stored separately from those of others: a
// sixteenth of a full batch, such as 14 events with almost no data, or one with more than 256 KiB.
const bulkSize = batch.MaxSize / 16

// acceptFew stores the few events of a call within the time in which a caller needs an answer,
// including the wait for others.
func (s *Store) acceptFew(ctx context.Context, pending []*pendingEvent) ([]switchboard.Acceptance, error) {
	bounded, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return do(bounded, s.accepts, "accept events", pending)
}

func (s *Store) acceptMany(ctx context.Context, pending []*pendingEvent) ([]switchboard.Acceptance, error) {
	return do(ctx, s.bulk, "accept events", pending)
}

// AcceptFor stores an event with one delivery, to that subscription only, whatever its patterns and
// filter. If the subscription is not active, the delivery is held. [Store.Answer] waits for the
// response of an awaited one.
func (s *Store) AcceptFor(ctx context.Context, caller switchboard.Caller, subscriptionID string, event switchboard.Event, responseAwaited bool) (switchboard.Acceptance, error) {
	p := s.pending(caller, event)
	p.only, p.responseAwaited = subscriptionID, responseAwaited
	accepted, err := s.acceptFew(ctx, []*pendingEvent{p})
	if err != nil {
		return switchboard.Acceptance{}, err
	}
	compareDuplicate(&event, &accepted[0])
	return accepted[0], accepted[0].Err
}

// pending fills in the fields that the platform left out of an event.
func (s *Store) pending(caller switchboard.Caller, e switchboard.Event) *pendingEvent {
	name := ""
	if e.ID != "" {
		name = eventKey{e.Tenant, e.ID}.name()
	}
	e.CreatedAt = s.now()
	e.ID = cmp.Or(e.ID, switchboard.NewID(switchboard.EventPrefix, e.CreatedAt))
	e.OccurredAt = e.OccurredAt.UTC().Truncate(time.Microsecond)
	if e.OccurredAt.IsZero() {
		e.OccurredAt = e.CreatedAt
	}
	return &pendingEvent{event: e, name: name, caller: caller}
}

func sizeOfEvents(call []*pendingEvent) int {
	size := batch.ItemSize * (len(call) - 1)
	for _, p := range call {
		size += len(p.event.Data)
	}
	return size
}

// acceptWithin is acceptAll with a timeout.
func (s *Store) acceptWithin(timeout time.Duration) func(context.Context, [][]*pendingEvent) ([]batch.Result[[]switchboard.Acceptance], error) {
	return func(ctx context.Context, calls [][]*pendingEvent) ([]batch.Result[[]switchboard.Acceptance], error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		return s.acceptAll(ctx, calls)
	}
}

// acceptAll stores the events of several calls together.
func (s *Store) acceptAll(ctx context.Context, calls [][]*pendingEvent) ([]batch.Result[[]switchboard.Acceptance], error) {
	all := slices.Concat(calls...)
	err := s.direct(ctx, "accept events", func(ctx context.Context, db session) error { return s.accept(ctx, db, all) })
	if err != nil {
		return nil, err
	}
	results := make([]batch.Result[[]switchboard.Acceptance], len(calls))
	for i, call := range calls {
		for _, p := range call {
			results[i].Out = append(results[i].Out, p.acceptance)
		}
	}
	return results, nil
}

// accept stores events. It may be called again after a failure: events that it stored before are
// then no duplicates.
func (s *Store) accept(ctx context.Context, db querier, all []*pendingEvent) error {
	fresh := slices.DeleteFunc(slices.Clone(all), func(p *pendingEvent) bool { return p.stored })
	for i, p := range fresh {
		p.acceptance, p.order = switchboard.Acceptance{}, i
	}
	if err := s.matchSubscriptions(ctx, db, fresh); err != nil {
		return err
	}
	first := distinct(all)
	if err := s.storeEvents(ctx, db, acceptQuery, first); err != nil {
		return err
	}
	return s.resolveDuplicates(ctx, db, all, first)
}

// distinct keeps the first of the events with the same tenant and id, in the order of the call,
// without those that may not be stored.
func distinct(all []*pendingEvent) map[eventKey]*pendingEvent {
	first := map[eventKey]*pendingEvent{}
	for _, p := range all {
		if p.acceptance.Err == nil && first[p.key()] == nil {
			first[p.key()] = p
		}
	}
	return first
}

// storeEvents stores the events whose names are free, with their deliveries, by that statement, and
// fills in their acceptances. It waits for a transaction that is storing the same name; the order
// of the names prevents deadlocks between batches.
func (s *Store) storeEvents(ctx context.Context, db querier, statement string, first map[eventKey]*pendingEvent) error {
	fresh := slices.SortedFunc(maps.Values(first), compareNames)
	fresh, err := dropOwnIDs(ctx, db, slices.DeleteFunc(fresh, func(p *pendingEvent) bool { return p.stored }))
	if err != nil {
		return err
	}
	var plain, inOrder []*pendingEvent
	for _, p := range fresh {
		if p.needsOrder() {
			inOrder = append(inOrder, p)
			continue
		}
		p.made = nil
		for _, c := range p.matched {
			if err := p.deliver(c, "", 0); err != nil {
				return err
			}
		}
		plain = append(plain, p)
	}
	if err := s.insertEvents(ctx, db, statement, plain); err != nil {
		return err
	}
	for _, p := range plain {
		p.accepted()
	}
	return s.storeInOrder(ctx, inOrder)
}

// compareNames is the order in which the names of events are stored, and in which [deleteNames]
// deletes them.
func compareNames(a, b *pendingEvent) int {
	return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.event.ID, b.event.ID))
}

// insertEvents stores the events whose names are free, with their new deliveries. Afterwards made
// has the stored deliveries as they are stored; it is nil if the event is not stored.
func (s *Store) insertEvents(ctx context.Context, db querier, statement string, events []*pendingEvent) error {
	if len(events) == 0 {
		return nil
	}
	args, err := s.acceptArguments(events)
	if err != nil {
		return err
	}
	var found []struct {
		ID, Tenant         string
		Deliveries, Parked pq.StringArray
	}
	if err := db.SelectContext(ctx, &found, statement, args...); err != nil {
		return err
	}
	type stored struct{ deliveries, parked []string }
	byKey := make(map[eventKey]stored, len(found))
	for _, f := range found {
		byKey[eventKey{f.Tenant, f.ID}] = stored{f.Deliveries, f.Parked}
	}
	for _, p := range events {
		f, there := byKey[p.key()]
		if !there {
			p.made = nil
			continue
		}
		p.made = slices.DeleteFunc(append([]made{}, p.made...), func(m made) bool { return !slices.Contains(f.deliveries, m.ID) })
		for _, m := range p.made {
			if m.State.Parked() && !slices.Contains(f.parked, m.ID) { // its subscription has changed since
				m.accept(switchboard.Admission{Kind: switchboard.AdmissionSend})
				m.DispatchAt = m.CreatedAt
			}
		}
	}
	return nil
}

// accepted fills in the acceptance of an event, if it is stored.
func (p *pendingEvent) accepted() {
	if p.made == nil {
		return
	}
	p.stored, p.acceptance.Event = true, p.event
	for _, m := range p.made {
		p.acceptance.Deliveries = append(p.acceptance.Deliveries, m.Delivery)
	}
	slices.SortFunc(p.acceptance.Deliveries, func(a, b switchboard.Delivery) int { return strings.Compare(a.ID, b.ID) })
}

// acceptArguments are the arguments of acceptQuery for the events and their deliveries.
func (s *Store) acceptArguments(events []*pendingEvent) ([]any, error) {
	var ids, tenants, types, keys, occurred, created, names, traces []string
	flows := map[string]int{}
	var data, contents pq.ByteaArray
	rows := []*row{}
	for _, p := range events {
		e := p.event
		ids, tenants, types, keys = append(ids, e.ID), append(tenants, e.Tenant), append(types, e.Type), append(keys, e.Key)
		occurred, created = append(occurred, e.OccurredAt.Format(time.RFC3339Nano)), append(created, e.CreatedAt.Format(time.RFC3339Nano))
		data, traces = append(data, e.Data), append(traces, e.TraceParent)
		content := []byte{}
		if p.name != "" {
			content = contentOf(e)
		}
		names, contents = append(names, p.name), append(contents, content)
		for _, m := range p.made {
			rows, flows[m.SubscriptionID] = append(rows, m.row), m.candidate.Flow
		}
	}
	subscriptions, known := slices.Sorted(maps.Keys(flows)), make([]int64, 0, len(flows))
	for _, id := range subscriptions {
		known = append(known, int64(flows[id]))
	}
	text, err := deliveriesJSON(rows)
	return []any{
		pq.Array(ids), pq.Array(tenants), pq.Array(types), pq.Array(keys), pq.Array(occurred), pq.Array(created), data,
		pq.Array(names), contents, text, pq.Array(subscriptions), s.now().Add(-s.idempotencyWindow), pq.Array(known), pq.Array(traces),
	}, err
}

// deliver makes the delivery of an event to a subscription, after another delivery of the same key;
// empty: there is none.
func (p *pendingEvent) deliver(c candidate, predecessor string, position int64) error {
	e := p.event
	m := made{&row{
		Delivery: switchboard.Delivery{
			ID: switchboard.NewID(switchboard.DeliveryPrefix, e.CreatedAt), Tenant: e.Tenant, EventID: e.ID, EventType: e.Type,
			SubscriptionID: c.ID, Method: c.Method, Host: hostOf(c.URL), CreatedAt: e.CreatedAt,
		},
		ResponseAwaited: p.responseAwaited, Position: position,
	}, c}
	if c.DeliverWithinUS > 0 {
		m.ExpiresAt = e.CreatedAt.Add(time.Duration(c.DeliverWithinUS) * time.Microsecond)
	}
	if p.needsOrder() && (c.Ordered || c.Supersede) {
		m.Key, m.Ordered = e.Key, c.Ordered
	}
	a, err := m.admit(predecessor, p.only != "")
	m.accept(a)
	if p.leftToRelay && !m.DispatchAt.IsZero() {
		m.DispatchAt = m.NextAttemptAt
	}
	p.made = append(p.made, m)
	return err
}

// admit decides about a new delivery; another one of the same key may be before it. A caller may
// wait for the response if the delivery was asked for.
func (m made) admit(predecessor string, askedFor bool) (switchboard.Admission, error) {
	health, err := parseHealth(m.candidate.Health)
	return switchboard.Admit(m.CreatedAt, switchboard.Conditions{
		Subscription: &switchboard.Subscription{State: m.candidate.State, HoldFor: switchboard.Duration(time.Duration(m.candidate.HoldForUS) * time.Microsecond)},
		Health:       &health, Delivery: &m.Delivery, Predecessor: predecessor, Queue: health.QueueReason, New: !askedFor,
	}), err
}

// accept gives a new delivery its first state, in place of another that it was given.
func (m made) accept(a switchboard.Admission) {
	m.State, m.Reason, m.NextAttemptAt, m.DispatchAt = "", "", time.Time{}, time.Time{}
	m.ParkedAt, m.HeldUntil, m.BlockedBy = time.Time{}, time.Time{}, ""
	m.Accept(m.CreatedAt, a)
}

// hostOf returns the host and port of a URL; empty if it is not one.
func hostOf(address string) string {
	u, err := url.Parse(switchboard.Address(address)) // path and query may hold templates
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
