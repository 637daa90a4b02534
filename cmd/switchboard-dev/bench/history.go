package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/worker"
	"github.com/seed-49a43567/switchboard/workflows"
)

const (
	// historyDays is the number of days over which the old deliveries are spread.
	historyDays = 30
	// historyRemoved is how many of them retention removes.
	historyRemoved = 1_000_000
	// costRounds and costDeliveries are for each database, which take turns; one round takes
	// seconds.
	costRounds     = 5
	costDeliveries = 3000
	// costCallers accept, load and record at the same time, in batches of costBatch events.
	costCallers = 4
	costBatch   = 10
	// retainTimeout limits the run of retention.
	retainTimeout = 15 * time.Minute
	// emptyDatabase is the database that the full one is compared with.
	emptyDatabase = "switchboard_empty"
)

// history is the cost of many old deliveries.
type history struct {
	Deliveries int        `json:"deliveries"`
	SeedS      float64    `json:"seed_seconds"`
	Bytes      int64      `json:"bytes"` // of the full database
	Empty      []cost     `json:"empty"`
	Full       []cost     `json:"full"`
	Lists      []listTime `json:"lists"`
	RetainS    float64    `json:"retain_seconds"`
	Removed    int64      `json:"removed"` // deliveries, by retention
	Alone      spread     `json:"arrival_ms_without_retention"`
	Beside     spread     `json:"arrival_ms_beside_retention"`
}

// cost is what a round of accepting, loading and recording cost in Postgres.
type cost struct {
	CPU float64 `json:"postgres_cpu_us_per_delivery"`
	WAL float64 `json:"wal_bytes_per_delivery"`
}

// historyDatabase is one of the two databases, used directly, without `switchboard serve`.
type historyDatabase struct {
	*store.Store
	sql    *sql.DB
	tenant string
}

// retained returns how many days remain, so that retention removes historyRemoved of count
// deliveries. It is at least as long as event ids are kept, as retention requires.
func retained(count int) int {
	days := (historyRemoved*historyDays + count - 1) / count
	return max(eventIDDays, historyDays-days)
}

// openHistory makes a database as old as the seeded deliveries, with a partition for each day.
func (s *stack) openHistory(ctx context.Context, name, keyring string) (_ *historyDatabase, err error) {
	if err := s.postgres.CreateDatabase(ctx, name, ""); err != nil {
		return nil, err
	}
	keys, err := store.ParseKeyring(keyring)
	if err != nil {
		return nil, err
	}
	// When the prepared days have run out, the next partition reaches until today. They must not
	// run out here: otherwise what is measured would be stored among the rows of weeks.
	for ago := historyDays; ago > 0; ago -= store.PartitionsAhead {
		if err := s.migrateAgo(ctx, name, keys, ago); err != nil {
			return nil, err
		}
	}
	d := &historyDatabase{tenant: "history"}
	if d.Store, err = store.Open(store.Config{URL: s.postgres.URL(name), Keyring: keys}); err != nil {
		return nil, err
	}
	if err := d.Migrate(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.sql, err = sql.Open("postgres", s.postgres.URL(name))
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	sub := switchboard.Subscription{Tenant: d.tenant, Name: "history", Events: []string{"*"}, Request: switchboard.Request{URL: "http://127.0.0.1:1/"}}
	sub.SetDefaults()
	if err := d.CreateSubscription(ctx, switchboard.Caller{Role: switchboard.RoleAdmin}, &sub); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// migrateAgo migrates a database with the clock of that many days ago.
func (s *stack) migrateAgo(ctx context.Context, name string, keys *store.Keyring, days int) error {
	ago, err := store.Open(store.Config{URL: s.postgres.URL(name), Keyring: keys, Now: func() time.Time { return time.Now().AddDate(0, 0, -days) }})
	if err != nil {
		return err
	}
	return errors.Join(ago.Migrate(ctx), ago.Close())
}

// openHistories opens Switchboard's own database, and a second one that stays empty.
func (s *stack) openHistories(ctx context.Context, keyring string) error {
	for _, name := range []string{database, emptyDatabase} {
		d, err := s.openHistory(ctx, name, keyring)
		if err != nil {
			return err
		}
		s.history = append(s.history, d)
	}
	return nil
}

// bytesPerDelivery is the disk space of an old delivery, with its event and attempts, including
// what writing them needs.
const bytesPerDelivery = 5 << 10

// roomFor checks that the disk has room for the old deliveries.
func roomFor(dir string, deliveries int) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return err
	}
	if free, needed := int64(disk.Bavail)*disk.Bsize, int64(deliveries)*bytesPerDelivery; free < needed {
		return fmt.Errorf("%d deliveries need %d MB of disk, and %d MB are free (choose fewer with --history, or another folder with --data-dir)", deliveries, needed>>20, free>>20)
	}
	return nil
}

