// Package store stores everything that Switchboard must not lose in Postgres, and is the
// only place with SQL.
//
// On the hot path, concurrent callers share commits (accepting events, recording attempts)
// and queries (keys, what attempts need): see package batch. Every change of a delivery
// locks the row, applies a transition of [switchboard.Delivery], and saves the row. The
// schema's constraints say what a row may look like.
//
// Events, deliveries, attempts and actions are partitioned by time: see partition.go. A
// statement on the hot path says between which ids or times its rows are, because Postgres
// leaves out partitions by such bounds and not by a list of ids.
//
// Rows are locked in one order everywhere, subscriptions before events before deliveries and
// each by id, so that transactions wait for each other but never in a circle. Only the
// recording of attempts leaves the order to Postgres's plan, because it is the hot path; a
// deadlock there is resolved by running it once more.
//
// Every method that serves a caller from outside takes a [switchboard.Caller]; a row of a
// tenant outside the caller's scope is [switchboard.CodeNotFound], like one that does not
// exist. Errors for callers are [switchboard.Error] values; Postgres being away is
// [switchboard.CodeUnavailable].
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jmoiron/sqlx"
	"github.com/jmoiron/sqlx/reflectx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

const (
	// flushes is how many batches of a kind are committed at the same time: while one waits for the
	// disk, the next does its work.
	flushes = 2
	// bulkFlushes is the same for calls with many events.
	bulkFlushes = 1
	// readFlushes is how many queries of a kind run at the same time. As many dead connections are
	// found at once.
	readFlushes = 8

	defaultBatchWait = 8 * time.Millisecond
	// maxDelayFactor is how many times longer than for the next item a batch waits in all if a
	// caller waits. With 5, a POST beside 220 a second took 41 ms in the median, with 2 it took 27
	// ms; a delivery took 3 % more CPU, in four rounds that differ by 9 %. Waiting for 2 ms, and at
	// most 10, takes about 16 % more.
	maxDelayFactor = 2
	// recordDelayFactor and recordMaxDelayFactor are for records, for which only a workflow waits.
	// Measured at 260 deliveries/s: a delivery takes 5 % less CPU than with a batch every 6 ms in
	// every case.
	recordDelayFactor    = 4
	recordMaxDelayFactor = 5

	// keyDelayShare is the share of a commit's delay that a shared query of keys waits. It is small
	// because sharing saves a query of one row and no wait for the disk, and every call of the API
	// waits for it.
	keyDelayShare = 4

	defaultMaxConns = 20
	searchShare     = 5 // one connection of this many is for searches

	// connectTimeout is how long a caller waits for a new connection if Postgres does not answer.
	connectTimeout = 3 * time.Second
	// onlyPrimary refuses a standby, to which a name may still lead after a failover. A connection
	// to it would stay in the pool, and its writes would be refused.
	onlyPrimary = pq.TargetSessionAttrsPrimary
	// callTimeout bounds every call, including waits for locks. Calls that many callers share end
	// earlier, so that they notice in time that Postgres hangs: writeTimeout bounds storing a few
	// events; readTimeout bounds reading keys and loading deliveries for attempts, which wait for
	// no lock.
	callTimeout  = 15 * time.Second
	writeTimeout = 4 * time.Second
	readTimeout  = 3 * time.Second
	// searchTimeout is how long Postgres may work on a search: its caller waits, and others wait
	// for the connection.
	searchTimeout = 5 * time.Second
	// idleTimeout closes connections that only a burst needed. It is long, because a new connection
	// loads the catalogue of all partitions and plans its statements, which takes 0.14 s of CPU
	// with 41 partitions for each connection.
	idleTimeout = time.Hour
)

