package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// planNode is a part of the output of EXPLAIN (ANALYZE, FORMAT JSON).
type planNode struct {
	Type     string     `json:"Node Type"`
	Relation string     `json:"Relation Name"`
	Rows     float64    `json:"Actual Rows"` // of each loop
	Removed  float64    `json:"Rows Removed by Filter"`
	Loops    float64    `json:"Actual Loops"`
	Plans    []planNode `json:"Plans"`
}

// faults returns the whole tables that are read, and the sorts, of more than that many rows.
func (n planNode) faults(most float64) (found []string) {
	if read := (n.Rows + n.Removed) * n.Loops; n.Type == "Seq Scan" && read > most {
		found = append(found, fmt.Sprintf("reads %.0f rows of %s", read, n.Relation))
	}
	sorted := 0.0
	for _, p := range n.Plans {
		sorted += p.Rows * p.Loops
		found = append(found, p.faults(most)...)
	}
	if n.Type == "Sort" && sorted > most {
		found = append(found, fmt.Sprintf("sorts %.0f rows", sorted))
	}
	return found
}

// explained returns how Postgres runs a statement.
func (b *bundle) explained(s store.ListStatement) planNode {
	b.t.Helper()
	tx, err := b.sql.Beginx()
	must(b.t, err)
	defer func() { must(b.t, tx.Rollback()) }()
	_, err = tx.Exec(s.Settings)
	must(b.t, err)
	var text []byte
	must(b.t, tx.Get(&text, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "+s.Query, s.Args...))
	var plans []struct{ Plan planNode }
	must(b.t, json.Unmarshal(text, &plans))
	return plans[0].Plan
}

// manyDays fills four days with 6,000 deliveries each: one in 50 has failed, and one in 200 was
// cancelled and one is in backoff.
func manyDays(t *testing.T) *archive {
	t.Helper()
	a := setupArchive(t, 4)
	for day := range 4 {
		a.exec(`
WITH made AS MATERIALIZED (SELECT g, $1::timestamptz + g * interval '14 s' AS at, 'dlv_' || $2 || lpad(g::text, 17, '0') AS id, 'evt-' || $3::int || '-' || g AS event,
	CASE WHEN g % 50 = 0 THEN 'failed' WHEN g % 200 = 1 THEN 'cancelled' WHEN g % 200 = 2 THEN 'retrying' ELSE 'delivered' END AS state FROM generate_series(1, 6000) AS g),
posted AS (INSERT INTO events (id, tenant, type, key, created_at, occurred_at, data) SELECT event, 'tenant-' || g % 20, 'ticket.created', 'key-' || g % 100, at, at, '1' FROM made)
INSERT INTO deliveries (id, tenant, state, reason, attempts_made, last_status_code, last_failure, next_attempt_at, completed_at, event_type, host, method, created_at, event_id, subscription_id)
SELECT id, 'tenant-' || g % 20, state, CASE state WHEN 'delivered' THEN '' ELSE 'operator' END, 1, CASE state WHEN 'delivered' THEN 200 ELSE 503 END, CASE state WHEN 'delivered' THEN '' ELSE 'http_5xx' END,
	CASE state WHEN 'retrying' THEN at + interval '1 year' END, CASE state WHEN 'retrying' THEN NULL ELSE at END, 'ticket.created', 'host-' || g % 10, 'POST', at, event, 'sub_' || g % 20 FROM made`,
			a.first.Add(time.Duration(day)*testDay), idBound(a.first.Add(time.Duration(day) * testDay))[len(switchboard.DeliveryPrefix):], day)
	}
	a.exec(`INSERT INTO subscriptions (id, tenant, name, state, events, method, url, max_in_flight, document, version, created_at, updated_at, state_since, headers_key_id, headers_ciphertext)
SELECT 'sub_' || g, 'tenant-' || g % 20, 'name ' || g, 'active', '{*}', 'POST', 'https://host-' || g || '.example/', 1, '{}', 1, now(), now(), now(), '', '' FROM generate_series(1, 5000) AS g`)
	a.exec("ANALYZE")
	return a
}

// TestListsReadNoTable: no list, count, facet or search reads a whole table or sorts more than
// 1,000 rows, except for those that look at everything by their nature: they read the newest 10,000
// in order.
func TestListsReadNoTable(t *testing.T) {
	t.Parallel()
	a := manyDays(t)
	const most = 1000
	check := func(name string, s store.ListStatement) {
		t.Helper()
		if faults := a.explained(s).faults(most); len(faults) > 0 {
			t.Errorf("%s: %v\n%s", name, faults, s.Query)
		}
	}
	failed, retrying, pending, delivered := switchboard.StateFailed, switchboard.StateRetrying, switchboard.StatePending, switchboard.StateDelivered
	for name, f := range map[string]switchboard.DeliveryFilter{
		"all":                 {},
		"of a tenant":         {Tenant: "tenant-7"},
		"of a subscription":   {Subscription: "sub_7"},
		"retrying":            {States: []switchboard.State{retrying}},
		"failed and retrying": {States: []switchboard.State{failed, retrying}},
		"pending":             {States: []switchboard.State{pending}},
		"delivered":           {States: []switchboard.State{delivered}},
		"failed of a tenant":  {Tenant: "tenant-0", States: []switchboard.State{failed}},
		"failed of a host":    {Host: "host-0", States: []switchboard.State{failed}},
		"failed with 410":     {StatusCode: 410, States: []switchboard.State{failed}},
		"by failure":          {Failure: switchboard.FailureHTTP5xx},
		"of an event":         {Event: "evt-2-11"},
		"of no event":         {Event: "none"},
		"of an event type":    {EventType: "no.such.type"},
		"of a host":           {Host: "host-3"},
		"by text":             {Text: "nothing holds this"},
		"by an id":            {Text: "dlv_06e170c0439f4yfdx2hxxxxxxx"},
		"of a time":           {After: a.first.Add(testDay), Before: a.first.Add(testDay + time.Hour)},
		"stuck":               {Stuck: true},
		"by ids":              {IDs: slices.Repeat([]string{"dlv_06e170c0439f4yfdx2hxxxxxxx"}, switchboard.MaxPage), States: []switchboard.State{failed}},
	} {
		statements, err := a.DeliveryStatements(t.Context(), f)
		must(t, err)
		for what, s := range statements {
			check("deliveries, "+name+", "+what, s)
		}
	}
	for name, f := range map[string]switchboard.EventFilter{
		"all": {}, "of a tenant": {Tenant: "tenant-7"}, "by key": {Key: "key-7"}, "by key of a tenant": {Tenant: "tenant-7", Key: "key-7"}, "of a type": {Type: "no.such.type"},
	} {
		check("events, "+name, a.EventStatement(f))
	}
	a.exec("INSERT INTO subscription_health (subscription_id, failures_in_a_row, window_at, updated_at) SELECT 'sub_' || g * 100, 5, now(), now() FROM generate_series(1, 40) AS g; ANALYZE subscription_health")
	for name, f := range map[string]switchboard.SubscriptionFilter{
		"all": {}, "of a tenant": {Tenant: "tenant-7"}, "paused": {State: switchboard.SubscriptionPaused}, "failing": {Failing: new(true)}, "not failing": {Failing: new(false)},
		"failing of a tenant": {Failing: new(true), Tenant: "tenant-7"}, "by text": {Text: "nothing holds this"}, "that take a type": {EventType: "ticket.created"}, "not failing by text": {Failing: new(false), Text: "name 4"},
	} {
		check("subscriptions, "+name, a.SubscriptionStatement(f))
	}
	var shown []string
	for i := range 50 {
		shown = append(shown, fmt.Sprint("sub_", i))
	}
	for _, s := range a.ActivityStatements(shown) {
		check("activity", s)
	}
	for _, text := range []string{"dlv_06", "evt-2", "sub_17", "op_0", "key-7", "tenant-7", "host-77", "name 4", "nothing is called so"} {
		check("search, "+text, store.SearchStatement(text))
	}
}
