package store

import (
	"fmt"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// check is a query for violations of a promise: it returns subject and detail of each. If it is
// made for each partition, {p} is the suffix.
type check struct {
	name  string
	query string
	args  []any
}

// widthOf returns how long after their date rows may still exist, because their partition is
// dropped as a whole. A partition for days without new partitions is wider than others.
func (v *Verification) widthOf(p switchboard.Partition) time.Duration {
	if p.Lo.IsZero() || p.Hi.IsZero() || p.Stage == switchboard.PartitionPruned {
		return v.r.PartitionWidth()
	}
	return max(v.r.PartitionWidth(), p.Hi.Sub(p.Lo))
}

// partitionChecks are the checks of one partition.
func (v *Verification) partitionChecks(p switchboard.Partition) []check {
	now := v.s.now()
	checks := []check{
		{"undated", `SELECT id, state FROM deliveries_{p} WHERE (state IN ('delivered', 'failed', 'cancelled')) <> (completed_at IS NOT NULL)
	OR (state IN ('pending', 'retrying')) <> (next_attempt_at IS NOT NULL)`, nil},
		{"parked_without_reason", "SELECT id, state FROM deliveries_{p} WHERE state IN ('held', 'blocked') AND reason = ''", nil},
		{"parked_without_end", "SELECT id, state FROM deliveries_{p} WHERE state IN ('held', 'blocked') AND (parked_at IS NULL OR held_until IS NULL)", nil},
		{"parked_past_end", "SELECT id, state || ' until ' || held_until FROM deliveries_{p} WHERE state IN ('held', 'blocked') AND held_until < $1", []any{now.Add(-parkedGrace)}},
		{"attempt_without_delivery", "SELECT id, delivery_id FROM attempts_{p} a WHERE NOT EXISTS (SELECT FROM deliveries_{p} d WHERE d.id = a.delivery_id)", nil},
		{"action_without_delivery", "SELECT id, delivery_id FROM actions_{p} a WHERE NOT EXISTS (SELECT FROM deliveries_{p} d WHERE d.id = a.delivery_id)", nil},
		{"attempt_missing", `SELECT id, 'attempt ' || attempts_made FROM deliveries_{p} d WHERE attempts_made > 0
	AND NOT EXISTS (SELECT FROM attempts_{p} a WHERE a.delivery_id = d.id AND a.number = d.attempts_made)`, nil},
		{"attempt_uncounted", "SELECT d.id, 'attempt ' || a.number FROM deliveries_{p} d JOIN attempts_{p} a ON a.delivery_id = d.id WHERE a.number > d.attempts_made", nil},
		{"delivery_without_event", `SELECT id, event_id FROM deliveries_{p} d
	WHERE event_at IS NULL AND NOT EXISTS (SELECT FROM events_{p} e WHERE e.created_at = d.created_at AND e.id = d.event_id AND e.tenant = d.tenant)
	OR event_at IS NOT NULL AND NOT EXISTS (SELECT FROM events e WHERE e.created_at = d.event_at AND e.id = d.event_id AND e.tenant = d.tenant)`, nil},
		{"open_without_data", `SELECT d.id, 'its event was erased' FROM deliveries_{p} d JOIN events_{p} e ON e.created_at = d.created_at AND e.id = d.event_id AND e.tenant = d.tenant
	WHERE d.completed_at IS NULL AND d.event_at IS NULL AND e.erased_at IS NOT NULL`, nil},
		{"erased_event_with_data", "SELECT id, 'erased at ' || erased_at FROM events_{p} WHERE erased_at IS NOT NULL AND data <> ''", nil},
		{"erased_event_with_attempts", `SELECT d.id, e.id FROM erasures x JOIN events_{p} e ON e.id = x.event_id AND e.tenant = x.tenant AND e.created_at = x.event_at
	JOIN deliveries_{p} d ON d.event_id = e.id AND d.tenant = e.tenant AND d.created_at = e.created_at JOIN attempts_{p} a ON a.delivery_id = d.id
	WHERE x.scope = 'event' AND x.finished_at IS NOT NULL AND (a.response_body <> '' OR a.request_sha256 <> '' OR a.detail <> '' OR a.request_headers <> '{}' OR a.response_headers <> '{}')`, nil},
		{"erased_tenant_with_deliveries", `SELECT d.id, x.id FROM erasures x JOIN deliveries_{p} d ON d.tenant = x.tenant
	WHERE x.scope = 'tenant' AND x.finished_at IS NOT NULL AND d.created_at <= x.cut_off_at`, nil},
		{"erased_tenant_with_events", `SELECT e.id, x.id FROM erasures x JOIN events_{p} e ON e.tenant = x.tenant
	WHERE x.scope = 'tenant' AND x.finished_at IS NOT NULL AND e.created_at <= x.cut_off_at`, nil},
		{"erased_tenant_announced", `SELECT id, key FROM events_{p} e WHERE tenant = '` + switchboard.OperatorTenant + `' AND key <> '' AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.id = e.key)`, nil},
		{"past_retention", fmt.Sprintf("SELECT id, state || ' since ' || completed_at FROM deliveries_{p} d WHERE %s", isOver(v.r, now.Add(-v.widthOf(p)-verifyGrace))), nil},
	}
	if from := now.Add(windowMargin - v.window); p.Hi.IsZero() || p.Hi.After(from) {
		checks = append(checks, v.idempotencyChecks(p, now, from)...)
	}
	if over := now.Add(-v.r.Payloads - v.r.PartitionWidth() - verifyGrace); v.r.Payloads > 0 && !p.Hi.IsZero() && p.Hi.Before(over) {
		checks = append(checks, check{"payload_past_retention", `SELECT id, 'of ' || created_at FROM events_{p} e WHERE erased_at IS NULL AND NOT EXISTS (
	SELECT FROM deliveries d WHERE d.event_id = e.id AND d.tenant = e.tenant AND coalesce(d.event_at, d.created_at) = e.created_at AND (d.completed_at IS NULL OR d.completed_at > $1))`, []any{now.Add(-verifyGrace)}})
	}
	return checks
}

// idempotencyChecks compare the events of the idempotency window with their ids. Ids that look like
// Switchboard's own may be in event_ids or not.
func (v *Verification) idempotencyChecks(p switchboard.Partition, now, from time.Time) []check {
	lo, hi := p.Lo, p.Hi
	if lo.Before(from) {
		lo = from
	}
	if hi.IsZero() || hi.After(now) {
		hi = now
	}
	return []check{
		{"event_id_missing", fmt.Sprintf(`SELECT e.id, 'of ' || e.created_at FROM events_{p} e WHERE e.created_at > $1 AND e.created_at < $2 AND e.id !~ '^%s[0-9a-z]{26}$'
	AND NOT EXISTS (SELECT FROM event_ids i WHERE i.name = %s)`, switchboard.EventPrefix, eventName("e.tenant", "e.id")), []any{lo, hi}},
		{"event_id_without_event", fmt.Sprintf(`SELECT i.name, 'of ' || i.created_at FROM event_ids i LEFT JOIN events_{p} e ON e.created_at = i.created_at AND %s = i.name
	WHERE i.created_at > $1 AND i.created_at < $2 AND e.id IS NULL`, eventName("e.tenant", "e.id")), []any{lo, hi}},
	}
}

// parkedGrace is how long after the end of a hold, or after the end of the wait that a receiver
// asked for, a delivery may still be parked: the reconciler and the workflow Recover act within a
// minute or two.
const parkedGrace = 15 * time.Minute

// flowChecks are the checks of parked deliveries, across partitions. Each sees the database at one
// moment, so that a release or a block of a delivery is either complete or not begun.
func flowChecks(now time.Time) []check {
	return []check{
		{"blocked_by_none", `SELECT d.id, 'by ' || d.blocked_by FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
	WHERE d.state = 'blocked' AND s.deleted_at IS NULL AND NOT EXISTS (SELECT FROM deliveries b
		WHERE b.id = d.blocked_by AND b.completed_at IS NULL AND NOT (b.state = 'held' AND b.reason = '` + switchboard.ReasonOperator + `'))`, nil},
		{"held_without_cause", `SELECT d.id, d.reason FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
	LEFT JOIN subscription_health h ON h.subscription_id = s.id
	WHERE d.state = 'held' AND d.reason <> '` + switchboard.ReasonOperator + `' AND s.state = 'active' AND s.deleted_at IS NULL
	AND coalesce(h.breaker, 'closed') = 'closed' AND (h.deferred_until IS NULL OR h.deferred_until < $1) AND coalesce(h.queue_reason, '') = ''
	AND NOT EXISTS (SELECT FROM operations o WHERE o.subscription_id = s.id AND o.action = 'release' AND o.state IN ('running', 'paused'))`, []any{now.Add(-parkedGrace)}},
		{"open_of_deleted", `SELECT d.id, d.state || ' of ' || s.id FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
	WHERE d.completed_at IS NULL AND s.deleted_at IS NOT NULL
	AND NOT EXISTS (SELECT FROM operations o WHERE o.subscription_id = s.id AND o.action = 'cancel' AND o.finished_at IS NULL)
	AND NOT EXISTS (SELECT FROM erasures x WHERE x.scope = 'tenant' AND x.tenant = s.tenant AND x.finished_at IS NULL)`, nil},
		{"key_sent_twice", `SELECT min(id), 'and ' || max(id) || ' of one key' FROM deliveries d WHERE d.ordered AND d.key <> '' AND d.next_attempt_at IS NOT NULL
	GROUP BY subscription_id, key HAVING count(*) > 1`, nil},
		{"ordering_key_outdated", `SELECT coalesce(k.subscription_id, q.subscription_id), coalesce('the last one is ' || q.last, 'no delivery is open')
	FROM ordering_keys k FULL JOIN (SELECT DISTINCT ON (d.subscription_id, d.key) d.subscription_id, d.key, d.id AS last FROM deliveries d WHERE ` + isQueued + `
		ORDER BY d.subscription_id, d.key, d.position DESC) q ON q.subscription_id = k.subscription_id AND q.key = k.key
	WHERE k.last_delivery IS DISTINCT FROM q.last`, nil},
		{"breaker_without_probe", "SELECT subscription_id, 'open since ' || breaker_since FROM subscription_health WHERE breaker = 'open' AND probe_at IS NULL", nil},
	}
}

// globalChecks are the checks of tables without partitions.
func globalChecks(now time.Time) []check {
	return []check{
		{"partition_missing", `SELECT t || '_' || p.suffix, 'is no partition of ' || t FROM partitions p, unnest(ARRAY['events', 'deliveries', 'attempts', 'actions']) AS t
	WHERE NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = t::regclass AND c.relname = t || '_' || p.suffix)`, nil},
		{"partition_unknown", `SELECT c.relname, 'is not listed in the table partitions' FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	JOIN unnest(ARRAY['events', 'deliveries', 'attempts', 'actions']) AS t ON i.inhparent = t::regclass
	WHERE NOT EXISTS (SELECT FROM partitions p WHERE c.relname = t || '_' || p.suffix)`, nil},
		{"partition_gap", "SELECT suffix, 'begins at ' || lo FROM (SELECT suffix, lo, lag(hi) OVER (ORDER BY lo NULLS FIRST, hi NULLS LAST) AS before FROM partitions) AS p WHERE lo IS DISTINCT FROM before", nil},
		{"erased_tenant_with_subscriptions", `SELECT s.id, x.id FROM erasures x JOIN subscriptions s ON s.tenant = x.tenant
	WHERE x.scope = 'tenant' AND x.finished_at IS NOT NULL AND s.created_at <= x.cut_off_at`, nil},
		{"erased_tenant_with_keys", `SELECT k.id, x.id FROM erasures x JOIN keys k ON k.tenant = x.tenant
	WHERE x.scope = 'tenant' AND x.finished_at IS NOT NULL AND k.created_at <= x.cut_off_at`, nil},
		{"erased_tenant_with_audit", `SELECT a.id, x.id FROM erasures x JOIN audit a ON a.tenant = x.tenant
	WHERE x.scope = 'tenant' AND x.finished_at IS NOT NULL AND a.at <= x.cut_off_at AND (a.changed::text <> '{}' OR a.reason <> '' AND a.kind <> 'tenant')`, nil},
		{"audit_past_retention", "SELECT id, 'of ' || at FROM audit WHERE at < $1", []any{now.Add(-switchboard.AuditRetention - verifyGrace)}},
		{"delivery_without_subscription", `SELECT d.id, d.subscription_id FROM deliveries d WHERE d.completed_at IS NULL
	AND NOT EXISTS (SELECT FROM subscriptions s WHERE s.id = d.subscription_id)`, nil},
	}
}