// Config configures a store.
type Config struct {
	// URL is a URL of lib/pq: postgres://user:password@host:port/database?sslmode=….
	URL string
	// Keyring encrypts secrets and seals cursors. Without it, only migrations, checks and keys
	// work.
	Keyring *Keyring
	// MaxConns is the size of the connection pool; 0: 20.
	MaxConns int
	// BatchWait is how long a shared query, or a shared commit of events, waits for the next
	// item, and at most twice as long in all; one of keys waits for a quarter of that. A shared
	// commit of attempts waits four times as long, and at most five times in all. 0: 8 ms.
	BatchWait time.Duration
	// IdempotencyWindow is for how long an event that is posted again with the same id is a
	// duplicate; 0: 7 days.
	IdempotencyWindow time.Duration
	// CountTime is how long Postgres may at least work on a count that an answer can omit, such as
	// that of a list's matches; 0: a second or less, depending on the count. Tests set it, because
	// a busy machine takes longer for a few rows.
	CountTime time.Duration
	// Breaker has the thresholds for subscriptions that do not set them; zero fields have
	// Switchboard's own defaults.
	Breaker switchboard.Breaker
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Store is the database. It is safe for concurrent use.
type Store struct {
	listenURL string
	db        *sqlx.DB
	// searches has connections of its own, so that slow lists do not take those of deliveries.
	searches  *sqlx.DB
	unbounded *pq.Connector // of connections without ioTimeout
	keys      *Keyring
	now       func() time.Time

	accepts *batch.Batcher[[]*pendingEvent, []switchboard.Acceptance] // calls with few events
	bulk    *batch.Batcher[[]*pendingEvent, []switchboard.Acceptance] // calls with many events, separate so that others do not wait behind them
	records *batch.Batcher[switchboard.Record, switchboard.Delivery]
	loads   *batch.Batcher[string, switchboard.LoadedDelivery]
	reports *batch.Batcher[switchboard.HealthReport, switchboard.HealthResult]
	callers *batch.Batcher[keyHash, switchboard.Caller]
	turns   *batch.Batcher[turnRequest, time.Duration]

	dispatches *batch.Batcher[[]string, struct{}]
	dispatched *batch.Batcher[[]switchboard.Delivery, struct{}]

	idempotencyWindow time.Duration
	breaker           switchboard.Breaker // thresholds for subscriptions that do not set them
	searchBudget      time.Duration       // see listSlices
	countTime         time.Duration       // see Config
	planning          chan struct{}       // one is taken for each plan that is counted, which uses a connection for searches

	hot     *preparedStatements // of db
	counts  *preparedStatements // of searches
	filters *filters
	cache   *lru.Cache[string, cachedSubscription] // by id
	facets  *lru.Cache[string, keptFacets]         // by caller and question
	answers *answers
	uses    *keyUses
}

// Open prepares a store. It does not connect, because Postgres may come up later.
func Open(cfg Config) (*Store, error) {
	pqConfig, err := pq.NewConfig(cfg.URL)
	if err != nil {
		return nil, withoutURL(err, cfg.URL)
	}
	listenURL := completed(cfg.URL, pqConfig)
	pqConfig.ConnectTimeout = cmp.Or(pqConfig.ConnectTimeout, connectTimeout)
	pqConfig.TargetSessionAttrs = cmp.Or(pqConfig.TargetSessionAttrs, onlyPrimary)
	pqConfig.ApplicationName = cmp.Or(pqConfig.ApplicationName, "switchboard")
	pqConfig.TZ = "UTC"
	pqConfig.BinaryParameters = true // one round trip a statement, not two
	base, err := pq.NewConnectorConfig(pqConfig)
	if err != nil {
		return nil, withoutURL(err, cfg.URL)
	}
	base.Dialer(dialer{&net.Dialer{}})
	unbounded, err := pq.NewConnectorConfig(pqConfig)
	if err != nil {
		return nil, withoutURL(err, cfg.URL)
	}
	conns := cmp.Or(cfg.MaxConns, defaultMaxConns)
	searching := max(1, conns/searchShare)
	db := open(connector{base, forDeliveries}, conns-searching)

	clock := cfg.Now
	if clock == nil {
		clock = time.Now
	}
	subscriptions, err := lru.New[string, cachedSubscription](maxCached)
	if err != nil {
		return nil, err
	}
	facets, err := lru.New[string, keptFacets](maxFacetsKept)
	if err != nil {
		return nil, err
	}
	s := &Store{
		facets:    facets,
		listenURL: listenURL, db: db, unbounded: unbounded, searches: open(connector{base, forSearches()}, searching), keys: cfg.Keyring,
		hot: &preparedStatements{db: db, queries: slices.Concat(hotQueries(), periodicQueries(), operationQueries())}, filters: &filters{}, cache: subscriptions, answers: newAnswers(listenURL),
	}
	s.counts = &preparedStatements{db: s.searches, queries: []string{statsQuery, flowStatsQuery, tenantStatsQuery, alikeQuery(hostWithoutPort), alikeQuery("tenant")}}
	s.searchBudget, s.countTime, s.breaker = searchBudget, cfg.CountTime, cfg.Breaker
	s.planning = make(chan struct{}, max(1, searching/2))
	s.idempotencyWindow = cmp.Or(cfg.IdempotencyWindow, defaultIdempotencyWindow)
	// Postgres keeps microseconds; truncate, so that returned times are the stored ones.
	s.now = func() time.Time { return clock().UTC().Truncate(time.Microsecond) }
	wait := cmp.Or(cfg.BatchWait, defaultBatchWait)
	delay := batch.Delay{Idle: wait, Max: maxDelayFactor * wait}
	recordDelay := batch.Delay{Idle: recordDelayFactor * wait, Max: recordMaxDelayFactor * wait}
	s.accepts = newBatcher(flushes, delay, sizeOfEvents, s.acceptWithin(writeTimeout))
	s.bulk = newBatcher(bulkFlushes, delay, sizeOfEvents, s.acceptWithin(callTimeout))
	s.records = newBatcher(flushes, recordDelay, sizeOfRecord, s.recordAll)
	s.reports = newBatcher(1, recordDelay, nil, s.reportAll) // reports about one endpoint would wait for each other's locks
	s.loads = newBatcher(readFlushes, delay, sizeOfLoad, s.loadAll)
	s.callers = newBatcher(readFlushes, batch.Delay{Idle: delay.Idle / keyDelayShare, Max: delay.Max / keyDelayShare}, nil, s.findCallers)
	s.turns = newBatcher(flushes, delay, nil, s.takeTurns)
	s.uses = &keyUses{write: s.writeKeyUses, noted: map[string]time.Time{}}
	s.dispatches = newBatcher(1, delay, nil, s.dispatchAll)
	s.dispatched = newBatcher(1, recordDelay, nil, s.markAll)
	return s, nil
}

// newBatcher makes a batcher that returns an outage of Postgres to all items of a batch.
func newBatcher[In, Out any](parallel int, delay batch.Delay, size func(In) int, flush func(context.Context, []In) ([]batch.Result[Out], error)) *batch.Batcher[In, Out] {
	return batch.New(batch.Config[In, Out]{Delay: delay, Parallel: parallel, Size: size, Flush: flush,
		Outage: func(err error) bool { return switchboard.CodeOf(err) == switchboard.CodeUnavailable }})
}

// do gives an item to a batcher and waits for its result.
func do[In, Out any](ctx context.Context, b *batch.Batcher[In, Out], operation string, item In) (Out, error) {
	out, err := b.Do(ctx, item)
	switch {
	case err == nil:
		return out, nil
	case errors.Is(err, batch.ErrClosed):
		return out, switchboard.Errorf(switchboard.CodeUnavailable, "shutting down: try again")
	case ctx.Err() != nil && errors.Is(err, ctx.Err()): // the caller no longer waits
		return out, mapError(ctx, operation, err)
	}
	return out, err
}

// open makes a pool with that many connections.
func open(c connector, conns int) *sqlx.DB {
	db := sqlx.NewDb(sql.OpenDB(c), "postgres")
	db.Mapper = reflectx.NewMapperFunc("db", snake)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(idleTimeout)
	return db
}

// Close waits for running commits and closes the connections. Nothing can be written afterwards.
func (s *Store) Close() error {
	s.accepts.Close()
	s.bulk.Close()
	s.records.Close()
	s.reports.Close()
	s.loads.Close()
	s.callers.Close()
	s.turns.Close()
	s.uses.close()
	s.dispatches.Close()
	s.dispatched.Close()
	s.answers.close()
	if err := errors.Join(s.db.Close(), s.searches.Close()); err != nil && !away(err) { // if Postgres is away, it has closed them itself
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// tx runs work in one transaction. If Postgres aborts it because of a deadlock or the like, it is
// run once more: work may be called twice.
func (s *Store) tx(ctx context.Context, operation string, work func(ctx context.Context, tx transaction) error) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.once(bounded, work)
	if gaveUp(err) {
		err = s.once(bounded, work)
	}
	return mapError(ctx, operation, err)
}

func (s *Store) once(ctx context.Context, work func(ctx context.Context, tx transaction) error) error {
	prepared, err := s.hot.prepare(ctx)
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(ctx, transaction{tx, prepared}); err != nil {
		_ = tx.Rollback() // it may have ended already; the first error says why
		return err
	}
	return tx.Commit()
}

// direct runs statements that each commit by themselves. If Postgres aborts one because of a
// deadlock or the like, work is called once more, and must be repeatable.
func (s *Store) direct(ctx context.Context, operation string, work func(ctx context.Context, db session) error) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	prepared, err := s.hot.prepare(bounded)
	if err != nil {
		return mapError(ctx, operation, err)
	}
	db := session{s.db, prepared}
	err = work(bounded, db)
	if gaveUp(err) {
		err = work(bounded, db)
	}
	return mapError(ctx, operation, err)
}

// exec runs one statement in a transaction of its own, and returns how many rows it changed.
func (s *Store) exec(ctx context.Context, operation, statement string, args ...any) (changed int64, err error) {
	err = s.tx(ctx, operation, func(ctx context.Context, tx transaction) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	return changed, err
}

// get reads one row into dest. If there is no such row, it returns the given error.
func (s *Store) get(ctx context.Context, operation string, dest any, missing error, query string, args ...any) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.db.GetContext(bounded, dest, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return missing
	}
	return mapError(ctx, operation, err)
}

// list reads rows into the slice at dest.
func (s *Store) list(ctx context.Context, operation string, dest any, query string, args ...any) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	prepared, err := s.hot.prepare(bounded)
	if err == nil {
		err = session{s.db, prepared}.SelectContext(bounded, dest, query, args...)
	}
	return mapError(ctx, operation, err)
}

