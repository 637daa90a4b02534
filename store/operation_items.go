package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// stepItems are the items that a step has found, in order.
type stepItems struct {
	ids    []string // of the deliveries in the selection
	in     selected
	events []switchboard.Event // of a replay
	// The operation's position after them: the last of them, or beyond it.
	throughID string
	throughAt time.Time
	last      bool // no more follow
}

// nextItems finds the next items of an operation.
func (s *Store) nextItems(ctx context.Context, o *operationRow, limit int) (stepItems, error) {
	if o.Action == switchboard.ActionReplay {
		return s.nextReplayed(ctx, o, limit)
	}
	q, err := s.selectedDeliveries(ctx, o.Filter.Deliveries(o.Action), o.Tenant, o.BoundID)
	if err != nil {
		return stepItems{}, err
	}
	items := stepItems{in: q}
	items.ids, items.throughID, items.last, err = s.nextSelected(ctx, q, o.AfterID, o.BoundID, limit)
	return items, err
}

// doItems applies the action to the items in one transaction, and stores the operation's new
// position. If the action has broken, it records that instead. It returns the operation as it is
// then; without an id, the operation has moved on since it was read.
func (s *Store) doItems(ctx context.Context, o operationRow, items stepItems, broken error) (after operationRow, progress switchboard.OperationProgress, err error) {
	err = s.tx(ctx, "operate", func(ctx context.Context, tx transaction) error {
		after = operationRow{}
		b := &operationBatch{store: s, tx: tx}
		do := b.itemsWork(&o, items, broken)
		locked, err := b.lock(ctx, o, do.lock)
		if err != nil || !locked {
			progress = o.progress(o.Operation, 0)
			progress.Finished = false
			if err == nil {
				err = dropUnusedKeys(ctx, tx, b.keys)
			}
			return err
		}
		if err := do.act(ctx); err != nil {
			return err
		}
		if err := dropUnusedKeys(ctx, tx, b.keys); err != nil {
			return err
		}
		progress, err = b.save(ctx, items)
		after = *b.o
		return err
	})
	return after, progress, err
}

// itemsWork is what a transaction does to its items, and what it locks for them before the
// operation.
type itemsWork struct {
	lock func(context.Context) (blocked []string, err error)
	act  func(context.Context) error
}

func (b *operationBatch) itemsWork(o *operationRow, items stepItems, broken error) itemsWork {
	switch {
	case broken != nil:
		return itemsWork{func(context.Context) ([]string, error) { return nil, nil }, func(context.Context) error { b.fail(items, broken); return nil }}
	case o.Action == switchboard.ActionReplay:
		r := &replayBatch{operationBatch: b, events: items.events}
		return itemsWork{func(ctx context.Context) ([]string, error) { return nil, r.lockSubscription(ctx, o.SubscriptionID) }, r.make}
	}
	return itemsWork{
		func(ctx context.Context) ([]string, error) {
			return b.lockSubscriptionsOf(ctx, items.ids, o.Action.Sends())
		},
		func(ctx context.Context) error { return b.act(ctx, items.in, items.ids) },
	}
}

func (b *operationBatch) saveItems(ctx context.Context) error {
	if len(b.items) == 0 {
		return nil
	}
	var deliveries, events, outcomes, whys []string
	befores := make([]*string, len(b.items))
	for n, i := range b.items {
		deliveries, events, outcomes, whys = append(deliveries, i.DeliveryID), append(events, i.EventID), append(outcomes, string(i.Outcome)), append(whys, clean(i.Why))
		if i.before != nil {
			text, err := json.Marshal(i.before)
			if err != nil {
				return err
			}
			before := string(text)
			befores[n] = &before
		}
	}
	// The same event id may come again after its idempotency window. Of the skipped items with one
	// id, one is kept.
	_, err := b.tx.ExecContext(ctx, `
INSERT INTO operation_items (operation_id, delivery_id, event_id, outcome, why, before)
SELECT $1, delivery_id, event_id, outcome, why, before::json FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS n(delivery_id, event_id, outcome, why, before)
ON CONFLICT DO NOTHING`, b.o.ID, pq.Array(deliveries), pq.Array(events), pq.Array(outcomes), pq.Array(whys), pq.Array(befores))
	return err
}
