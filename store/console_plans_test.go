package store_test

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// fillConsole stores what a console shows in addition to the deliveries of manyDays: 20,000 rows of
// the audit, 3,000 operations, one of which, op_1, has 20,000 items, and the counts of the attempts
// of 30 days, some of them recent.
func (a *archive) fillConsole() {
	now := a.clock()
	a.exec(`INSERT INTO audit (id, at, actor, role, bound, person, verb, kind, object, tenant, reason, request_id, origin, address, changed)
SELECT 'act_' || lpad(g::text, 26, '0'), $1::timestamptz - (20000 - g) * interval '1 minute', 'key_' || g % 40, 'support', false, 'person-' || g % 300,
	CASE WHEN g % 500 = 0 THEN 'revoke' ELSE 'retry' END, CASE WHEN g % 500 = 0 THEN 'key' ELSE 'delivery' END, 'dlv_' || g % 5000, 'tenant-' || g % 20, '', '', 'api', '', '{}' FROM generate_series(1, 20000) AS g`, now)
	a.exec(`INSERT INTO operations (id, tenant, subscription_id, action, state, rate, reason, actor, person, total, next_at, created_at, updated_at, finished_at, filter, bound_id)
SELECT 'op_' || g, 'tenant-' || g % 20, 'sub_' || g % 20, 'retry', CASE WHEN g % 1000 = 0 THEN 'paused' ELSE 'finished' END, 1, 'r', 'key_1', '', 1, $1, $1, $1, CASE WHEN g % 1000 <> 0 THEN $1::timestamptz END, '{}', 'dlv_1'
FROM generate_series(1, 3000) AS g`, now)
	a.exec(`INSERT INTO operation_items (operation_id, delivery_id, outcome) SELECT 'op_1', 'dlv_' || lpad(g::text, 26, '0'), CASE WHEN g % 100 = 0 THEN 'skipped' ELSE 'done' END FROM generate_series(1, 20000) AS g`)
	const counts = "attempts, ms_10, ms_25, ms_50, ms_100, ms_250, ms_500, ms_1000, ms_2500, ms_5000, ms_10000, ms_30000, ms_more) SELECT "
	const counted = ", 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 "
	const codes = "(VALUES ('', 200), ('http_5xx', 503)) AS code(failure, status)"
	a.exec("INSERT INTO traffic_minute (at, failure, status_code, "+counts+"date_trunc('minute', $1::timestamptz) - m * interval '1 minute', failure, status"+counted+"FROM generate_series(0, 48 * 60) AS m, "+codes, now)
	a.exec("INSERT INTO traffic_hour (at, failure, status_code, "+counts+"date_trunc('hour', $1::timestamptz) - h * interval '1 hour', failure, status"+counted+"FROM generate_series(0, 400 * 24) AS h, "+codes, now)
	a.exec("INSERT INTO traffic_subscription (at, tenant, subscription_id, host, failure, status_code, "+counts+
		"date_trunc('hour', $1::timestamptz) - h * interval '1 hour', 'tenant-' || g, 'sub_' || g, 'host-' || g % 10, failure, status"+counted+"FROM generate_series(0, 30 * 24) AS h, generate_series(0, 19) AS g, "+codes, now)
	a.exec("INSERT INTO traffic_recent SELECT * FROM traffic_subscription WHERE at = date_trunc('hour', $1::timestamptz)", now)
	a.exec("ANALYZE")
}

// TestConsoleReadsNoTable: what a console shows in addition to deliveries and events reads no whole
// table, and sorts at most 1,000 rows. Counts read only the rows of their time.
func TestConsoleReadsNoTable(t *testing.T) {
	t.Parallel()
	a := manyDays(t)
	a.fillConsole()
	now := a.clock()
	statements := a.ConsoleStatements(map[string]switchboard.AuditFilter{
		"all":                     {},
		"of a tenant":             {Tenant: "tenant-7"},
		"of an object":            {Object: "dlv_7"},
		"of no object":            {Object: "none"},
		"by an actor":             {Actor: "key_7"},
		"by a person":             {Person: "person-7"},
		"by nobody":               {Person: "nobody"},
		"by a person of a tenant": {Person: "person-7", Tenant: "tenant-7"},
		"of a verb":               {Verb: switchboard.AuditRevoke},
		"of a verb that is not":   {Verb: switchboard.AuditErase},
		"of a kind":               {Kind: switchboard.AuditKey},
		"of a kind that is not":   {Kind: switchboard.AuditTenant},
		"of a kind of a tenant":   {Kind: switchboard.AuditKey, Tenant: "tenant-0"},
		"of a time":               {After: now.Add(-time.Hour), Before: now.Add(-time.Minute)},
	}, map[string]switchboard.OperationFilter{
		"all": {}, "of a tenant": {Tenant: "tenant-7"}, "of a subscription": {Subscription: "sub_7"}, "paused": {State: switchboard.OperationPaused},
	}, "op_1", map[string]switchboard.TrafficQuery{
		"a day":                         {},
		"30 days by failure":            {By: switchboard.TrafficByFailure, From: now.AddDate(0, 0, -30)},
		"a day by host":                 {By: switchboard.TrafficByHost},
		"a day by subscription":         {By: switchboard.TrafficBySubscription},
		"a day of a tenant":             {Tenant: "tenant-7"},
		"30 days of a subscription":     {Subscription: "sub_7", From: now.AddDate(0, 0, -30)},
		"a day of none by subscription": {By: switchboard.TrafficBySubscription, Tenant: "none"},
	}, "tenant-7", []string{"sub_1", "sub_2", "sub_3", "none"})
	for name, s := range statements {
		if faults := a.explained(s).faults(1000); len(faults) > 0 {
			t.Errorf("%s: %v\n%s", name, faults, s.Query)
		}
	}
}
