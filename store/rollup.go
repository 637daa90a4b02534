package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/seed-49a43567/switchboard"
)

// The rollups count attempts, so that a chart reads thousands of rows instead of millions. Attempts
// are read by the time of their delivery's id, which needs no index of its own. Late attempts, such
// as retries, are in the small index attempts_late. A pass counts the last minutes again, so it may
// be repeated. It adds whole slices of time to the hour of each subscription; later attempts are in
// traffic_recent. Attempts that were recorded after their slice was added are counted when the hour
// is over: the whole hour is then counted once more.

const (
	// rollupSlice is how much time is added at once to the counts by subscription. A shorter slice
	// writes each of their rows more often; with a longer one each pass counts more in
	// traffic_recent.
	rollupSlice = time.Minute
	// rollupSettles is how long after its time an attempt is normally recorded: it takes
	// [switchboard.MaxTimeout] at most, and begins before that.
	rollupSettles = time.Minute
	// hourSettles is how long after its end an hour is counted for the last time. By then the
	// outcomes that workers kept in memory during an outage of Postgres are recorded too.
	hourSettles = 10 * time.Minute
	// recentAtOnce is how much recent time one transaction counts, after the workflow has not run
	// for a while. The transaction has ioTimeout: 170,000 attempts by subscription take 2.7 s
	// (docs/performance.md).
	recentAtOnce = 5 * time.Minute
	// hoursAtOnce bounds a pass after the workflow has not run for long.
	hoursAtOnce = 24
)

// isLate reports whether an attempt is too late to be found by the time of its delivery's id.
func isLate(a switchboard.Attempt) bool {
	made, ok := switchboard.IDTime(switchboard.DeliveryPrefix, a.DeliveryID)
	return !ok || a.At.Sub(made).Abs() >= switchboard.LateAfter
}

// latencyColumns are the counts of latencies in the rollups.
func latencyColumns() []string {
	var columns []string
	for _, bound := range switchboard.LatencyBounds() {
		columns = append(columns, fmt.Sprint("ms_", bound))
	}
	return append(columns, "ms_more")
}

// latencyCounts counts the attempts of a group for each of latencyColumns.
func latencyCounts() string {
	var counts []string
	above := "true"
	for _, bound := range switchboard.LatencyBounds() {
		counts = append(counts, fmt.Sprintf("count(*) FILTER (WHERE %s AND latency_us <= %d000)", above, bound))
		above = fmt.Sprintf("latency_us > %d000", bound)
	}
	return strings.Join(append(counts, "count(*) FILTER (WHERE "+above+")"), ", ")
}

// countedAttempts are the attempts from $3 to $4; $1 and $2 are the bounds of the ids of deliveries
// whose attempts are not late. COLLATE "C" makes sorting them into groups cheaper.
const countedAttempts = `
SELECT delivery_id, at, failure COLLATE "C" AS failure, status_code, latency_us FROM attempts WHERE NOT late AND delivery_id >= $1 AND delivery_id < $2 AND at >= $3 AND at < $4
UNION ALL SELECT delivery_id, at, failure COLLATE "C", status_code, latency_us FROM attempts WHERE late AND at >= $3 AND at < $4`

// ofDelivery looks up the delivery of each attempt a. OFFSET 0 prevents any other plan: while there
// are few deliveries, Postgres would compare each attempt with each of them.
const ofDelivery = "CROSS JOIN LATERAL (SELECT tenant, subscription_id, host COLLATE \"C\" AS host FROM deliveries WHERE id = a.delivery_id OFFSET 0) d"

// upsert stores rows that are counted again, or adds them to existing ones; it does not write
// unchanged rows.
func upsert(table, key, query string, add bool) string {
	columns := append([]string{"attempts"}, latencyColumns()...)
	var set, old, excluded []string
	for _, c := range columns {
		value := "excluded." + c
		if add {
			value = "t." + c + " + " + value
		}
		set, old, excluded = append(set, c+" = "+value), append(old, "t."+c), append(excluded, "excluded."+c)
	}
	statement := "INSERT INTO " + table + " AS t (" + key + ", " + strings.Join(columns, ", ") + ")\n" + query +
		"\nON CONFLICT (" + strings.Replace(key, "tenant, ", "", 1) + ") DO UPDATE SET " + strings.Join(set, ", ")
	if add {
		return statement
	}
	return statement + " WHERE (" + strings.Join(old, ", ") + ") IS DISTINCT FROM (" + strings.Join(excluded, ", ") + ")"
}

