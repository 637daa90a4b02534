package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/seed-49a43567/switchboard"
)

// If a step breaks each time it is made, its items are handled one by one, each in its own
// transaction. So the item that breaks it is found, gets the outcome failed, and does not block the
// others.

// singlyBudget is how long a step handles items one by one: much shorter than an activity may take.
// The next step does the rest.
const singlyBudget = 20 * time.Second

// OperateSingly does the next part of an operation as [Store.OperateStep] does, but one item at a
// time.
func (s *Store) OperateSingly(ctx context.Context, operationID string) (switchboard.OperationProgress, error) {
	return s.operate(ctx, operationID, true)
}

// operateSingly handles the items one by one.
func (s *Store) operateSingly(ctx context.Context, o operationRow, items stepItems) (progress switchboard.OperationProgress, err error) {
	before, began := o.Operation, time.Now()
	for _, item := range items.singly() {
		after, p, err := s.doItems(ctx, o, item, nil)
		if ofItem(err) {
			after, p, err = s.doItems(ctx, o, item, err)
		}
		if err != nil || after.ID == "" {
			return p, err
		}
		progress = after.progress(before, time.Duration(p.Wait))
		if o = after; time.Since(began) >= singlyBudget {
			break
		}
	}
	return progress, nil
}

// singly returns the same items one by one. If there are none, it returns one empty part.
func (i stepItems) singly() []stepItems {
	var all []stepItems
	for n, id := range i.ids {
		all = append(all, stepItems{ids: i.ids[n : n+1], in: i.in, throughID: id})
	}
	for n, e := range i.events {
		all = append(all, stepItems{events: i.events[n : n+1], throughID: e.ID, throughAt: e.CreatedAt})
	}
	if len(all) == 0 {
		return []stepItems{i}
	}
	end := &all[len(all)-1]
	end.throughID, end.throughAt, end.last = i.throughID, i.throughAt, i.last
	return all
}

// ofItem reports whether the error is caused by the one item that was handled. An error that every
// other item would get too is not: a database that is unavailable, or has no space, or lacks the
// tables of this release.
func ofItem(err error) bool {
	if err == nil || switchboard.CodeOf(err) == switchboard.CodeUnavailable || errors.Is(err, context.Canceled) {
		return false
	}
	if e := pq.As(err); e != nil {
		return slices.Contains([]pqerror.Class{
			pqerror.ClassCardinalityViolation, pqerror.ClassDataException, pqerror.ClassIntegrityConstraintViolation, pqerror.ClassTriggeredDataChangeViolation,
			pqerror.ClassWithCheckOptionViolation, pqerror.ClassPLpgSQLError, pqerror.ClassInternalError,
		}, e.Code.Class())
	}
	return true
}

// fail notes that the items, which are one item, could not be handled.
func (b *operationBatch) fail(items stepItems, broken error) {
	item := batchItem{OperationItem: switchboard.OperationItem{Outcome: switchboard.OutcomeFailed, Why: switchboard.Clip(whyBroken(broken), maxWhy)}}
	for _, id := range items.ids {
		item.DeliveryID = id
	}
	for _, e := range items.events {
		item.EventID = e.ID
	}
	b.items = append(b.items, item)
	b.o.Failed++
}

// whyBroken says why an item could not be handled, in words that a caller may read. Postgres's own
// message may quote stored data.
func whyBroken(err error) string {
	if e := pq.As(err); e != nil {
		why := fmt.Sprintf("the database refuses the change (%s, %s", e.Code, e.Code.Name())
		if e.Constraint != "" {
			why += " " + e.Constraint
		}
		return why + "); the log of the worker has more"
	}
	if refusal, ok := errors.AsType[*switchboard.Error](err); ok {
		return refusal.Message
	}
	return "Switchboard's own error; the log of the worker has more"
}

// ownSingly handles the next deliveries of an operation of Switchboard's own one by one.
func (s *Store) ownSingly(ctx context.Context, operationID string) (progress switchboard.OperationProgress, err error) {
	began, changed, passed, broken := time.Now(), 0, 0, 0
	for {
		p, err := s.operateOwn(ctx, operationID, 1)
		if ofItem(err) {
			p, err = s.passBroken(ctx, operationID, err)
		}
		if err != nil {
			return p, err
		}
		changed, passed, broken = changed+p.Changed, passed+p.Passed, broken+p.Broken
		if p.Finished || p.Wait > 0 || time.Since(began) >= singlyBudget {
			p.Changed, p.Passed, p.Broken = changed, passed, broken
			return p, nil
		}
	}
}

// passBroken notes that the next delivery of an operation of Switchboard's own could not be
// handled, and continues after it.
func (s *Store) passBroken(ctx context.Context, operationID string, broken error) (progress switchboard.OperationProgress, err error) {
	err = s.tx(ctx, "operate", func(ctx context.Context, tx transaction) error {
		_, o, err := lockOperation(ctx, tx, operationID)
		if err != nil {
			return err
		}
		b := &operationBatch{store: s, tx: tx, o: &o, before: o.Operation, now: s.now()}
		query := nextReleasableQuery
		if o.Action == switchboard.ActionCancel {
			query = nextOpenQuery
		}
		var ids []string
		if err := tx.SelectContext(ctx, &ids, query, o.SubscriptionID, o.AfterID, 1); err != nil {
			return err
		}
		if len(ids) == 0 { // another process has made this step
			progress = o.progress(o.Operation, 0)
			return nil
		}
		b.fail(stepItems{ids: ids}, broken)
		if err := b.saveItems(ctx); err != nil {
			return err
		}
		o.AfterID, o.UpdatedAt = ids[0], b.now
		progress = o.progress(b.before, 0)
		return s.saveOperation(ctx, tx, o)
	})
	return progress, err
}
