package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const operationFields = "id tenant subscription_id action state rate reason actor person total done skipped created_at updated_at finished_at?"

// operationRow is an operation as its table holds it.
type operationRow struct {
	switchboard.Operation
	AfterID string    // the last delivery that a step has looked at
	NextAt  time.Time // when the next delivery is dispatched, at the rate
}

func operationColumns() string { return fields("operations", operationFields+" after_id next_at", "") }

// startRelease starts the release of what is held for a subscription, or begins the one that runs
// again, in the transaction of the change that allows it. That transaction has locked the
// subscription by its change of flow. The subscription says how many deliveries are released in a
// second, and never more than its rate limit. After the commit the process starts the workflow of
// that id; where it does not, the reconciler does.
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

// startCancel starts the cancelling of what is open of a subscription, in the transaction that
// deletes it. See startRelease.
func (s *Store) startCancel(ctx context.Context, tx transaction, subscriptionID string, by switchboard.Action) (operationID string, err error) {
	return s.startOperation(ctx, tx, subscriptionID, switchboard.ActionCancel, 0, by)
}

// startOperation stores an operation. Of one action only one runs for a subscription: where there
// is one, it begins again with the oldest delivery, for the new reason.
func (s *Store) startOperation(ctx context.Context, tx transaction, subscriptionID string, kind switchboard.ActionKind, rate float64, by switchboard.Action) (operationID string, err error) {
	now := s.now()
	err = tx.GetContext(ctx, &operationID, `
INSERT INTO operations (id, tenant, subscription_id, action, state, rate, reason, actor, person, total, next_at, created_at, updated_at)
SELECT $1, tenant, id, $3, 'running', $4::float8, $5, $6, $7, 0, $8, $8, $8 FROM subscriptions WHERE id = $2
ON CONFLICT (subscription_id, action) WHERE state = 'running'
DO UPDATE SET after_id = '', rate = excluded.rate, reason = excluded.reason, actor = excluded.actor, person = excluded.person
RETURNING id`,
		switchboard.NewID(switchboard.OperationPrefix, now), subscriptionID, string(kind), rate, clean(by.Reason), by.Actor, clean(by.Person), now)
	return operationID, err
}

// bySwitchboard is an action of our own.
func bySwitchboard(kind switchboard.ActionKind, reason string) switchboard.Action {
	return switchboard.Action{Actor: switchboard.ActorSwitchboard, Kind: kind, Reason: reason}
}

// Operation returns an operation.
func (s *Store) Operation(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Operation, error) {
	c := &conditions{}
	c.add("id = ?", id)
	c.scope(caller, "")
	var o switchboard.Operation
	err := s.get(ctx, "read an operation", &o, noOperation(id), "SELECT "+fields("operations", operationFields, "")+" FROM operations"+c.where(), c.args...)
	return o, err
}

// Operations lists operations, newest first.
func (s *Store) Operations(ctx context.Context, caller switchboard.Caller, f switchboard.OperationFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.Operation], error) {
	q := pageQuery{
		cursors: cursors{s.keys, "operations", caller, f}, columns: fields("operations", operationFields, ""), table: "operations", order: "id DESC",
		where: &conditions{}, after: afterID,
	}
	q.where.scope(caller, f.Tenant)
	q.where.equal("subscription_id", f.Subscription)
	q.where.equal("state", string(f.State))
	return list(ctx, s, q, p, func(o switchboard.Operation) position { return position{ID: o.ID} })
}

// OperationsToStart returns running operations whose next step is late by more than slack, so that
// no workflow may work on them.
func (s *Store) OperationsToStart(ctx context.Context, slack time.Duration) ([]string, error) {
	var ids []string
	err := s.list(ctx, "list operations to start", &ids, idleOperationsQuery, s.now().Add(-slack), batchLimit)
	return ids, err
}

const idleOperationsQuery = "SELECT id FROM operations WHERE state = 'running' AND updated_at < $1 AND next_at < $1 ORDER BY id LIMIT $2"

func noOperation(id string) error {
	return switchboard.Errorf(switchboard.CodeNotFound, "there is no operation %q", id)
}
