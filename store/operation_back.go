package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// A cancelled operation takes back what it has done to deliveries that were not sent since: those that it
// has dated, and those that wait for their turn, the latest first. The call that cancels does so for the
// first, and steps of the workflow for the rest.

const (
	// backAll is after the id of every item.
	backAll = "~"
	// backFor is for how long it is looked again, each time backWait later: what a relay or a worker had
	// may be parked for lack of a slot. A busy one comes to it within the lease of the relay, and some.
	backFor  = 15 * time.Second
	backWait = time.Second
)

// undo is how a delivery stood before an operation sent it. Without a state: the operation made it.
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

// takeBack takes back the next part of what a cancelled operation has done, one item at a time if so.
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
	DeliveryID string
	Before     []byte // an undo as JSON
}

// takeBackItems takes back so many items in one transaction, or leaves them as they are. It returns the
// operation as it is then.
func (s *Store) takeBackItems(ctx context.Context, o operationRow, limit int, leave bool) (after operationRow, progress switchboard.OperationProgress, err error) {
	var items []backItem
	err = s.list(ctx, "take back", &items, `
SELECT delivery_id, before FROM operation_items WHERE operation_id = $1 AND delivery_id < $2 AND outcome = 'done' AND before IS NOT NULL
ORDER BY delivery_id DESC LIMIT $3`, o.ID, o.BackID, limit)
	if err != nil {
		return o, progress, err
	}
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.DeliveryID
	}
	err = s.tx(ctx, "take back", func(ctx context.Context, tx transaction) error {
		var rows map[string]*row
		if !leave {
			if rows, err = lockInQueues(ctx, tx, ids...); err != nil {
				return err
			}
		}
		found, err := selectOperations(ctx, tx, "WHERE id = $1 FOR NO KEY UPDATE", o.ID)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return noOperation(o.ID)
		}
		if after = found[0]; after.BackID != o.BackID { // somebody else has made this step
			progress = after.progress(after.Operation, 0)
			return nil
		}
		if err := s.takeBackRows(ctx, tx, &after, rows, items); err != nil {
			return err
		}
		wait := time.Duration(0)
		switch after.UpdatedAt = s.now(); {
		case len(items) == limit:
			after.BackID = ids[len(ids)-1]
		case after.UpdatedAt.Sub(after.FinishedAt) < backFor:
			after.BackID, wait = backAll, backWait
		default:
			after.BackID = ""
		}
		progress = after.progress(after.Operation, wait)
		return s.saveOperation(ctx, tx, after)
	})
	return after, progress, err
}

// takeBackRows takes back deliveries that are locked, as is the operation.
func (s *Store) takeBackRows(ctx context.Context, tx transaction, o *operationRow, rows map[string]*row, items []backItem) error {
	now := s.now()
	var changed []*row
	for _, item := range items {
		r := rows[item.DeliveryID]
		if r == nil {
			continue
		}
		var before undo
		if err := json.Unmarshal(item.Before, &before); err != nil {
			return err
		}
		if r.TakeBack(now, before.delivery()) {
			changed = append(changed, r)
		}
	}
	o.Done, o.Skipped = o.Done-len(changed), o.Skipped+len(changed)
	return s.saveTakenBack(ctx, tx, o, changed)
}

// saveTakenBack saves deliveries that were taken back, and their items. A failed one is not announced
// again.
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
