package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// version100 makes a database of schema version 100 with partitions, a subscription in each state
// and, for each of them, a delivery in each state. Their ids end with both states.
func version100(t *testing.T) *bundle {
	t.Helper()
	b := setupAt(t, pg.Empty(t))
	must(t, b.MigrateTo(t.Context(), 100))
	for _, statement := range []string{`
INSERT INTO subscriptions (id, tenant, name, state, events, patterns, method, url, max_in_flight, document, version, created_at, updated_at, deleted_at, headers_key_id, headers_ciphertext)
SELECT 'sub_' || name, 'acme', name, CASE name WHEN 'deleted' THEN 'active' ELSE name END, '{ticket.*}', '{ticket.*}', 'POST', 'https://receiver.example', 16, '{}', 1, $1, $1,
	CASE name WHEN 'deleted' THEN $1::timestamptz END, '', ''
FROM unnest('{active,paused,disabled,unverified,deleted}'::text[]) AS name`, `
INSERT INTO events (id, tenant, type, created_at, occurred_at, data) SELECT 'evt_1', 'acme', 'ticket.created', $1, $1, '{}'`, `
INSERT INTO deliveries (id, tenant, state, reason, attempts_made, next_attempt_at, event_type, host, method, created_at, completed_at, event_id, subscription_id)
SELECT 'dlv_06fhv37_' || s.id || '_' || n.state, 'acme', n.state, CASE WHEN n.state IN ('pending', 'delivered') THEN '' ELSE 'some reason' END, CASE n.state WHEN 'retrying' THEN 1 ELSE 0 END,
	CASE WHEN n.state IN ('pending', 'retrying') THEN $1::timestamptz END, 'ticket.created', 'receiver.example', 'POST', $1,
	CASE WHEN n.state IN ('delivered', 'failed', 'cancelled') THEN $1::timestamptz END, 'evt_1', s.id
FROM subscriptions s, unnest('{pending,retrying,held,blocked,delivered,failed,cancelled}'::text[]) AS n(state)`, `
INSERT INTO attempts (id, delivery_id, number, generation, at, status_code, failure, detail, latency_us, timeout_us, retry_after_us, method, url, request_headers, request_bytes, response_headers, response_truncated, response_body)
SELECT 'att_' || id, id, 1, 1, $1, 503, 'http_5xx', '', 1, 1, 0, 'POST', 'https://receiver.example', '{}', 1, '{}', false, '' FROM deliveries WHERE state = 'retrying'`} {
		must(t, second(b.sql.Exec(statement, b.clock())))
	}
	return b
}

// TestUpgradeKeepsAttempts: an earlier attempt says that its request is not known.
func TestUpgradeKeepsAttempts(t *testing.T) {
	t.Parallel()
	b := version100(t)
	must(t, b.Migrate(t.Context()))
	detail, err := b.Delivery(t.Context(), root(), "dlv_06fhv37_sub_active_retrying")
	must(t, err)
	a := detail.Attempts[0]
	equal(t, "attempt", []any{a.Outcome.StatusCode, len(a.Request.SHA256), a.SubscriptionVersion, a.Outcome.RemoteIP}, []any{503, 0, 0, ""})
}

