package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// verifyDatabase verifies with Switchboard's default settings.
func (b *bundle) verifyDatabase() switchboard.VerifyReport {
	b.t.Helper()
	return b.verifyUnder(switchboard.Retention{Delivered: 30 * testDay, Failed: 90 * testDay, Payloads: 10 * testDay})
}

func (b *bundle) verifyUnder(r switchboard.Retention) switchboard.VerifyReport {
	b.t.Helper()
	v, err := b.Verify(b.t.Context(), r, 7*testDay)
	must(b.t, err)
	defer func() { must(b.t, v.Close()) }()
	must(b.t, v.Database(b.t.Context()))
	return v.Report
}

// Each broken promise is found, and named by its check. Each case breaks the one delivery of a
// tenant of its own.
func TestVerifyFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	cases := []struct{ want, do string }{
		{"undated", "UPDATE deliveries SET next_attempt_at = NULL WHERE tenant = '{t}'"},
		{"undated", "UPDATE deliveries SET state = 'failed', reason = 'x', next_attempt_at = NULL, dispatch_at = NULL WHERE tenant = '{t}'"},
		{"parked_without_reason", "UPDATE deliveries SET state = 'held', reason = '', " + parked + " WHERE tenant = '{t}'"},
		{"parked_without_end", "UPDATE deliveries SET state = 'held', reason = 'operator', next_attempt_at = NULL, dispatch_at = NULL WHERE tenant = '{t}'"},
		{"parked_past_end", "UPDATE deliveries SET state = 'held', reason = 'operator', next_attempt_at = NULL, dispatch_at = NULL, parked_at = created_at, held_until = created_at - interval '1 hour' WHERE tenant = '{t}'"},
		{"blocked_by_none", "UPDATE deliveries SET state = 'blocked', reason = 'x', blocked_by = 'dlv_gone', " + parked + " WHERE tenant = '{t}'"},
		{"held_without_cause", "UPDATE deliveries SET state = 'held', reason = 'breaker_open', " + parked + " WHERE tenant = '{t}'"},
		{"open_of_deleted", "UPDATE subscriptions SET deleted_at = now() WHERE id = '{s}'"},
		{"key_sent_twice", `WITH changed AS (UPDATE deliveries SET ordered = true, key = 'k' WHERE tenant = '{t}')
			INSERT INTO deliveries (id, tenant, state, next_attempt_at, event_type, host, method, created_at, event_id, subscription_id, ordered, key)
			SELECT id || '0', tenant, 'pending', next_attempt_at, event_type, host, method, created_at, event_id, subscription_id, true, 'k' FROM deliveries WHERE tenant = '{t}'`},
		{"ordering_key_outdated", "INSERT INTO ordering_keys (subscription_id, key, last_delivery) VALUES ('{s}', 'k', '{d}')"},
		{"ordering_key_outdated", "UPDATE deliveries SET ordered = true, key = 'k' WHERE tenant = '{t}'"},
		{"breaker_without_probe", "INSERT INTO subscription_health (subscription_id, breaker, breaker_since, window_at, updated_at) VALUES ('{s}', 'open', now(), now(), now())"},
		{"attempt_without_delivery", "UPDATE attempts SET delivery_id = delivery_id || '0' WHERE delivery_id = '{d}'"},
		{"action_without_delivery", "UPDATE actions SET delivery_id = delivery_id || '0' WHERE delivery_id = '{d}'"},
		{"attempt_missing", "DELETE FROM attempts WHERE delivery_id = '{d}'"},
		{"attempt_uncounted", "UPDATE attempts SET number = 5 WHERE delivery_id = '{d}'"},
		{"delivery_without_event", "DELETE FROM events WHERE tenant = '{t}'"},
		{"open_without_data", "UPDATE events SET data = '', erased_at = created_at WHERE tenant = '{t}'"},
		{"erased_event_with_data", "UPDATE events SET erased_at = created_at WHERE tenant = '{t}'"},
		{"event_id_missing", "UPDATE events SET id = 'another' WHERE tenant = '{t}'"},
		{"event_id_without_event", "DELETE FROM events WHERE tenant = '{t}'"},
		{"past_retention", "UPDATE deliveries SET state = 'delivered', next_attempt_at = NULL, dispatch_at = NULL, completed_at = created_at - interval '34 days' WHERE tenant = '{t}'"},
		{"undecryptable", "UPDATE subscription_secrets SET ciphertext = '\\x00' WHERE subscription_id = '{s}'"},
		{"undecryptable", "UPDATE subscription_secrets SET key_id = 'lost' WHERE subscription_id = '{s}'"},
		{"delivery_without_subscription", "DELETE FROM subscriptions WHERE tenant = '{t}'"},
		{"erased_tenant_with_deliveries", erasedTenant},
		{"erased_tenant_with_events", erasedTenant},
		{"erased_tenant_with_subscriptions", erasedTenant},
		{"erased_tenant_with_keys", erasedTenant},
		{"erased_tenant_with_audit", erasedTenant},
		{"audit_past_retention", "UPDATE audit SET at = at - interval '403 days' WHERE tenant = '{t}'"},
		{"erased_tenant_announced", `INSERT INTO events (id, tenant, type, key, data, occurred_at, created_at)
			SELECT 'evt_' || substr('{d}', 5), '_operator', 'switchboard.breaker.opened', 'sub_erased', '1', created_at, created_at FROM events WHERE tenant = '{t}'`},
		{"erased_event_with_attempts", `INSERT INTO erasures (id, scope, tenant, event_id, event_at, requested_at, finished_at, actor, person, reason)
			SELECT 'era_of_{t}', 'event', tenant, id, created_at, created_at, created_at, 'cli', '', '' FROM events WHERE tenant = '{t}'`},
	}
	var statements []string
	for i, c := range cases {
		tenant := fmt.Sprintf("t%02d", i)
		b.subscribe(tenant, "ticket.*")
		_, err := b.CreateKey(ctx, root(), switchboard.Key{Name: "its own", Role: switchboard.RolePublisher, Tenant: tenant}, switchboard.NewKeyText())
		must(t, err)
		d := b.accept(event(tenant, "platform-1")).Deliveries[0]
		b.record(d, 1, 503)
		_, _, err = b.Retry(ctx, root(), d.ID, "at once")
		must(t, err)
		statements = append(statements, strings.NewReplacer("{t}", tenant, "{d}", d.ID, "{s}", d.SubscriptionID).Replace(c.do))
	}
	b.advance(time.Minute)
	report := b.verifyDatabase()
	if !report.Clean() || report.Checks < 100 {
		t.Fatalf("before: %+v", report)
	}
	_, err := b.sql.Exec("ALTER TABLE deliveries DROP CONSTRAINT dated_has_next_attempt_at, DROP CONSTRAINT final_has_completed_at, DROP CONSTRAINT stopped_has_reason, DROP CONSTRAINT parked_has_end; ALTER TABLE subscription_health DROP CONSTRAINT open_has_probe")
	must(t, err)
	for i, c := range cases {
		before := report.Violations
		_, err := b.sql.Exec(statements[i])
		must(t, err)
		report = b.verifyDatabase()
		found := slices.DeleteFunc(slices.Clone(report.Violations), func(v switchboard.Violation) bool { return slices.Contains(before, v) })
		if !slices.ContainsFunc(found, func(v switchboard.Violation) bool { return v.Check == c.want }) {
			t.Errorf("%s is not found by %q: %+v", c.want, statements[i], found)
		}
	}
}

