package store

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// agedRecords deletes rows of a table without partitions whose time was over before $1, at most $2
// at a time.
type agedRecords struct {
	query string
	keep  time.Duration
}

// agedRecordsOf lists the records that have an age of their own.
func agedRecordsOf(r switchboard.Retention) []agedRecords {
	return []agedRecords{
		{`DELETE FROM operation_items WHERE (operation_id, delivery_id, event_id) IN (
	SELECT i.operation_id, i.delivery_id, i.event_id FROM operations o JOIN operation_items i ON i.operation_id = o.id WHERE o.finished_at < $1 LIMIT $2)`, r.Failed},
		{resendsGoneQuery, r.Failed},
		{"DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE finished_at < $1 LIMIT $2)", r.Failed},
		{"DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at < $1 LIMIT $2)", 0},
		{"DELETE FROM portal_links WHERE id IN (SELECT id FROM portal_links WHERE expires_at < $1 LIMIT $2)", 0},
		{"DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $1 LIMIT $2)", switchboard.AuditRetention},
	}
}

// PruneRecords deletes rows that belong to no partition and whose time is over: finished
// operations, as long after their end as failed deliveries, rows of the audit, sessions, portal
// links, and the keys of ordered deliveries without an open delivery. It reports whether there is
// more to do.
func (s *Store) PruneRecords(ctx context.Context, r switchboard.Retention) (step switchboard.RetentionStep, more bool, err error) {
	step.Step = "prune records"
	err = s.maintain(ctx, step.Step, func(ctx context.Context, m maintenance) error {
		work := []func() (int64, error){
			func() (int64, error) { return m.deleteIdleKeys(ctx) },
			func() (int64, error) { return m.eraseOldOverrides(ctx) },
		}
		for _, aged := range agedRecordsOf(r) {
			work = append(work, func() (int64, error) {
				return affected(m.ExecContext(ctx, aged.query, s.now().Add(-aged.keep), maintenanceRows))
			})
		}
		for _, remove := range work {
			rows, again, err := batches(ctx, remove)
			if step.Rows += rows; err != nil {
				return err
			}
			more = more || again
		}
		return nil
	})
	return step, more, err
}

// idleKeysQuery locks keys whose last delivery is in no queue.
const idleKeysQuery = `
SELECT subscription_id, key FROM ordering_keys k WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.id = k.last_delivery AND ` + isQueued + `)
LIMIT $1 FOR UPDATE OF k SKIP LOCKED`

// deleteIdleKeys deletes keys without an open delivery. A transaction that ends the last delivery
// deletes its key, so such keys exist only after a fault. A second statement checks whether the
// queue is empty, because it sees what was accepted before the key was locked.
func (m maintenance) deleteIdleKeys(ctx context.Context) (deleted int64, err error) {
	err = m.tx(ctx, func(tx *sqlx.Tx) error {
		var idle []keyRow
		if err := tx.SelectContext(ctx, &idle, idleKeysQuery, maintenanceRows); err != nil || len(idle) == 0 {
			return err
		}
		keys := make([]orderingKey, len(idle))
		for i, k := range idle {
			keys[i] = k.orderingKey()
		}
		subscriptions, names := split(keys)
		deleted, err = affected(tx.ExecContext(ctx, `
DELETE FROM ordering_keys k USING unnest($1::text[], $2::text[]) AS n(subscription_id, key)
WHERE k.subscription_id = n.subscription_id AND k.key = n.key
AND NOT EXISTS (SELECT FROM deliveries d WHERE d.subscription_id = k.subscription_id AND d.key = k.key AND `+isQueued+")", pq.Array(subscriptions), pq.Array(names)))
		return err
	})
	return deleted, err
}
