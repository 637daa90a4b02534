package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const (
	// batchLimit bounds one transaction, so that nobody waits long for its locks.
	batchLimit = 1000
	// releaseAhead is how far ahead a step dates its last delivery, and releaseLead how long before
	// that date the next step is made: one step a second, with half a second for it to begin. A
	// delivery that is dated further ahead would be dispatched even if its subscription is paused
	// in the meantime.
	releaseAhead = 1500 * time.Millisecond
	releaseLead  = 500 * time.Millisecond
	// releaseBehind is how late a step may be without losing rate: it dispatches at once what
	// should have been dispatched in that time. After a longer pause of the workflow the rate
	// begins again, so that the receiver gets no burst.
	releaseBehind = time.Second
	// cancelSpacing is the time between the dispatches of two cancelled deliveries, which end their
	// workflows. A relay does far more than a hundred a second, so the starts of others do not wait
	// behind very many.
	cancelSpacing = 10 * time.Millisecond
	// A relay is late if relayLate deliveries were due relayLateBy ago. A step then dates no more
	// deliveries, because those of others would wait behind them. The operation continues
	// relayPause later.
	relayLate   = 100
	relayLateBy = time.Second
	relayPause  = time.Second
)

// The deliveries that operations look for, each with an index of its own. Only an operator releases
// what an operator holds.
const (
	isOpen       = "completed_at IS NULL"
	isReleasable = "state = 'held' AND reason <> '" + switchboard.ReasonOperator + "'"
)

// The limit is an argument so that Postgres uses the index. If Postgres knew a limit above its
// estimate of the rows, it would read and sort all that are left.
const (
	nextReleasableQuery  = "SELECT id FROM deliveries WHERE subscription_id = $1 AND " + isReleasable + " AND id > $2 ORDER BY id LIMIT $3"
	nextOpenQuery        = "SELECT id FROM deliveries WHERE subscription_id = $1 AND " + isOpen + " AND id > $2 ORDER BY id LIMIT $3"
	countReleasableQuery = "SELECT count(*) FROM deliveries WHERE subscription_id = $1 AND " + isReleasable
	countOpenQuery       = "SELECT count(*) FROM deliveries WHERE subscription_id = $1 AND " + isOpen
	anyReleasableQuery   = "SELECT EXISTS (SELECT FROM deliveries d WHERE subscription_id = $1 AND " + isReleasable + " AND NOT EXISTS (SELECT FROM operation_items i WHERE i.operation_id = $2 AND i.delivery_id = d.id))"
	relayLateQuery       = "SELECT count(*) FROM (SELECT FROM deliveries WHERE dispatch_at <= $1 LIMIT $2) AS late"
)

// operationQueries are the queries of the operations' steps.
func operationQueries() []string {
	return []string{nextReleasableQuery, nextOpenQuery, countReleasableQuery, countOpenQuery, anyReleasableQuery, relayLateQuery, unsentQuery, backItemsQuery}
}

// OperateStep does the next part of an operation in one transaction, which also stores the new
// position. After a crash the next step continues where the last committed one ended.
func (s *Store) OperateStep(ctx context.Context, operationID string) (switchboard.OperationProgress, error) {
	return s.operate(ctx, operationID, false)
}

func (s *Store) operate(ctx context.Context, operationID string, singly bool) (switchboard.OperationProgress, error) {
	var found []operationRow
	err := s.direct(ctx, "operate", func(ctx context.Context, db session) (err error) {
		found, err = selectOperations(ctx, db, "WHERE id = $1", operationID)
		return err
	})
	switch {
	case err != nil:
		return switchboard.OperationProgress{}, err
	case len(found) == 0:
		return switchboard.OperationProgress{}, noOperation(operationID)
	case found[0].Filter != nil:
		return s.operateSelected(ctx, found[0], singly)
	case singly:
		return s.ownSingly(ctx, operationID)
	}
	return s.operateOwn(ctx, operationID, batchLimit)
}

// operateOwn does the next step of an operation of Switchboard's own, with at most limit
// deliveries.
func (s *Store) operateOwn(ctx context.Context, operationID string, limit int) (switchboard.OperationProgress, error) {
	var progress switchboard.OperationProgress
	err := s.tx(ctx, "operate", func(ctx context.Context, tx transaction) error {
		sub, o, err := lockOperation(ctx, tx, operationID)
		if err != nil {
			return err
		}
		before := o.Operation
		if o.State != switchboard.OperationRunning {
			progress = o.progress(before, 0)
			return nil
		}
		wait, err := s.step(ctx, tx, sub, &o, limit)
		if err != nil {
			return err
		}
		progress = o.progress(before, wait)
		return s.saveOperation(ctx, tx, o)
	})
	return progress, err
}

