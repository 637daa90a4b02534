package store

import (
	"context"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// worksQuery joins what attempts of the deliveries $1 need, save for the
// subscriptions themselves, which are rarely new.
func worksQuery() string {
	return "SELECT " +
		fields("d", deliveryFields, "delivery") + ", " +
		fields("e", "id tenant type key data occurred_at created_at", "event") + ", " +
		revisionColumn + `
FROM deliveries d
JOIN events e ON e.id = d.event_id AND e.tenant = d.tenant
JOIN subscriptions s ON s.id = d.subscription_id
WHERE d.id = ANY($1)`
}

// Work loads all that an attempt needs: the delivery, its event, and the
// subscription as it is now, deleted or not, with its signing secrets, the
// current one first, and without its filter. Concurrent callers share a
// query. What the subscription holds is shared too, and is not to be changed.
func (s *Store) LoadForAttempt(ctx context.Context, deliveryID string) (switchboard.LoadedDelivery, error) {
	found, err := s.works.do(ctx, deliveryID)
	if err != nil {
		return switchboard.LoadedDelivery{}, err
	}
	return found.out, found.err
}

// weighWork lets no more than 32 works share a query: their events may be long.
func weighWork(string) int { return fullWeight / 32 }

// workRow is a delivery with its event, and the revision of its subscription.
type workRow struct {
	Delivery switchboard.Delivery
	Event    switchboard.Event
	Revision string
}

// loadWorks loads the work of several deliveries.
func (s *Store) loadWorks(ctx context.Context, ids []string) ([]result[switchboard.LoadedDelivery], error) {
	rows, subscriptions, err := s.readWorks(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]result[switchboard.LoadedDelivery], len(rows))
	for _, r := range rows {
		sub, there := subscriptions[r.Delivery.SubscriptionID]
		if !there {
			continue // erased between the two queries, and the delivery with it
		}
		byID[r.Delivery.ID] = result[switchboard.LoadedDelivery]{switchboard.LoadedDelivery{Delivery: r.Delivery, Event: r.Event, Subscription: sub.out}, sub.err}
	}
	works := make([]result[switchboard.LoadedDelivery], len(ids))
	for i, id := range ids {
		var found bool
		if works[i], found = byID[id]; !found {
			works[i].err = noDelivery(id)
		}
	}
	return works, nil
}

// readWorks reads those of the deliveries that exist, and their subscriptions by id.
func (s *Store) readWorks(ctx context.Context, ids []string) (rows []workRow, subscriptions map[string]result[switchboard.Subscription], err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err = s.direct(ctx, func(ctx context.Context, db session) error {
		rows = rows[:0]
		if err := db.SelectContext(ctx, &rows, worksQuery(), pq.Array(ids)); err != nil {
			return err
		}
		revisions := make(map[string]string, len(rows))
		for _, r := range rows {
			revisions[r.Delivery.SubscriptionID] = r.Revision
		}
		var err error
		subscriptions, err = s.subscriptionsAt(ctx, db, revisions)
		return err
	})
	return rows, subscriptions, err
}
