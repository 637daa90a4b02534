package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// Some deliveries are ordered by their key, or supersede others of the same key. Their events are
// stored in a transaction that locks those keys first. Events that are accepted at the same time
// for one of the keys are stored completely before or after them.

// needsOrder reports whether a delivery of the event is ordered or supersedes others. Operational
// events have no order: the transaction of a change accepts them, and it has already locked
// deliveries.
func (p *pendingEvent) needsOrder() bool {
	return p.event.Key != "" && !p.leftToRelay && slices.ContainsFunc(p.matched, func(c candidate) bool { return c.Ordered || c.Supersede })
}

// storeInOrder stores such events with their deliveries, and fills in their acceptances.
func (s *Store) storeInOrder(ctx context.Context, events []*pendingEvent) error {
	if len(events) == 0 {
		return nil
	}
	err := s.tx(ctx, "accept events in order", func(ctx context.Context, tx transaction) error {
		if err := lockMatched(ctx, tx, events); err != nil {
			return err
		}
		keys, err := lockOrMakeKeys(ctx, tx, keysOf(events))
		if err != nil {
			return err
		}
		if err := deliverInOrder(events, maps.Clone(keys)); err != nil {
			return err
		}
		if err := s.insertEvents(ctx, tx, acceptQuery, slices.SortedFunc(slices.Values(events), compareNames)); err != nil {
			return err
		}
		if err := queueMade(ctx, tx, events, keys); err != nil {
			return err
		}
		return s.supersede(ctx, tx, events)
	})
	if err != nil {
		return err
	}
	for _, p := range events {
		p.accepted()
	}
	return nil
}

func compareOrder(a, b *pendingEvent) int { return cmp.Compare(a.order, b.order) }

// lockMatched locks the subscriptions that the events go to, and reads them again: their deliveries
// get the states that result from the subscriptions at that time.
func lockMatched(ctx context.Context, tx transaction, events []*pendingEvent) error {
	var ids, locked []string
	for _, p := range events {
		for _, c := range p.matched {
			ids = append(ids, c.ID)
		}
	}
	if err := tx.SelectContext(ctx, &locked, lockSubscriptionsQuery, pq.Array(unique(ids))); err != nil {
		return err
	}
	var found []candidate
	if err := tx.SelectContext(ctx, &found, "SELECT "+candidateColumns+" FROM subscriptions s WHERE s.id = ANY($1) AND s.deleted_at IS NULL", pq.Array(locked)); err != nil {
		return err
	}
	now := make(map[string]candidate, len(found))
	for _, c := range found {
		now[c.ID] = c
	}
	for _, p := range events {
		p.matched = slices.DeleteFunc(slices.Clone(p.matched), func(c candidate) bool { return now[c.ID].ID == "" })
		for i, c := range p.matched {
			p.matched[i] = now[c.ID]
		}
	}
	return nil
}

// keysOf returns, in order, the keys by which deliveries of the events are ordered or supersede
// others.
func keysOf(events []*pendingEvent) []orderingKey {
	var keys []orderingKey
	for _, p := range events {
		for _, c := range p.matched {
			if c.Ordered || c.Supersede {
				keys = append(keys, orderingKey{c.ID, p.event.Key})
			}
		}
	}
	slices.SortFunc(keys, compareKeys)
	return slices.Compact(keys)
}

// deliverInOrder makes the deliveries of the events, and adds the ordered ones to the queues of
// their keys.
func deliverInOrder(events []*pendingEvent, keys map[orderingKey]keyRow) error {
	for _, p := range slices.SortedFunc(slices.Values(events), compareOrder) {
		p.made = nil
		for _, c := range p.matched {
			key := orderingKey{c.ID, p.event.Key}
			k := keys[key]
			if !c.Ordered {
				k = keyRow{}
			}
			if err := p.deliver(c, k.LastDelivery, k.LastPosition+1); err != nil {
				return err
			}
			if c.Ordered {
				k.LastDelivery, k.LastPosition = p.made[len(p.made)-1].ID, k.LastPosition+1
				keys[key] = k
			}
		}
	}
	return nil
}

