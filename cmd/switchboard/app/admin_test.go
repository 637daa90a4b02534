package app

import (
	"bytes"
	"database/sql"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// empty is the configuration for a database without a schema.
func empty(t *testing.T) Config { return configOf(pg.Empty(t)) }

func execute(t *testing.T, config Config, statement string) {
	t.Helper()
	db, err := sql.Open("postgres", config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// TestMigrateSaysWhatItDid to the person or pipeline that runs it.
func TestMigrateSaysWhatItDid(t *testing.T) {
	t.Parallel()
	config := empty(t)
	without := config
	without.EncryptionKey = ""
	for _, step := range []struct {
		name      string
		config    Config
		statement string
		says      []string // words of the output, or of the error
		fails     bool
	}{
		{"the first time, without a key", without, "", []string{"made, version", "SWITCHBOARD_ENCRYPTION_KEY is not set"}, false},
		{"nothing to do, with the key", config, "", []string{"nothing to do", "they are this database's"}, false},
		{"with another key of that id", withKey(config, "test:"+strings.Repeat("ff", 32)), "", []string{"test has other bytes"}, true},
		{"a newer schema", config, "INSERT INTO switchboard_migrations (version_id, is_applied) VALUES (1000, true)", []string{"version 1000, nothing to do", "the binary works on it"}, false},
		{"one that is too new", config, "UPDATE schema_compatibility SET oldest = 1000", []string{"version 1000", "run a newer one"}, true},
		{"a pre-release's", config, "DELETE FROM switchboard_migrations WHERE version_id > 0; INSERT INTO switchboard_migrations (version_id, is_applied) VALUES (12, true)",
			[]string{"pre-release", "version 12", "delete the folder"}, true},
		{"no database", Config{}, "", []string{"SWITCHBOARD_DATABASE_URL: is required"}, true},
	} {
		if step.statement != "" {
			execute(t, config, step.statement)
		}
		var out bytes.Buffer
		err := Migrate(t.Context(), step.config, &out)
		said := out.String()
		if (err != nil) != step.fails {
			t.Errorf("%s: %v", step.name, err)
		}
		if err != nil {
			said = err.Error()
		}
		for _, word := range step.says {
			if !strings.Contains(said, word) {
				t.Errorf("%s: said %q; want %q in it", step.name, said, word)
			}
		}
	}
}

func withKey(config Config, key string) Config {
	config.EncryptionKey = key
	return config
}

// TestKeysNeedASchema: the commands say what to do first, instead of showing an SQL error.
func TestKeysNeedASchema(t *testing.T) {
	t.Parallel()
	config := empty(t)
	commands := map[string]func() error{
		"create": func() error {
			return CreateKey(t.Context(), config, NewKey{Name: "n", Role: switchboard.RoleAdmin}, io.Discard)
		},
		"list":   func() error { return ListKeys(t.Context(), config, io.Discard) },
		"revoke": func() error { return RevokeKey(t.Context(), config, "key_x", "r", io.Discard) },
	}
	for name, run := range commands {
		if err := run(); err == nil || !strings.Contains(err.Error(), "run `switchboard migrate`") {
			t.Errorf("keys %s: %v", name, err)
		}
	}
	if err := Migrate(t.Context(), config, io.Discard); err != nil {
		t.Fatal(err)
	}
	execute(t, config, "INSERT INTO switchboard_migrations (version_id, is_applied) VALUES (1000, true)")
	for _, name := range []string{"create", "list"} { // also during an upgrade
		if err := commands[name](); err != nil {
			t.Errorf("keys %s on a newer schema: %v", name, err)
		}
	}
}

// TestWrongKeyDoesNotStart: no process starts that would write what others cannot read, or could
// not read the existing data.
func TestWrongKeyDoesNotStart(t *testing.T) {
	t.Parallel()
	config := configOf(pg.Database(t))
	for _, test := range []struct{ name, key, says string }{
		{"other bytes under the same id", "test:" + strings.Repeat("ff", 32), "test has other bytes"},
		{"no key", "", "SWITCHBOARD_ENCRYPTION_KEY is not set"},
		{"the right key", config.EncryptionKey, ""},
	} {
		for _, parts := range []Parts{{API: true, Worker: true}, {API: true}, {Worker: true}} {
			a, err := build(t.Context(), withKey(config, test.key), parts, slog.New(slog.DiscardHandler))
			if err == nil {
				a.close()
			}
			if !says(err, test.says) {
				t.Errorf("%s, %+v: %v", test.name, parts, err)
			}
		}
		err := CreateKey(t.Context(), withKey(config, test.key), NewKey{Name: "n", Role: switchboard.RoleAdmin}, io.Discard)
		if !says(err, test.says) {
			t.Errorf("%s, keys create: %v", test.name, err)
		}
	}
	execute(t, config, `INSERT INTO subscriptions (id, tenant, name, state, events, method, url, document,
		max_in_flight, version, state_since, created_at, updated_at, headers_key_id, headers_ciphertext)
		VALUES ('sub_1', 'acme', 'n', 'active', '{*}', 'POST', 'https://x.example', '{}', 1, 1, now(), now(), now(), 'gone', '')`)
	if _, err := build(t.Context(), config, Parts{API: true}, slog.New(slog.DiscardHandler)); !says(err, "lacks the key gone") {
		t.Errorf("a key that is in use: %v", err)
	}
	config.LostKeys = []string{"gone"}
	a, err := build(t.Context(), config, Parts{API: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	a.close()
}
