package alerts

import (
	"fmt"
	"time"

	"github.com/lib/pq"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/seed-49a43567/switchboard"
)

const (
	// day is the width of a partition.
	day = 24 * time.Hour
	// long is how far the clock advances with each scrape if an alert must last for hours.
	long = 2 * time.Minute
)

// retentionFaults are the faults of the workflows for retention and counting. The test does not
// wait for days: it changes the rows in Postgres to what they would be then, and the processes show
// them for real.
func retentionFaults() []fault {
	return []fault{
		{name: "Retain has not run for days", step: long, alerts: []string{
			"SwitchboardPartitionsMissing", "SwitchboardPartitionTail", "SwitchboardRetentionFails", "SwitchboardPartitionsOld",
		}, fail: func(l *lab) (repair, meanwhile func()) {
			l.trigger(retainSchedule) // so that there is a row for its last success
			awaitReal(l.t, "a run of Retain", func() bool { return l.number("SELECT count(last_success_at) FROM retention") == 1 })
			resume := l.pauseSchedule(retainSchedule)
			l.dropPartitionsAhead()
			l.storeInTail()
			l.makeOldPartition()
			l.sql("UPDATE retention SET last_success_at = now() - interval '25 hours'")
			return func() {
				resume()
				l.trigger(retainSchedule)
			}, nil
		}},
		{name: "a lock on partitions that are to be replaced", begins: time.Second, step: long, alerts: []string{"SwitchboardRetentionBlocked"}, fail: func(l *lab) (repair, meanwhile func()) {
			l.makeOldPartition()
			tx, err := l.db.BeginTx(l.t.Context(), nil)
			must(l.t, err)
			_, err = tx.ExecContext(l.t.Context(), "LOCK TABLE ONLY events IN ACCESS SHARE MODE") // as during a dump
			must(l.t, err)
			l.trigger(retainSchedule)
			return func() {
				must(l.t, tx.Rollback())
				l.awaitClosed("Retain") // it may have given up by now
				l.trigger(retainSchedule)
				awaitReal(l.t, "the partitions replaced", func() bool { return l.number("SELECT count(*) FROM partitions WHERE suffix = $1", oldSuffix) == 0 })
			}, nil
		}},
		{name: "attempts are not counted", alerts: []string{"SwitchboardRollupLag"}, fail: func(l *lab) (repair, meanwhile func()) {
			resume := l.pauseSchedule(rollUpSchedule)
			l.awaitClosed("RollUp")
			l.sql("UPDATE rollup SET minutes_to = minutes_to - interval '15 min'")
			return resume, nil
		}},
	}
}

// awaitClosed waits until no workflow of that type is open.
func (l *lab) awaitClosed(workflowType string) {
	l.t.Helper()
	awaitReal(l.t, "no "+workflowType+" open", func() bool {
		found, err := l.temporal.CountWorkflow(l.t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: "WorkflowType = '" + workflowType + "' AND ExecutionStatus = 'Running'",
		})
		return err == nil && found.GetCount() == 0
	})
}

// partitioned are the tables with daily partitions, and the columns by which they are divided.
var partitioned = []struct {
	table string
	byID  bool // by the id of a delivery; otherwise by a time
}{{"events", false}, {"deliveries", true}, {"attempts", true}, {"actions", true}}

// idLetters is how many letters of an id are its time.
const idLetters = 9

// bound writes a time as a bound of a partition.
func bound(byID bool, at time.Time) string {
	if byID {
		return pq.QuoteLiteral(switchboard.NewID(switchboard.DeliveryPrefix, at)[:len(switchboard.DeliveryPrefix)+idLetters])
	}
	return pq.QuoteLiteral(at.UTC().Format(time.RFC3339Nano))
}

