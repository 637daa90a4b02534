package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const operationFields = "id tenant subscription_id action state bound_id rate reason actor person total done skipped failed created_at updated_at finished_at? after_id after_at? next_at wake_at? back_id"

// operationRow is an operation as its table stores it.
type operationRow struct {
	switchboard.Operation
	FilterText []byte    // JSON; null: the operation is Switchboard's own
	AfterID    string    // the last delivery, or event, that a step has handled
	AfterAt    time.Time // when that event was accepted
	NextAt     time.Time // when the next delivery is dispatched, at the rate
	WakeAt     time.Time // when the workflow of the next delivery that it cancels or holds is woken
	BackID     string    // of a cancelled one: the items with lesser ids must still be taken back; empty: none
}

func operationColumns() string {
	return fields("operations", operationFields, "") + ", operations.filter AS filter_text"
}

// selectOperations reads operations.
func selectOperations(ctx context.Context, db selector, query string, args ...any) ([]operationRow, error) {
	rows := []operationRow{}
	if err := db.SelectContext(ctx, &rows, "SELECT "+operationColumns()+" FROM operations "+query, args...); err != nil {
		return nil, err
	}
	for i := range rows {
		if err := rows[i].parseFilter(); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (o *operationRow) parseFilter() error {
	if len(o.FilterText) == 0 {
		return nil
	}
	o.Filter = &switchboard.Selection{}
	return json.Unmarshal(o.FilterText, o.Filter)
}

// startRelease starts the release of what is held for a subscription, or makes the running one
// begin again, in the transaction of the change that allows it. That transaction has locked the
// subscription by its change of flow. The subscription says how many deliveries are released in a
// second, at most its rate limit. After the commit the process starts the workflow of that id; if
// it does not, the reconciler does.
func (s *Store) startRelease(ctx context.Context, tx transaction, subscriptionID string, by switchboard.Action) (operationID string, err error) {
	const query = `
SELECT least(coalesce((document->>'release_rate')::float8, $2::float8), coalesce((document#>>'{rate_limit,per_second}')::float8, 'infinity'))
FROM subscriptions WHERE id = $1`
	var rate float64
	if err := tx.GetContext(ctx, &rate, query, subscriptionID, withDefaults(switchboard.Subscription{}).ReleaseRate); err != nil {
		return "", err
	}
	return s.startOperation(ctx, tx, subscriptionID, switchboard.ActionRelease, rate, by)
}

// startCancel starts the cancelling of the open deliveries of a subscription, in the transaction
// that deletes it. See startRelease.
func (s *Store) startCancel(ctx context.Context, tx transaction, subscriptionID string, by switchboard.Action) (operationID string, err error) {
	return s.startOperation(ctx, tx, subscriptionID, switchboard.ActionCancel, 0, by)
}

// startOperation stores an operation of Switchboard's own. Only one operation with the same action
// runs for a subscription: if there is one, it begins again with the oldest delivery, for the new
// reason.
func (s *Store) startOperation(ctx context.Context, tx transaction, subscriptionID string, kind switchboard.ActionKind, rate float64, by switchboard.Action) (operationID string, err error) {
	now := s.now()
	err = tx.GetContext(ctx, &operationID, `
INSERT INTO operations (id, tenant, subscription_id, action, state, rate, reason, actor, person, total, next_at, created_at, updated_at)
SELECT $1, tenant, id, $3, 'running', $4::float8, $5, $6, $7, 0, $8, $8, $8 FROM subscriptions WHERE id = $2
ON CONFLICT (subscription_id, action) WHERE state IN ('running', 'paused') AND filter IS NULL
DO UPDATE SET state = 'running', after_id = '', rate = excluded.rate, reason = excluded.reason, actor = excluded.actor, person = excluded.person
RETURNING id`,
		switchboard.NewID(switchboard.OperationPrefix, now), subscriptionID, string(kind), rate, clean(by.Reason), by.Actor, clean(by.Person), now)
	return operationID, err
}

// bySwitchboard makes an action of Switchboard's own.
func bySwitchboard(kind switchboard.ActionKind, reason string) switchboard.Action {
	return switchboard.Action{Actor: switchboard.ActorSwitchboard, Kind: kind, Reason: reason}
}

// Operation returns an operation.
func (s *Store) Operation(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Operation, error) {
	c := &conditions{}
	c.add("id = ?", id)
	c.scope(caller, "")
	var o operationRow
	err := s.get(ctx, "read an operation", &o, noOperation(id), "SELECT "+operationColumns()+" FROM operations"+c.where(), c.args...)
	if err == nil {
		err = o.parseFilter()
	}
	return o.shownAt(s.now()), err
}

// shownAt returns the operation as it is shown at that time.
func (o *operationRow) shownAt(now time.Time) switchboard.Operation {
	o.ExpectedEndAt = o.ExpectedEnd(now)
	return o.Operation
}

// Operations lists operations, newest first.
func (s *Store) Operations(ctx context.Context, caller switchboard.Caller, f switchboard.OperationFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.Operation], error) {
	found, err := list(ctx, s, s.operationsQuery(caller, f), p, func(o operationRow) position { return position{ID: o.ID} })
	page := switchboard.Page[switchboard.Operation]{Items: make([]switchboard.Operation, len(found.Items)), NextCursor: found.NextCursor, SearchedTo: found.SearchedTo}
	for i := range found.Items {
		if err == nil {
			err = found.Items[i].parseFilter()
		}
		page.Items[i] = found.Items[i].shownAt(s.now())
	}
	return page, err
}

func (s *Store) operationsQuery(caller switchboard.Caller, f switchboard.OperationFilter) pageQuery {
	q := pageQuery{
		cursors: cursors{s.keys, "operations", caller, f}, columns: operationColumns(), table: "operations", order: "id DESC",
		where: &conditions{}, after: afterID,
	}
	q.where.scope(caller, f.Tenant)
	q.where.equal("subscription_id", f.Subscription)
	q.where.equal("state", string(f.State))
	return q
}

// OperationsToStart returns operations whose next step is late by more than slack, so that they may
// have no workflow.
func (s *Store) OperationsToStart(ctx context.Context, slack time.Duration) ([]string, error) {
	var ids []string
	err := s.list(ctx, "list operations to start", &ids, idleOperationsQuery, s.now().Add(-slack), batchLimit)
	return ids, err
}

const idleOperationsQuery = "SELECT id FROM operations WHERE (state = 'running' AND next_at < $1 OR back_id <> '') AND updated_at < $1 ORDER BY id LIMIT $2"

func noOperation(id string) error {
	return switchboard.Errorf(switchboard.CodeNotFound, "there is no operation %q", id)
}
