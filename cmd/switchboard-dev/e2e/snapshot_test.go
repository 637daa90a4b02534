package e2e

import (
	"database/sql"
	"testing"

	_ "github.com/lib/pq" // to read Switchboard's own database
)

// tables are the tables that calls of the API change. What Switchboard changes by itself does not
// belong to them: the list of workers, which every worker updates each second, the rollups, and the
// partitions with the date of the last retention, which runs every hour.
func tables() []string {
	return []string{
		"events", "event_ids", "deliveries", "attempts", "actions", "erasures", "subscriptions", "subscription_secrets", "keys", "event_types",
		"encryption_keys", "idempotency_keys", "subscription_health", "subscription_rates", "ordering_keys", "operations", "operation_items", "resends", "audit", "sessions", "portal_links",
	}
}

// snapshot is the content of the tables: for each the number of rows and a digest.
type snapshot map[string]struct {
	Rows   int
	Digest string
}

// database opens Switchboard's own database.
func (s *system) database() *sql.DB {
	s.t.Helper()
	db, err := sql.Open("postgres", s.config.DatabaseURL)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}

func snapshotOf(t *testing.T, db *sql.DB) snapshot {
	t.Helper()
	found := snapshot{}
	for _, table := range tables() {
		entry := found[table]
		row := "r::text"
		if table == "keys" {
			row = "(to_jsonb(r) - 'last_used_at')::text" // written after the answer
		}
		query := "SELECT count(*), coalesce(md5(string_agg(" + row + ", E'\\n' ORDER BY " + row + ")), '') FROM " + table + " r"
		if err := db.QueryRowContext(t.Context(), query).Scan(&entry.Rows, &entry.Digest); err != nil {
			t.Fatal(err)
		}
		found[table] = entry
	}
	return found
}

func TestSnapshotKnowsEveryTable(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	var n int
	err := s.database().QueryRowContext(t.Context(), `
SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
	AND relname NOT IN ('switchboard_migrations', 'schema_compatibility', 'workers', 'partitions', 'retention', 'rollup', 'traffic_minute', 'traffic_hour', 'traffic_subscription', 'traffic_recent')`).Scan(&n)
	if err != nil || n != len(tables()) {
		t.Errorf("the schema has %d tables, the snapshot %d; %v", n, len(tables()), err)
	}
}
