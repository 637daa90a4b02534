package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// recheckAfter is how long the rows of a partition with survivors are not looked at again.
const recheckAfter = 20 * time.Hour

// maxBatches bounds one call of the methods that work in batches. They report whether there is more
// to do, and Temporal calls again.
const maxBatches = 200

// eventIDBatch is how many event ids one statement deletes. They are spread over the index, so each
// may write a page.
const eventIDBatch = 1000

// PruneEventIDs deletes event ids from before the idempotency window. It reports whether there is
// more to do. It skips an id that is being used again, because a transaction that accepts several
// such ids waits for them in another order.
func (s *Store) PruneEventIDs(ctx context.Context, window time.Duration) (step switchboard.RetentionStep, more bool, err error) {
	step.Step = "prune event ids"
	err = s.maintain(ctx, step.Step, func(ctx context.Context, m maintenance) error {
		step.Rows, more, err = batches(ctx, func() (int64, error) {
			return affected(m.ExecContext(ctx, `
DELETE FROM event_ids WHERE name IN (SELECT name FROM event_ids WHERE created_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)`, s.now().Add(-window), eventIDBatch))
		})
		return err
	})
	return step, more, err
}

// batches calls work until it changes nothing, at most maxBatches times. After each call it pauses
// for as long as that took, so half of the time is left to deliveries.
func batches(ctx context.Context, work func() (int64, error)) (rows int64, more bool, err error) {
	for range maxBatches {
		began := time.Now()
		n, err := work()
		if rows += n; n == 0 || err != nil {
			return rows, false, err
		}
		select {
		case <-time.After(time.Since(began)):
		case <-ctx.Done():
			return rows, false, ctx.Err()
		}
	}
	return rows, true, nil
}

