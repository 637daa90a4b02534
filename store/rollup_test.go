package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// attempted records an attempt that began that long ago, with that latency.
func (b *bundle) attempted(d switchboard.Delivery, status int, ago, latency time.Duration) switchboard.Delivery {
	b.t.Helper()
	a := b.attempt(d, d.AttemptsMade+1, status)
	a.At, a.Outcome.Latency = b.clock().Add(-ago), latency
	policy := switchboard.Subscription{}
	policy.SetDefaults()
	after, err := b.Record(b.t.Context(), switchboard.Record{
		Attempt: a, Decision: switchboard.Next(policy.Retry, policy.LimitsUnder(0), d.ID, 1, a.Outcome), TemporalRunID: "run_of_" + d.ID, Generation: d.Generation,
	})
	must(b.t, err)
	return after
}

// rollUp makes a pass.
func (b *bundle) rollUp() switchboard.RollupResult {
	b.t.Helper()
	result, err := b.RollUp(b.t.Context())
	must(b.t, err)
	return result
}

// counted returns the rows of a rollup from one time to another, and the expected rows: the same
// count of the attempts themselves. Those by subscription are in two tables.
func (b *bundle) counted(table string, from, to time.Time) (got, want []string) {
	b.t.Helper()
	var latencies []string
	lower := 0
	for _, bound := range switchboard.LatencyBounds() {
		latencies = append(latencies, fmt.Sprintf("count(*) FILTER (WHERE latency_us > %d AND latency_us <= %d)", lower*1000, bound*1000))
		lower = bound
	}
	latencies = append(latencies, fmt.Sprintf("count(*) FILTER (WHERE latency_us > %d)", lower*1000))
	unit, names, rows := strings.TrimPrefix(table, "traffic_"), "failure, status_code", table
	if unit == "subscription" {
		unit, names, rows = "hour", "tenant, subscription_id, host, failure, status_code", "(TABLE traffic_subscription UNION ALL TABLE traffic_recent) AS counts"
	}
	columns := "sum(ms_10), sum(ms_25), sum(ms_50), sum(ms_100), sum(ms_250), sum(ms_500), sum(ms_1000), sum(ms_2500), sum(ms_5000), sum(ms_10000), sum(ms_30000), sum(ms_more)"
	must(b.t, b.sql.Select(&got, "SELECT concat_ws(' ', at, "+names+", sum(attempts), "+columns+") FROM "+rows+" WHERE at >= $1 AND at < $2 GROUP BY at, "+names+" ORDER BY 1", from, to))
	must(b.t, b.sql.Select(&want, "SELECT concat_ws(' ', date_trunc('"+unit+"', a.at), "+names+", count(*), "+strings.Join(latencies, ", ")+`)
FROM attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE a.at >= $1 AND a.at < $2 GROUP BY date_trunc('`+unit+"', a.at), "+names+" ORDER BY 1", from, to))
	return got, want
}

func (b *bundle) checkRollups(what string, from, to time.Time, tables ...string) {
	b.t.Helper()
	for _, table := range tables {
		got, want := b.counted(table, from, to)
		if len(want) == 0 {
			b.t.Fatalf("%s: nothing was attempted", what)
		}
		equal(b.t, what+": "+table, got, want)
	}
}