const (
	trafficKey      = "at, failure, status_code"
	subscriptionKey = "at, tenant, subscription_id, host, failure, status_code"
)

// minutesQuery counts attempts by the minute.
func minutesQuery() string {
	return upsert("traffic_minute", trafficKey, "SELECT date_trunc('minute', at), failure, status_code, count(*), "+latencyCounts()+
		"\nFROM ("+countedAttempts+") a GROUP BY 1, 2, 3", false)
}

// hoursQuery adds up the minutes from $1 to $2, which are whole hours.
func hoursQuery() string {
	sums := "sum(attempts)"
	for _, c := range latencyColumns() {
		sums += ", sum(" + c + ")"
	}
	return upsert("traffic_hour", trafficKey, "SELECT date_trunc('hour', at), failure, status_code, "+sums+
		"\nFROM traffic_minute WHERE at >= $1 AND at < $2 GROUP BY 1, 2, 3", false)
}

// bySubscriptionQuery counts attempts by subscription and hour.
func bySubscriptionQuery(table string, add bool) string {
	return upsert(table, subscriptionKey, "SELECT date_trunc('hour', at), tenant, subscription_id, host, failure, status_code, count(*), "+latencyCounts()+
		"\nFROM ("+countedAttempts+") a "+ofDelivery+" GROUP BY 1, 2, 3, 4, 5, 6", add)
}

// subscriptionTraffic is everything that is counted by subscription, as the table t.
func subscriptionTraffic() string {
	columns := subscriptionKey + ", attempts, " + strings.Join(latencyColumns(), ", ")
	return "(SELECT " + columns + " FROM traffic_subscription UNION ALL SELECT " + columns + " FROM traffic_recent) AS t"
}

// rollupQueries are the queries of a normal pass.
func rollupQueries() []string {
	return []string{minutesQuery(), hoursQuery(), bySubscriptionQuery("traffic_subscription", true), bySubscriptionQuery("traffic_recent", false)}
}

// rollupRow is how far attempts are counted.
type rollupRow struct {
	MinutesTo, SubscriptionsTo, HoursTo time.Time
}

const lockRollup = "SELECT minutes_to, subscriptions_to, hours_to FROM rollup FOR UPDATE"

// RollUp counts attempts since the last pass, and those that may have been incomplete then.
func (s *Store) RollUp(ctx context.Context) (switchboard.RollupResult, error) {
	result := switchboard.RollupResult{To: s.now()}
	err := s.countRecent(ctx, &result)
	for hours := 0; err == nil && result.MoreDue && hours < hoursAtOnce; hours++ {
		err = s.finishHour(ctx, result.To, &result)
	}
	return result, err
}

