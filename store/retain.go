package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3/lock"

	"github.com/seed-49a43567/switchboard"
)

// maintenanceRows is how many rows one transaction of the maintenance deletes or changes, so that
// nobody waits long for it.
const maintenanceRows = 1000

// gentle leaves CPU and disk to deliveries: one process for each statement, and a VACUUM that
// pauses as autovacuum does by default. Without it, a VACUUM of a partition uses the whole disk
// bandwidth.
func gentle() []string {
	return []string{"SET max_parallel_workers_per_gather = 0", "SET max_parallel_maintenance_workers = 0", "SET vacuum_cost_delay = '2ms'"}
}

// maintenance is a connection for long work. It holds the advisory lock that only one process has
// at a time, which is also that of the migrations.
type maintenance struct {
	*sqlx.Conn
	s *Store
}

// maintain does work under the advisory lock. If another process has it, maintain returns
// ErrMaintenanceBusy at once.
func (s *Store) maintain(ctx context.Context, operation string, work func(context.Context, maintenance) error) error {
	db := sqlx.NewDb(sql.OpenDB(s.unbounded), "postgres")
	defer db.Close()
	db.Mapper = s.db.Mapper
	err := func() error {
		conn, err := db.Connx(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		var locked bool
		if err := conn.GetContext(ctx, &locked, "SELECT pg_try_advisory_lock($1)", lock.DefaultLockID); err != nil {
			return err
		}
		if !locked {
			return switchboard.ErrMaintenanceBusy
		}
		defer unlockMaintenance(ctx, conn)
		if err := execAll(ctx, conn, gentle()...); err != nil {
			return err
		}
		return work(ctx, maintenance{conn, s})
	}()
	if errors.Is(err, switchboard.ErrMaintenanceBusy) || errors.Is(err, switchboard.ErrSwapDeferred) {
		return err
	}
	return mapError(ctx, operation, err)
}

// unlockMaintenance releases the lock before the connection closes. Postgres would notice the close
// only after the next step of the same run asks for the lock.
func unlockMaintenance(ctx context.Context, conn *sqlx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	_, _ = conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", lock.DefaultLockID) // or the end of the connection does
}

// tx does work in one transaction.
func (m maintenance) tx(ctx context.Context, work func(*sqlx.Tx) error) error {
	tx, err := m.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		_ = tx.Rollback() // it may have ended already; the first error says why
		return err
	}
	return tx.Commit()
}

// execAll runs statements one after the other.
func execAll(ctx context.Context, db sqlx.ExecerContext, statements ...string) error {
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%w (%s)", err, statement)
		}
	}
	return nil
}

// timestamp returns a time as a literal.
func timestamp(at time.Time) string { return pq.QuoteLiteral(at.UTC().Format(time.RFC3339Nano)) }

// nullTime returns the zero time as NULL.
func nullTime(at time.Time) sql.NullTime { return sql.NullTime{Time: at, Valid: !at.IsZero()} }

// Partitions lists the partitions in the order of time.
func (s *Store) Partitions(ctx context.Context) ([]switchboard.Partition, error) {
	partitions := []switchboard.Partition{}
	err := s.list(ctx, "list partitions", &partitions, partitionsQuery)
	return inUTC(partitions), err
}

const partitionsQuery = "SELECT suffix, coalesce(lo, " + zeroTime + ") AS lo, coalesce(hi, " + zeroTime + ") AS hi, stage, at FROM partitions ORDER BY partitions.lo NULLS FIRST, partitions.hi NULLS LAST"

func inUTC(partitions []switchboard.Partition) []switchboard.Partition {
	for i, p := range partitions {
		partitions[i].Lo, partitions[i].Hi, partitions[i].At = p.Lo.UTC(), p.Hi.UTC(), p.At.UTC()
	}
	return partitions
}

func (m maintenance) partitions(ctx context.Context) ([]switchboard.Partition, error) {
	var partitions []switchboard.Partition
	err := m.SelectContext(ctx, &partitions, partitionsQuery)
	return inUTC(partitions), err
}

// MakePartitionsAhead makes the missing partitions of the days ahead.
func (s *Store) MakePartitionsAhead(ctx context.Context, r switchboard.Retention) (switchboard.RetentionStep, error) {
	step := switchboard.RetentionStep{Step: "make partitions"}
	err := s.maintain(ctx, step.Step, func(ctx context.Context, m maintenance) error {
		before, err := m.partitions(ctx)
		if err != nil {
			return err
		}
		if _, err := s.MakePartitions(ctx, PartitionsAhead, r.PartitionWidth()); err != nil {
			return err
		}
		after, err := m.partitions(ctx)
		if err != nil {
			return err
		}
		known := map[string]bool{}
		for _, p := range before {
			known[p.Suffix] = true
		}
		for _, p := range after {
			if !known[p.Suffix] {
				step.Partitions = append(step.Partitions, p.Suffix)
			}
		}
		return nil
	})
	return step, err
}