// TestRollupsEqualTheAttempts counts attempts of new and old deliveries, some of them recorded
// late, over a change of the hour and of the day, by two processes, with passes that fail.
func TestRollupsEqualTheAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	random := rand.New(rand.NewPCG(14, 3))
	begin := time.Date(2026, 7, 2, 21, 0, 0, 0, time.UTC)
	var open []switchboard.Delivery
	for _, tenant := range []string{"acme", "acme", "globex"} {
		b.subscribe(tenant, "*")
	}
	accept := func(n int) {
		for range n {
			open = append(open, b.accept(event([]string{"acme", "globex"}[random.IntN(2)], "")).Deliveries...)
		}
	}
	accept(6) // those of the day before
	b.advance(begin.Sub(b.clock()))
	b.rollUp()
	another := b.open(ring)
	statuses, latencies := []int{200, 503, 503, 0, 410, 429}, []time.Duration{time.Millisecond, 10 * time.Millisecond, 80 * time.Millisecond, 3 * time.Second, 40 * time.Second}
	for b.clock().Before(begin.Add(4*time.Hour + 15*time.Minute)) {
		accept(random.IntN(3))
		for range min(random.IntN(8), len(open)) {
			i := random.IntN(len(open))
			ago := []time.Duration{0, 30 * time.Second, 8 * time.Minute}[random.IntN(3)]
			if d := b.attempted(open[i], statuses[random.IntN(len(statuses))], ago, latencies[random.IntN(len(latencies))]); d.State.Final() {
				open = append(open[:i], open[i+1:]...)
			} else {
				open[i] = d
			}
		}
		b.advance([]time.Duration{15 * time.Second, time.Minute, 5 * time.Minute, 11 * time.Minute}[random.IntN(4)])
		switch random.IntN(6) {
		case 0: // nobody counts for a while
		case 1:
			_, err := another.RollUp(t.Context())
			must(t, err)
		case 2: // the pass is interrupted
			must(t, second(b.sql.Exec("ALTER TABLE traffic_subscription RENAME TO elsewhere")))
			_, _ = b.RollUp(t.Context())
			must(t, second(b.sql.Exec("ALTER TABLE elsewhere RENAME TO traffic_subscription")))
			fallthrough
		default:
			b.rollUp()
		}
	}
	for b.rollUp().MoreDue {
		t.Log("another pass")
	}
	b.checkRollups("four hours", begin, begin.Add(4*time.Hour), "traffic_minute", "traffic_hour", "traffic_subscription")
	var late, inOld int
	must(t, b.sql.Get(&late, "SELECT count(*) FROM attempts WHERE late"))
	must(t, b.sql.Get(&inOld, "SELECT count(*) FROM attempts_p20260701"))
	if late < 20 || inOld < 6 {
		t.Errorf("only %d late attempts, %d in yesterday's partition", late, inOld)
	}
}

// TestRollUpFollows: the next pass counts the latest attempts.
func TestRollUpFollows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rollUp()
	hour := begin().Truncate(time.Hour)
	retried := b.delivery("acme")
	b.advance(time.Hour) // no pass for an hour
	for _, step := range []struct {
		advance time.Duration
		ago     time.Duration // of the attempts that are recorded
	}{
		{0, 0},
		{15 * time.Second, 10 * time.Second},
		{45 * time.Second, 50 * time.Second},
		{5 * time.Minute, 0},
		{6 * time.Minute, 0},
		{40 * time.Minute, 30 * time.Second},
		{5 * time.Minute, 59 * time.Second},
		{3 * time.Minute, 30 * time.Second}, // an attempt of the hour before
	} {
		b.advance(step.advance)
		b.attempted(b.delivery("acme"), 200, step.ago, 20*time.Millisecond)
		retried = b.attempted(retried, 503, step.ago, 20*time.Millisecond)
		b.advance(time.Millisecond)
		b.rollUp()
		b.checkRollups(b.clock().Format(time.TimeOnly), hour, b.clock(), "traffic_minute", "traffic_hour", "traffic_subscription")
	}
	b.advance(2 * time.Minute)
	b.rollUp()
	b.checkRollups("of slices that are over", hour, b.clock(), "traffic_subscription")
	var recent int
	if must(t, b.sql.Get(&recent, "SELECT count(*) FROM traffic_recent")); recent > 0 {
		t.Errorf("%d counts of slices that are over are recent", recent)
	}
	b.attempted(b.delivery("acme"), 200, 0, time.Second)
	b.advance(time.Second)
	b.rollUp()
	before := b.dump()
	b.rollUp()
	b.rollUp()
	after := b.dump()
	delete(before, "rollup")
	delete(after, "rollup")
	equal(t, "after passes that find nothing new", after, before)
}