// countRecent counts up to result.To, in transactions of recentAtOnce each. After an outage, counts
// stay even if a later transaction fails.
func (s *Store) countRecent(ctx context.Context, result *switchboard.RollupResult) error {
	for counted := (time.Time{}); counted.Before(result.To); {
		err := s.tx(ctx, "count attempts", func(ctx context.Context, tx transaction) (err error) {
			counted, err = countNext(ctx, tx, result)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// countNext counts the next part of the recent time, and returns up to when it has counted.
func countNext(ctx context.Context, tx transaction, result *switchboard.RollupResult) (time.Time, error) {
	now, hour := result.To, result.To.Truncate(time.Hour)
	if _, err := tx.ExecContext(ctx, "INSERT INTO rollup (minutes_to, subscriptions_to, hours_to) VALUES ($1, $1, $1) ON CONFLICT DO NOTHING", hour); err != nil {
		return now, err
	}
	var row rollupRow
	if err := tx.GetContext(ctx, &row, lockRollup); err != nil {
		return now, err
	}
	result.MoreDue = !row.HoursTo.Add(time.Hour + hourSettles).After(now)
	// finishHour counts earlier hours as a whole.
	begin := latest(row.HoursTo, hour.Add(-time.Hour))
	to := latest(row.MinutesTo, begin).Add(recentAtOnce)
	if to.After(now) {
		to = now
	}
	// An attempt of the minute before may have been running.
	from := latest(row.MinutesTo.Add(-rollupSettles), begin).UTC().Truncate(time.Minute)
	if result.From.IsZero() {
		result.From = from
	}
	if err := countMinutes(ctx, tx, from, to); err != nil {
		return now, err
	}
	row.MinutesTo = latest(row.MinutesTo, to)
	if err := countSubscriptions(ctx, tx, &row, latest(row.SubscriptionsTo, begin), to); err != nil {
		return now, err
	}
	_, err := tx.ExecContext(ctx, "UPDATE rollup SET minutes_to = $1, subscriptions_to = $2", row.MinutesTo, row.SubscriptionsTo)
	return to, err
}

// countMinutes counts the minutes from one time to another, and the hours that these are of.
func countMinutes(ctx context.Context, tx querier, from, to time.Time) error {
	if !from.Before(to) {
		return nil
	}
	if _, err := tx.ExecContext(ctx, minutesQuery(), countedIDs(from, to)...); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, hoursQuery(), from.Truncate(time.Hour), to.Add(time.Hour-1).Truncate(time.Hour))
	return err
}

// countedIDs returns the arguments of countedAttempts.
func countedIDs(from, to time.Time) []any {
	const exact = 8 * time.Millisecond // of an idBound
	return []any{idBound(from.Add(-switchboard.LateAfter)), idBound(to.Add(switchboard.LateAfter + exact)), from, to}
}

// countSubscriptions adds the past slices from one time to another to the counts by subscription,
// and counts the rest again.
func countSubscriptions(ctx context.Context, tx querier, row *rollupRow, from, to time.Time) error {
	if over := to.Add(-rollupSettles).Truncate(rollupSlice); from.Before(over) {
		if _, err := tx.ExecContext(ctx, bySubscriptionQuery("traffic_subscription", true), countedIDs(from, over)...); err != nil {
			return err
		}
		from, row.SubscriptionsTo = over, over
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM traffic_recent"); err != nil || !from.Before(to) {
		return err
	}
	_, err := tx.ExecContext(ctx, bySubscriptionQuery("traffic_recent", false), countedIDs(from, to)...)
	return err
}

// finishHour counts the first hour that is not counted for the last time yet, and deletes rows
// whose time is over. An hour with many attempts takes seconds, so its connection has no ioTimeout.
func (s *Store) finishHour(ctx context.Context, now time.Time, result *switchboard.RollupResult) error {
	db := sqlx.NewDb(sql.OpenDB(s.unbounded), "postgres")
	defer db.Close()
	db.Mapper = s.db.Mapper
	err := func() error {
		tx, err := db.BeginTxx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
		if _, err := tx.ExecContext(ctx, "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_seqscan = off"); err != nil {
			return err
		}
		var row rollupRow
		if err := tx.GetContext(ctx, &row, lockRollup); err != nil {
			return err
		}
		from := row.HoursTo.UTC()
		to := from.Add(time.Hour)
		if to.Add(hourSettles).After(now) { // another process has done it
			result.MoreDue = false
			return nil
		}
		if err := countHour(ctx, tx, from, to); err != nil {
			return err
		}
		forgot, err := forgetTraffic(ctx, tx, now)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE rollup SET hours_to = $1, minutes_to = greatest(minutes_to, $1), subscriptions_to = greatest(subscriptions_to, $1)", to); err != nil {
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
		result.Hours, result.Forgot = result.Hours+1, result.Forgot+forgot
		result.MoreDue = !to.Add(time.Hour + hourSettles).After(now)
		return nil
	}()
	return mapError(ctx, "count the attempts of an hour", err)
}

func countHour(ctx context.Context, tx *sqlx.Tx, from, to time.Time) error {
	if err := countMinutes(ctx, tx, from, to); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, bySubscriptionQuery("traffic_subscription", false), countedIDs(from, to)...)
	return err
}

// forgetTraffic deletes counts after their retention, and returns how many.
func forgetTraffic(ctx context.Context, tx *sqlx.Tx, now time.Time) (forgot int64, err error) {
	for table, kept := range map[string]time.Duration{
		"traffic_minute": switchboard.MinuteTrafficKept, "traffic_hour": switchboard.HourTrafficKept, "traffic_subscription": switchboard.SubscriptionTrafficKept,
	} {
		n, err := affected(tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE at < $1", now.Add(-kept).Truncate(time.Hour)))
		if err != nil {
			return forgot, err
		}
		forgot += n
	}
	return forgot, nil
}
