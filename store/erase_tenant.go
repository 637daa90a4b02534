package store

import (
	"context"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/seed-49a43567/switchboard"
)

// eraseBudget is how long one step of an erasure deletes rows. Others get the advisory lock between
// the steps.
const eraseBudget = 15 * time.Second

// eraseSettles is how long after the cut-off the rows are deleted at the earliest. By then all rows
// with an earlier time are stored: a call waits for at most one other before it, each takes at most
// callTimeout, and clocks differ by less than the rest.
const eraseSettles = 2*callTimeout + 5*time.Second

// eraseTenant does the next part of a tenant's erasure: prevent new deliveries, cancel the open
// ones, wait until their workflows have ended, and then delete the rows, newest first.
func (s *Store) eraseTenant(ctx context.Context, e erasureRow) (switchboard.ErasureProgress, error) {
	var progress switchboard.ErasureProgress
	if err := s.cutOff(ctx, &e); err != nil {
		return progress, err
	}
	var err error
	if progress.Waiting, err = s.cancelTenant(ctx, e); progress.Waiting > 0 || err != nil {
		return progress, err
	}
	if progress.Waiting, err = s.cancelAnnounced(ctx, e); progress.Waiting > 0 || err != nil {
		return progress, err
	}
	if s.now().Before(e.CutOffAt.Add(eraseSettles)) {
		progress.Waiting = 1
		return progress, nil
	}
	err = s.maintain(ctx, "erase a tenant", func(ctx context.Context, m maintenance) error {
		if err := m.dropStage(ctx); err != nil {
			return err
		}
		more, err := m.eraseRows(ctx, e)
		if more || err != nil {
			return err
		}
		progress.Finished = true
		return m.finishTenant(ctx, e)
	})
	return progress, err
}

// cutOff deletes the keys, the sessions and the secrets of a tenant, and the patterns of its
// subscriptions, so that nothing new starts. Rows that are made after it are not erased. Each step
// repeats it for rows that were being made at that time.
func (s *Store) cutOff(ctx context.Context, e *erasureRow) error {
	return s.tx(ctx, "cut off a tenant", func(ctx context.Context, tx transaction) error {
		at := e.CutOffAt
		if at.IsZero() {
			at = s.now()
		}
		keys, err := affected(tx.ExecContext(ctx, "DELETE FROM keys WHERE tenant = $1 AND created_at <= $2", e.Tenant, at))
		if err != nil {
			return err
		}
		for _, table := range []string{"sessions", "portal_links"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE tenant = $1 AND created_at <= $2", e.Tenant, at); err != nil {
				return err
			}
		}
		// Wait for transactions that are storing an event for one of them.
		if _, err := tx.ExecContext(ctx, "SELECT FROM subscriptions WHERE tenant = $1 AND created_at <= $2 AND deleted_at IS DISTINCT FROM $2 ORDER BY id FOR UPDATE", e.Tenant, at); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `
UPDATE subscriptions SET deleted_at = $2, updated_at = $2, version = version + 1, flow = flow + 1
WHERE tenant = $1 AND created_at <= $2 AND deleted_at IS DISTINCT FROM $2`, e.Tenant, at); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM subscription_secrets WHERE subscription_id IN (SELECT id FROM subscriptions WHERE tenant = $1 AND created_at <= $2)", e.Tenant, at); err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, "UPDATE erasures SET cut_off_at = $2, keys = keys + $3 WHERE id = $1", e.ID, at, keys); err == nil {
			e.CutOffAt = at
		}
		return err
	})
}

// cancelTenant cancels open deliveries of the tenant's subscriptions. It returns how many are not
// cancelled yet, or have a workflow that is not cancelled yet.
func (s *Store) cancelTenant(ctx context.Context, e erasureRow) (waiting int, err error) {
	const open = `FROM deliveries d WHERE d.completed_at IS NULL AND d.subscription_id IN (SELECT id FROM subscriptions WHERE tenant = $1 AND created_at <= $2)`
	var subscriptions []string
	if err := s.list(ctx, "erase a tenant", &subscriptions, "SELECT DISTINCT subscription_id "+open, e.Tenant, e.CutOffAt); err != nil {
		return 0, err
	}
	if len(subscriptions) > 0 {
		cancelled, err := s.cancelOpenOf(ctx, subscriptions)
		if err != nil {
			return 0, err
		}
		if _, err := s.exec(ctx, "erase a tenant", "UPDATE erasures SET cancelled = cancelled + $2 WHERE id = $1", e.ID, cancelled); err != nil {
			return 0, err
		}
	}
	err = s.get(ctx, "erase a tenant", &waiting, nil, `
SELECT (SELECT count(*) `+open+`) + (SELECT count(*) FROM deliveries WHERE dispatch_at IS NOT NULL AND tenant = $1 AND created_at <= $2)`, e.Tenant, e.CutOffAt)
	return waiting, err
}

// eraseRows deletes the tenant's rows, partition by partition, until its time is over. It reports
// whether there are more.
func (m maintenance) eraseRows(ctx context.Context, e erasureRow) (more bool, err error) {
	partitions, err := m.partitions(ctx)
	if err != nil {
		return false, err
	}
	slices.Reverse(partitions)
	for until, i := time.Now().Add(eraseBudget), 0; i < len(partitions); {
		if time.Now().After(until) || ctx.Err() != nil {
			return true, ctx.Err()
		}
		deleted, err := m.eraseBatch(ctx, e, partitions[i].Suffix)
		if err != nil {
			return false, err
		}
		if deleted == 0 {
			deleted, err = m.eraseAnnounced(ctx, e, partitions[i].Suffix)
		}
		if err != nil {
			return false, err
		}
		if deleted > 0 {
			continue
		}
		i++
	}
	_, more, err = batches(ctx, func() (int64, error) {
		return affected(m.ExecContext(ctx, `
DELETE FROM operation_items WHERE (operation_id, delivery_id, event_id) IN (
	SELECT i.operation_id, i.delivery_id, i.event_id FROM operations o JOIN operation_items i ON i.operation_id = o.id WHERE o.tenant = $1 AND o.created_at <= $2 LIMIT $3)`,
			e.Tenant, e.CutOffAt, maintenanceRows))
	})
	return more, err
}