// TestRollUpCatchesUp: hours without a pass are counted, a number at a time.
func TestRollUpCatchesUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	from := begin().Truncate(time.Hour)
	b.rollUp()
	d := b.delivery("acme")
	for range 30 {
		d = b.attempted(d, 503, 0, time.Second)
		b.advance(time.Hour)
	}
	equal(t, "more than a pass does", b.rollUp().MoreDue, true)
	equal(t, "the next pass", b.rollUp().MoreDue, false)
	b.advance(time.Hour)
	b.rollUp()
	b.checkRollups("30 hours", from, from.Add(30*time.Hour), "traffic_minute", "traffic_hour", "traffic_subscription")
}

// TestRollUpKeepsItsProgress: after an outage of an hour a pass that fails in the middle keeps what it has counted.
func TestRollUpKeepsItsProgress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	from := begin().Truncate(time.Hour)
	b.rollUp()
	b.advance(from.Add(time.Hour + time.Second).Sub(b.clock()))
	d := b.delivery("acme")
	for range 10 {
		d = b.attempted(d, 503, 0, time.Second)
		b.advance(5 * time.Minute)
	}
	refused := from.Add(time.Hour + 30*time.Minute)
	must(t, second(b.sql.Exec("ALTER TABLE traffic_minute ADD CONSTRAINT refused CHECK (at <> "+pq.QuoteLiteral(refused.Format(time.RFC3339))+")")))
	if _, err := b.RollUp(t.Context()); err == nil {
		t.Fatal("the pass has not failed")
	}
	b.checkRollups("before the failure", from, refused.Add(-5*time.Minute), "traffic_minute")
	must(t, second(b.sql.Exec("ALTER TABLE traffic_minute DROP CONSTRAINT refused")))
	b.rollUp()
	b.checkRollups("all", from, b.clock(), "traffic_minute", "traffic_hour", "traffic_subscription")
}

// TestRollupsAreForgotten: they are deleted when their time is over, and not before.
func TestRollupsAreForgotten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rollUp()
	b.attempted(b.delivery("acme"), 200, 0, time.Second)
	for _, step := range []struct {
		after                          time.Duration
		minutes, hours, bySubscription int
	}{
		{2 * time.Hour, 1, 1, 1},
		{switchboard.MinuteTrafficKept - time.Hour, 1, 1, 1},
		{switchboard.MinuteTrafficKept + 2*time.Hour, 0, 1, 1},
		{switchboard.SubscriptionTrafficKept - time.Hour, 0, 1, 1},
		{switchboard.SubscriptionTrafficKept + 2*time.Hour, 0, 1, 0},
		{switchboard.HourTrafficKept + 2*time.Hour, 0, 0, 0},
	} {
		b.advance(begin().Add(step.after).Sub(b.clock()))
		// As if the workflow had run all the time.
		must(t, second(b.sql.Exec("UPDATE rollup SET hours_to = greatest(hours_to, $1)", b.clock().Truncate(time.Hour).Add(-2*time.Hour))))
		if step.minutes == 1 {
			must(t, second(b.sql.Exec("UPDATE rollup SET hours_to = $1", begin().Truncate(time.Hour))))
		}
		for b.rollUp().MoreDue {
			t.Log("another pass")
		}
		for table, want := range map[string]int{"traffic_recent": 0, "traffic_minute": step.minutes, "traffic_hour": step.hours, "traffic_subscription": step.bySubscription} {
			var n int
			if must(t, b.sql.Get(&n, "SELECT count(*) FROM "+table)); n != want {
				t.Errorf("after %s: %d rows in %s, want %d", step.after, n, table, want)
			}
		}
	}
}

