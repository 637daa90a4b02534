package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/seed-49a43567/switchboard"
)

const (
	// verifyTimeout bounds each query of a verification.
	verifyTimeout = 30 * time.Second
	// maxSamples is how many violations of one check in one partition are listed.
	maxSamples = 20
	// verifyGrace is how long after its date a row may still exist: retention runs every hour, and
	// checks survivors once a day.
	verifyGrace = 2 * 24 * time.Hour
	// heardGrace is how long after the end or the parking of a delivery its workflow may still run,
	// because Temporal has not heard of it: it was unavailable, or its answer was lost. It
	// considers the attempt lost 45 s after it began, and has it made again after the wait of the
	// policy. That attempt finds the row and sends nothing, and the workflow ends.
	heardGrace = 2 * time.Minute
	// windowMargin is how much of the end of the idempotency window is not checked: rows may be
	// deleted there, or an id may come again, during the check.
	windowMargin = time.Hour / 2
	// maxLooks is how often the partitions are listed, because some may have replaced others.
	maxLooks = 5
	// minDaysAhead is for how many days there are partitions if retention runs.
	minDaysAhead = 3
)

// Verification is a read-only check of the whole database, query by query on one connection.
type Verification struct {
	s      *Store
	db     *sqlx.DB
	conn   *sqlx.Conn
	r      switchboard.Retention
	window time.Duration
	Report switchboard.VerifyReport
}

// Verify begins a verification with those settings. The caller must close it.
func (s *Store) Verify(ctx context.Context, r switchboard.Retention, idempotencyWindow time.Duration) (*Verification, error) {
	v := &Verification{s: s, r: r, window: idempotencyWindow, db: sqlx.NewDb(sql.OpenDB(s.unbounded), "postgres")}
	v.db.Mapper = s.db.Mapper
	v.Report.Violations, v.Report.Unchecked = []switchboard.Violation{}, []switchboard.Violation{}
	var err error
	if v.conn, err = v.db.Connx(ctx); err == nil {
		err = execAll(ctx, v.conn, "SET default_transaction_read_only = on", fmt.Sprintf("SET statement_timeout = %d", verifyTimeout.Milliseconds()))
	}
	if err != nil {
		return nil, mapError(ctx, "verify", errors.Join(err, v.db.Close()))
	}
	return v, nil
}

// Close ends the verification.
func (v *Verification) Close() error { return v.db.Close() }

// Database checks the promises that the database alone can break.
func (v *Verification) Database(ctx context.Context) error {
	if err := v.everyPartition(ctx); err != nil {
		return err
	}
	for _, c := range append(globalChecks(v.s.now()), flowChecks(v.s.now())...) {
		if err := v.run(ctx, "", c); err != nil {
			return mapError(ctx, "verify", err)
		}
	}
	if err := v.daysAhead(ctx); err != nil {
		return err
	}
	return v.ciphertexts(ctx)
}

// everyPartition checks each partition, and those that have replaced others since.
func (v *Verification) everyPartition(ctx context.Context) error {
	checked := map[switchboard.Partition]bool{}
	for look := 1; ; look++ {
		partitions, err := v.s.Partitions(ctx)
		if err != nil {
			return err
		}
		partitions = slices.DeleteFunc(partitions, func(p switchboard.Partition) bool { return checked[p] })
		if len(partitions) == 0 {
			return nil
		}
		for _, p := range partitions {
			if look > maxLooks {
				v.uncheck("partition", p.Suffix, "it was replaced again and again meanwhile: verify again")
			} else if checked[p], err = v.partition(ctx, p); err != nil {
				return mapError(ctx, "verify", err)
			}
		}
		if look > maxLooks {
			return nil
		}
	}
}

// partition makes the checks of a partition. If the partition was replaced or changed its stage in
// the meantime, it reports false and its findings do not count: the partition must be checked
// again.
func (v *Verification) partition(ctx context.Context, p switchboard.Partition) (checked bool, err error) {
	before := v.Report
	for _, c := range v.partitionChecks(p) {
		err := v.run(ctx, p.Suffix, c)
		if pq.As(err, pqerror.UndefinedTable) != nil {
			v.Report = before
			return false, nil //nolint:nilerr // the partition was replaced: see above
		}
		if err != nil {
			return false, err
		}
	}
	if err := v.conn.GetContext(ctx, &checked, "SELECT EXISTS (SELECT FROM partitions WHERE suffix = $1 AND stage = $2 AND at = $3)", p.Suffix, string(p.Stage), p.At); err != nil {
		return false, err
	}
	if !checked {
		v.Report = before
	}
	return checked, nil
}

// run makes one check: its query returns violations of a promise, as subject and detail.
func (v *Verification) run(ctx context.Context, partition string, c check) error {
	var found []struct{ Subject, Detail string }
	query := strings.ReplaceAll(c.query, "{p}", partition)
	err := v.conn.SelectContext(ctx, &found, fmt.Sprintf("SELECT subject::text, detail::text FROM (%s) AS found (subject, detail) LIMIT %d", query, maxSamples+1), c.args...)
	if err != nil {
		if ctx.Err() == nil && pq.As(err, pqerror.QueryCanceled) != nil {
			v.uncheck(c.name, partition, "it took longer than "+verifyTimeout.String())
			return nil //nolint:nilerr // the report says that the check was not made
		}
		return fmt.Errorf("%s: %w", c.name, err)
	}
	v.Report.Checks++
	for i, f := range found {
		if i == maxSamples {
			f.Subject, f.Detail = "", "and more"
		}
		v.Violate(switchboard.Violation{Check: c.name, Partition: partition, Subject: f.Subject, Detail: f.Detail})
	}
	return nil
}

