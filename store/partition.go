package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/seed-49a43567/switchboard"
)

// The tables events, deliveries, attempts and actions are partitioned by time, a day each, so that
// old data leave by dropping a partition, and the indexes in use stay small. Each span of time has
// one partition in each table, named by the table and the span's suffix.

const (
	keptSuffix = "kept" // the span before the first day, for rows that outlived their own partition
	tailSuffix = "tail" // the span from the end of the last day with partitions to the end of time

	// PartitionsAhead is how many days after today have partitions.
	PartitionsAhead = 7
	// partitionLockTimeout is how long a change of partitions waits for its locks, because
	// everybody else queues behind it. Measured: without it, a reader of 3 s made an accept wait
	// for 2.5 s; with it and partitionRetryPause, for 0.1 s.
	partitionLockTimeout = 100 * time.Millisecond
	partitionRetryPause  = 500 * time.Millisecond
	partitionRetries     = 20
)

// partitionedTable is a table that is partitioned by time.
type partitionedTable struct {
	name   string
	column string // the time, or the id of a delivery
	setup  string // storage parameters of a partition, which are not inherited
}

func partitionedTables() []partitionedTable {
	return []partitionedTable{
		// Bodies and headers are not searched, and sorting samples of them was most of the cost of
		// the planner's statistics.
		{"events", "created_at", "ALTER COLUMN data SET STATISTICS 0"},
		// Deliveries change about three times within seconds and then never again. Vacuum early, or
		// final ones fill the indexes of open ones.
		{"deliveries", "id", "SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)"},
		{"attempts", "delivery_id", "ALTER COLUMN request_headers SET STATISTICS 0, ALTER COLUMN response_headers SET STATISTICS 0, ALTER COLUMN response_body SET STATISTICS 0"},
		{"actions", "delivery_id", ""},
	}
}

// partition returns the name of the table's partition with that suffix.
func (t partitionedTable) partition(suffix string) string {
	return pq.QuoteIdentifier(t.name + "_" + suffix)
}

// bound is a time as a literal of the table's partition column; null: open, which is
// written as the given word.
func (t partitionedTable) bound(at sql.NullTime, open string) string {
	switch {
	case !at.Valid:
		return open
	case t.column == "created_at":
		return pq.QuoteLiteral(at.Time.UTC().Format(time.RFC3339Nano))
	}
	return pq.QuoteLiteral(idBound(at.Time))
}

// attach makes a table the parent's partition from one time to another; null: open.
func (t partitionedTable) attach(suffix string, lo, hi sql.NullTime) string {
	return fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)",
		t.name, t.partition(suffix), t.bound(lo, "MINVALUE"), t.bound(hi, "MAXVALUE"))
}

// create makes a table that can be attached: like the parent, with its indexes.
func (t partitionedTable) create(suffix string) []string {
	statements := []string{fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE)", t.partition(suffix), t.name)}
	if t.setup != "" {
		statements = append(statements, "ALTER TABLE "+t.partition(suffix)+" "+t.setup)
	}
	return statements
}

// idBoundLetters is how many letters of an id's time a bound has. They hold 45 of its 48 bits, so
// that the random part is left out: a bound is exact to 8 ms, and for every hour and day.
const idBoundLetters = 9

// idBound is [boundOf] for deliveries.
func idBound(at time.Time) string { return boundOf(switchboard.DeliveryPrefix, at) }

// boundOf is a lower bound of the ids with that prefix that were made at or after that time. The
// earliest time is 1970: an earlier one would sort after all ids.
func boundOf(prefix string, at time.Time) string {
	if first := time.UnixMilli(0); at.Before(first) {
		at = first
	}
	return switchboard.NewID(prefix, at)[:len(prefix)+idBoundLetters]
}

// midnight is when the day of that time begins.
func midnight(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

// MakePartitions makes the missing partitions of today and of the days ahead, each of that width,
// and returns how many it made. It may be repeated, and does nothing if none is missing.
func (s *Store) MakePartitions(ctx context.Context, ahead int, width time.Duration) (made int, err error) {
	until := midnight(s.now()).AddDate(0, 0, ahead+1)
	for {
		more, err := s.makeNextPartition(ctx, until, width)
		if err != nil || !more {
			return made, mapError(ctx, "make partitions", err)
		}
		made++
	}
}

// makeNextPartition makes the first missing partition in a transaction of its own, because many in
// one would need more locks than Postgres has. It returns false if none is missing.
func (s *Store) makeNextPartition(ctx context.Context, until time.Time, width time.Duration) (more bool, err error) {
	for range partitionRetries {
		more, err = s.tryNextPartition(ctx, until, width)
		if pq.As(err, pqerror.LockNotAvailable) == nil {
			return more, err
		}
		select {
		case <-time.After(partitionRetryPause):
		case <-ctx.Done():
			return false, errors.Join(ctx.Err(), err)
		}
	}
	return false, err
}

// tryNextPartition makes the next partition if the locks are free.
func (s *Store) tryNextPartition(ctx context.Context, until time.Time, width time.Duration) (more bool, err error) {
	var tail struct {
		Lo     sql.NullTime
		Filled bool
	}
	if err := s.get(ctx, "read the last partition", &tail, nil, "SELECT lo, EXISTS (SELECT FROM events_"+tailSuffix+") OR EXISTS (SELECT FROM deliveries_"+tailSuffix+
		") AS filled FROM partitions WHERE suffix = $1", tailSuffix); err != nil {
		return false, err
	}
	end, more := nextSplit(tail.Lo, midnight(s.now()), until, width)
	if !more {
		return false, nil
	}
	if tail.Filled && tail.Lo.Valid {
		end = switchboard.PartitionEnd(until.Add(-time.Nanosecond), width)
		if err := s.boundTail(ctx, tail.Lo, end); err != nil {
			return false, err
		}
	}
	return true, s.once(ctx, func(ctx context.Context, tx transaction) error {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", partitionLockTimeout.Milliseconds())); err != nil {
			return err
		}
		var begins sql.NullTime
		if err := tx.GetContext(ctx, &begins, "SELECT lo FROM partitions WHERE suffix = $1 FOR UPDATE", tailSuffix); err != nil {
			return err
		}
		if begins.Valid != tail.Lo.Valid || !begins.Time.Equal(tail.Lo.Time) {
			return nil // another process has made it
		}
		return s.splitTail(ctx, tx, begins, end)
	})
}