// TestUpgradeFrom100: the current version can continue with everything that was stored.
func TestUpgradeFrom100(t *testing.T) {
	t.Parallel()
	b := version100(t)
	must(t, b.Migrate(t.Context()))
	must(t, b.CheckSchema(t.Context()))
	var after []struct {
		SubscriptionID, State, Reason string
		Parked                        bool
		Count                         int
	}
	must(t, b.sql.Select(&after, `
SELECT subscription_id AS subscriptionid, state, reason, parked_at = created_at AND held_until > now() + interval '29 days' IS TRUE AS parked, count(*) FROM deliveries
WHERE state IN ('held', 'blocked') GROUP BY 1, 2, 3, 4 ORDER BY 1, 3`))
	equal(t, "kinds of parked deliveries", len(after), 10)
	for _, a := range after {
		if a.State != "held" || !a.Parked || a.Count != 1 || a.Reason != "some reason" && a.Reason != switchboard.ReasonOperator {
			t.Errorf("%+v", a)
		}
	}
	var operations []string
	must(t, b.sql.Select(&operations, "SELECT action || ' ' || subscription_id FROM operations WHERE state = 'running' ORDER BY 1"))
	equal(t, "operations", operations, []string{"cancel sub_deleted", "release sub_active"})
	var odd int
	must(t, b.sql.Get(&odd, "SELECT count(*) FROM subscriptions WHERE state_since IS DISTINCT FROM updated_at OR flow <> 1 OR ordered OR supersede OR deliver_within_us <> 0 OR hold_for_us <> $1",
		switchboard.DefaultHold/time.Microsecond))
	equal(t, "subscriptions with other settings than the defaults", odd, 0)
	must(t, b.sql.Get(&odd, "SELECT count(*) FROM attempts WHERE late"))
	equal(t, "old attempts that are in the index of late ones", odd, 0)

	// Its operations end.
	to, err := b.OperationsToStart(t.Context(), 0)
	must(t, err)
	if len(to) == 0 {
		b.advance(time.Since(begin()) + time.Hour) // the migration dates by Postgres's clock
		to, err = b.OperationsToStart(t.Context(), 0)
		must(t, err)
	}
	equal(t, "operations to start", len(to), 2)
	for _, id := range to {
		for finished := false; !finished; b.advance(time.Second) {
			progress, err := b.OperateStep(t.Context(), id)
			must(t, err)
			finished = progress.Finished
		}
	}
	var states []string
	must(t, b.sql.Select(&states, "SELECT state || ' ' || reason FROM deliveries WHERE subscription_id = 'sub_active' ORDER BY id"))
	equal(t, "of the active one", states, []string{"held operator", "cancelled some reason", "delivered ", "failed some reason", "pending ", "pending ", "retrying some reason"})
	must(t, b.sql.Get(&odd, "SELECT count(*) FROM deliveries WHERE subscription_id = 'sub_deleted' AND completed_at IS NULL"))
	equal(t, "open ones of the deleted one", odd, 0)
}

// TestUpgradedSchemaIsTheFreshOne: in columns, constraints and indexes, also of partitions.
func TestUpgradedSchemaIsTheFreshOne(t *testing.T) {
	t.Parallel()
	upgraded, fresh := version100(t), setup(t)
	must(t, upgraded.Migrate(t.Context()))
	describe := func(b *bundle) []string {
		var lines []string
		must(t, b.sql.Select(&lines, `
SELECT concat_ws(' ', 'column', table_name, column_name, data_type, is_nullable, column_default, collation_name) FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, pg_get_constraintdef(oid), convalidated) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index ' || regexp_replace(indexdef, 'INDEX \S+ ON', 'INDEX ON') FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT concat_ws(' ', 'table', relname, reloptions) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')`))
		slices.Sort(lines)
		return lines
	}
	equal(t, "schema", describe(upgraded), describe(fresh))
}

// TestUpgradeFrom101: existing keys may read payloads as before, and those that a process of that
// version makes in the meantime may not.
func TestUpgradeFrom101(t *testing.T) {
	t.Parallel()
	b := setupAt(t, pg.Empty(t))
	must(t, b.MigrateTo(t.Context(), 101))
	const insert = "INSERT INTO keys (id, name, role, tenant, created_at, hash) VALUES ($1::text, 'n', 'viewer', '', now(), sha256($1::text::bytea))"
	must(t, second(b.sql.Exec(insert, "key_before")))
	must(t, b.Migrate(t.Context()))
	must(t, second(b.sql.Exec(insert, "key_meanwhile")))
	var may []string
	must(t, b.sql.Select(&may, "SELECT id FROM keys WHERE read_payload AND last_used_at IS NULL"))
	equal(t, "keys that may read payloads", may, []string{"key_before"})
}