// dropPartitionsAhead drops the partitions from the day after tomorrow on, as if nobody had made
// them.
func (l *lab) dropPartitionsAhead() {
	l.t.Helper()
	from := time.Now().UTC().Truncate(day).Add(2 * day)
	rows, err := l.db.QueryContext(l.t.Context(), "SELECT suffix FROM partitions WHERE lo >= $1 AND suffix <> 'tail'", from)
	must(l.t, err)
	var gone []string
	for rows.Next() {
		var suffix string
		must(l.t, rows.Scan(&suffix))
		gone = append(gone, suffix)
	}
	must(l.t, rows.Err())
	must(l.t, rows.Close())
	if len(gone) == 0 {
		l.t.Fatal("there are no partitions ahead")
	}
	for _, t := range partitioned {
		for _, suffix := range gone {
			l.sql("DROP TABLE " + pq.QuoteIdentifier(t.table+"_"+suffix))
		}
		l.sql(fmt.Sprintf("ALTER TABLE %[1]s DETACH PARTITION %[1]s_tail", t.table))
		l.sql(fmt.Sprintf("ALTER TABLE %[1]s ATTACH PARTITION %[1]s_tail FOR VALUES FROM (%[2]s) TO (MAXVALUE)", t.table, bound(t.byID, from)))
	}
	l.sql("DELETE FROM partitions WHERE suffix = ANY($1)", pq.Array(gone))
	l.sql("UPDATE partitions SET lo = $1 WHERE suffix = 'tail'", from)
}

// storeInTail stores a copy of a delivery with a time for which there are no daily partitions.
func (l *lab) storeInTail() {
	l.t.Helper()
	at := time.Now().UTC().Truncate(day).Add(4 * day)
	l.sql(`INSERT INTO deliveries SELECT (json_populate_record(d, json_build_object('id', $1::text, 'created_at', $2::timestamptz, 'completed_at', $2::timestamptz, 'event_at', d.created_at))).*
		FROM deliveries d WHERE state = 'delivered' LIMIT 1`, switchboard.NewID(switchboard.DeliveryPrefix, at), at)
	if l.number("SELECT count(*) FROM deliveries_tail") != 1 {
		l.t.Fatal("it is not in the tail")
	}
}

// oldSuffix names the partition that [lab.makeOldPartition] makes.
const oldSuffix = "old"

// makeOldPartition makes an empty partition of past days, as if nobody had replaced it: a part of
// the span before the first day.
func (l *lab) makeOldPartition() {
	l.t.Helper()
	today := time.Now().UTC().Truncate(day)
	from, to := today.Add(-20*day), today.Add(-2*day)
	var end time.Time // of what is kept
	must(l.t, l.db.QueryRowContext(l.t.Context(), "SELECT hi FROM partitions WHERE suffix = 'kept'").Scan(&end))
	for _, t := range partitioned {
		l.sql(fmt.Sprintf("ALTER TABLE %[1]s DETACH PARTITION %[1]s_kept", t.table))
		l.sql(fmt.Sprintf("ALTER TABLE %[1]s ATTACH PARTITION %[1]s_kept FOR VALUES FROM (MINVALUE) TO (%[2]s)", t.table, bound(t.byID, from)))
		l.sql(fmt.Sprintf("CREATE TABLE %[1]s_%[2]s PARTITION OF %[1]s FOR VALUES FROM (%[3]s) TO (%[4]s)", t.table, oldSuffix, bound(t.byID, from), bound(t.byID, to)))
		if end.After(to) {
			l.sql(fmt.Sprintf("CREATE TABLE %[1]s_before PARTITION OF %[1]s FOR VALUES FROM (%[2]s) TO (%[3]s)", t.table, bound(t.byID, to), bound(t.byID, end)))
		}
	}
	l.sql("UPDATE partitions SET hi = $1 WHERE suffix = 'kept'", from)
	l.sql("INSERT INTO partitions (suffix, lo, hi, stage, at) VALUES ($1, $2, $3, 'open', $2)", oldSuffix, from, to)
	if end.After(to) {
		l.sql("INSERT INTO partitions (suffix, lo, hi, stage, at) VALUES ('before', $1, $2, 'open', $1)", to, end)
	}
}
