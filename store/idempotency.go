package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// defaultIdempotencyWindow is how long an event with the same id is a duplicate. After that it is a
// new event.
const defaultIdempotencyWindow = 7 * 24 * time.Hour

// name returns the event's key in the table event_ids, as a UUID: half of a SHA-256.
func (k eventKey) name() string {
	sum := sha256.Sum256([]byte(k.tenant + "\x00" + k.id))
	return hex.EncodeToString(sum[:16])
}

// contentOf returns half of a SHA-256 of what two events with one id must have in common. It
// compares the data by their bytes.
func contentOf(e switchboard.Event) []byte {
	h := sha256.New()
	for _, part := range []string{strings.ToLower(e.Type), "\x00", e.Key, "\x00"} {
		h.Write([]byte(part))
	}
	h.Write(e.Data)
	return h.Sum(nil)[:16]
}

// earlierEvent is the first event with an id.
type earlierEvent struct {
	switchboard.Event
	Listed     bool   // in event_ids: the platform chose its id
	Content    []byte // as in event_ids; empty: its data were erased
	deliveries []switchboard.Delivery
}

// earlierQuery reads the events with the names $1, which belong to the ids $2 of the tenants $3. If
// a name is not in event_ids, because Switchboard made the id, the time $4 finds the event. OFFSET
// 0 makes Postgres look for each event alone, in the partition where it is.
var earlierQuery = `
SELECT ` + fields("e", "id tenant type key data occurred_at created_at", "") + `, known.name IS NOT NULL AS listed, coalesce(known.content, '') AS content
FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS n(name, id, tenant, at)
LEFT JOIN event_ids known ON known.name = n.name::uuid
CROSS JOIN LATERAL (
	SELECT * FROM events WHERE created_at >= coalesce(known.created_at, n.at) AND created_at < coalesce(known.created_at, n.at) + interval '1 millisecond'
		AND id = n.id AND tenant = n.tenant ORDER BY created_at LIMIT 1 OFFSET 0) e`

// findEarlier reads the earlier events with those keys.
func findEarlier(ctx context.Context, db querier, keys []eventKey) (map[eventKey]*earlierEvent, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var names, ids, tenants, times []string
	for _, key := range keys {
		at, _ := switchboard.IDTime(switchboard.EventPrefix, key.id)
		names, ids, tenants, times = append(names, key.name()), append(ids, key.id), append(tenants, key.tenant), append(times, at.Format(time.RFC3339Nano))
	}
	var found []*earlierEvent
	if err := db.SelectContext(ctx, &found, earlierQuery, pq.Array(names), pq.Array(ids), pq.Array(tenants), pq.Array(times)); err != nil {
		return nil, err
	}
	known := make(map[eventKey]*earlierEvent, len(found))
	for _, e := range found {
		known[eventKey{e.Tenant, e.ID}] = e
	}
	return known, nil
}

// dropOwnIDs leaves out events whose id Switchboard made for an earlier event, because event_ids
// does not have those ids.
func dropOwnIDs(ctx context.Context, db querier, pending []*pendingEvent) ([]*pendingEvent, error) {
	var own []eventKey
	for _, p := range pending {
		if p.name != "" && switchboard.IsID(switchboard.EventPrefix, p.event.ID) {
			own = append(own, p.key())
		}
	}
	known, err := findEarlier(ctx, db, own)
	return slices.DeleteFunc(pending, func(p *pendingEvent) bool { e := known[p.key()]; return e != nil && !e.Listed }), err
}

// resolveDuplicates decides for each event that this call did not store whether it is a duplicate
// of the stored one or contradicts it. A duplicate may be awaited even if the first was not.
func (s *Store) resolveDuplicates(ctx context.Context, db querier, all []*pendingEvent, first map[eventKey]*pendingEvent) error {
	var before []eventKey
	for key, p := range first {
		if !p.stored {
			before = append(before, key)
		}
	}
	known, err := findEarlier(ctx, db, before)
	if err != nil {
		return err
	}
	if err := addDeliveries(ctx, db, known); err != nil {
		return err
	}
	var awaited []string
	for _, p := range all {
		key := p.key()
		switch {
		case p.acceptance.Err != nil || p.stored:
			continue
		case first[key].stored:
			p.repeat(first[key].acceptance)
		default:
			p.repeatEarlier(known[key])
		}
		for _, d := range p.acceptance.Deliveries {
			if p.responseAwaited && !d.State.Final() {
				awaited = append(awaited, d.ID)
			}
		}
	}
	if len(awaited) == 0 {
		return nil
	}
	least, greatest := bounds(awaited)
	_, err = db.ExecContext(ctx, "UPDATE deliveries SET response_awaited = true WHERE id = "+lockedInOrder+" AND NOT response_awaited AND id >= $2 AND id <= $3",
		pq.Array(awaited), least, greatest)
	return err
}

