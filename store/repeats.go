package store

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// resolveRepeats says of every event that was not stored here whether it repeats
// the stored one or contradicts it. A repeat may be awaited where the first was not.
func resolveRepeats(ctx context.Context, db session, all []*posted, first map[eventKey]*posted) error {
	var before []eventKey
	for key, p := range first {
		if !p.stored {
			before = append(before, key)
		}
	}
	known, err := loadAcceptances(ctx, db, before)
	if err != nil {
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
			p.repeat(known[key])
		}
		for _, d := range p.acceptance.Deliveries {
			if p.awaited && !d.State.Final() {
				awaited = append(awaited, d.ID)
			}
		}
	}
	if len(awaited) == 0 {
		return nil
	}
	_, err = db.ExecContext(ctx, "UPDATE deliveries SET response_awaited = true WHERE id = "+lockedInOrder+" AND NOT response_awaited", pq.Array(awaited))
	return err
}

// repeat compares the event with the one that has its name, as far as that is cheap: the
// data are left to [settleRepeat]. One for a single subscription repeats only what went
// to that.
func (p *posted) repeat(known switchboard.Acceptance) {
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

// settleRepeat compares the data, the time and the spelling of the type of a repeat with what is stored. It runs in
// the caller's own time, since all that share a commit would wait for a comparison by
// value. given is the event as it was posted.
//
// Another writing of the same data is a repeat: who posts anew after a timeout may well
// serialise anew, and what is stored, and was perhaps sent, stays. So does the time: many
// take the clock's again at each try.
func settleRepeat(given *switchboard.Event, a *switchboard.Acceptance) {
	if !a.Duplicate {
		return
	}
	if !bytes.Equal(a.Event.Data, given.Data) {
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

// loadAcceptances reads events that were stored before, with their deliveries.
func loadAcceptances(ctx context.Context, db session, keys []eventKey) (map[eventKey]switchboard.Acceptance, error) {
	known := make(map[eventKey]switchboard.Acceptance, len(keys))
	if len(keys) == 0 {
		return known, nil
	}
	var ids, tenants []string
	for _, key := range keys {
		ids, tenants = append(ids, key.id), append(tenants, key.tenant)
	}
	const named = " WHERE (%s, tenant) IN (SELECT * FROM unnest($1::text[], $2::text[]))"
	var events []switchboard.Event
	query := "SELECT " + eventColumns + " FROM events" + strings.Replace(named, "%s", "id", 1)
	if err := db.SelectContext(ctx, &events, query, pq.Array(ids), pq.Array(tenants)); err != nil {
		return nil, err
	}
	for _, e := range events {
		known[eventKey{e.Tenant, e.ID}] = switchboard.Acceptance{Event: e}
	}
	var deliveries []switchboard.Delivery
	query = "SELECT " + fields("deliveries", deliveryFields, "") + " FROM deliveries" + strings.Replace(named, "%s", "event_id", 1) + " ORDER BY id"
	if err := db.SelectContext(ctx, &deliveries, query, pq.Array(ids), pq.Array(tenants)); err != nil {
		return nil, err
	}
	for _, d := range deliveries {
		key := eventKey{d.Tenant, d.EventID}
		a := known[key]
		a.Deliveries = append(a.Deliveries, d)
		known[key] = a
	}
	return known, nil
}