// lockOperation locks an operation, after its subscription, whose state and health then stay as
// they are until the transaction ends.
func lockOperation(ctx context.Context, tx transaction, id string) (conditions switchboard.Conditions, o operationRow, err error) {
	var found []string
	if err := tx.SelectContext(ctx, &found, "SELECT subscription_id FROM operations WHERE id = $1", id); err != nil {
		return conditions, o, err
	}
	if len(found) == 0 {
		return conditions, o, noOperation(id)
	}
	conditions, err = lockFlow(ctx, tx, found[0], shared)
	if err != nil {
		return conditions, o, err
	}
	err = tx.GetContext(ctx, &o, "SELECT "+operationColumns()+" FROM operations WHERE id = $1 FOR NO KEY UPDATE", id)
	return conditions, o, err
}

func (s *Store) saveOperation(ctx context.Context, tx transaction, o operationRow) error {
	_, err := tx.ExecContext(ctx, `
UPDATE operations SET state = $2, total = $3, done = $4, skipped = $5, after_id = $6, next_at = $7, updated_at = $8, finished_at = nullif($9, `+zeroTime+`),
	failed = $10, after_at = nullif($11, `+zeroTime+`), wake_at = nullif($12, `+zeroTime+`), back_id = $13 WHERE id = $1`,
		o.ID, string(o.State), o.Total, o.Done, o.Skipped, o.AfterID, o.NextAt, o.UpdatedAt, o.FinishedAt, o.Failed, o.AfterAt, o.WakeAt, o.BackID)
	return err
}

// step handles the next deliveries of an operation, and returns how long the next step must wait.
func (s *Store) step(ctx context.Context, tx transaction, conditions switchboard.Conditions, o *operationRow, limit int) (time.Duration, error) {
	o.UpdatedAt = s.now()
	if o.Action == switchboard.ActionCancel {
		return s.cancelNext(ctx, tx, o, limit)
	}
	return s.releaseNext(ctx, tx, conditions, o, limit)
}

func (o *operationRow) finish() {
	o.State, o.FinishedAt = switchboard.OperationFinished, o.UpdatedAt
}

// count counts the operation's deliveries when it begins with the oldest.
func (o *operationRow) count(ctx context.Context, tx transaction, query string) error {
	if o.AfterID != "" {
		return nil
	}
	var left int
	err := tx.GetContext(ctx, &left, query, o.SubscriptionID)
	o.Total = o.Done + left
	return err
}

// next locks the next deliveries of the operation, and moves its position after them. It reports
// whether these are the last. It leaves out deliveries that have changed since they were found,
// because they need nothing more.
func (o *operationRow) next(ctx context.Context, tx transaction, query string, limit int, wanted func(*switchboard.Delivery) bool) (rows []*row, last bool, err error) {
	var ids []string
	if err := tx.SelectContext(ctx, &ids, query, o.SubscriptionID, o.AfterID, limit); err != nil || len(ids) == 0 {
		return nil, true, err
	}
	locked, err := lockInQueues(ctx, tx, ids...)
	if err != nil {
		return nil, false, err
	}
	for _, id := range ids {
		if r := locked[id]; r != nil && wanted(&r.Delivery) {
			rows = append(rows, r)
		}
	}
	o.AfterID = ids[len(ids)-1]
	return rows, len(ids) < limit, nil
}

func openDelivery(d *switchboard.Delivery) bool { return !d.State.Final() }

func releasable(d *switchboard.Delivery) bool {
	return d.State == switchboard.StateHeld && d.Reason != switchboard.ReasonOperator
}

// action returns the action that the operation applies to each delivery.
func (o *operationRow) action() switchboard.Action {
	return switchboard.Action{Actor: o.Actor, Person: o.Person, Kind: o.Action, Reason: o.Reason}
}

// cancelNext cancels the next open deliveries of a deleted subscription.
func (s *Store) cancelNext(ctx context.Context, tx transaction, o *operationRow, limit int) (time.Duration, error) {
	if err := o.count(ctx, tx, countOpenQuery); err != nil {
		return 0, err
	}
	rows, last, err := o.next(ctx, tx, nextOpenQuery, limit, openDelivery)
	if err != nil {
		return 0, err
	}
	states, now := map[string]switchboard.State{}, o.UpdatedAt
	o.NextAt = latest(o.NextAt, now)
	for _, r := range rows {
		states[r.ID] = r.State
		if err := r.Cancel(now, switchboard.ReasonSubscriptionDeleted, o.NextAt); err != nil {
			return 0, err
		}
		if !r.DispatchAt.IsZero() {
			o.NextAt = o.NextAt.Add(cancelSpacing)
		}
	}
	o.Done += len(rows)
	if last {
		o.finish()
	}
	return 0, s.saveTransitions(ctx, tx, o.action(), states, rows...)
}

