package store_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// recordCase is a delivery, and an attempt that is then recorded.
type recordCase struct {
	state      switchboard.State
	dispatch   bool // it must be dispatched
	awaited    bool
	ordered    bool // it is in the queue of a key, unless it is final
	number     int  // of the attempt; the delivery has made 3
	generation int  // of the attempt; the delivery is in its 2nd
	status     int
	decision   switchboard.Decision
}

// fast reports whether the one statement records the attempt: the next of its generation, unless it
// ends a delivery that others may wait for.
func (c recordCase) fast() bool {
	return c.state.HasNextAttempt() && !c.awaited && c.number == 4 && c.generation == 2 && (!c.ordered || !c.decision.State.Final())
}

// recordCases generates every combination.
func recordCases() []recordCase {
	decisions := []struct {
		status   int
		decision switchboard.Decision
	}{
		{200, switchboard.Decision{State: switchboard.StateDelivered}},
		{503, switchboard.Decision{State: switchboard.StateRetrying, Reason: "http_503", Wait: 7*time.Second + 123*time.Nanosecond}},
		{503, switchboard.Decision{State: switchboard.StateRetrying, Reason: "http_503"}},
		{503, switchboard.Decision{State: switchboard.StateFailed, Reason: "http_503"}},
		{410, switchboard.Decision{State: switchboard.StateFailed, Reason: "http_410", Permanent: true}},
	}
	var cases []recordCase
	for _, state := range switchboard.States() {
		for _, d := range decisions {
			for number := 2; number <= 5; number++ {
				for generation := 1; generation <= 3; generation++ {
					for _, awaited := range []bool{false, true} {
						for _, dispatch := range []bool{false, true} {
							if dispatch && !state.HasNextAttempt() && state != switchboard.StateCancelled {
								continue
							}
							for _, ordered := range []bool{false, true} {
								cases = append(cases, recordCase{state, dispatch, awaited, ordered, number, generation, d.status, d.decision})
							}
						}
					}
				}
			}
		}
	}
	return cases
}

// TestFastRecordIsTheLifecycle: the one statement writes what the lifecycle's method writes, in the
// delivery and in the attempt, or does not change the row.
func TestFastRecordIsTheLifecycle(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cases := recordCases()
	fast, slow := b.deliveriesFor(cases), b.deliveriesFor(cases)
	b.advance(time.Minute)
	var fastRecords, slowRecords []switchboard.Record
	for i, c := range cases {
		fastRecords = append(fastRecords, b.recordFor(c, fast[i]))
		slowRecords = append(slowRecords, b.recordFor(c, slow[i]))
	}
	before := b.rows(fast)
	moved, err := b.RecordFast(t.Context(), fastRecords)
	must(t, err)
	must(t, b.RecordLocked(t.Context(), slowRecords))
	got, want := b.rows(fast), b.rows(slow)
	compared := 0
	for i, c := range cases {
		what := fmt.Sprintf("%+v", c)
		d, wasMoved := moved[fastRecords[i].Attempt.ID]
		if equal(t, "recorded by the statement: "+what, wasMoved, c.fast()); !wasMoved {
			equal(t, "left alone: "+what, got[i], before[i])
			continue
		}
		compared++
		equal(t, what, got[i], want[i])
		equal(t, "returned: "+what, d, b.read(fast[i]))
	}
	if compared < 28 {
		t.Errorf("compared %d cases only", compared)
	}
}

// TestRecordedRowIsTheLifecycles: the stored row is what the method makes of the row before.
func TestRecordedRowIsTheLifecycles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cases := recordCases()
	ids := b.deliveriesFor(cases)
	before := b.found(ids)
	var records []switchboard.Record
	for i, c := range cases {
		records = append(records, b.recordFor(c, ids[i]))
	}
	must(t, b.RecordLocked(t.Context(), records))
	after := b.found(ids)
	for i, c := range cases {
		want := before[ids[i]]
		want.Record(records[i])
		equal(t, fmt.Sprintf("%+v", c), after[ids[i]], want)
	}
}

// deliveriesFor stores a delivery for each case, and returns their ids.
func (b *bundle) deliveriesFor(cases []recordCase) []string {
	b.t.Helper()
	b.subscribe("acme", "ticket.*")
	events := make([]switchboard.Event, len(cases))
	for i := range events {
		events[i] = event("acme", "")
	}
	accepted, err := b.Accept(b.t.Context(), root(), events)
	must(b.t, err)
	ids := make([]string, len(cases))
	for i, c := range cases {
		deliveries := accepted[i].Deliveries
		ids[i] = deliveries[0].ID
		next, completed, dispatch, reason := sql.NullTime{}, sql.NullTime{}, sql.NullTime{Time: b.clock(), Valid: c.dispatch}, "some reason"
		switch {
		case c.state.HasNextAttempt():
			next = sql.NullTime{Time: b.clock(), Valid: true}
		case c.state.Final():
			completed = sql.NullTime{Time: b.clock(), Valid: true}
		}
		parkedAt, heldUntil, blockedBy := sql.NullTime{Time: b.clock(), Valid: c.state.Parked()}, sql.NullTime{Time: b.clock().Add(time.Hour), Valid: c.state.Parked()}, ""
		if c.state == switchboard.StateBlocked {
			blockedBy = "dlv_0"
		}
		must(b.t, second(b.sql.Exec(`UPDATE deliveries SET state = $2, reason = $3, next_attempt_at = $4, completed_at = $5, dispatch_at = $6,
response_awaited = $7, ordered = $11, key = CASE WHEN $11 THEN id ELSE '' END, parked_at = $8, held_until = $9, blocked_by = $10, attempts_made = 3, prior_attempts = 1, generation = 2, temporal_run_id = 'before', last_status_code = 500, last_failure = 'http_5xx' WHERE id = $1`,
			ids[i], string(c.state), reason, next, completed, dispatch, c.awaited, parkedAt, heldUntil, blockedBy, c.ordered)))
	}
	return ids
}

// recordFor returns the attempt of the case.
func (b *bundle) recordFor(c recordCase, id string) switchboard.Record {
	return switchboard.Record{
		Attempt: b.attempt(switchboard.Delivery{ID: id}, c.number, c.status), Decision: c.decision, Generation: c.generation, TemporalRunID: "after",
	}
}

// rows reads the whole deliveries, with their attempts, except for the names that differ.
func (b *bundle) rows(ids []string) []string {
	b.t.Helper()
	rows := make([]string, len(ids))
	for i, id := range ids {
		must(b.t, b.sql.Get(&rows[i], `SELECT (to_jsonb(d) - '{id,event_id,subscription_id,key}'::text[])::text || coalesce((
SELECT jsonb_agg(to_jsonb(a) - '{id,delivery_id}'::text[])::text FROM attempts a WHERE a.delivery_id = d.id), '') FROM deliveries d WHERE d.id = $1`, id))
	}
	return rows
}

// found reads the deliveries by their ids.
func (b *bundle) found(ids []string) map[string]switchboard.Delivery {
	b.t.Helper()
	all, err := b.Find(b.t.Context(), ids)
	must(b.t, err)
	byID := map[string]switchboard.Delivery{}
	for _, d := range all {
		byID[d.ID] = d
	}
	return byID
}