func affected(result interface{ RowsAffected() (int64, error) }, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// PruneSurvivors handles deliveries that survived a visit of their partition, for example because
// they were open, and have ended since. It deletes their rows and erases their payloads when their
// time is over. These are few. It reports whether there is more to do.
func (s *Store) PruneSurvivors(ctx context.Context, r switchboard.Retention) (step switchboard.RetentionStep, more bool, err error) {
	step.Step = "prune survivors"
	err = s.maintain(ctx, step.Step, func(ctx context.Context, m maintenance) error {
		if err := m.dropStage(ctx); err != nil {
			return err
		}
		partitions, err := m.partitions(ctx)
		if err != nil {
			return err
		}
		for _, p := range partitions {
			if p.Hi.IsZero() || p.Stage != switchboard.PartitionErased && p.Stage != switchboard.PartitionPruned ||
				!p.Lo.IsZero() && s.now().Sub(p.At) < recheckAfter {
				continue
			}
			rows, again, err := m.pruneSurvivors(ctx, r, p)
			if err != nil {
				return err
			}
			if rows > 0 {
				step.Rows += rows
				step.Partitions = append(step.Partitions, p.Suffix)
			}
			if more = more || again; !again {
				if err := m.setStage(ctx, m, p.Suffix, p.Stage); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return step, more, err
}

func (m maintenance) pruneSurvivors(ctx context.Context, r switchboard.Retention, p switchboard.Partition) (rows int64, more bool, err error) {
	now := m.s.now()
	if p.Stage == switchboard.PartitionPruned {
		for _, remove := range []func() (int64, error){
			func() (int64, error) { return m.deleteOver(ctx, p.Suffix, isOver(r, now)) },
			func() (int64, error) { return m.deleteUnreferenced(ctx, p.Suffix) },
		} {
			removed, again, err := batches(ctx, remove)
			if rows += removed; again || err != nil {
				return rows, again, err
			}
		}
	}
	if r.Payloads == 0 {
		return rows, false, nil
	}
	erased, more, err := batches(ctx, func() (int64, error) { return m.erasePayloads(ctx, p.Suffix) })
	return rows + erased, more, err
}

// deleteOver deletes deliveries of a partition for which the condition holds, with the rows that
// belong to them.
func (m maintenance) deleteOver(ctx context.Context, suffix, condition string) (deleted int64, err error) {
	err = m.tx(ctx, func(tx *sqlx.Tx) error {
		var ids []string
		if err := tx.SelectContext(ctx, &ids, "SELECT id FROM deliveries_"+suffix+" d WHERE "+condition+" ORDER BY id LIMIT $1 FOR UPDATE", maintenanceRows); err != nil {
			return err
		}
		deleted = int64(len(ids))
		_, err := deleteDeliveries(ctx, tx, suffix, ids)
		return err
	})
	return deleted, err
}

// deleteDeliveries deletes deliveries of a partition with their attempts, actions and overrides,
// and returns how many attempts there were.
func deleteDeliveries(ctx context.Context, tx *sqlx.Tx, suffix string, ids []string) (attempts int64, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	if attempts, err = affected(tx.ExecContext(ctx, "DELETE FROM attempts_"+suffix+" WHERE delivery_id = ANY($1)", pq.Array(ids))); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM actions_"+suffix+" WHERE delivery_id = ANY($1)", pq.Array(ids)); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM resends WHERE delivery_id = ANY($1)", pq.Array(ids)); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM deliveries_"+suffix+" WHERE id = ANY($1)", pq.Array(ids))
	return attempts, err
}

// deleteUnreferenced deletes events of a partition without a delivery: neither one that was made
// with the event, which is in the partition of the same time, nor a later one.
func (m maintenance) deleteUnreferenced(ctx context.Context, suffix string) (int64, error) {
	return affected(m.ExecContext(ctx, fmt.Sprintf(`
DELETE FROM events_%[1]s WHERE (created_at, id, tenant) IN (SELECT created_at, id, tenant FROM events_%[1]s e
	WHERE NOT EXISTS (SELECT FROM deliveries_%[1]s d WHERE d.event_id = e.id AND d.tenant = e.tenant AND coalesce(d.event_at, d.created_at) = e.created_at)
	AND NOT EXISTS (SELECT FROM deliveries d WHERE d.event_id = e.id AND d.tenant = e.tenant AND d.event_at = e.created_at)
	LIMIT $1)`, suffix), maintenanceRows))
}

// erasePayloads erases the payloads of events of a partition that no open delivery needs any more,
// and those of the attempts that sent them.
func (m maintenance) erasePayloads(ctx context.Context, suffix string) (erased int64, err error) {
	now := m.s.now()
	payload := erasedPayload("e", now)["events"]
	err = m.tx(ctx, func(tx *sqlx.Tx) error {
		erased, err = affected(tx.ExecContext(ctx, fmt.Sprintf(`
UPDATE events_%[1]s e SET data = %[2]s, erased_at = %[3]s
WHERE (e.created_at, e.id, e.tenant) IN (SELECT created_at, id, tenant FROM events_%[1]s e WHERE erased_at IS NULL AND NOT EXISTS (
	SELECT FROM deliveries d WHERE d.completed_at IS NULL AND d.event_id = e.id AND d.tenant = e.tenant AND coalesce(d.event_at, d.created_at) = e.created_at)
	LIMIT %[4]d)`, suffix, payload["data"], payload["erased_at"], maintenanceRows)))
		if err != nil || erased > 0 {
			return err
		}
		payload := erasedPayload("a", now)["attempts"]
		erased, err = affected(tx.ExecContext(ctx, fmt.Sprintf(`
UPDATE attempts_%[1]s a SET %[2]s
WHERE (a.delivery_id, a.number) IN (SELECT a.delivery_id, a.number FROM attempts_%[1]s a JOIN deliveries_%[1]s d ON d.id = a.delivery_id
	WHERE d.completed_at IS NOT NULL AND (a.request_headers <> '{}' OR a.response_headers <> '{}' OR a.response_body <> '' OR a.request_sha256 <> '' OR a.url <> %[3]s) LIMIT %[4]d)`,
			suffix, assignments(payload), payload["url"], maintenanceRows)))
		return err
	})
	return erased, err
}

// assignments writes columns and their values as for UPDATE.
func assignments(values map[string]string) string {
	text := ""
	for column, value := range values {
		if text != "" {
			text += ", "
		}
		text += column + " = " + value
	}
	return text
}