// releaseNext releases the next held deliveries of a subscription that are admitted now, and
// returns how long the next step must wait.
func (s *Store) releaseNext(ctx context.Context, tx transaction, conditions switchboard.Conditions, o *operationRow, limit int) (time.Duration, error) {
	now := o.UpdatedAt
	late, err := relayIsLate(ctx, tx, now)
	if err != nil || late {
		return relayPause, err
	}
	if err := o.count(ctx, tx, countReleasableQuery); err != nil {
		return 0, err
	}
	spacing := time.Duration(0)
	admitted := switchboard.Admit(now, conditions).Kind == switchboard.AdmissionSend
	if o.NextAt = latest(o.NextAt, now.Add(-releaseBehind)); o.Rate > 0 && admitted {
		spacing = time.Duration(float64(time.Second) / o.Rate)
		if limit = min(limit, o.room(now, spacing)); limit == 0 {
			return o.wait(now), nil
		}
	}
	rows, last, err := o.next(ctx, tx, nextReleasableQuery, limit, releasable)
	if err != nil {
		return 0, err
	}
	if err := s.release(ctx, tx, conditions, o, rows, spacing); err != nil || !last {
		return o.wait(now), err
	}
	return s.endRelease(ctx, tx, o, admitted)
}

// room returns how many deliveries fit between the last dated one and releaseAhead.
func (o *operationRow) room(now time.Time, spacing time.Duration) int {
	ahead := now.Add(releaseAhead).Sub(o.NextAt)
	if ahead <= 0 {
		return 0
	}
	return min(int(ahead/spacing)+1, batchLimit)
}

// wait returns how long the next step must wait.
func (o *operationRow) wait(now time.Time) time.Duration {
	return max(o.NextAt.Add(-releaseLead).Sub(now), 0)
}

// release releases the admitted ones of the deliveries, one after the other at the rate.
func (s *Store) release(ctx context.Context, tx transaction, conditions switchboard.Conditions, o *operationRow, rows []*row, spacing time.Duration) error {
	before, err := predecessors(ctx, tx, rows...)
	if err != nil {
		return err
	}
	now, states := o.UpdatedAt, map[string]switchboard.State{}
	var released, others []*row
	for _, r := range rows {
		was, at := r.Delivery, o.NextAt
		conditions.Delivery, conditions.Predecessor = &was, before[r.ID]
		if err := r.Release(now, at, switchboard.Admit(now, conditions)); err != nil {
			return err
		}
		states[r.ID] = was.State
		switch {
		case r.State.HasNextAttempt():
			released, o.NextAt = append(released, r), at.Add(spacing)
		case r.Delivery != was:
			others = append(others, r)
		}
		if r.State.Parked() {
			o.Skipped++
		} else {
			o.Done++
		}
	}
	if err := s.saveTransitions(ctx, tx, o.action(), states, released...); err != nil {
		return err
	}
	return s.saveTransitions(ctx, tx, switchboard.Action{}, states, others...)
}

// endRelease ends a release that has looked at the last delivery, unless others were parked behind
// it in the meantime, which it must look at again. Deliveries that it could not release stay held.
// Deliveries that wait for their turn are not part of it: the workers release them.
func (s *Store) endRelease(ctx context.Context, tx transaction, o *operationRow, admitted bool) (time.Duration, error) {
	if !admitted {
		o.finish() // a change that admits the rest starts another release
		return 0, nil
	}
	var left bool
	if err := tx.GetContext(ctx, &left, anyReleasableQuery, o.SubscriptionID, o.ID); err != nil {
		return 0, err
	}
	if left {
		o.AfterID = ""
		return o.wait(o.UpdatedAt), nil
	}
	o.finish()
	return 0, nil
}

// relayIsLate reports whether the relays do not keep up with due dispatches.
func relayIsLate(ctx context.Context, tx transaction, now time.Time) (bool, error) {
	var late int
	err := tx.GetContext(ctx, &late, relayLateQuery, now.Add(-relayLateBy), relayLate)
	return late == relayLate, err
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