// queueMade saves the queues with the deliveries that are stored. If an event is not stored,
// because it is a duplicate, it links the deliveries after it to others than they were made for.
func queueMade(ctx context.Context, tx transaction, events []*pendingEvent, keys map[orderingKey]keyRow) error {
	var moved []*row
	for _, p := range slices.SortedFunc(slices.Values(events), compareOrder) {
		for _, m := range p.made {
			if !m.Ordered {
				continue
			}
			k, before := keys[m.orderingKey()], m.Delivery
			a, err := m.admit(k.LastDelivery, p.only != "")
			if err != nil {
				return err
			}
			if m.accept(a); m.Delivery != before {
				moved = append(moved, m.row)
			}
			k.LastDelivery, k.LastPosition = m.ID, m.Position
			keys[m.orderingKey()] = k
		}
	}
	if len(moved) > 0 {
		if err := saveDeliveries(ctx, tx, moved...); err != nil {
			return err
		}
	}
	return saveKeys(ctx, tx, slices.Collect(maps.Values(keys))...)
}

// supersededQuery finds the open deliveries of the subscriptions $1 with the keys $2 and the types
// $3, which are in lower case, except for the newest $4. It finds at most $5 of each, because
// nobody should wait long if there are very many. OFFSET 0 makes Postgres look for each alone.
const supersededQuery = `
SELECT o.id FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS n(subscription_id, key, type, newest)
CROSS JOIN LATERAL (SELECT d.id FROM deliveries d WHERE d.subscription_id = n.subscription_id AND d.key = n.key AND d.key <> '' AND d.completed_at IS NULL
	AND lower(d.event_type) = n.type AND d.id <> n.newest ORDER BY d.position, d.id LIMIT $5 OFFSET 0) o`

// supersede cancels open deliveries of older events with the same type and key as a new one, for
// the subscriptions that ask for it.
func (s *Store) supersede(ctx context.Context, tx transaction, events []*pendingEvent) error {
	ids, made, err := superseded(ctx, tx, events)
	if err != nil || len(ids) == 0 {
		return err
	}
	var blocked []string
	if err := tx.SelectContext(ctx, &blocked, blockedQuery, pq.Array(ids)); err != nil {
		return err
	}
	rows, err := lockDeliveries(ctx, tx, append(blocked, ids...))
	if err != nil {
		return err
	}
	now, from, cancelled := s.now(), map[string]switchboard.State{}, []*row{}
	for _, id := range ids {
		r := rows[id]
		if r == nil || r.State.Final() { // it has ended since
			continue
		}
		dispatchAt := now
		if made[id] != nil {
			dispatchAt = time.Time{} // no workflow is started before the commit
		}
		from[id] = r.State
		if err := r.Cancel(now, switchboard.ReasonSuperseded, dispatchAt); err != nil {
			return err
		}
		cancelled = append(cancelled, r)
	}
	action := bySwitchboard(switchboard.ActionCancel, "a later event of the same type and key was accepted")
	if err := s.saveTransitions(ctx, tx, action, from, cancelled...); err != nil {
		return err
	}
	after, err := lockDeliveries(ctx, tx, slices.Collect(maps.Keys(made)))
	for id, m := range made {
		m.Delivery = after[id].Delivery
	}
	return err
}

// superseded returns the ids of the deliveries that the events supersede, and the deliveries that
// are made for the events by id.
func superseded(ctx context.Context, tx transaction, events []*pendingEvent) (ids []string, made map[string]*row, err error) {
	type kind struct {
		orderingKey
		eventType string
	}
	newest := map[kind]string{}
	made = map[string]*row{}
	for _, p := range slices.SortedFunc(slices.Values(events), compareOrder) {
		for _, m := range p.made {
			made[m.ID] = m.row
			if m.candidate.Supersede {
				newest[kind{m.orderingKey(), strings.ToLower(m.EventType)}] = m.ID
			}
		}
	}
	var subscriptions, keys, types, last []string
	for k, id := range newest {
		subscriptions, keys, types, last = append(subscriptions, k.subscription), append(keys, k.key), append(types, k.eventType), append(last, id)
	}
	if len(last) == 0 {
		return nil, made, nil
	}
	err = tx.SelectContext(ctx, &ids, supersededQuery, pq.Array(subscriptions), pq.Array(keys), pq.Array(types), pq.Array(last), batchLimit)
	return unique(ids), made, err
}