func (d *historyDatabase) close() error { return errors.Join(d.sql.Close(), d.Close()) }

// measureHistory seeds one database, compares it with an empty one, and then runs retention on it
// while deliveries are made.
func (b *bench) measureHistory(ctx context.Context) (err error) {
	h := &history{Deliveries: b.History}
	full, empty := b.stack.history[0], b.stack.history[1]
	defer func() { err = errors.Join(err, full.close(), empty.close()) }()

	// The hourly run of retention would leave nothing to measure.
	retain := b.stack.client.ScheduleClient().GetHandle(ctx, worker.RetainSchedule)
	if err := retain.Pause(ctx, client.SchedulePauseOptions{Note: "switchboard-dev bench runs it itself"}); err != nil {
		return err
	}
	b.progress("seeding %d deliveries of %d days", b.History, historyDays)
	start := time.Now()
	if err := seed(ctx, full.sql, b.History, false, b.progress); err != nil {
		return fmt.Errorf("history, seeding: %w", err)
	}
	h.SeedS = time.Since(start).Seconds()
	if err := full.sql.QueryRowContext(ctx, "SELECT pg_database_size(current_database())").Scan(&h.Bytes); err != nil {
		return err
	}
	b.progress("%.1f GB; %d rounds of %d deliveries in each of the two databases", float64(h.Bytes)/1e9, costRounds+1, costDeliveries)
	// One checkpoint, and a warm-up round after it. In production five minutes lie between two
	// checkpoints. A checkpoint before each round would charge the round with images of whole
	// pages.
	if _, err := full.sql.ExecContext(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	for i := range costRounds + 1 {
		for _, d := range []*historyDatabase{empty, full} {
			c, err := b.costOf(ctx, d)
			if err != nil {
				return fmt.Errorf("history, cost: %w", err)
			}
			switch {
			case i == 0: // warm-up
			case d == empty:
				h.Empty = append(h.Empty, c)
			default:
				h.Full = append(h.Full, c)
			}
		}
	}
	b.progress("lists, then retention beside %d deliveries/s", b.Rate)
	if h.Lists, err = b.timeLists(ctx, full); err != nil {
		return fmt.Errorf("history, lists: %w", err)
	}
	if err := b.retainBeside(ctx, full, h); err != nil {
		return fmt.Errorf("history, retention: %w", err)
	}
	b.report.History = h
	return nil
}

// costOf measures a round. It accepts events, and loads each of their deliveries and records it as
// delivered, as an attempt does.
func (b *bench) costOf(ctx context.Context, d *historyDatabase) (cost, error) {
	before, err := b.stack.used()
	if err != nil {
		return cost{}, err
	}
	wal, err := d.wal(ctx)
	if err != nil {
		return cost{}, err
	}
	group, working := errgroup.WithContext(ctx)
	for range costCallers {
		group.Go(func() error {
			for range costDeliveries / costCallers / costBatch {
				if err := d.deliver(working); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return cost{}, err
	}
	after, err := b.stack.used()
	if err != nil {
		return cost{}, err
	}
	end, err := d.wal(ctx)
	if err != nil {
		return cost{}, err
	}
	used := after.since(before)[processPostgres]
	return cost{CPU: float64(used.Microseconds()) / costDeliveries, WAL: (end - wal) / costDeliveries}, nil
}

// deliver accepts a batch of events and finishes their deliveries without a request.
func (d *historyDatabase) deliver(ctx context.Context) error {
	events := make([]switchboard.Event, costBatch)
	for i := range events {
		events[i] = switchboard.Event{Tenant: d.tenant, Type: "ticket.created", ID: switchboard.NewID("history-", time.Now()), Data: seedData()}
	}
	accepted, err := d.Accept(ctx, switchboard.Caller{Role: switchboard.RoleAdmin}, events)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, a := range accepted {
		for _, delivery := range a.Deliveries {
			group.Go(func() error {
				loaded, err := d.LoadForAttempt(ctx, delivery.ID)
				if err != nil {
					return err
				}
				now := time.Now()
				attempt := switchboard.Attempt{
					ID: switchboard.NewID(switchboard.AttemptPrefix, now), DeliveryID: delivery.ID, Number: 1, At: now, Timeout: time.Duration(loaded.Subscription.Timeout),
					Request: switchboard.SentRequest{Method: "POST", URL: loaded.Subscription.Request.URL, Headers: map[string]string{"Content-Type": "application/json"}, Bytes: eventSize},
					Outcome: switchboard.Outcome{StatusCode: 200, Requests: 1, Latency: 20 * time.Millisecond, Response: switchboard.Response{Body: []byte("ok")}},
				}
				_, err = d.Record(ctx, switchboard.Record{
					Attempt: attempt, Decision: switchboard.Decision{State: switchboard.StateDelivered}, Generation: 1, TemporalRunID: switchboard.NewID("history-", time.Now()),
				})
				return err
			})
		}
	}
	return group.Wait()
}

// wal returns how many bytes of WAL the server has written so far.
func (d *historyDatabase) wal(ctx context.Context) (bytes float64, err error) {
	err = d.sql.QueryRowContext(ctx, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')").Scan(&bytes)
	return bytes, err
}

// retainBeside runs retention while events are posted at a steady pace, after a time with only the
// pace.
func (b *bench) retainBeside(ctx context.Context, full *historyDatabase, h *history) error {
	if _, err := b.paced(ctx, 2*b.Rate); err != nil {
		return err
	}
	alone, err := b.paced(ctx, b.RateSeconds*b.Rate)
	if err != nil {
		return err
	}
	before, err := full.count(ctx)
	if err != nil {
		return err
	}
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error {
		start := time.Now()
		run, err := b.stack.client.ExecuteWorkflow(working, client.StartWorkflowOptions{ID: "bench-retain", TaskQueue: workflows.TaskQueue, WorkflowExecutionTimeout: retainTimeout}, "Retain")
		if err == nil {
			err = run.Get(working, nil)
		}
		h.RetainS = time.Since(start).Seconds()
		return err
	})
	var beside latency
	group.Go(func() (err error) {
		beside, err = b.paced(working, b.RateSeconds*b.Rate)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	after, err := full.count(ctx)
	if err != nil {
		return err
	}
	h.Removed, h.Alone, h.Beside = before-after, alone.Arrival, beside.Arrival
	return nil
}

// count returns how many seeded deliveries are stored.
func (d *historyDatabase) count(ctx context.Context) (n int64, err error) {
	err = d.sql.QueryRowContext(ctx, "SELECT count(*) FROM deliveries WHERE tenant LIKE 'seed-%'").Scan(&n)
	return n, err
}

// The limits from the issue: what old deliveries may add.
const (
	targetHistoryCost = 1.1 // times the cost on an empty database
	targetRetainS     = 60.0
	targetBesideP99   = 1.2 // times the p99 without retention
)

func (h *history) lines() []line {
	of := func(costs []cost, value func(cost) float64) float64 {
		var values []float64
		for _, c := range costs {
			values = append(values, value(c))
		}
		return median(values)
	}
	cpu, wal := func(c cost) float64 { return c.CPU }, func(c cost) float64 { return c.WAL }
	lines := []line{
		info(fmt.Sprintf("old deliveries seeded in %.0f s", h.SeedS), "%d, %.1f GB", h.Deliveries, float64(h.Bytes)/1e9),
		info("CPU µs of Postgres per delivery, empty", "%.0f", of(h.Empty, cpu)),
		info("  full", "%.0f", of(h.Full, cpu)),
		atMost("  full against empty", of(h.Full, cpu)/of(h.Empty, cpu), targetHistoryCost, "%.2f"),
		info("WAL bytes per delivery, empty", "%.0f", of(h.Empty, wal)),
		info("  full", "%.0f", of(h.Full, wal)),
	}
	for _, l := range h.Lists {
		lines = append(lines, atMost("p95 ms of "+l.Name, l.P95, l.Bound, "%.0f"))
	}
	other := h.Deliveries < 2*historyRemoved
	return append(lines,
		atMost(fmt.Sprintf("retention of %d deliveries, s", h.Removed), h.RetainS, targetRetainS, "%.1f").unless(other),
		info("POST to receiver without it, ms, p99", "%.1f", h.Alone.P99),
		info("  beside it", "%.1f", h.Beside.P99),
		atMost("  beside it against without", h.Beside.P99/max(h.Alone.P99, 0.1), targetBesideP99, "%.2f").unless(other))
}