const erasedTenant = `INSERT INTO erasures (id, scope, tenant, event_id, requested_at, cut_off_at, finished_at, actor, person, reason)
	VALUES ('era_of_{t}', 'tenant', '{t}', '', now(), now() + interval '1000 days', now(), 'cli', '', '')`

// The table partitions and Postgres's own do not differ.
func TestVerifyComparesThePartitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "ticket.*")
	for _, c := range []struct{ do, undo, want string }{
		{"DELETE FROM partitions WHERE suffix = 'kept'", "INSERT INTO partitions (suffix, lo, hi, stage, at) SELECT 'kept', NULL, min(lo), 'open', now() FROM partitions", "partition_unknown"},
		{"INSERT INTO partitions (suffix, lo, hi, stage, at) SELECT 'other', hi, hi, 'open', now() FROM partitions WHERE suffix = 'kept'", "DELETE FROM partitions WHERE suffix = 'other'", "partition_missing"},
		{"UPDATE partitions SET lo = lo + interval '1 hour' WHERE suffix = 'tail'", "UPDATE partitions SET lo = lo - interval '1 hour' WHERE suffix = 'tail'", "partition_gap"},
	} {
		_, err := b.sql.Exec(c.do)
		must(t, err)
		if !slices.Contains(b.checks(), c.want) {
			t.Errorf("%s is not found", c.want)
		}
		_, err = b.sql.Exec(c.undo)
		must(t, err)
		equal(t, "when it is undone", b.checks(), []string(nil))
	}
}

