package bench

import (
	"context"
	"fmt"
)

// seedManySubscriptions is the number of subscriptions of the tenant seed-0: the maximum against
// which an event is matched to explain it.
const seedManySubscriptions = 200

// seedSubscriptions gives each tenant a subscription, and the first tenant more, as copies of the
// database's only one. $1 is the number of tenants, $2 the number of the first tenant's.
const seedSubscriptions = `
INSERT INTO subscriptions SELECT (jsonb_populate_record(s, jsonb_build_object('id', 'sub_' || lpad(g::text, 26, '0'), 'name', 'Seeded ' || g,
  'tenant', 'seed-' || CASE WHEN g < $1::int THEN g ELSE 0 END, 'url', 'https://host-' || (g % 200) || '.example.com/hook'))).*
FROM subscriptions s, generate_series(0, $1::int + $2::int - 2) AS g WHERE s.tenant = 'history'`

// seedAudit stores $1 rows of the audit over its 400 days. One in 100 is about a subscription; the
// people are many.
const seedAudit = `
INSERT INTO audit (id, at, actor, role, bound, person, verb, kind, object, tenant, reason, request_id, origin, address, changed)
SELECT 'act_' || seed_time((extract(epoch FROM at) * 1000)::bigint) || seed_random(17), at, 'key_' || lpad((g % 40)::text, 26, '0'), 'support', false, 'person-' || (g % 300),
  CASE WHEN g % 100 = 0 THEN 'pause' ELSE 'retry' END, CASE WHEN g % 100 = 0 THEN 'subscription' ELSE 'delivery' END,
  CASE WHEN g % 100 = 0 THEN 'sub_' || lpad((g / 100 % 500)::text, 26, '0') ELSE 'dlv_' || seed_random(26) END, 'seed-' || (g % 500), 'the receiver is repaired', '', 'api', '', '{}'
FROM (SELECT g, now() - interval '400 days' * (1 - g::float8 / $1::int) AS at FROM generate_series(1, $1::int) AS g) AS times`

// auditShare: one in this many deliveries has an action. Each subscription is also paused at least
// once.
const auditShare = 10

// seedConsole stores what the console lists besides deliveries, and counts the seeded attempts.
func (b *bench) seedConsole(ctx context.Context, d *historyDatabase) error {
	if _, err := d.sql.ExecContext(ctx, seedSubscriptions, seedTenants, seedManySubscriptions); err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	if _, err := d.sql.ExecContext(ctx, seedAudit, max(b.Lists/auditShare, 100*seedTenants)); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	b.progress("counting the attempts of %d days", historyDays)
	if err := countAll(ctx, d); err != nil {
		return fmt.Errorf("rollups: %w", err)
	}
	_, err := d.sql.ExecContext(ctx, "VACUUM (ANALYZE) subscriptions, audit, traffic_minute, traffic_hour, traffic_subscription, traffic_recent")
	return err
}

// countAll makes the rollups count what was seeded, as the workflow RollUp would have.
func countAll(ctx context.Context, d *historyDatabase) error {
	if _, err := d.RollUp(ctx); err != nil { // makes the row with their progress
		return err
	}
	if _, err := d.sql.ExecContext(ctx, "UPDATE rollup SET hours_to = date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - $1 * interval '1 day'", historyDays); err != nil {
		return err
	}
	for {
		result, err := d.RollUp(ctx)
		if err != nil || !result.MoreDue {
			return err
		}
	}
}

// seededIDs returns some of the seeded deliveries in a state.
func seededIDs(ctx context.Context, d *historyDatabase, state string) (ids []string, err error) {
	rows, err := d.sql.QueryContext(ctx, "SELECT id FROM deliveries WHERE state = $1 AND tenant LIKE 'seed-%' ORDER BY id DESC LIMIT $2", state, listTries)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if len(ids) < listTries {
		return nil, fmt.Errorf("%d deliveries are %s; want %d: seed more", len(ids), state, listTries)
	}
	return ids, rows.Err()
}
