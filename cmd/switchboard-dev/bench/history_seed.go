package bench

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
)

// seedTenants, seedSubscriptions and seedHosts are the numbers of tenants, subscriptions and hosts
// of the old deliveries.
const (
	seedTenants = 500
	seedHosts   = 200
	seedData600 = 560 // bytes of text in an event's data, which has 600 in total
	// seedWorkers is how many days are seeded at the same time.
	seedWorkers = 2
	// eventIDDays are the last days, for which the ids chosen by platforms are still kept.
	eventIDDays = 7
)

func seedData() []byte {
	return []byte(`{"ticket":{"id":4711,"status":"open"},"text":"` + strings.Repeat("x", seedData600) + `"}`)
}

func seededTenant(try int) string       { return fmt.Sprintf("seed-%d", try*17%seedTenants) }
func seededSubscription(try int) string { return fmt.Sprintf("sub_%026d", try*17%seedTenants) }

// seeded replaces "seed" in a filter with names of seeded rows.
func seeded(f switchboard.DeliveryFilter, try int) switchboard.DeliveryFilter {
	n := try * 17
	for field, name := range map[*string]string{
		&f.Tenant: seededTenant(try), &f.Subscription: seededSubscription(try),
		&f.Host: fmt.Sprintf("host-%d.example.com", n%seedHosts), &f.Event: fmt.Sprintf("seed-3-%d", n+1),
	} {
		if *field == "seed" {
			*field = name
		}
	}
	return f
}

// The functions for seeding. seed_time returns the time part of an id, and seed_random random
// letters, as in [switchboard.NewID].
const seedFunctions = `
CREATE OR REPLACE FUNCTION seed_time(ms bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT string_agg(substr('0123456789abcdefghjkmnpqrstvwxyz', ((ms >> shift) & 31)::int + 1, 1), '' ORDER BY shift DESC)
  FROM unnest(ARRAY[43, 38, 33, 28, 23, 18, 13, 8, 3]) AS shift $$;
CREATE OR REPLACE FUNCTION seed_random(n int) RETURNS text LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT substr(md5(random()::text), 1, n) $$`

// seedDay stores the deliveries of one day. One in 50 has failed after five attempts, one in 200
// was cancelled, and one in ten needed a second attempt. $1 is the beginning of the day, $2 its
// number, $3 the number of deliveries, $4 whether event ids are kept, $5 the data, $6 whether one
// in 140 is still in backoff.
const seedDay = `
WITH made AS MATERIALIZED (
  SELECT g, at, 'seed-' || (g % 500) AS tenant, 'seed-' || $2::int || '-' || g AS event_id,
    'dlv_' || seed_time((extract(epoch FROM at) * 1000)::bigint) || seed_random(17) AS id,
    CASE WHEN g % 50 = 0 THEN 'failed' WHEN g % 200 = 1 THEN 'cancelled' WHEN $6::boolean AND g % 140 = 3 THEN 'retrying' ELSE 'delivered' END AS state,
    CASE WHEN g % 50 = 0 THEN 5 WHEN g % 10 = 3 THEN 2 ELSE 1 END AS attempts,
    CASE WHEN g % 1000 = 0 THEN 410 WHEN g % 50 = 0 OR $6::boolean AND g % 140 = 3 THEN 503 ELSE 200 END AS status
  FROM (SELECT g, $1::timestamptz + (g::float8 / ($3::int + 1)) * interval '1 day' AS at FROM generate_series(1, $3::int) AS g) AS times
), posted AS (
  INSERT INTO events (id, tenant, type, key, created_at, occurred_at, data)
  SELECT event_id, tenant, 'ticket.' || (ARRAY['created', 'resolved', 'tagged'])[g % 3 + 1], '', at, at, $5::bytea FROM made
), listed AS (
  INSERT INTO event_ids (name, created_at, content)
  SELECT encode(substr(sha256(convert_to(tenant, 'UTF8') || '\x00'::bytea || convert_to(event_id, 'UTF8')), 1, 16), 'hex')::uuid, at, substr(sha256(convert_to(event_id, 'UTF8')), 1, 16)
  FROM made WHERE $4::boolean
), stored AS (
  INSERT INTO deliveries (id, tenant, state, reason, attempts_made, last_status_code, last_failure, event_type, host, method, created_at, next_attempt_at, completed_at, event_id, subscription_id, temporal_run_id)
  SELECT id, tenant, state, CASE state WHEN 'failed' THEN 'http_' || status WHEN 'cancelled' THEN 'operator' ELSE '' END, attempts, status,
    CASE WHEN status = 200 THEN '' WHEN status < 500 THEN 'http_4xx' ELSE 'http_5xx' END,
    'ticket.' || (ARRAY['created', 'resolved', 'tagged'])[g % 3 + 1], 'host-' || (g % 200) || '.example.com', 'POST', at,
    CASE state WHEN 'retrying' THEN now() + interval '1 year' END, CASE state WHEN 'retrying' THEN NULL ELSE at + interval '1 second' END, event_id,
    'sub_' || lpad((g % 500)::text, 26, '0'), gen_random_uuid()::text
  FROM made
)
INSERT INTO attempts (id, delivery_id, number, generation, at, status_code, failure, detail, latency_us, timeout_us, retry_after_us, method, url, request_headers, request_bytes, response_headers, response_truncated, response_body, late)
SELECT 'att_' || seed_time((extract(epoch FROM at) * 1000)::bigint) || seed_random(17), id, number, 1, at, CASE WHEN number < attempts THEN 503 ELSE status END,
  CASE WHEN number < attempts THEN 'http_5xx' WHEN status = 200 THEN '' WHEN status < 500 THEN 'http_4xx' ELSE 'http_5xx' END, '', 12000, 10000000, 0, 'POST', 'https://host-' || (g % 200) || '.example.com/hook',
  '{"Content-Type": "application/json", "User-Agent": "Switchboard", "Webhook-Id": "dlv_01k0000000000000000000000", "Webhook-Timestamp": "1769860800", "Webhook-Signature": "[redacted]"}', 650,
  '{"Content-Type": "text/plain", "Date": "Sat, 31 Jan 2026 12:00:00 GMT", "Server": "nginx", "Content-Length": "2"}', false, convert_to('ok', 'UTF8'), false
FROM made, generate_series(1, attempts) AS number`

// seedClosed closes past days, as the workflow Retain does with each when it ends. Otherwise the
// measured run of it would close all of them.
const seedClosed = "UPDATE partitions SET stage = 'closed', at = now() WHERE hi <= now() AND lo IS NOT NULL"

// seed stores count deliveries of the last historyDays days directly by SQL, and vacuums the
// tables. The deliveries are final, unless some are to be open.
func seed(ctx context.Context, db *sql.DB, count int, open bool, progress func(string, ...any)) error {
	if _, err := db.ExecContext(ctx, seedFunctions); err != nil {
		return err
	}
	today := time.Now().UTC().Truncate(24 * time.Hour)
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(seedWorkers)
	for day := historyDays; day >= 1; day-- {
		group.Go(func() error {
			if err := working.Err(); err != nil {
				return err
			}
			_, err := db.ExecContext(working, seedDay, today.AddDate(0, 0, -day), day, count/historyDays, day <= eventIDDays, seedData(), open)
			if err == nil && day%5 == 0 {
				progress("seeded the day %d days ago", day)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "VACUUM (FREEZE, ANALYZE)"); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, seedClosed)
	return err
}
