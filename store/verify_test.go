package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// verifyDatabase verifies under the settings that Switchboard has by default.
func (b *bundle) verifyDatabase() switchboard.VerifyReport {
	b.t.Helper()
	v, err := b.Verify(b.t.Context(), switchboard.Retention{Delivered: 30 * testDay, Failed: 90 * testDay, Payloads: 10 * testDay}, 7*testDay)
	must(b.t, err)
	defer func() { must(b.t, v.Close()) }()
	must(b.t, v.Database(b.t.Context()))
	return v.Report
}

// Each promise that is broken is found, and named by its check.
func TestVerifyFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want string
		do   string // with $1: the delivery
	}{
		{"undated", "ALTER TABLE deliveries DROP CONSTRAINT dated_has_next_attempt_at; UPDATE deliveries SET next_attempt_at = NULL"},
		{"undated", "ALTER TABLE deliveries DROP CONSTRAINT final_has_completed_at, DROP CONSTRAINT dated_has_next_attempt_at; UPDATE deliveries SET state = 'failed', reason = 'x', next_attempt_at = NULL"},
		{"parked_without_reason", "ALTER TABLE deliveries DROP CONSTRAINT stopped_has_reason; UPDATE deliveries SET state = 'held', reason = '', next_attempt_at = NULL, dispatch_at = NULL"},
		{"attempt_without_delivery", "UPDATE attempts SET delivery_id = delivery_id || '0'"},
		{"action_without_delivery", "UPDATE actions SET delivery_id = delivery_id || '0'"},
		{"attempt_missing", "DELETE FROM attempts"},
		{"attempt_uncounted", "UPDATE attempts SET number = 5"},
		{"delivery_without_event", "DELETE FROM events"},
		{"open_without_data", "UPDATE events SET data = '', erased_at = created_at"},
		{"erased_event_with_data", "UPDATE events SET erased_at = created_at"},
		{"event_id_missing", "DELETE FROM event_ids"},
		{"event_id_without_event", "UPDATE event_ids SET name = '00000000-0000-0000-0000-000000000000'"},
		{"past_retention", "UPDATE deliveries SET state = 'delivered', next_attempt_at = NULL, dispatch_at = NULL, completed_at = created_at - interval '34 days'"},
		{"undecryptable", "UPDATE subscription_secrets SET ciphertext = '\\x00'"},
		{"undecryptable", "UPDATE subscription_secrets SET key_id = 'lost'"},
		{"delivery_without_subscription", "DELETE FROM subscriptions"},
		{"partition_unknown", "DELETE FROM partitions WHERE suffix = 'kept'"},
		{"partition_missing", "INSERT INTO partitions (suffix, lo, hi, stage, at) SELECT 'other', hi, hi, 'open', now() FROM partitions WHERE suffix = 'kept'"},
		{"partition_gap", "UPDATE partitions SET lo = lo + interval '1 hour' WHERE suffix = 'tail'"},
		{"erased_tenant_with_deliveries", erasedTenant},
		{"erased_tenant_with_events", erasedTenant},
		{"erased_tenant_with_subscriptions", erasedTenant},
		{"erased_tenant_with_keys", erasedTenant},
		{"erased_event_with_attempts", `INSERT INTO erasures (id, scope, tenant, event_id, event_at, requested_at, finished_at, actor, person, reason)
			SELECT 'era_1', 'event', tenant, id, created_at, created_at, created_at, 'cli', '', '' FROM events`},
	} {
		t.Run(c.want, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.subscribe("acme", "ticket.*")
			_, err := b.CreateKey(t.Context(), root(), switchboard.Key{Name: "its own", Role: switchboard.RolePublisher, Tenant: "acme"}, switchboard.NewKeyText())
			must(t, err)
			d := b.accept(event("acme", "platform-1")).Deliveries[0]
			b.record(d, 1, 503)
			_, _, err = b.Retry(t.Context(), root(), d.ID, "at once")
			must(t, err)
			b.advance(time.Minute)
			if report := b.verifyDatabase(); !report.Clean() {
				t.Fatalf("before: %+v", report)
			}
			_, err = b.sql.Exec(c.do)
			must(t, err)
			report := b.verifyDatabase()
			if !slices.ContainsFunc(report.Violations, func(v switchboard.Violation) bool { return v.Check == c.want }) {
				t.Errorf("%s is not found: %+v", c.want, report)
			}
		})
	}
}

const erasedTenant = `INSERT INTO erasures (id, scope, tenant, event_id, requested_at, cut_off_at, finished_at, actor, person, reason)
	VALUES ('era_1', 'tenant', 'acme', '', now(), now() + interval '1000 days', now(), 'cli', '', '')`

// A partition that nobody makes is missed before it is needed.
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

// checks are the names of the checks that find a violation.
func (b *bundle) checks() []string {
	b.t.Helper()
	var names []string
	for _, v := range b.verifyDatabase().Violations {
		names = append(names, v.Check)
	}
	return names
}

// Payloads that retention has left are found, and those of open deliveries are none.
func TestVerifyFindsPayloads(t *testing.T) {
	t.Parallel()
	a := setupArchive(t, 20)
	a.add(generated{state: "held", createdAt: a.first.Add(time.Hour)})
	g := a.add(generated{state: "failed", createdAt: a.first.Add(2 * time.Hour), endedAt: a.first.Add(3 * time.Hour)})
	found := slices.DeleteFunc(a.verifyDatabase().Violations, func(v switchboard.Violation) bool { return v.Check == "delivery_without_subscription" })
	equal(t, "violations", found, []switchboard.Violation{{Check: "payload_past_retention", Partition: "p20260701", Subject: g.event, Detail: found[0].Detail}})
}