// Violate adds a violation to the report.
func (v *Verification) Violate(found switchboard.Violation) {
	v.Report.Violations = append(v.Report.Violations, found)
}

func (v *Verification) uncheck(name, partition, why string) {
	v.Report.Unchecked = append(v.Report.Unchecked, switchboard.Violation{Check: name, Partition: partition, Detail: why})
}

// daysAhead checks that there are partitions for the days ahead.
func (v *Verification) daysAhead(ctx context.Context) error {
	status, err := v.s.RetentionStatus(ctx)
	if err != nil {
		return err
	}
	v.Report.Checks++
	if status.DaysAhead < minDaysAhead {
		v.Violate(switchboard.Violation{Check: "partitions_ahead", Detail: fmt.Sprintf("partitions end in %.1f days: the workflow Retain does not run", status.DaysAhead)})
	}
	if status.TailRows > 0 {
		v.Violate(switchboard.Violation{Check: "partitions_ahead", Partition: tailSuffix, Detail: "deliveries are in the partition after the last day"})
	}
	return nil
}

// ciphertexts checks that all encrypted data in use can be decrypted.
func (v *Verification) ciphertexts(ctx context.Context) error {
	request := switchboard.PageRequest{Limit: switchboard.MaxPage}
	everybody := switchboard.Caller{Role: switchboard.RoleAdmin}
	for {
		page, err := v.s.Subscriptions(ctx, everybody, switchboard.SubscriptionFilter{}, request)
		if err != nil {
			return err
		}
		for _, sub := range page.Items {
			if len(sub.Unreadable) > 0 {
				v.Violate(switchboard.Violation{Check: "undecryptable", Subject: sub.ID, Detail: strings.Join(sub.Unreadable, ", ")})
			}
		}
		if request.Cursor = page.NextCursor; request.Cursor == "" {
			break
		}
	}
	var secrets []struct {
		ID, SubscriptionID, KeyID string
		Ciphertext                []byte
	}
	if err := v.conn.SelectContext(ctx, &secrets, `
SELECT k.id, k.subscription_id, k.key_id, k.ciphertext FROM subscription_secrets k JOIN subscriptions s ON s.id = k.subscription_id
WHERE s.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $1)`, v.s.now()); err != nil {
		return mapError(ctx, "verify", err)
	}
	for _, k := range secrets {
		if _, err := v.s.keys.open(k.KeyID, k.Ciphertext, secretData(k.SubscriptionID, k.ID)); err != nil {
			v.Violate(switchboard.Violation{Check: "undecryptable", Subject: k.SubscriptionID, Detail: "a signing secret of encryption key " + k.KeyID})
		}
	}
	v.Report.Checks += 2
	return nil
}

// OpenDelivery is what a verification needs to know of an open delivery.
type OpenDelivery struct {
	HasNextAttempt bool // it has a date, and therefore a workflow
	Undispatched   bool // it must still be dispatched
	JustEnded      bool // it ended or was parked so recently that Temporal may not know yet
}

// Open returns the open deliveries, by id. It reads the whole table at once, because partitions may
// be replaced between two reads.
func (v *Verification) Open(ctx context.Context) (map[string]OpenDelivery, error) {
	var rows []struct {
		ID                           string
		HasNextAttempt, Undispatched bool
	}
	if err := v.conn.SelectContext(ctx, &rows, `
SELECT id, next_attempt_at IS NOT NULL AS has_next_attempt, dispatch_at IS NOT NULL AS undispatched FROM deliveries WHERE completed_at IS NULL`); err != nil {
		return nil, mapError(ctx, "verify", err)
	}
	open := make(map[string]OpenDelivery, len(rows))
	for _, r := range rows {
		open[r.ID] = OpenDelivery{HasNextAttempt: r.HasNextAttempt, Undispatched: r.Undispatched}
	}
	return open, nil
}

// Read returns the delivery as it is now, and false if it is final or gone. Undispatched is also
// set for a cancelled delivery.
func (v *Verification) Read(ctx context.Context, id string) (d OpenDelivery, open bool, err error) {
	var rows []struct{ HasNextAttempt, Undispatched, JustEnded, Open bool }
	err = v.conn.SelectContext(ctx, &rows, `
SELECT next_attempt_at IS NOT NULL AS has_next_attempt, dispatch_at IS NOT NULL AS undispatched,
	coalesce(coalesce(completed_at, parked_at) > $2, false) AS just_ended, completed_at IS NULL AS open
FROM deliveries WHERE id = $1`, id, v.s.now().Add(-heardGrace))
	if err != nil || len(rows) == 0 {
		return d, false, mapError(ctx, "verify", err)
	}
	return OpenDelivery{rows[0].HasNextAttempt, rows[0].Undispatched, rows[0].JustEnded}, rows[0].Open, nil
}