// ClosePartitions vacuums and analyzes each partition once, when its time is over. This saves
// Postgres a later vacuum of each against the wraparound of transaction ids.
func (s *Store) ClosePartitions(ctx context.Context) (switchboard.RetentionStep, error) {
	step := switchboard.RetentionStep{Step: "close partitions"}
	err := s.maintain(ctx, step.Step, func(ctx context.Context, m maintenance) error {
		partitions, err := m.partitions(ctx)
		if err != nil {
			return err
		}
		for _, p := range partitions {
			if p.Stage != switchboard.PartitionOpen || p.Lo.IsZero() || p.Hi.IsZero() || p.Hi.After(s.now()) {
				continue
			}
			for _, t := range partitionedTables() {
				if err := execAll(ctx, m, "VACUUM (FREEZE, ANALYZE) "+t.partition(p.Suffix)); err != nil {
					return err
				}
			}
			if err := m.setStage(ctx, m, p.Suffix, switchboard.PartitionClosed); err != nil {
				return err
			}
			step.Partitions = append(step.Partitions, p.Suffix)
		}
		if len(step.Partitions) == 0 {
			return nil
		}
		for _, t := range partitionedTables() { // autovacuum never analyzes a partitioned table itself
			if err := execAll(ctx, m, "ANALYZE "+t.name); err != nil {
				return err
			}
		}
		return nil
	})
	return step, err
}

func (m maintenance) setStage(ctx context.Context, db sqlx.ExecerContext, suffix string, stage switchboard.PartitionStage) error {
	_, err := db.ExecContext(ctx, "UPDATE partitions SET stage = $2, at = $3 WHERE suffix = $1", suffix, string(stage), m.s.now())
	return err
}

// PlanVisits returns the due visits to partitions. From then on, deliveries that they will erase
// cannot be started again. It also removes what an interrupted run left behind.
func (s *Store) PlanVisits(ctx context.Context, r switchboard.Retention) ([]switchboard.PartitionVisit, error) {
	var visits []switchboard.PartitionVisit
	err := s.maintain(ctx, "plan retention", func(ctx context.Context, m maintenance) error {
		if err := m.dropStage(ctx); err != nil {
			return err
		}
		if _, err := m.dropReplaced(ctx); err != nil {
			return err
		}
		partitions, err := m.partitions(ctx)
		if err != nil {
			return err
		}
		visits = r.Visits(s.now(), partitions)
		if len(visits) == 0 {
			return nil
		}
		// It waits for transactions that are starting an older delivery again.
		_, err = m.ExecContext(ctx, "UPDATE retention SET payloads_until = greatest(payloads_until, $1)", switchboard.ErasedBefore(visits))
		return err
	})
	return visits, err
}

// FinishRetention records that a run of the workflow Retain made all of its steps.
func (s *Store) FinishRetention(ctx context.Context) error {
	_, err := s.exec(ctx, "finish retention", "UPDATE retention SET last_success_at = $1", s.now())
	return err
}

// maxTailRows is how far the rows of the tail are counted: a higher count would say no more.
const maxTailRows = 1000

// RetentionStatus returns the state of the partitions.
func (s *Store) RetentionStatus(ctx context.Context) (switchboard.RetentionStatus, error) {
	var row struct {
		TailFrom, Oldest, LastSuccess time.Time
		TailRows                      int
	}
	err := s.get(ctx, "read the state of retention", &row, nil, `
SELECT coalesce((SELECT lo FROM partitions WHERE suffix = '`+tailSuffix+`'), `+zeroTime+`) AS tail_from,
	coalesce((SELECT min(lo) FROM partitions), `+zeroTime+`) AS oldest,
	coalesce((SELECT last_success_at FROM retention), `+zeroTime+`) AS last_success,
	(SELECT count(*) FROM (SELECT FROM deliveries_`+tailSuffix+` LIMIT $1) AS rows) AS tail_rows`, maxTailRows)
	return switchboard.RetentionStatus{
		DaysAhead: row.TailFrom.Sub(s.now()).Hours() / 24, TailRows: row.TailRows, Oldest: row.Oldest.UTC(), LastSuccess: row.LastSuccess.UTC(),
	}, err
}

// lockFailed reports whether a lock was not free within its timeout.
func lockFailed(err error) bool { return pq.As(err, pqerror.LockNotAvailable) != nil }
