package store_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// TestHotStatementsTouchOnePartition: with a plan that is made once for all arguments, a statement
// reads only the partitions within its bounds. Without bounds it reads all, which took a hundred
// times as long with 46 of them.
func TestHotStatementsTouchOnePartition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "*")
	e := b.accept(event("acme", "evt-1"))
	d := e.Deliveries[0]
	id, ids := pq.QuoteLiteral(d.ID), pq.QuoteLiteral("{"+d.ID+"}")
	at, lo := pq.QuoteLiteral(begin().Format(time.RFC3339Nano)), idBound(begin())
	delivery := pq.QuoteLiteral(fmt.Sprintf(`[{"id":%q,"state":"retrying","reason":"http_503","attempts_made":1,"generation":1,"permanent":false,"last_status_code":503,"last_failure":"http_5xx","prior_attempts":0,"temporal_run_id":"r","blocked_by":"","next_attempt_at":"2026-07-01T13:00:00Z"}]`, d.ID))
	attempt := pq.QuoteLiteral(fmt.Sprintf(`[{"id":"att_1","delivery_id":%q,"number":1,"generation":1,"at":"2026-07-01T12:00:00Z","status_code":503,"failure":"","detail":"",
		"latency_us":1,"timeout_us":1,"retry_after_us":0,"method":"POST","url":"","request_headers":{},"request_bytes":1,"response_headers":{},"response_truncated":false,
		"response_body":"\\x","load":0,"max_attempts":1,"interval_factor":1,"permanent":false,"requests":1,"late":false,"request_sha256":"\\x","subscription_version":1,"remote_ip":""}]`, d.ID))
	arguments := map[string]string{
		"load":                 strings.Join([]string{ids, id, id, at, at}, ", "),
		"lock":                 strings.Join([]string{ids, id, id}, ", "),
		"in order":             strings.Join([]string{ids, id, id}, ", "),
		"save":                 strings.Join([]string{delivery, ids, id, id}, ", "),
		"record fast":          strings.Join([]string{ids, id, id, attempt, delivery}, ", "),
		"deliveries of events": fmt.Sprintf("'{evt-1}', '{acme}', ARRAY[%s::timestamptz], '{%[2]s}', '{%[2]s~}', '%[2]s', '%[2]s~'", at, lo),
		"earlier events":       fmt.Sprintf("ARRAY['%032d'], '{evt-1}', '{acme}', ARRAY[%s::timestamptz]", 0, at),
	}
	scanned := regexp.MustCompile(`(?m)Scan.* on (events|deliveries|attempts|actions)_(kept|tail|p\d+)\b(.*)$`)
	for name, query := range store.HotQueries() {
		tx, err := b.sql.Beginx()
		must(t, err)
		_, err = tx.Exec("SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off; PREPARE hot AS " + query)
		must(t, err)
		var plan []string
		must(t, tx.Select(&plan, "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE hot("+arguments[name]+")"))
		_, err = tx.Exec("DEALLOCATE hot")
		must(t, err)
		must(t, tx.Rollback())
		text, partitions := strings.Join(plan, "\n"), map[string]bool{}
		read, _, _ := strings.Cut(text, "Hash Cond: ((deliveries.event_id") // those of later deliveries of an event: their index holds next to nothing
		for _, found := range scanned.FindAllStringSubmatch(read, -1) {
			if !strings.Contains(found[3], "never executed") {
				partitions[found[2]] = true
			}
		}
		if len(partitions) != 1 || !partitions["p20260701"] {
			t.Errorf("%s touches %v:\n%s", name, partitions, text)
		}
	}
}

// A new connection has planned the statements of deliveries before the first one comes, and that
// has changed nothing.
func TestWarm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.delivery("acme")
	before := b.dump()
	keyring, err := store.ParseKeyring(ring)
	must(t, err)
	s, err := store.Open(store.Config{URL: b.url, Keyring: keyring, MaxConns: 2}) // one connection for searches, and one for the rest
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, s.Warm(t.Context()))
	plans, err := s.HotPlans(t.Context())
	must(t, err)
	for query, n := range plans {
		if n != 1 {
			t.Errorf("ran with %d plans: %s", n, query)
		}
	}
	equal(t, "the database", b.dump(), before)
}

// TestStatementsAtRestAreNotPlannedAgain: the periodic queries of the relay, the reconciler and the
// metrics read every partition, and cost Postgres 50 times as much to plan as to run.
func TestStatementsAtRestAreNotPlannedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	keyring, err := store.ParseKeyring(ring)
	must(t, err)
	// One connection for searches, and one for the rest. The clock is in the first minutes of an hour,
	// because the first rollup counts from its beginning, five minutes at a time.
	s, err := store.Open(store.Config{URL: b.url, Keyring: keyring, MaxConns: 2, Now: begin})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	const passes, custom = 8, 5 // Postgres compares five plans before it keeps one
	for range passes {
		_, err = s.Heartbeat(t.Context(), "worker", 1, switchboard.WorkerFacts{})
		must(t, err)
		_, err = s.ClaimDispatches(t.Context(), 1, time.Second)
		must(t, err)
		_, err = s.Overdue(t.Context(), time.Minute, switchboard.Delivery{}, 1)
		must(t, err)
		_, err = s.ExpireHolds(t.Context())
		must(t, err)
		_, err = s.OperationsToStart(t.Context(), time.Minute)
		must(t, err)
		_, err = s.LateRecoveries(t.Context(), time.Minute)
		must(t, err)
		_, err = s.ForgetHealthy(t.Context())
		must(t, err)
		_, err = s.RollUp(t.Context())
		must(t, err)
		_, err = s.Stats(t.Context())
		must(t, err)
		_, err = s.FlowStats(t.Context())
		must(t, err)
	}
	plans, err := s.PeriodicPlans(t.Context())
	must(t, err)
	once := store.Plans{Generic: passes}
	equal(t, "plans", plans, map[string]store.Plans{
		"heartbeat": once, "due": once, "overdue": once, "expired": once, "operations": once, "late recoveries": once, "healthy": once, "minutes": once, "hours": once, "recent": once, "stats": {Generic: passes - custom, Custom: custom}, "flow": {Generic: passes - custom, Custom: custom},
	})
}