// eraseBatch deletes the next deliveries and events of the tenant from a partition, and returns how
// many rows of both it deleted.
func (m maintenance) eraseBatch(ctx context.Context, e erasureRow, suffix string) (deleted int, err error) {
	err = m.tx(ctx, func(tx *sqlx.Tx) error {
		var ids, events []string
		if err := tx.SelectContext(ctx, &ids, "SELECT id FROM deliveries_"+suffix+` WHERE tenant = $1 AND created_at <= $2 AND completed_at IS NOT NULL ORDER BY id LIMIT $3 FOR UPDATE`,
			e.Tenant, e.CutOffAt, maintenanceRows); err != nil {
			return err
		}
		attempts, err := deleteDeliveries(ctx, tx, suffix, ids)
		if err != nil {
			return err
		}
		if err := tx.SelectContext(ctx, &events, `
DELETE FROM events_`+suffix+` WHERE (created_at, id, tenant) IN (
	SELECT created_at, id, tenant FROM events_`+suffix+` WHERE tenant = $1 AND created_at <= $2 ORDER BY created_at, id LIMIT $3)
RETURNING id`, e.Tenant, e.CutOffAt, maintenanceRows); err != nil {
			return err
		}
		if err := deleteNames(ctx, tx, e.Tenant, events); err != nil {
			return err
		}
		deleted = len(ids) + len(events)
		_, err = tx.ExecContext(ctx, "UPDATE erasures SET deliveries = deliveries + $2, attempts = attempts + $3, events = events + $4 WHERE id = $1",
			e.ID, len(ids), attempts, len(events))
		return err
	})
	return deleted, err
}

// finishTenant deletes everything else of the tenant after its events and deliveries, and makes
// Postgres remove the old versions of the rows from its files.
func (m maintenance) finishTenant(ctx context.Context, e erasureRow) error {
	if err := m.tx(ctx, func(tx *sqlx.Tx) error {
		subscriptions, err := affected(tx.ExecContext(ctx, "DELETE FROM subscriptions WHERE tenant = $1 AND created_at <= $2", e.Tenant, e.CutOffAt))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM operations WHERE tenant = $1 AND created_at <= $2", e.Tenant, e.CutOffAt); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM resends WHERE tenant = $1 AND created_at <= $2", e.Tenant, e.CutOffAt); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM idempotency_keys WHERE status IS NOT NULL AND created_at <= $2 AND (tenants @> ARRAY[$1::text] OR tenants = '{}')", e.Tenant, e.CutOffAt); err != nil {
			return err
		}
		// Wait for a rollup that has read the tenant's attempts.
		if _, err := tx.ExecContext(ctx, "SELECT FROM rollup FOR UPDATE"); err != nil {
			return err
		}
		for _, table := range []string{"traffic_subscription", "traffic_recent"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE tenant = $1 AND at <= $2", e.Tenant, e.CutOffAt); err != nil {
				return err
			}
		}
		// The record of an event's erasure stays, without its id, which the platform chose.
		if _, err := tx.ExecContext(ctx, "UPDATE erasures SET event_id = '', reason = '' WHERE tenant = $1 AND scope = 'event' AND finished_at IS NOT NULL", e.Tenant); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, emptyAuditQuery, e.Tenant, e.CutOffAt); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE erasures SET subscriptions = subscriptions + $2 WHERE id = $1", e.ID, subscriptions)
		return err
	}); err != nil {
		return err
	}
	if err := m.vacuum(ctx, e); err != nil {
		return err
	}
	_, err := m.ExecContext(ctx, "UPDATE erasures SET finished_at = $2 WHERE id = $1", e.ID, m.s.now())
	return err
}

// emptyAuditQuery keeps in the entries about a tenant's objects who made the change, to which
// object, and when. It removes the texts, the event ids, because the platform chose them, and the
// tenant's own people. The entry of the tenant's erasure keeps its reason, as the erasure does.
const emptyAuditQuery = `
UPDATE audit SET changed = '{}', reason = CASE kind WHEN 'tenant' THEN reason ELSE '' END, object = CASE kind WHEN 'event' THEN '' ELSE object END,
	person = CASE WHEN bound THEN '' ELSE person END, address = CASE WHEN bound THEN '' ELSE address END
WHERE tenant = $1 AND at <= $2`

// vacuum vacuums the tables that the tenant's rows were deleted from.
func (m maintenance) vacuum(ctx context.Context, e erasureRow) error {
	partitions, err := m.partitions(ctx)
	if err != nil {
		return err
	}
	statements := []string{"VACUUM subscriptions, subscription_secrets, resends, ordering_keys, operations, traffic_subscription, traffic_recent, keys, sessions, portal_links, event_ids, idempotency_keys, audit"}
	for _, p := range partitions {
		if p.Lo.After(e.CutOffAt) {
			continue
		}
		for _, t := range partitionedTables() {
			statements = append(statements, "VACUUM (SKIP_LOCKED) "+t.partition(p.Suffix))
		}
	}
	return execAll(ctx, m, statements...)
}