// repeat makes the cheap part of the comparison of the event with the one that has its id;
// [compareDuplicate] compares the data. An event for one subscription is a duplicate only of one
// for the same subscription.
func (p *pendingEvent) repeat(known switchboard.Acceptance) {
	e := known.Event
	if !strings.EqualFold(e.Type, p.event.Type) || e.Key != p.event.Key {
		p.acceptance.Err = contradicts("type or key")
		return
	}
	if p.only != "" {
		known.Deliveries = slices.DeleteFunc(slices.Clone(known.Deliveries), func(d switchboard.Delivery) bool { return d.SubscriptionID != p.only })
		if len(known.Deliveries) == 0 {
			p.acceptance.Err = &switchboard.Error{Code: switchboard.CodeConflict, Field: "id", Message: "an event with this id was accepted before, and not for this subscription"}
			return
		}
	}
	known.Duplicate = true
	p.acceptance = known
}

// repeatEarlier is repeat for an event that was stored before this batch; nil: it is gone. Erased
// data are compared by their digest, if there is one.
func (p *pendingEvent) repeatEarlier(e *earlierEvent) {
	switch {
	case e == nil:
		p.acceptance.Err = &switchboard.Error{Code: switchboard.CodeConflict, Field: "id", Message: "an event with this id was accepted before, and is erased"}
	case len(e.Data) == 0 && len(e.Content) > 0 && !bytes.Equal(e.Content, contentOf(p.event)):
		p.acceptance.Err = contradicts("content")
	default:
		if len(e.Data) == 0 && len(e.Content) == 0 {
			e.Key = p.event.Key // it was erased with the data, and cannot be compared
		}
		p.repeat(switchboard.Acceptance{Event: e.Event, Deliveries: e.deliveries})
	}
}

// compareDuplicate compares the data, the time and the spelling of the type of a duplicate with the
// stored event. It runs in the caller's own time, because all callers of a commit would wait for a
// comparison by value. given is the event as it was posted.
//
// The same data in another form are a duplicate: a platform that posts again after a timeout may
// serialise them again. The stored form stays, because it may have been sent. The stored time stays
// too: many platforms take the current time at each try. Erased data cannot be compared.
func compareDuplicate(given *switchboard.Event, a *switchboard.Acceptance) {
	if !a.Duplicate {
		return
	}
	if len(a.Event.Data) > 0 && !bytes.Equal(a.Event.Data, given.Data) {
		if !switchboard.SameJSON(a.Event.Data, given.Data) {
			*a = switchboard.Acceptance{Err: contradicts("data")}
			return
		}
		a.Differs = append(a.Differs, "data")
	}
	if a.Event.Type != given.Type { // in another case
		a.Differs = append(a.Differs, "type")
	}
	if at := given.OccurredAt.UTC().Truncate(time.Microsecond); !at.IsZero() && !at.Equal(a.Event.OccurredAt) {
		a.Differs = append(a.Differs, "occurred_at")
	}
}

func contradicts(what string) error {
	return &switchboard.Error{Code: switchboard.CodeConflict, Field: "id", Message: "an event with this id and other " + what + " was accepted before"}
}

// addDeliveries reads the deliveries of the events.
func addDeliveries(ctx context.Context, db querier, known map[eventKey]*earlierEvent) error {
	events := make([]switchboard.Event, 0, len(known))
	for _, e := range known {
		events = append(events, e.Event)
	}
	deliveries, err := selectDeliveriesOf(ctx, db, events)
	for _, d := range deliveries {
		e := known[eventKey{d.Tenant, d.EventID}]
		e.deliveries = append(e.deliveries, d)
	}
	return err
}
