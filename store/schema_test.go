package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

func TestMigrateAndCheck(t *testing.T) {
	t.Parallel()
	b := setupAt(t, pg.Empty(t))
	present, err := store.SchemaVersion()
	must(t, err)
	check := func(what string, words ...string) {
		t.Helper()
		err := b.CheckSchema(t.Context())
		if len(words) == 0 {
			must(t, err)
			return
		}
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: got %v, want it to say %q", what, err, word)
			}
		}
	}
	check("empty", "no Switchboard schema", fmt.Sprint("version ", present), "switchboard migrate")
	var tables int
	must(t, b.sql.Get(&tables, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
	equal(t, "tables made by the check", tables, 0)

	for range 2 {
		must(t, b.Migrate(t.Context()))
		check("migrated")
	}
	b.accept(event("acme", "e"))
	must(t, b.Migrate(t.Context()))
	must(t, second(b.Events(t.Context(), root(), switchboard.EventFilter{}, switchboard.PageRequest{})))

	_, err = b.sql.Exec("INSERT INTO switchboard_migrations (version_id, is_applied) VALUES (1000, true)")
	must(t, err)
	check("newer", "version 1000", fmt.Sprint("made for ", present), "works on it")
	must(t, b.Migrate(t.Context())) // nothing to do
	_, err = b.sql.Exec("UPDATE schema_compatibility SET oldest = 1000")
	must(t, err)
	check("too new", "version 1000", fmt.Sprint("this one is for ", present), "run a newer one")
	if err := b.Migrate(t.Context()); !errors.Is(err, store.ErrTooNewSchema) {
		t.Errorf("migrate: %v", err)
	}
	_, err = b.sql.Exec("DELETE FROM switchboard_migrations WHERE version_id > 0")
	must(t, err)
	check("older", "no Switchboard schema")
}

// TestPreReleaseIsRefused: a database of a pre-release is recognised, and not changed.
func TestPreReleaseIsRefused(t *testing.T) {
	t.Parallel()
	b := setupAt(t, pg.Empty(t))
	_, err := b.sql.Exec(`
CREATE TABLE switchboard_migrations (id int GENERATED ALWAYS AS IDENTITY, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamptz DEFAULT now());
INSERT INTO switchboard_migrations (version_id, is_applied) SELECT n, true FROM generate_series(0, 12) AS n;
CREATE TABLE deliveries (id text)`)
	must(t, err)
	for name, err := range map[string]error{"check": b.CheckSchema(t.Context()), "migrate": b.Migrate(t.Context())} {
		if !errors.Is(err, store.ErrPreRelease) || !strings.Contains(err.Error(), "schema version 12") || !strings.Contains(err.Error(), "delete the folder") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var tables int
	must(t, b.sql.Get(&tables, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
	equal(t, "tables", tables, 2)
}

// TestConstraints: the schema itself refuses invalid rows.
func TestConstraints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.delivery("acme")
	done := b.record(b.delivery("acme"), 1, 200)
	sub := b.subscribe("acme", "*")
	for name, c := range map[string]struct{ statement, id, constraint string }{
		"pending without a date":    {"UPDATE deliveries SET next_attempt_at = NULL WHERE id = $1", d.ID, "dated_has_next_attempt_at"},
		"final with a date":         {"UPDATE deliveries SET next_attempt_at = now() WHERE id = $1", done.ID, "dated_has_next_attempt_at"},
		"final without its end":     {"UPDATE deliveries SET completed_at = NULL WHERE id = $1", done.ID, "final_has_completed_at"},
		"open with an end":          {"UPDATE deliveries SET completed_at = now() WHERE id = $1", d.ID, "final_has_completed_at"},
		"held without a reason":     {"UPDATE deliveries SET state = 'held', " + parked + " WHERE id = $1", d.ID, "stopped_has_reason"},
		"failed without a reason":   {"UPDATE deliveries SET state = 'failed' WHERE id = $1", done.ID, "stopped_has_reason"},
		"retrying, never attempted": {"UPDATE deliveries SET state = 'retrying' WHERE id = $1", d.ID, "retrying_was_attempted"},
		"blocked and to be started": {"UPDATE deliveries SET state = 'blocked', reason = 'x', blocked_by = 'dlv_0', next_attempt_at = NULL, parked_at = now(), held_until = now() WHERE id = $1", d.ID, "only_open_or_cancelled_is_dispatched"},
		"held without an end":       {"UPDATE deliveries SET state = 'held', reason = 'x', next_attempt_at = NULL, parked_at = now() WHERE id = $1", d.ID, "parked_has_end"},
		"held since never":          {"UPDATE deliveries SET state = 'held', reason = 'x', next_attempt_at = NULL, held_until = now() WHERE id = $1", d.ID, "parked_has_end"},
		"pending and held":          {"UPDATE deliveries SET parked_at = now(), held_until = now() WHERE id = $1", d.ID, "parked_has_end"},
		"blocked by nothing":        {"UPDATE deliveries SET state = 'blocked', reason = 'x', " + parked + " WHERE id = $1", d.ID, "blocked_has_blocker"},
		"an unknown state":          {"UPDATE deliveries SET state = 'lost', next_attempt_at = NULL, dispatch_at = NULL WHERE id = $1", d.ID, "known_state"},
		"a run before the first":    {"UPDATE deliveries SET generation = 0 WHERE id = $1", d.ID, "counts"},
		"attempts that vanish":      {"UPDATE deliveries SET prior_attempts = 2 WHERE id = $1", done.ID, "counts"},
		"a second current secret": {"INSERT INTO subscription_secrets (id, subscription_id, created_at, key_id, ciphertext) VALUES ('s', $1, now(), 'k', '')",
			sub.ID, "subscription_secrets_current"},
		"the same attempt twice": {"INSERT INTO attempts SELECT * FROM attempts WHERE delivery_id = $1", done.ID, "attempts_p20260701_pkey"},
	} {
		if _, err := b.sql.Exec(c.statement, c.id); err == nil || !strings.Contains(err.Error(), `"`+c.constraint+`"`) {
			t.Errorf("%s: got %v, want a violation of %s", name, err, c.constraint)
		}
	}
}