// boundTail prepares the split of a tail with rows, which it has if nobody made partitions for
// days. It adds checks of the bounds that the tail will have. They are proven without blocking
// anybody, and save the split a scan with everything locked. If the process died before the split,
// rows after the end could not be stored, so the end is days ahead.
func (s *Store) boundTail(ctx context.Context, lo sql.NullTime, end time.Time) (err error) {
	db := sql.OpenDB(s.unbounded) // the proof may take minutes, in which Postgres sends nothing
	defer db.Close()
	drop, prove := []string{}, []string{}
	for _, t := range partitionedTables() {
		alter := "ALTER TABLE " + t.partition(tailSuffix)
		drop = append(drop, alter+" DROP CONSTRAINT IF EXISTS bounds")
		prove = append(prove, fmt.Sprintf("%[1]s ADD CONSTRAINT bounds CHECK (%[2]s IS NOT NULL AND %[2]s >= %[3]s AND %[2]s < %[4]s) NOT VALID",
			alter, t.column, t.bound(lo, ""), t.bound(sql.NullTime{Time: end, Valid: true}, "")), alter+" VALIDATE CONSTRAINT bounds")
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	run := func(ctx context.Context, statements []string) error {
		for _, statement := range statements {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}
	err = run(ctx, append([]string{fmt.Sprintf("SET lock_timeout = %d", partitionLockTimeout.Milliseconds())}, append(drop, prove...)...))
	if err == nil {
		return nil
	}
	undone := run(context.WithoutCancel(ctx), drop)
	if pq.As(err, pqerror.CheckViolation) != nil && undone == nil {
		return nil // there are rows of a later time: the split moves them, and scans
	}
	return errors.Join(err, undone)
}

// nextSplit is where the tail is split next. If there is no partition yet, it is the beginning of
// today. Otherwise it is one partition width later, or the end of today's partition if nobody made
// partitions for longer. It returns false if the tail already begins late enough.
func nextSplit(begins sql.NullTime, today, until time.Time, width time.Duration) (end time.Time, more bool) {
	switch {
	case !begins.Valid:
		return today, true
	case !begins.Time.Before(until):
		return time.Time{}, false
	case begins.Time.Before(today):
		return switchboard.PartitionEnd(today, width), true
	}
	return switchboard.PartitionEnd(begins.Time.UTC(), width), true
}

// splitTail gives the first part of the tail, up to a time, partitions of its own. The tail's
// tables become those partitions, and later rows, normally none, move to new tables. Writers wait
// for about 50 ms if the tail is empty.
func (s *Store) splitTail(ctx context.Context, tx transaction, lo sql.NullTime, at time.Time) error {
	suffix, hi := keptSuffix, sql.NullTime{Time: at, Valid: true}
	if lo.Valid {
		suffix = "p" + lo.Time.UTC().Format("20060102")
	}
	for _, t := range partitionedTables() {
		old, next := t.partition(suffix), t.partition(tailSuffix)
		statements := []string{
			fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s", t.name, next),
			fmt.Sprintf("ALTER TABLE %s RENAME TO %s", next, old),
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		if err := renameIndexes(ctx, tx, t, tailSuffix, suffix); err != nil {
			return err
		}
		statements = append(t.create(tailSuffix),
			fmt.Sprintf("WITH later AS (DELETE FROM %s WHERE %s >= %s RETURNING *) INSERT INTO %s SELECT * FROM later", old, t.column, t.bound(hi, ""), next),
			t.attach(suffix, lo, hi),
			"ALTER TABLE "+old+" DROP CONSTRAINT IF EXISTS bounds", // of boundTail
			t.attach(tailSuffix, hi, sql.NullTime{}))
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO partitions (suffix, lo, hi, stage, at) VALUES ($1, $2, $3, 'open', $4)", suffix, lo, hi, s.now())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE partitions SET lo = $2, at = $3 WHERE suffix = $1", tailSuffix, hi, s.now())
	return err
}

// renameIndexes renames the indexes of a renamed partition, so that their names say to which one
// they belong.
func renameIndexes(ctx context.Context, tx transaction, t partitionedTable, from, to string) error {
	var names []string
	if err := tx.SelectContext(ctx, &names, "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = $1::regclass", t.partition(to)); err != nil {
		return err
	}
	for _, name := range names {
		renamed := strings.Replace(name, t.name+"_"+from, t.name+"_"+to, 1)
		if renamed == name {
			continue
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("ALTER INDEX %s RENAME TO %s", name, renamed)); err != nil {
			return err
		}
	}
	return nil
}