// search reads rows into the slice at dest, on a connection for searches. Postgres itself ends a
// query that takes too long, which shows that it is available.
func (s *Store) search(ctx context.Context, operation string, dest any, query string, args ...any) error {
	bounded, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	prepared, err := s.counts.prepare(bounded)
	if err == nil {
		err = session{s.searches, prepared}.SelectContext(bounded, dest, query, args...)
	}
	return searchError(ctx, bounded, operation, err)
}

// searchError is the error of a search that Postgres may have ended for its duration.
func searchError(ctx, bounded context.Context, operation string, err error) error {
	if pq.As(err, pqerror.QueryCanceled) != nil && bounded.Err() == nil {
		return &switchboard.Error{Code: switchboard.CodeInvalid, Message: fmt.Sprintf("the search took longer than %s: narrow it by tenant, subscription or time", searchTimeout), Err: err}
	}
	return mapError(ctx, operation, err)
}

// snake is the column of a field: EventID is event_id.
func snake(field string) string {
	var b strings.Builder
	lower := false
	for _, r := range field {
		if unicode.IsUpper(r) && lower {
			b.WriteByte('_')
		}
		lower = unicode.IsLower(r)
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// withoutURL keeps a password in the URL out of an error about it. If the URL cannot be parsed,
// nothing of it is shown, because it is not known where its password begins and ends, and the cause
// quotes parts of it. Otherwise the cause is about a parameter.
func withoutURL(err error, raw string) error {
	u, unparsed := url.Parse(raw)
	if unparsed != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("database URL: cannot be parsed as postgres://user:password@host:port/database; in the password, / ? # @ : % and the like are written as %2F and so on")
	}
	return fmt.Errorf("database URL: %s", strings.ReplaceAll(err.Error(), raw, "[database URL]"))
}