// TestOldProcessesAttemptsAreLate: a process of the previous version records attempts without the
// column, and they are counted.
func TestOldProcessesAttemptsAreLate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.rollUp()
	d := b.record(b.delivery("acme"), 1, 503)
	var columns []string
	must(t, b.sql.Select(&columns, "SELECT column_name FROM information_schema.columns WHERE table_name = 'attempts' AND column_name NOT IN ('number', 'late') ORDER BY 1"))
	names := strings.Join(columns, ", ")
	must(t, second(b.sql.Exec("INSERT INTO attempts (number, "+names+") SELECT 2, "+names+" FROM attempts WHERE delivery_id = $1", d.ID)))
	b.advance(time.Second)
	b.rollUp()
	b.checkRollups("both", begin().Truncate(time.Hour), b.clock(), "traffic_minute")
}

// TestRollUpReadsOnePartition: of the others it reads only the index of late attempts.
func TestRollUpReadsOnePartition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.attempted(b.delivery("acme"), 200, 0, time.Second)
	from, to := begin().Add(-time.Minute), begin().Add(time.Minute)
	for name, query := range store.RollupQueries() {
		tx, err := b.sql.Beginx()
		must(t, err)
		_, err = tx.Exec("SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; PREPARE counting AS " + query)
		must(t, err)
		var plan []string
		must(t, tx.Select(&plan, fmt.Sprintf("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE counting(%s, %s, %s, %s)",
			pq.QuoteLiteral(idBound(from)), pq.QuoteLiteral(idBound(to)), pq.QuoteLiteral(from.Format(time.RFC3339)), pq.QuoteLiteral(to.Format(time.RFC3339)))))
		must(t, second(tx.Exec("DEALLOCATE counting")))
		must(t, tx.Rollback())
		for _, line := range plan {
			scan := strings.Contains(line, "Scan") && (strings.Contains(line, " on attempts_") || strings.Contains(line, " on deliveries_"))
			if scan && !strings.Contains(line, "never executed") && !strings.Contains(line, "_p20260701") && !strings.Contains(line, "_at_idx") {
				t.Errorf("%s: %s", name, line)
			}
			if strings.Contains(line, "Seq Scan") {
				t.Errorf("%s: %s", name, line)
			}
		}
		if t.Failed() {
			t.Log(strings.Join(plan, "\n"))
		}
	}
}

// TestErasureWaitsForACount: a pass that has read the attempts of a tenant before their erasure
// leaves nothing behind.
func TestErasureWaitsForACount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	b.rollUp()
	b.attempted(b.delivery(canary), 200, 0, time.Second)
	b.advance(2 * time.Hour)
	b.rollUp()
	if got, _ := b.counted("traffic_subscription", begin().Add(-time.Hour), b.clock()); len(got) != 1 {
		t.Fatalf("counted %v", got)
	}
	e, err := b.EraseTenant(ctx, root(), canary, "asked for")
	must(t, err)
	counting, err := b.sql.BeginTxx(ctx, nil)
	must(t, err)
	must(t, second(counting.Exec("SELECT FROM rollup FOR UPDATE")))
	must(t, second(counting.Exec("UPDATE traffic_subscription SET attempts = attempts + 1")))
	must(t, second(counting.Exec("INSERT INTO traffic_subscription SELECT at, tenant, 'sub_2', host, failure, status_code, attempts, ms_10, ms_25, ms_50, ms_100, ms_250, ms_500, ms_1000, ms_2500, ms_5000, ms_10000, ms_30000, ms_more FROM traffic_subscription")))
	erased := make(chan struct{})
	go func() { defer close(erased); b.eraseAll(e.ID) }()
	b.awaitLockWait()
	must(t, counting.Commit())
	<-erased
	got, _ := b.counted("traffic_subscription", begin().Add(-time.Hour), b.clock())
	equal(t, "left", len(got), 0)
}
