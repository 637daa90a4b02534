package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// partitions lists the table's partitions, as "name: from to" without quotes.
func (b *bundle) partitions(table string) []string {
	b.t.Helper()
	var found []string
	must(b.t, b.sql.Select(&found, `
SELECT c.relname || ': ' || translate(pg_get_expr(c.relpartbound, c.oid), '''()', '') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = $1::regclass ORDER BY c.relname`, table))
	for i := range found {
		found[i] = strings.Replace(found[i], "FOR VALUES FROM ", "", 1)
	}
	return found
}

// idBound is the beginning of ids of deliveries that are made from that time on.
func idBound(at time.Time) string { return switchboard.NewID(switchboard.DeliveryPrefix, at)[:13] }

func TestPartitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	day := func(n int) time.Time { return time.Date(2026, 7, n, 0, 0, 0, 0, time.UTC) }
	events, deliveries := []string{"events_kept: MINVALUE TO 2026-07-01 00:00:00+00"}, []string{"deliveries_kept: MINVALUE TO " + idBound(day(1))}
	for n := 1; n <= 8; n++ {
		events = append(events, fmt.Sprintf("events_p2026070%d: 2026-07-0%d 00:00:00+00 TO 2026-07-0%d 00:00:00+00", n, n, n+1))
		deliveries = append(deliveries, fmt.Sprintf("deliveries_p2026070%d: %s TO %s", n, idBound(day(n)), idBound(day(n+1))))
	}
	equal(t, "of events", b.partitions("events"), append(events, "events_tail: 2026-07-09 00:00:00+00 TO MAXVALUE"))
	equal(t, "of deliveries", b.partitions("deliveries"), append(deliveries, "deliveries_tail: "+idBound(day(9))+" TO MAXVALUE"))

	var bad []string
	must(t, b.sql.Select(&bad, `
SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_inherits p ON p.inhrelid = i.indrelid
WHERE strpos(i.indexrelid::regclass::text, i.indrelid::regclass::text || '_') <> 1`))
	equal(t, "indexes that are named like another partition", bad, []string(nil))
}

// TestMakePartitions: existing rows, in the tail too, end up in the partition of their time.
func TestMakePartitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sub := b.subscribe("acme", "*")
	var all []switchboard.Delivery
	for range 14 {
		d := b.accept(event("acme", "")).Deliveries[0]
		all = append(all, b.record(d, 1, 503))
		b.advance(24 * time.Hour)
	}
	made, err := b.MakePartitions(t.Context(), 2, 24*time.Hour)
	must(t, err)
	equal(t, "partitions made", made, 1) // which has the rows of the tail
	made, err = b.MakePartitions(t.Context(), 2, 24*time.Hour)
	must(t, err)
	equal(t, "made again", made, 0)
	equal(t, "the last of events", b.partitions("events")[9:], []string{
		"events_p20260709: 2026-07-09 00:00:00+00 TO 2026-07-18 00:00:00+00",
		"events_tail: 2026-07-18 00:00:00+00 TO MAXVALUE",
	})
	var checks []string
	must(t, b.sql.Select(&checks, "SELECT conrelid::regclass::text FROM pg_constraint WHERE conname = 'bounds'"))
	equal(t, "checks that are left", checks, []string(nil))
	for _, d := range all {
		loaded, err := b.LoadForAttempt(t.Context(), d.ID)
		must(t, err)
		equal(t, "loaded", []any{loaded.Delivery, loaded.Event.ID, loaded.Subscription.ID}, []any{d, d.EventID, sub.ID})
		detail, err := b.Delivery(t.Context(), root(), d.ID)
		must(t, err)
		equal(t, "attempts", len(detail.Attempts), 1)
	}
	for table, want := range map[string]int{"events_kept": 0, "events_p20260701": 1, "deliveries_p20260708": 1, "attempts_p20260709": 6, "events_tail": 0} {
		var rows int
		must(t, b.sql.Get(&rows, "SELECT count(*) FROM "+table))
		equal(t, "rows of "+table, rows, want)
	}
}

// TestMakePartitionsBehindAReader: a reader of a table delays neither the change of its partitions
// nor those behind it for longer than a moment.
func TestMakePartitionsBehindAReader(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.advance(24 * time.Hour)
	reader, err := b.sql.Beginx()
	must(t, err)
	var rows int
	must(t, reader.Get(&rows, "SELECT count(*) FROM events"))
	done := make(chan error, 1)
	go func() {
		_, err := b.MakePartitions(t.Context(), 7, 24*time.Hour)
		done <- err
	}()
	eventually(t, "it waits for the reader", func() bool {
		var waiting int
		must(t, b.sql.Get(&waiting, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'events'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"))
		return waiting > 0
	})
	b.accept(event("acme", "")) // waits for 100 ms, not for the reader
	must(t, reader.Commit())
	must(t, <-done)
	equal(t, "partitions", len(b.partitions("events")), 11)
}

// Rows that a dead process, or one with an early clock, has left in the tail are no obstacle.
func TestMakePartitionsOfATailWithRows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, before string }{
		{"checks that were not proven", "ALTER TABLE events_tail ADD CONSTRAINT bounds CHECK (created_at < '2026-08-01Z') NOT VALID"},
		{"an event of much later", "INSERT INTO events (id, tenant, type, created_at, occurred_at, data) VALUES ('late', 'acme', 'ticket.created', '2026-12-24Z', '2026-12-24Z', '')"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.subscribe("acme", "*")
			b.advance(14 * testDay)
			d := b.accept(event("acme", "")).Deliveries[0]
			_, err := b.sql.Exec(c.before)
			must(t, err)
			_, err = b.MakePartitionsAhead(t.Context(), switchboard.Retention{})
			must(t, err)
			_, err = b.LoadForAttempt(t.Context(), d.ID)
			must(t, err)
			b.advance(20 * testDay)
			b.accept(event("acme", "")) // in the tail again, which accepts any time
			var checks []string
			must(t, b.sql.Select(&checks, "SELECT conrelid::regclass::text FROM pg_constraint WHERE conname = 'bounds'"))
			equal(t, "checks that are left", checks, []string(nil))
		})
	}
}
