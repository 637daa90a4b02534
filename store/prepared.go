package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/errgroup"
)

// preparedStatements are queries that run for every delivery, or every few seconds. Postgres needs
// more time to plan than to run them.
type preparedStatements struct {
	db      *sqlx.DB
	queries []string
	mu      sync.Mutex
	ready   atomic.Pointer[map[string]*sqlx.Stmt] // by query; nil until Postgres was first available
}

// hotQueries are the queries of Authenticate, Accept, LoadForAttempt, Record, operational events
// and the outbox.
func hotQueries() []string {
	return slices.Concat(queueQueries(), []string{callersQuery, loadQuery, subscriptionsQuery(), candidatesQuery, acceptQuery, subjectsQuery, announceQuery, recordFastQuery, lockDeliveriesQuery, insertAttemptsQuery, saveDeliveriesQuery, dueQuery, leaseQuery, dispatchedQuery, dispatchNowQuery, closedQuery, takeTurnsQuery, nextQueuedQuery, anyQueuedQuery})
}

// periodicQueries are the queries of the relay and of the reconciler when nothing is due. They read
// every partition: with 41 of them, planning took 50 to 80 ms, and running 1 to 2 ms.
func periodicQueries() []string {
	return append(rollupQueries(), heartbeatQuery, anyDueQuery, overdueQuery, expiredQuery, idleOperationsQuery, lateRecoveryQuery, healthyQuery)
}

// prepare returns the prepared statements by their queries.
func (p *preparedStatements) prepare(ctx context.Context) (map[string]*sqlx.Stmt, error) {
	if ready := p.ready.Load(); ready != nil {
		return *ready, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ready := p.ready.Load(); ready != nil {
		return *ready, nil
	}
	prepared := map[string]*sqlx.Stmt{}
	for _, query := range p.queries {
		statement, err := p.db.PreparexContext(ctx, query) //nolint:sqlclosecheck // lives as long as the store
		if err != nil {
			for _, made := range prepared {
				err = errors.Join(err, made.Close())
			}
			return nil, err
		}
		prepared[query] = statement
	}
	p.ready.Store(&prepared)
	return prepared, nil
}

// maxParameter finds the parameters of a statement.
var maxParameter = regexp.MustCompile(`\$(\d+)`)

// warmConnections is how many connections plan the hot statements before the process is ready.
const warmConnections = 3

// Warm plans the hot statements on a few connections. Otherwise the first delivery on a new
// connection waits for it: 0.35 to 0.5 s with 41 partitions.
func (s *Store) Warm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	prepared, err := s.hot.prepare(ctx)
	if err != nil {
		return mapError(ctx, "plan statements", err)
	}
	var txs []*sqlx.Tx // all open at the same time, so that each has its own connection
	for range min(warmConnections, s.db.Stats().MaxOpenConnections) {
		tx, err := s.db.BeginTxx(ctx, nil)
		if err != nil {
			return mapError(ctx, "plan statements", err)
		}
		defer tx.Rollback() //nolint:errcheck // nothing was changed
		txs = append(txs, tx)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, tx := range txs {
		group.Go(func() error { return planHot(ctx, transaction{tx, prepared}) })
	}
	return mapError(ctx, "plan statements", group.Wait())
}

// planHot runs each statement with NULL for every argument, so that it finds no row and adds none.
func planHot(ctx context.Context, tx transaction) error {
	for _, query := range hotQueries() {
		arguments := 0
		for _, found := range maxParameter.FindAllStringSubmatch(query, -1) {
			n, err := strconv.Atoi(found[1])
			if err != nil {
				return err
			}
			arguments = max(arguments, n)
		}
		if _, err := tx.ExecContext(ctx, query, make([]any, arguments)...); err != nil {
			return err
		}
	}
	return nil
}

// querier is a session or a transaction.
type querier interface {
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// session reads with the prepared statements if there are any, each on a free connection.
type session struct {
	*sqlx.DB
	prepared map[string]*sqlx.Stmt
}

// SelectContext reads rows into the slice at dest.
func (d session) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	if statement := d.prepared[query]; statement != nil {
		return statement.SelectContext(ctx, dest, args...)
	}
	return d.DB.SelectContext(ctx, dest, query, args...)
}

// transaction is a transaction that uses the prepared statements if there are any.
type transaction struct {
	*sqlx.Tx
	prepared map[string]*sqlx.Stmt
}

// SelectContext reads rows into the slice at dest.
func (t transaction) SelectContext(ctx context.Context, dest any, query string, args ...any) error {
	if statement := t.prepared[query]; statement != nil {
		return t.StmtxContext(ctx, statement).SelectContext(ctx, dest, args...) //nolint:sqlclosecheck // ends with the transaction
	}
	return t.Tx.SelectContext(ctx, dest, query, args...)
}

// GetContext reads a row into dest.
func (t transaction) GetContext(ctx context.Context, dest any, query string, args ...any) error {
	if statement := t.prepared[query]; statement != nil {
		return t.StmtxContext(ctx, statement).GetContext(ctx, dest, args...) //nolint:sqlclosecheck // ends with the transaction
	}
	return t.Tx.GetContext(ctx, dest, query, args...)
}

// ExecContext runs a statement.
func (t transaction) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if statement := t.prepared[query]; statement != nil {
		return t.StmtxContext(ctx, statement).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// connector sets up each new connection with a command.
type connector struct {
	driver.Connector
	setUp string
}

// forDeliveries makes Postgres plan each prepared statement once, whatever its arguments. Otherwise
// it plans statements with lists at every call, which takes longer than running them. The plan is
// still in use when the table is no longer small, so it must not read a whole table.
const forDeliveries = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off"

// planForArguments makes a transaction plan its statements for their arguments, if those name the
// one partition to read. Planning for all of 41 takes 5 to 10 ms each.
const planForArguments = "SET LOCAL plan_cache_mode = force_custom_plan"

// forSearches lets Postgres plan each query for its arguments, which differ widely, and ends a
// query that takes too long.
func forSearches() string {
	return fmt.Sprintf("SET enable_seqscan = off; SET statement_timeout = %d", searchTimeout.Milliseconds())
}

// Connect opens a connection and sets it up.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, c.setUp, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
