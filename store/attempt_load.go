package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

// loadQuery joins the data that attempts of the deliveries $1, with the bounds $2 and $3, need. It
// leaves out the subscriptions, which rarely change and are cached. The events are of the time from
// $4 to $5. OFFSET 0 makes Postgres look for each event alone. Otherwise it would plan to read the
// whole of that time while there are few events.
var loadQuery = "SELECT " +
	fields("d", deliveryFields, "delivery") + ", " +
	fields("e", "id tenant type key data occurred_at created_at", "event") + `, coalesce(e.trace_parent, '') AS "event.trace_parent", ` +
	revisionColumn + `, d.event_at IS NOT NULL AS again,
	(d.generation > 1 OR d.attempts_made > 0 OR d.event_at IS NOT NULL) AND (` + withdrawingQuery + `) IS NOT NULL AS withdrawn
FROM deliveries d
CROSS JOIN LATERAL (
	SELECT * FROM events e WHERE e.created_at = coalesce(d.event_at, d.created_at) AND e.id = d.event_id AND e.tenant = d.tenant
		AND e.created_at >= $4 AND e.created_at <= $5 OFFSET 0) e
JOIN subscriptions s ON s.id = d.subscription_id
WHERE d.id = ANY($1) AND d.id >= $2 AND d.id <= $3`

// withdrawingQuery finds the cancelled operation that has dated the delivery d, if no attempt was
// made since.
const withdrawingQuery = `SELECT o.id FROM operations o JOIN operation_items i ON i.operation_id = o.id
WHERE o.back_id <> '' AND i.delivery_id = d.id AND i.before IS NOT NULL AND d.attempts_made = coalesce((i.before->>'attempts_made')::int, 0) LIMIT 1`

// LoadForAttempt loads everything that an attempt needs: the delivery, its event, and the current
// subscription, deleted or not, with its signing secrets, the current one first, and without its
// filter. Concurrent callers share a query. They also share the subscription's data, and must not
// change it.
func (s *Store) LoadForAttempt(ctx context.Context, deliveryID string) (switchboard.LoadedDelivery, error) {
	return do(ctx, s.loads, "load for attempt", deliveryID)
}

// sizeOfLoad lets at most 32 loads share a query, because their events may be long.
func sizeOfLoad(string) int { return batch.MaxSize / 32 }

// loadedRow is a delivery with its event and the revision of its subscription.
type loadedRow struct {
	Delivery switchboard.Delivery
	Event    switchboard.Event
	Revision string
	Again    bool // it was made after its event, and may have overrides

	Withdrawn bool // by the operation that has dated it
}

// loadAll loads several deliveries.
func (s *Store) loadAll(ctx context.Context, ids []string) ([]batch.Result[switchboard.LoadedDelivery], error) {
	rows, subscriptions, err := s.readLoads(ctx, ids)
	if err != nil {
		return nil, err
	}
	overrides, unreadable, err := s.overridesOf(ctx, rows)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]batch.Result[switchboard.LoadedDelivery], len(rows))
	for _, r := range rows {
		sub, there := subscriptions[r.Delivery.SubscriptionID]
		if !there {
			continue // erased between the two queries, with its delivery
		}
		byID[r.Delivery.ID] = batch.Result[switchboard.LoadedDelivery]{Out: switchboard.LoadedDelivery{
			Delivery: r.Delivery, Event: r.Event, Subscription: sub.Out.subscription, Health: sub.Out.health, Overrides: overrides[r.Delivery.ID], Withdrawn: r.Withdrawn,
		}, Err: cmp.Or(sub.Err, unreadable[r.Delivery.ID])}
	}
	loaded := make([]batch.Result[switchboard.LoadedDelivery], len(ids))
	for i, id := range ids {
		var found bool
		if loaded[i], found = byID[id]; !found {
			loaded[i].Err = noDelivery(id)
		}
	}
	return loaded, nil
}

// overridesOf reads the overrides of the deliveries that were made after their events. For the
// others it does not ask Postgres.
func (s *Store) overridesOf(ctx context.Context, rows []loadedRow) (found map[string]*switchboard.Overrides, unreadable map[string]error, err error) {
	var again []string
	for _, r := range rows {
		if r.Again {
			again = append(again, r.Delivery.ID)
		}
	}
	if len(again) == 0 {
		return nil, nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err = s.direct(ctx, "load overrides", func(ctx context.Context, db session) (err error) {
		found, unreadable, err = s.readOverrides(ctx, db, again)
		return err
	})
	return found, unreadable, err
}

// readLoads reads the deliveries that exist, and their subscriptions by id.
func (s *Store) readLoads(ctx context.Context, ids []string) (rows []loadedRow, subscriptions map[string]batch.Result[cachedSubscription], err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err = s.direct(ctx, "load for attempt", func(ctx context.Context, db session) (err error) {
		if rows, err = selectLoads(ctx, db, ids); err != nil {
			return err
		}
		revisions := make(map[string]string, len(rows))
		for _, r := range rows {
			revisions[r.Delivery.SubscriptionID] = r.Revision
		}
		subscriptions, err = s.subscriptionsAt(ctx, db, revisions)
		return err
	})
	return rows, subscriptions, err
}

// selectLoads reads the deliveries with their events. An event is normally as old as its delivery.
// For deliveries that are then missing, it looks for an older event.
func selectLoads(ctx context.Context, db session, ids []string) ([]loadedRow, error) {
	var rows []loadedRow
	from, to := timeBounds(ids)
	if err := selectLoadsBetween(ctx, db, &rows, ids, from, to); err != nil || len(rows) == len(ids) {
		return rows, err
	}
	var older []loadedRow
	missing := slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return slices.ContainsFunc(rows, func(r loadedRow) bool { return r.Delivery.ID == id })
	})
	if len(missing) == 0 { // a delivery was asked for twice
		return rows, nil
	}
	err := selectLoadsBetween(ctx, db, &older, missing, time.Time{}, to)
	return append(rows, older...), err
}

func selectLoadsBetween(ctx context.Context, db session, rows *[]loadedRow, ids []string, from, to time.Time) error {
	least, greatest := bounds(ids)
	return db.SelectContext(ctx, rows, loadQuery, pq.Array(ids), least, greatest, from, to)
}

// timeBounds returns the time span in which the deliveries were made. For an id that Switchboard
// did not make it is any time.
func timeBounds(ids []string) (from, to time.Time) {
	for i, id := range ids {
		at, ok := switchboard.IDTime(switchboard.DeliveryPrefix, id)
		if !ok {
			return time.Time{}, endOfTime()
		}
		if i == 0 || at.Before(from) {
			from = at
		}
		if end := at.Add(time.Millisecond); end.After(to) {
			to = end
		}
	}
	return from, to
}

// endOfTime is later than every stored time.
func endOfTime() time.Time { return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }
