package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// A cancelled operation takes back its deliveries that were not sent since, the latest first. The
// call that cancels takes back the first ones, and steps of the workflow the rest. If a relay or a
// worker already has a delivery, the delivery's own attempt finds that it is withdrawn, and takes
// it back. Until none is left, the operation has a back_id, by which attempts recognise it.

const (
	// backAll is greater than the id of every item.
	backAll = "~"
	// If a step finds deliveries in hand, another step follows. The pause before it is as long as
	// the time since the cancellation, within these bounds.
	backWaitLeast = time.Second
	backWaitMost  = 15 * time.Second
)

// undo is the state of a delivery before an operation sent it. An undo without a state means that
// the operation made the delivery.
type undo struct {
	State         switchboard.State `json:"state,omitzero"`
	Reason        string            `json:"reason,omitzero"`
	Permanent     bool              `json:"permanent,omitzero"`
	Generation    int               `json:"generation,omitzero"`
	AttemptsMade  int               `json:"attempts_made,omitzero"`
	PriorAttempts int               `json:"prior_attempts,omitzero"`
	TemporalRunID string            `json:"temporal_run_id,omitzero"`
	BlockedBy     string            `json:"blocked_by,omitzero"`
	NextAttemptAt time.Time         `json:"next_attempt_at,omitzero"`
	CompletedAt   time.Time         `json:"completed_at,omitzero"`
	DispatchAt    time.Time         `json:"dispatch_at,omitzero"`
	ParkedAt      time.Time         `json:"parked_at,omitzero"`
	HeldUntil     time.Time         `json:"held_until,omitzero"`
	ExpiresAt     time.Time         `json:"expires_at,omitzero"`
}

func undoOf(d *switchboard.Delivery) undo {
	return undo{
		d.State, d.Reason, d.Permanent, d.Generation, d.AttemptsMade, d.PriorAttempts, d.TemporalRunID, d.BlockedBy,
		d.NextAttemptAt, d.CompletedAt, d.DispatchAt, d.ParkedAt, d.HeldUntil, d.ExpiresAt,
	}
}

func (u undo) delivery() *switchboard.Delivery {
	return &switchboard.Delivery{
		State: u.State, Reason: u.Reason, Permanent: u.Permanent, Generation: u.Generation, AttemptsMade: u.AttemptsMade, PriorAttempts: u.PriorAttempts,
		TemporalRunID: u.TemporalRunID, BlockedBy: u.BlockedBy, NextAttemptAt: u.NextAttemptAt, CompletedAt: u.CompletedAt, DispatchAt: u.DispatchAt,
		ParkedAt: u.ParkedAt, HeldUntil: u.HeldUntil, ExpiresAt: u.ExpiresAt,
	}
}

// takeBack takes back the next part of a cancelled operation's deliveries; singly means one item at
// a time.
func (s *Store) takeBack(ctx context.Context, o operationRow, singly bool) (after operationRow, progress switchboard.OperationProgress, err error) {
	if !singly {
		return s.takeBackItems(ctx, o, batchLimit, false)
	}
	for began := time.Now(); o.BackID != "" && progress.Wait == 0 && time.Since(began) < singlyBudget; o = after {
		after, progress, err = s.takeBackItems(ctx, o, 1, false)
		if ofItem(err) {
			after, progress, err = s.takeBackItems(ctx, o, 1, true)
		}
		if err != nil {
			return o, progress, err
		}
	}
	return o, progress, nil
}

// backItem is an item that may be taken back.
type backItem struct {
	OperationID string
	DeliveryID  string
	Before      []byte // an undo as JSON
	Open        bool   // its delivery is open
}

const backItemsQuery = `
SELECT operation_id, delivery_id, before, (SELECT d.completed_at IS NULL FROM deliveries d WHERE d.id = i.delivery_id) IS TRUE AS open
FROM operation_items i WHERE operation_id = $1 AND delivery_id < $2 AND outcome = 'done' AND before IS NOT NULL ORDER BY delivery_id DESC LIMIT $3`

// takeBackItems takes back up to limit items in one transaction, or leaves them as they are. It
// returns the operation as it is then.
func (s *Store) takeBackItems(ctx context.Context, o operationRow, limit int, leave bool) (after operationRow, progress switchboard.OperationProgress, err error) {
	var items []backItem
	if err := s.list(ctx, "take back", &items, backItemsQuery, o.ID, o.BackID, limit); err != nil {
		return o, progress, err
	}
	next := "" // where the next step continues
	if len(items) == limit {
		next = items[len(items)-1].DeliveryID
	}
	items = slices.DeleteFunc(items, func(i backItem) bool { return !i.Open || leave })
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.DeliveryID
	}
	err = s.tx(ctx, "take back", func(ctx context.Context, tx transaction) error {
		rows, err := lockInQueues(ctx, tx, ids...)
		if err != nil {
			return err
		}
		if after, err = lockOperationRow(ctx, tx, o.ID); err != nil {
			return err
		}
		if after.BackID != o.BackID { // another process has made this step
			progress = after.progress(after.Operation, 0)
			return nil
		}
		inHand, err := s.takeBackRows(ctx, tx, &after, rows, items, false)
		if err != nil {
			return err
		}
		wait := time.Duration(0)
		if after.UpdatedAt = s.now(); inHand {
			wait = min(max(after.UpdatedAt.Sub(after.FinishedAt), backWaitLeast), backWaitMost)
		} else {
			after.BackID = next
		}
		progress = after.progress(after.Operation, wait)
		return s.saveOperation(ctx, tx, after)
	})
	return after, progress, err
}

// lockOperationRow locks an operation, after the deliveries that it handles.
func lockOperationRow(ctx context.Context, tx transaction, id string) (operationRow, error) {
	found, err := selectOperations(ctx, tx, "WHERE id = $1 FOR NO KEY UPDATE", id)
	if err != nil {
		return operationRow{}, err
	}
	if len(found) == 0 {
		return operationRow{}, noOperation(id)
	}
	return found[0], nil
}

const withdrawnQuery = `
SELECT operation_id, delivery_id, before FROM operations o JOIN operation_items i ON i.operation_id = o.id
WHERE o.back_id <> '' AND i.delivery_id = $1 AND i.before IS NOT NULL ORDER BY o.id DESC LIMIT 1`

// Withdraw takes back a delivery of a cancelled operation, whose attempt is about to begin. If the
// delivery is no longer the operation's, it stays as it is.
func (s *Store) Withdraw(ctx context.Context, loaded switchboard.Delivery) (d switchboard.Delivery, withdrawn bool, err error) {
	err = s.tx(ctx, "withdraw delivery", func(ctx context.Context, tx transaction) error {
		r, err := s.lockDelivery(ctx, tx, switchboard.Caller{}, loaded.ID)
		if err != nil {
			return err
		}
		if d, withdrawn = r.Delivery, false; d.Generation != loaded.Generation {
			return nil
		}
		var items []backItem
		if err := tx.SelectContext(ctx, &items, withdrawnQuery, r.ID); err != nil || len(items) == 0 {
			return err
		}
		o, err := lockOperationRow(ctx, tx, items[0].OperationID)
		if err != nil {
			return err
		}
		done := o.Done
		if _, err := s.takeBackRows(ctx, tx, &o, map[string]*row{r.ID: r}, items, true); err != nil {
			return err
		}
		d, withdrawn = r.Delivery, o.Done < done
		return s.saveOperation(ctx, tx, o)
	})
	return d, withdrawn, err
}

// takeBackRows takes back deliveries. They and the operation are locked. It reports whether others
// are in hand.
func (s *Store) takeBackRows(ctx context.Context, tx transaction, o *operationRow, rows map[string]*row, items []backItem, byAttempt bool) (inHand bool, err error) {
	now := s.now()
	var changed []*row
	for _, item := range items {
		r := rows[item.DeliveryID]
		if r == nil {
			continue
		}
		var before undo
		if err := json.Unmarshal(item.Before, &before); err != nil {
			return false, err
		}
		taken, has := r.TakeBack(now, before.delivery(), byAttempt)
		if taken {
			changed = append(changed, r)
		}
		inHand = inHand || has
	}
	o.Done, o.Skipped = o.Done-len(changed), o.Skipped+len(changed)
	return inHand, s.saveTakenBack(ctx, tx, o, changed)
}

// saveTakenBack saves deliveries that were taken back, and their items. It does not announce a
// failed one again.
func (s *Store) saveTakenBack(ctx context.Context, tx transaction, o *operationRow, changed []*row) error {
	if len(changed) == 0 {
		return nil
	}
	if err := saveDeliveries(ctx, tx, changed...); err != nil {
		return err
	}
	const why = "the operation was cancelled before it was sent"
	all, ended, held := make([]string, len(changed)), []string{}, []string{}
	for i, r := range changed {
		switch all[i] = r.ID; {
		case r.State.Final():
			ended = append(ended, r.ID)
		case r.State == switchboard.StateHeld:
			held = append(held, r.ID)
		}
	}
	reason := "operation " + o.ID + " was cancelled before it was sent"
	if err := s.insertActions(ctx, tx, bySwitchboard(switchboard.ActionHold, reason), held...); err != nil {
		return err
	}
	if err := s.insertActions(ctx, tx, bySwitchboard(switchboard.ActionCancel, reason), slices.DeleteFunc(slices.Clone(all), func(id string) bool { return slices.Contains(held, id) })...); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE operation_items SET outcome = 'skipped', why = $3, before = NULL WHERE operation_id = $1 AND delivery_id = ANY($2)", o.ID, pq.Array(all), why); err != nil {
		return err
	}
	if len(ended) > 0 { // a workflow may wait for a slot
		if err := notify(ctx, tx, cancelChannel, ended...); err != nil {
			return err
		}
	}
	return s.leaveQueues(ctx, tx, slices.Clone(changed))
}
