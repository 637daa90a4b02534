package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// isDone reports whether the visit was made already, and only the answer was lost.
func (c compaction) isDone(ctx context.Context) (done bool, err error) {
	err = c.GetContext(ctx, &done, "SELECT EXISTS (SELECT FROM partitions WHERE suffix = $1 AND stage = $2 AND at = $3 AND hi = $4)",
		c.visit.Into, string(c.visit.Stage), c.visit.At, c.visit.Hi)
	return done, err
}

// isStaged reports whether the stage is complete and belongs to this visit.
func (c compaction) isStaged(ctx context.Context) (staged bool, err error) {
	err = c.GetContext(ctx, &staged, "SELECT coalesce(obj_description(to_regclass($1), 'pg_class') = $2, false)", stagedOpen, c.name())
	return staged, err
}

// vacuumed returns ErrSwapDeferred while a vacuum runs on one of the partitions: the swap would
// wait for it with everything locked.
func (c compaction) vacuumed(ctx context.Context) error {
	var names []string
	for _, t := range partitionedTables() {
		for _, suffix := range c.visit.Parts {
			names = append(names, t.name+"_"+suffix)
		}
	}
	var busy bool
	err := c.GetContext(ctx, &busy, `
SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_class r ON r.oid = l.relation
	WHERE r.relname = ANY($1) AND l.mode = 'ShareUpdateExclusiveLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))`, pq.Array(names))
	if err == nil && busy {
		return switchboard.ErrSwapDeferred
	}
	return err
}

// swap returns how many deliveries it copied again.
func (c compaction) swap(ctx context.Context, tx *sqlx.Tx) (copied int64, err error) {
	var parents []string
	for _, t := range partitionedTables() {
		parents = append(parents, "ONLY "+t.name)
	}
	if err := execAll(ctx, tx, // only the parents: with their partitions it would wait for any vacuum
		fmt.Sprintf("SET LOCAL lock_timeout = %d", partitionLockTimeout.Milliseconds()),
		"LOCK TABLE "+strings.Join(parents, ", ")+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return 0, err
	}
	if copied, err = c.copyChanged(ctx, tx); err != nil {
		return 0, err
	}
	for _, t := range partitionedTables() {
		var statements []string
		for _, suffix := range c.visit.Parts {
			statements = append(statements,
				fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s", t.name, t.partition(suffix)),
				fmt.Sprintf("ALTER TABLE %s RENAME TO %s", t.partition(suffix), t.partition(replacedPrefix+suffix)))
		}
		statements = append(statements,
			fmt.Sprintf("ALTER TABLE %s RENAME TO %s", next(t.name), t.partition(c.visit.Into)),
			t.attach(c.visit.Into, nullTime(c.visit.Lo), nullTime(c.visit.Hi)),
			fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT bounds", t.partition(c.visit.Into)), // the partition's bounds say the same
			fmt.Sprintf("ALTER TABLE %s RESET (autovacuum_enabled)", t.partition(c.visit.Into)))
		if err := execAll(ctx, tx, statements...); err != nil {
			return 0, err
		}
	}
	if err := execAll(ctx, tx, "DROP TABLE "+stagedOpen); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM partitions WHERE suffix = ANY($1)", pq.Array(c.visit.Parts)); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO partitions (suffix, lo, hi, stage, at) VALUES ($1, $2, $3, $4, $5)",
		c.visit.Into, nullTime(c.visit.Lo), nullTime(c.visit.Hi), string(c.visit.Stage), c.visit.At)
	return copied, err
}

// clockMargin is how much the clocks of two processes may differ.
const clockMargin = time.Minute

// actionsSince returns a lower bound of the ids of actions since the stage.
func (c compaction) actionsSince() string {
	return switchboard.NewID(switchboard.ActionPrefix, c.visit.At.Add(-clockMargin))[:len(switchboard.ActionPrefix)+idBoundLetters]
}

// copyChanged copies again, completely, every listed delivery that changed since the stage, and
// every delivery with an action since: a reset in Temporal may come long after the end of a
// delivery, and is recorded although it starts nothing.
func (c compaction) copyChanged(ctx context.Context, tx *sqlx.Tx) (int64, error) {
	const changed = "staged_changed"
	deliveries := c.union("deliveries")
	result, err := tx.ExecContext(ctx, fmt.Sprintf(`
CREATE TEMPORARY TABLE %s ON COMMIT DROP AS
SELECT d.id FROM %s o JOIN %s d ON d.id = o.id WHERE d.row_version <> o.row_version
UNION SELECT d.id FROM %s d WHERE d.completed_at IS NULL AND NOT EXISTS (SELECT FROM %s o WHERE o.id = d.id)
UNION SELECT a.delivery_id FROM %s a WHERE a.id >= %s`, changed, stagedOpen, deliveries, deliveries, stagedOpen, c.union("actions"), pq.QuoteLiteral(c.actionsSince())))
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	if n == 0 || err != nil {
		return 0, err
	}
	whole := func(table, alias string) string {
		return alias + "." + strings.Join(c.columns[table], ", "+alias+".")
	}
	if err := execAll(ctx, tx, fmt.Sprintf("DELETE FROM %s WHERE id IN (SELECT id FROM %s)", next("deliveries"), changed)); err != nil {
		return 0, err
	}
	if _, err := c.insert(ctx, tx, "deliveries", whole("deliveries", "d"), fmt.Sprintf("%s d JOIN %s USING (id) WHERE %s", deliveries, changed, c.survives())); err != nil {
		return 0, err
	}
	for _, table := range []string{"attempts", "actions"} {
		if _, err := c.insert(ctx, tx, table, whole(table, "a"), fmt.Sprintf(
			"%s a JOIN %s n ON n.id = a.delivery_id JOIN %s d ON d.id = a.delivery_id ON CONFLICT DO NOTHING", c.union(table), changed, next("deliveries"))); err != nil {
			return 0, err
		}
	}
	_, err = c.insert(ctx, tx, "events", "DISTINCT "+whole("events", "e"), fmt.Sprintf(`
%s e JOIN %s d ON coalesce(d.event_at, d.created_at) = e.created_at AND d.event_id = e.id AND d.tenant = e.tenant
WHERE d.id IN (SELECT id FROM %s) AND d.completed_at IS NULL
ON CONFLICT (created_at, id, tenant) DO UPDATE SET data = EXCLUDED.data, erased_at = EXCLUDED.erased_at`, c.union("events"), next("deliveries"), changed))
	return n, err
}
