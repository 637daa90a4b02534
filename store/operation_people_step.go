package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// A step of a person's operation finds the next items without a lock, and then handles them in one
// transaction that also stores the operation's position. It checks each item again when that is
// locked. So each item is handled once, even if a step is aborted or made twice.

// maxWhy bounds the length of an item's reason for being skipped.
const maxWhy = 500

// operateSelected does the next step of a person's operation: all items in one transaction, or each
// in its own.
func (s *Store) operateSelected(ctx context.Context, o operationRow, singly bool) (switchboard.OperationProgress, error) {
	switch {
	case o.BackID != "":
		_, progress, err := s.takeBack(ctx, o, singly)
		return progress, err
	case o.State != switchboard.OperationRunning:
		return o.progress(o.Operation, 0), nil
	}
	now := s.now()
	o.NextAt = latest(o.NextAt, now.Add(-releaseBehind))
	p, err := s.paceOf(ctx, &o, now)
	switch {
	case err != nil:
		return switchboard.OperationProgress{}, err
	case p.behind:
		return o.progress(o.Operation, p.wait), s.touchOperation(ctx, o.ID)
	case p.limit == 0:
		return o.progress(o.Operation, o.wait(now)), nil
	}
	items, err := s.nextItems(ctx, &o, p.limit)
	if err != nil {
		return switchboard.OperationProgress{}, mapError(ctx, "operate", err)
	}
	var progress switchboard.OperationProgress
	if singly {
		progress, err = s.operateSingly(ctx, o, items)
	} else {
		_, progress, err = s.doItems(ctx, o, items, nil)
	}
	if !progress.Finished {
		progress.Wait = max(progress.Wait, switchboard.Duration(p.wait))
	}
	return progress, err
}

// spacing is the time between the dispatches of two deliveries that are sent.
func (o *operationRow) spacing() time.Duration {
	return time.Duration(float64(time.Second) / o.Rate)
}

// touchOperation records that an operation is being worked on.
func (s *Store) touchOperation(ctx context.Context, id string) error {
	_, err := s.exec(ctx, "operate", "UPDATE operations SET updated_at = $2 WHERE id = $1", id, s.now())
	return err
}

// progress returns the operation's progress after a step; before is the operation as it was before
// the step.
func (o *operationRow) progress(before switchboard.Operation, wait time.Duration) switchboard.OperationProgress {
	return switchboard.OperationProgress{
		Action: o.Action, SubscriptionID: o.SubscriptionID, Total: o.Total, Done: o.Done, Skipped: o.Skipped, Failed: o.Failed,
		Changed: o.Done - before.Done, Passed: o.Skipped - before.Skipped, Broken: o.Failed - before.Failed, Wait: switchboard.Duration(wait),
		Finished: o.State != switchboard.OperationRunning && o.BackID == "", State: o.State,
	}
}

// operationBatch is one step in its transaction.
type operationBatch struct {
	store   *Store
	tx      transaction
	o       *operationRow // locked
	before  switchboard.Operation
	now     time.Time
	deleted map[string]bool                   // the deleted subscriptions
	flows   map[string]switchboard.Conditions // of the subscriptions, which are locked
	blocked []string                          // deliveries that wait for one of the batch
	keys    []orderingKey                     // locked, and made if there was no queue
	items   []batchItem
}

// batchItem is the result for an item.
type batchItem struct {
	switchboard.OperationItem
	before *undo // state before it was sent; nil: it is not taken back
}

// lock calls others to lock everything that comes first, and then locks the operation. It reports
// false if the operation has moved on since it was read, for example because another worker has
// made this step.
func (b *operationBatch) lock(ctx context.Context, read operationRow, others func(context.Context) ([]string, error)) (bool, error) {
	var err error
	if b.blocked, err = others(ctx); err != nil {
		return false, err
	}
	found, err := lockOperationRow(ctx, b.tx, read.ID)
	if err != nil {
		return false, err
	}
	b.o, b.before, b.now = &found, found.Operation, b.store.now()
	b.o.NextAt = read.NextAt
	return b.o.State == switchboard.OperationRunning && b.o.AfterID == read.AfterID && b.o.AfterAt.Equal(read.AfterAt), nil
}

// lockSubscriptionsOf locks the subscriptions of deliveries, and the keys of ordered ones. If the
// action sends, the deliveries may enter the queues of these keys. It returns the deliveries that
// wait for them.
func (b *operationBatch) lockSubscriptionsOf(ctx context.Context, ids []string, sends bool) (blocked []string, err error) {
	b.deleted, b.flows = map[string]bool{}, map[string]switchboard.Conditions{}
	if len(ids) == 0 {
		return nil, nil
	}
	var found []struct {
		ID      string
		Deleted bool
	}
	least, greatest := bounds(ids)
	if err := b.tx.SelectContext(ctx, &found, `
SELECT s.id, s.deleted_at IS NOT NULL AS deleted FROM subscriptions s WHERE s.id = ANY(ARRAY(
	SELECT DISTINCT subscription_id FROM deliveries WHERE id = ANY($1) AND id >= $2 AND id <= $3)) ORDER BY s.id FOR SHARE`, pq.Array(ids), least, greatest); err != nil {
		return nil, err
	}
	for _, f := range found {
		b.deleted[f.ID] = f.Deleted
	}
	if !sends {
		return lockQueues(ctx, b.tx, ids)
	}
	b.keys, blocked, err = lockQueuesBy(ctx, b.tx, ids, lockOrMakeKeys)
	return blocked, err
}

// act locks the deliveries, applies the action to each that still matches, and notes the results.
func (b *operationBatch) act(ctx context.Context, q selected, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := lockDeliveries(ctx, b.tx, append(b.blocked, ids...))
	if err != nil {
		return err
	}
	matching, err := b.stillMatching(ctx, q, ids)
	if err != nil {
		return err
	}
	act, err := b.action(ctx, rows, matching)
	if err != nil {
		return err
	}
	states, changed := map[string]switchboard.State{}, []*row{}
	b.o.WakeAt = latest(b.o.WakeAt, b.now)
	for _, id := range ids {
		r := rows[id]
		switch {
		case r == nil:
			b.skip(id, "", "it is gone")
			continue
		case !matching[id]:
			b.skip(id, "", "it is "+string(r.State)+", and does not match the filter any more")
			continue
		}
		before := r.Delivery
		err := act(r)
		switch {
		case err != nil && !isRefused(err):
			return err
		case err != nil:
			r.Delivery = before
			b.skip(id, "", err.(*switchboard.Error).Message) //nolint:errorlint // isRefused says so
		case r.Delivery == before:
			b.skip(id, "", "it is "+string(r.State)+" already")
		default:
			states[id], changed = before.State, append(changed, r)
			b.done(id, "", before, &r.Delivery)
		}
	}
	return b.store.saveTransitions(ctx, b.tx, b.o.action(), states, changed...)
}

// stillMatching returns which of the deliveries, which are locked, match the filter.
func (b *operationBatch) stillMatching(ctx context.Context, q selected, ids []string) (map[string]bool, error) {
	least, greatest := bounds(ids)
	c := q.where.with()
	of := c.term("id = ANY(?) AND id >= ? AND id <= ?", pq.Array(ids), least, greatest)
	var found []string
	// OFFSET 0 makes Postgres find them by their ids.
	err := b.tx.SelectContext(ctx, &found, "SELECT id FROM (SELECT * FROM deliveries WHERE "+of+" OFFSET 0) AS deliveries WHERE "+c.condition(), c.args...)
	matching := make(map[string]bool, len(found))
	for _, id := range found {
		matching[id] = true
	}
	return matching, err
}

// action returns the function that is applied to each delivery. Its error is a refusal, or one of
// the database.
func (b *operationBatch) action(ctx context.Context, rows map[string]*row, matching map[string]bool) (func(*row) error, error) {
	switch b.o.Action {
	case switchboard.ActionCancel:
		return func(r *row) error { return r.Cancel(b.now, switchboard.ReasonOperator, b.o.WakeAt) }, nil
	case switchboard.ActionHold:
		return func(r *row) error { return b.hold(ctx, r) }, nil
	case switchboard.ActionRelease:
		var parked []*row
		for id := range matching {
			if r := rows[id]; r != nil && r.State.Parked() {
				parked = append(parked, r)
			}
		}
		before, err := predecessors(ctx, b.tx, parked...)
		return func(r *row) error { return b.release(ctx, r, before[r.ID]) }, err
	}
	nothing, err := nothingToSendOf(ctx, b.tx, rows)
	return func(r *row) error { return b.retry(ctx, r, nothing[r.ID]) }, err
}

func (b *operationBatch) retry(ctx context.Context, r *row, nothing error) error {
	before := r.Delivery
	if err := r.Retry(b.now, b.o.NextAt, switchboard.Obstacles{SubscriptionDeleted: b.deleted[r.SubscriptionID], NothingToSend: nothing}); err != nil {
		return err
	}
	if err := enterAgain(ctx, b.tx, b.now, before, r); err != nil {
		return err
	}
	r.DispatchBy(b.o.NextAt)
	return nil
}

func (b *operationBatch) hold(ctx context.Context, r *row) error {
	flow, err := b.flow(ctx, r.SubscriptionID)
	if err != nil {
		return err
	}
	admission, err := switchboard.OperatorHold(b.now, &r.Delivery, flow.Subscription)
	if err != nil {
		return err
	}
	return r.SetAside(b.now, admission, b.o.WakeAt)
}

func (b *operationBatch) release(ctx context.Context, r *row, predecessor string) error {
	flow, err := b.flow(ctx, r.SubscriptionID)
	if err != nil {
		return err
	}
	flow.Predecessor = predecessor
	admission, err := switchboard.OperatorRelease(b.now, &r.Delivery, flow)
	if err != nil {
		return err
	}
	return r.Release(b.now, b.o.NextAt, admission)
}

// flow returns the conditions of a subscription, which is locked.
func (b *operationBatch) flow(ctx context.Context, subscriptionID string) (switchboard.Conditions, error) {
	flow, known := b.flows[subscriptionID]
	if known {
		return flow, nil
	}
	flow, err := lockFlow(ctx, b.tx, subscriptionID, shared)
	b.flows[subscriptionID] = flow
	return flow, err
}

// done notes that a delivery was changed, and dates the next one. If a workflow has to end, it is
// woken later than the one before.
func (b *operationBatch) done(id, event string, before switchboard.Delivery, after *switchboard.Delivery) {
	item := batchItem{OperationItem: switchboard.OperationItem{DeliveryID: id, EventID: event, Outcome: switchboard.OutcomeDone}}
	if b.o.Action.Sends() {
		stood := undoOf(&before)
		item.before = &stood
	}
	b.items = append(b.items, item)
	b.o.Done++
	b.o.NextAt = b.o.NextAt.Add(b.o.spacing())
	if !b.o.Action.Sends() && before.State.HasNextAttempt() && !after.DispatchAt.IsZero() {
		b.o.WakeAt = b.o.WakeAt.Add(cancelSpacing)
	}
}

func (b *operationBatch) skip(id, event, why string) {
	b.items = append(b.items, batchItem{OperationItem: switchboard.OperationItem{DeliveryID: id, EventID: event, Outcome: switchboard.OutcomeSkipped, Why: switchboard.Clip(why, maxWhy)}})
	b.o.Skipped++
}

// save stores the results of the items, and the operation with its new position.
func (b *operationBatch) save(ctx context.Context, items stepItems) (switchboard.OperationProgress, error) {
	if err := b.saveItems(ctx); err != nil {
		return switchboard.OperationProgress{}, err
	}
	o := b.o
	o.AfterID, o.AfterAt, o.UpdatedAt = items.throughID, items.throughAt, b.now
	o.Total = max(o.Total, o.Handled())
	wait := o.wait(b.now)
	if items.last {
		o.Total, wait = o.Handled(), 0
		o.finish()
		if err := b.store.announce(ctx, b.tx, switchboard.NewOperationFinished(&o.Operation)); err != nil {
			return switchboard.OperationProgress{}, err
		}
	}
	return o.progress(b.before, wait), b.store.saveOperation(ctx, b.tx, *o)
}
