package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// releasedSchema is the version of the schema in the last release.
func releasedSchema(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("../deploy/last_release")
	must(t, err)
	found := regexp.MustCompile(`(?m)^schema (\d+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatal("deploy/last_release names no schema")
	}
	version, err := strconv.ParseInt(string(found[1]), 10, 64)
	must(t, err)
	return version
}

// parts are the parts of a schema on which a binary of that version may rely, without partitions.
type parts struct {
	tables  []string
	columns map[string]column // by table.column
	unique  []string          // indexes, as ON CONFLICT needs them, without their names
	rules   []string          // CHECK and FOREIGN KEY constraints
	code    []string          // functions and triggers
}

type column struct {
	Name, Type   string
	Null, Filled bool // may be null; is filled by itself
}

func (b *bundle) schemaParts() parts {
	b.t.Helper()
	const ours = "c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'switchboard_migrations'"
	var p parts
	must(b.t, b.sql.Select(&p.tables, "SELECT relname FROM pg_class c WHERE "+ours))
	var columns []column
	must(b.t, b.sql.Select(&columns, `
SELECT c.relname || '.' || a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS null, a.atthasdef OR a.attidentity <> '' AS filled
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE `+ours))
	p.columns = map[string]column{}
	for _, c := range columns {
		p.columns[c.Name] = c
	}
	must(b.t, b.sql.Select(&p.unique, "SELECT c.relname || ': ' || regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '') FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid WHERE i.indisunique AND "+ours))
	must(b.t, b.sql.Select(&p.rules, "SELECT c.relname || ': ' || pg_get_constraintdef(k.oid) FROM pg_class c JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype IN ('c', 'f') AND "+ours))
	must(b.t, b.sql.Select(&p.code, `
SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL SELECT 'trigger ' || t.tgname || ' of ' || c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND `+ours))
	return p
}

// contractions are old parts that a binary relies on and that are missing in the new schema, or
// refuse the binary.
func contractions(before, now parts) []string {
	var found []string
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	missing := func(what string, from, in []string) {
		for _, each := range from {
			if !slices.Contains(in, each) {
				say("%s: %s", what, each)
			}
		}
	}
	table := func(name string) string {
		name, _, _ = strings.Cut(name, ".")
		name, _, _ = strings.Cut(name, ":")
		return name
	}
	ofOldTables := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(each string) bool { return !slices.Contains(before.tables, table(each)) })
	}
	missing("the table is gone", before.tables, now.tables)
	for name, old := range before.columns {
		present, there := now.columns[name]
		switch {
		case !slices.Contains(now.tables, table(name)):
		case !there:
			say("the column is gone: %s", name)
		case present.Type != old.Type:
			say("the column has another type: %s", name)
		case old.Null && !present.Null:
			say("the column may not be null any more: %s", name)
		case old.Filled && !present.Filled && !present.Null:
			say("the column has no default any more: %s", name)
		}
	}
	for name, c := range now.columns {
		if _, old := before.columns[name]; !old && slices.Contains(before.tables, table(name)) && !c.Null && !c.Filled {
			say("the new column must be given: %s", name)
		}
	}
	missing("the unique index is gone", before.unique, now.unique)
	missing("the unique index is new", ofOldTables(now.unique), before.unique)
	missing("the constraint is new", ofOldTables(now.rules), before.rules)
	missing("gone", before.code, now.code)
	return found
}

// TestSchemaOnlyExpands: the binary of the last release finds what it relies on in the current
// schema, and may write what it writes. A migration lists what it removes on purpose, as
// docs/upgrading.md says.
func TestSchemaOnlyExpands(t *testing.T) {
	t.Parallel()
	released := releasedSchema(t)
	before, now := setupAt(t, pg.Empty(t)), setup(t)
	must(t, before.MigrateTo(t.Context(), released))
	meant := removedOnPurpose(t, released)
	for _, c := range contractions(before.schemaParts(), now.schemaParts()) {
		if _, subject, _ := strings.Cut(c, ": "); !slices.Contains(meant, subject) {
			t.Errorf("%s (schema %d is that of the last release)", c, released)
		}
	}
	var oldest int64
	must(t, now.sql.Get(&oldest, "SELECT oldest FROM schema_compatibility"))
	if oldest > released {
		t.Errorf("the schema is for binaries of version %d and later, and the last release has %d: it could not be gone back to", oldest, released)
	}
}

// removedOnPurpose returns the lines "-- removed: …" of migrations after that version. Such a
// migration says which binaries it is for.
func removedOnPurpose(t *testing.T, after int64) (names []string) {
	t.Helper()
	files, err := filepath.Glob("migrations/*.sql")
	must(t, err)
	for _, file := range files {
		number, err := strconv.ParseInt(filepath.Base(file)[:5], 10, 64)
		must(t, err)
		text, err := os.ReadFile(file)
		must(t, err)
		lines := regexp.MustCompile(`(?m)^-- removed: (.+)$`).FindAllStringSubmatch(string(text), -1)
		if number <= after || len(lines) == 0 {
			continue
		}
		if !strings.Contains(string(text), "UPDATE schema_compatibility SET oldest = ") {
			t.Errorf("%s removes something, and does not say which binaries it is for", file)
		}
		for _, line := range lines {
			names = append(names, line[1])
		}
	}
	return names
}

// TestIndexesCanBeBuiltAhead: a migration that makes an index of a table with partitions does
// nothing else. So the index can be built before it while deliveries continue, as docs/upgrading.md
// says.
func TestIndexesCanBeBuiltAhead(t *testing.T) {
	t.Parallel()
	const last = 116 // where the rule begins
	index := regexp.MustCompile(`(?i)\bINDEX\b[^;]*\bON (?:ONLY )?(?:events|deliveries|attempts|actions)\b`)
	comment := regexp.MustCompile(`(?m)--.*$`)
	files, err := filepath.Glob("migrations/*.sql")
	must(t, err)
	for _, file := range files {
		number, err := strconv.Atoi(filepath.Base(file)[:5])
		must(t, err)
		text, err := os.ReadFile(file)
		must(t, err)
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		statements := strings.TrimSpace(comment.ReplaceAllString(up, ""))
		if number > last && index.MatchString(statements) && strings.Count(statements, ";") > 1 {
			t.Errorf("%s makes an index of a table with partitions, and does something else too", file)
		}
	}
}

// TestContractionsAreSeen: changes that would stop the binary of the previous release, and changes
// that would not.
func TestContractionsAreSeen(t *testing.T) {
	t.Parallel()
	for statement, want := range map[string]string{
		"ALTER TABLE subscriptions ADD COLUMN new text":                        "",
		"ALTER TABLE subscriptions ADD COLUMN new text NOT NULL DEFAULT ''":    "",
		"CREATE TABLE new (id text PRIMARY KEY, n int NOT NULL CHECK (n > 0))": "",
		"CREATE INDEX ON subscriptions (updated_at)":                           "",
		"ALTER TABLE subscriptions ALTER COLUMN url DROP NOT NULL":             "",
		"ALTER TABLE attempts DROP COLUMN detail":                              "the column is gone: attempts.detail",
		"ALTER TABLE attempts RENAME COLUMN detail TO details":                 "the column is gone: attempts.detail",
		"DROP TABLE portal_links":                                              "the table is gone: portal_links",
		"ALTER TABLE operation_items RENAME TO items":                          "the table is gone: operation_items",
		"ALTER TABLE subscriptions ADD COLUMN new text NOT NULL":               "the new column must be given: subscriptions.new",
		"ALTER TABLE subscriptions ALTER COLUMN deleted_at SET NOT NULL":       "the column may not be null any more: subscriptions.deleted_at",
		"ALTER TABLE deliveries ALTER COLUMN generation DROP DEFAULT":          "the column has no default any more: deliveries.generation",
		"ALTER TABLE subscriptions ALTER COLUMN max_in_flight TYPE bigint":     "the column has another type: subscriptions.max_in_flight",
		"ALTER TABLE keys ADD CONSTRAINT new CHECK (name <> '')":               "the constraint is new: keys: CHECK ((name <> ''::text))",
		"CREATE UNIQUE INDEX ON keys (created_at)":                             "the unique index is new: keys: btree (created_at)",
		"ALTER TABLE portal_links DROP CONSTRAINT portal_links_pkey":           "the unique index is gone: portal_links",
	} {
		t.Run(statement, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			before := b.schemaParts()
			must(t, second(b.sql.Exec(statement)))
			found := strings.Join(contractions(before, b.schemaParts()), "\n")
			if (want == "") != (found == "") || !strings.Contains(found, want) {
				t.Errorf("%q; want %q", found, want)
			}
		})
	}
}