// A missing partition is reported before it is needed.
func TestVerifyFindsThatRetentionDoesNotRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.subscribe("acme", "ticket.*")
	b.advance(5 * testDay)
	equal(t, "after 5 days", b.checks(), []string{"partitions_ahead"})
	b.advance(5 * testDay)
	b.accept(event("acme", ""))
	equal(t, "after 10 days", b.checks(), []string{"partitions_ahead", "partitions_ahead"})
	_, err := b.MakePartitionsAhead(t.Context(), switchboard.Retention{})
	must(t, err)
	equal(t, "when it has run", b.checks(), []string(nil))
}

// checks returns the names of the checks that find a violation.
func (b *bundle) checks() []string {
	b.t.Helper()
	var names []string
	for _, v := range b.verifyDatabase().Violations {
		names = append(names, v.Check)
	}
	return names
}

// Payloads that retention has left are found, and those of open deliveries are no violation.
func TestVerifyFindsPayloads(t *testing.T) {
	t.Parallel()
	a := setupArchive(t, 20)
	a.add(generated{state: "held", createdAt: a.first.Add(time.Hour)})
	g := a.add(generated{state: "failed", createdAt: a.first.Add(2 * time.Hour), endedAt: a.first.Add(3 * time.Hour)})
	found := slices.DeleteFunc(a.verifyDatabase().Violations, func(v switchboard.Violation) bool { return v.Check == "delivery_without_subscription" })
	equal(t, "violations", found, []switchboard.Violation{{Check: "payload_past_retention", Partition: "p20260701", Subject: g.event, Detail: found[0].Detail}})
}

// A delivery that has ended or was parked says so for a while, during which its workflow may still
// run.
func TestVerifyKnowsWhatHasJustEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	look := func(id string) (open, justEnded bool) {
		t.Helper()
		v, err := b.Verify(ctx, switchboard.Retention{Delivered: 30 * testDay, Failed: 90 * testDay}, 7*testDay)
		must(t, err)
		defer func() { must(t, v.Close()) }()
		d, open, err := v.Read(ctx, id)
		must(t, err)
		return open, d.JustEnded
	}
	for name, c := range map[string]struct {
		end        func(sub switchboard.Subscription, d switchboard.Delivery)
		open, just bool
	}{
		"pending":   {func(switchboard.Subscription, switchboard.Delivery) {}, true, false},
		"retrying":  {func(_ switchboard.Subscription, d switchboard.Delivery) { b.record(d, 1, 503) }, true, false},
		"delivered": {func(_ switchboard.Subscription, d switchboard.Delivery) { b.record(d, 1, 200) }, false, true},
		"held": {func(sub switchboard.Subscription, d switchboard.Delivery) {
			b.changeState(sub, switchboard.PauseSubscription)
			must(t, second(b.HoldDelivery(ctx, d, switchboard.Conditions{})))
		}, true, true},
	} {
		sub := b.subscribe(name, "ticket.*")
		d := b.accept(event(name, "e-"+name)).Deliveries[0]
		c.end(sub, d)
		if open, just := look(d.ID); open != c.open || just != c.just {
			t.Errorf("%s: open %t, just ended %t; want %t, %t", name, open, just, c.open, c.just)
		}
		b.advance(3 * time.Minute)
		if _, just := look(d.ID); just {
			t.Errorf("%s: still just ended three minutes later", name)
		}
	}
}
