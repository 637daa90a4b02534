package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// Operational events that the operators got about a tenant name its subscriptions and events, so
// they are erased with the tenant.

// aboutTenant finds the operators' events about the subscriptions and operations of the tenant $1
// that were made until $2. The keys of these events are the ids of the subscriptions and
// operations.
const aboutTenant = `e.tenant = '` + switchboard.OperatorTenant + `' AND e.key <> '' AND e.key IN (
	SELECT id FROM subscriptions WHERE tenant = $1 AND created_at <= $2 UNION ALL SELECT id FROM operations WHERE tenant = $1 AND created_at <= $2)`

// cancelAnnounced cancels the open deliveries of the operators' events about the tenant. It returns
// how many are not cancelled yet, or have a workflow that is not cancelled yet.
func (s *Store) cancelAnnounced(ctx context.Context, e erasureRow) (waiting int, err error) {
	var found []struct {
		ID   string
		Open bool
	}
	if err := s.list(ctx, "erase a tenant", &found, `
SELECT d.id, d.completed_at IS NULL AS open FROM (
	SELECT id, tenant, event_id, created_at, completed_at FROM deliveries WHERE completed_at IS NULL AND subscription_id IN (SELECT id FROM subscriptions WHERE tenant = '`+switchboard.OperatorTenant+`')
	UNION ALL
	SELECT id, tenant, event_id, created_at, completed_at FROM deliveries WHERE dispatch_at IS NOT NULL AND completed_at IS NOT NULL AND tenant = '`+switchboard.OperatorTenant+`') d
JOIN events e ON e.created_at = d.created_at AND e.id = d.event_id AND e.tenant = d.tenant WHERE `+aboutTenant+` LIMIT $3`, e.Tenant, e.CutOffAt, maintenanceRows); err != nil {
		return 0, err
	}
	for _, d := range found {
		if !d.Open {
			continue
		}
		if err := s.cancelErased(ctx, d.ID); err != nil {
			return 0, err
		}
	}
	return len(found), nil
}

// eraseAnnounced deletes the next of the operators' events about the tenant from a partition, and
// returns how many rows it deleted.
func (m maintenance) eraseAnnounced(ctx context.Context, e erasureRow, suffix string) (deleted int, err error) {
	err = m.tx(ctx, func(tx *sqlx.Tx) error {
		var events []struct {
			ID        string
			CreatedAt time.Time
		}
		if err := tx.SelectContext(ctx, &events, "SELECT e.id, e.created_at FROM events_"+suffix+" e WHERE "+aboutTenant+" ORDER BY e.created_at, e.id LIMIT $3", e.Tenant, e.CutOffAt, maintenanceRows); err != nil || len(events) == 0 {
			deleted = 0
			return err
		}
		ids, times := make([]string, len(events)), make([]string, len(events))
		for i, found := range events {
			ids[i], times[i] = found.ID, found.CreatedAt.Format(time.RFC3339Nano)
		}
		var deliveries []string
		if err := tx.SelectContext(ctx, &deliveries, "SELECT d.id FROM deliveries_"+suffix+` d JOIN unnest($1::text[], $2::timestamptz[]) AS e(id, created_at) ON e.id = d.event_id AND e.created_at = d.created_at
WHERE d.tenant = $3 ORDER BY d.id FOR UPDATE OF d`, pq.Array(ids), pq.Array(times), switchboard.OperatorTenant); err != nil {
			return err
		}
		attempts, err := deleteDeliveries(ctx, tx, suffix, deliveries)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM events_"+suffix+` e USING unnest($1::text[], $2::timestamptz[]) AS n(id, created_at)
WHERE e.created_at = n.created_at AND e.id = n.id AND e.tenant = $3`, pq.Array(ids), pq.Array(times), switchboard.OperatorTenant); err != nil {
			return err
		}
		if err := deleteNames(ctx, tx, switchboard.OperatorTenant, ids); err != nil {
			return err
		}
		deleted = len(events) + len(deliveries)
		_, err = tx.ExecContext(ctx, "UPDATE erasures SET deliveries = deliveries + $2, attempts = attempts + $3, events = events + $4 WHERE id = $1", e.ID, len(deliveries), attempts, len(events))
		return err
	})
	return deleted, err
}