// TestUpgradeFrom101KeepsFlowControl: what version 101 knows of endpoints, operations, keys and
// workers stays, and later columns begin empty.
func TestUpgradeFrom101KeepsFlowControl(t *testing.T) {
	t.Parallel()
	b := version100(t)
	must(t, b.MigrateTo(t.Context(), 101))
	for _, statement := range []string{
		`INSERT INTO subscription_health (subscription_id, breaker, breaker_since, breaker_reason, failing_since, probe_at, window_at, updated_at)
			VALUES ('sub_paused', 'open', $1, 'http_503', $1, $1::timestamptz + interval '1 hour', $1, $1)`,
		`INSERT INTO operations (id, tenant, subscription_id, action, state, rate, reason, actor, person, total, done, skipped, next_at, created_at, updated_at, finished_at)
			VALUES ('op_before', 'acme', 'sub_active', 'release', 'finished', 50, 'resumed', 'key_1', 'Ana', 3, 2, 1, $1, $1, $1, $1)`,
		`INSERT INTO ordering_keys (subscription_id, key, last_delivery, last_position) SELECT 'sub_active', 'key-1', 'dlv_06fhv37_sub_active_retrying', 1 WHERE $1::timestamptz IS NOT NULL`,
		`UPDATE deliveries SET key = 'key-1', ordered = true, position = 1 WHERE id = 'dlv_06fhv37_sub_active_retrying' AND $1::timestamptz IS NOT NULL`,
		`INSERT INTO workers (id, joined_at, seen_at, counted) SELECT 'worker-before', clock_timestamp(), clock_timestamp() + interval '1 hour', 1 WHERE $1::timestamptz IS NOT NULL`,
	} {
		must(t, second(b.sql.Exec(statement, b.clock())))
	}
	must(t, b.Migrate(t.Context()))
	must(t, b.CheckSchema(t.Context()))

	o, err := b.Operation(t.Context(), root(), "op_before")
	must(t, err)
	equal(t, "operation", []any{o.State, o.Action, o.Total, o.Done, o.Skipped, o.Failed, o.Person, o.Filter == nil, o.BoundID},
		[]any{switchboard.OperationFinished, switchboard.ActionRelease, 3, 2, 1, 0, "Ana", true, ""})
	items, err := b.OperationItems(t.Context(), root(), o.ID, "", switchboard.PageRequest{})
	must(t, err)
	equal(t, "items", len(items.Items), 0)
	health, err := b.SubscriptionHealth(t.Context(), []string{"sub_paused"})
	must(t, err)
	equal(t, "breaker", []any{health["sub_paused"].Health.Breaker, health["sub_paused"].Held}, []any{switchboard.BreakerOpen, 2})
	status, err := b.OpenStatus(t.Context(), root(), "")
	must(t, err)
	equal(t, "worker", []any{len(status.Workers), status.Workers[0].ID, status.Workers[0].Version, status.Workers[0].Slots}, []any{1, "worker-before", "", 0})
	detail, err := b.Delivery(t.Context(), root(), "dlv_06fhv37_sub_active_retrying")
	must(t, err)
	equal(t, "its key", detail.Delivery.Key, "key-1")

	// Tables of later versions.
	equal(t, "audit", len(b.audited(root(), switchboard.AuditFilter{})), 0)
	then, err := b.SubscriptionsThen(t.Context(), b.clock().Add(-time.Hour), []string{"sub_paused"})
	must(t, err)
	equal(t, "the state of before", string(then["sub_paused"].State), "")
	if b.rollUp().MoreDue {
		t.Error("hours before the upgrade are to be counted")
	}
	flow, err := b.FlowStats(t.Context())
	must(t, err)
	equal(t, "operations that run", flow.Operations, 2) // those that version 101 began
}

// TestMigrationKeepsNobodyWaiting: while it waits for a lock, such as that of a dump, nobody waits
// behind it.
func TestMigrationKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	b := setupAt(t, pg.Empty(t))
	must(t, b.MigrateTo(t.Context(), 113))
	dump, err := b.sql.Beginx()
	must(t, err)
	defer func() { _ = dump.Rollback() }()
	must(t, second(dump.Exec("SELECT FROM events"))) // the next migration adds a column to it
	migrated := make(chan error, 1)
	go func() { migrated <- b.Migrate(t.Context()) }()
	b.awaitLockWait()
	read := make(chan error, 1)
	go func() { read <- second(b.sql.Exec("SELECT FROM events")) }()
	must(t, next(t, "a reader's turn", read))
	must(t, dump.Rollback())
	must(t, next(t, "the end of the migration", migrated))
	must(t, b.CheckSchema(t.Context()))
}

// TestIndexesBuiltAheadAreTaken: the migration that makes them uses them, as docs/upgrading.md
// says.
func TestIndexesBuiltAheadAreTaken(t *testing.T) {
	t.Parallel()
	b := setupAt(t, pg.Empty(t))
	must(t, b.MigrateTo(t.Context(), 114))
	var statements []string
	must(t, b.sql.Select(&statements, `
SELECT format('CREATE INDEX CONCURRENTLY ON %s (subscription_id, id) WHERE state = ''held'' AND reason <> ''operator''', inhrelid::regclass)
FROM pg_inherits WHERE inhparent = 'deliveries'::regclass`))
	for _, statement := range statements {
		must(t, second(b.sql.Exec(statement)))
	}
	const indexes = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_inherits h ON h.inhrelid = i.indrelid AND h.inhparent = 'deliveries'::regclass WHERE pg_get_indexdef(c.oid) LIKE '%<> ''operator''::text%'"
	var ahead, after, taken int
	must(t, b.sql.Get(&ahead, indexes))
	must(t, b.Migrate(t.Context()))
	must(t, b.sql.Get(&after, indexes))
	must(t, b.sql.Get(&taken, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'deliveries_releasable'::regclass"))
	equal(t, "indexes that are built ahead, that there are afterwards, and that are taken", []int{ahead, after, taken}, []int{len(statements), ahead, ahead})
}
