package store

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

// record is an attempt that is being recorded, with what was decided after it.
type record struct {
	attempt       switchboard.Attempt
	decision      switchboard.Decision
	temporalRunID string
	generation    int // of its delivery, that it was made for
}

// Record stores an attempt with what was decided after it, moves its delivery
// there, and returns the delivery as it is when that is durable. It may be
// repeated: an attempt whose id is recorded already changes nothing. A
// delivery that an operator moved in the meantime stays where it is.
//
// Two attempts may come with one number: the last of an earlier generation that was still
// under way when an operator restarted the delivery, or one that Temporal repeated
// elsewhere because it had lost sight of the first. Both requests were made, so the later
// record takes the next free number.
func (s *Store) Record(ctx context.Context, a switchboard.Attempt, d switchboard.Decision, temporalRunID string, generation int) (switchboard.Delivery, error) {
	a.At = a.At.UTC().Truncate(time.Microsecond)
	return do(ctx, s.records, "record attempt", record{a, d, temporalRunID, generation})
}

func sizeOfRecord(r record) int { return len(r.attempt.Outcome.Response.Body) }

// recordAll records attempts of several deliveries together: nearly all of them in
// one statement, and in a transaction what is not simply a delivery's next.
func (s *Store) recordAll(ctx context.Context, records []record) ([]batch.Result[switchboard.Delivery], error) {
	moved, err := s.recordFast(ctx, records)
	if err != nil {
		return nil, err
	}
	results := make([]batch.Result[switchboard.Delivery], len(records))
	var others []record
	for i, r := range records {
		if d, ok := moved[r.attempt.ID]; ok {
			results[i].Out = d
		} else {
			others = append(others, r)
		}
	}
	if len(others) == 0 {
		return results, nil
	}
	var rows map[string]*row
	err = s.tx(ctx, "record attempts", func(ctx context.Context, tx transaction) (err error) {
		rows, err = recordRows(ctx, tx, others)
		return err
	})
	for i, r := range records {
		if _, ok := moved[r.attempt.ID]; ok {
			continue
		}
		switch row := rows[r.attempt.DeliveryID]; {
		case err != nil:
			results[i].Err = err
		case row == nil:
			results[i].Err = noDelivery(r.attempt.DeliveryID)
		default:
			results[i].Out = row.Delivery
		}
	}
	return results, nil
}

// recordRows stores what is new and returns the deliveries as they are afterwards.
func recordRows(ctx context.Context, tx transaction, records []record) (map[string]*row, error) {
	rows, err := lockDeliveries(ctx, tx, deliveriesOf(records))
	if err != nil {
		return nil, err
	}
	taken, recorded, err := recordedBefore(ctx, tx, rows, records)
	if err != nil {
		return nil, err
	}
	var attempts []attemptColumns
	changed := map[string]*row{}
	for _, r := range byNumber(records) {
		d := rows[r.attempt.DeliveryID]
		if d == nil || recorded[r.attempt.ID] {
			continue
		}
		if taken[r.key()] {
			r.attempt.Number = d.AttemptsMade + 1
		}
		taken[r.key()], recorded[r.attempt.ID] = true, true
		d.record(r)
		attempts, changed[d.ID] = append(attempts, columnsOf(r.attempt, r.generation)), d
	}
	if len(attempts) == 0 {
		return rows, nil
	}
	text, err := json.Marshal(attempts)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, insertAttemptsQuery, string(text)); err != nil {
		return nil, err
	}
	saved := slices.Collect(maps.Values(changed))
	if err := saveDeliveries(ctx, tx, saved...); err != nil {
		return nil, err
	}
	return rows, announceAnswers(ctx, tx, saved...)
}

// record moves the delivery to where the attempt leaves it.
func (r *row) record(rec record) {
	a := rec.attempt
	overtaken := r.Generation != rec.generation // it is of an earlier run, before an operator set the delivery going again
	if a.Number > r.AttemptsMade {
		if overtaken {
			r.PriorAttempts += a.Number - r.AttemptsMade // the new run has all of its own
		}
		r.AttemptsMade, r.LastStatusCode, r.LastFailure = a.Number, a.Outcome.StatusCode, a.Outcome.Failure
	}
	if overtaken {
		return
	}
	r.TemporalRunID = rec.temporalRunID
	if !r.State.HasNextAttempt() {
		return
	}
	r.DispatchAt = time.Time{}
	r.State, r.Reason, r.Permanent = rec.decision.State, rec.decision.Reason, rec.decision.Permanent
	r.NextAttemptAt, r.CompletedAt = rec.dates()
}

// dates are those of the delivery after the attempt: of the next one, or of its
// completion; zero: it has none.
func (r record) dates() (next, completed time.Time) {
	end := r.attempt.At.Add(r.attempt.Outcome.Latency)
	switch {
	case r.decision.State.HasNextAttempt():
		next = end.Add(r.decision.Wait).UTC().Truncate(time.Microsecond)
	case r.decision.State.Final():
		completed = end.UTC().Truncate(time.Microsecond)
	}
	return next, completed
}

// attemptKey is what names an attempt.
type attemptKey struct {
	delivery string
	number   int
}

func (r record) key() attemptKey { return attemptKey{r.attempt.DeliveryID, r.attempt.Number} }

func deliveriesOf(records []record) []string {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.attempt.DeliveryID
	}
	return unique(ids)
}

func byNumber(records []record) []record {
	return slices.SortedStableFunc(slices.Values(records), func(a, b record) int {
		return cmp.Or(strings.Compare(a.attempt.DeliveryID, b.attempt.DeliveryID), cmp.Compare(a.attempt.Number, b.attempt.Number))
	})
}

// recordedBefore returns the numbers that are taken, and the ids of the attempts that
// have them, of the deliveries where there may be one of the records. Its number may be
// another than it came with.
func recordedBefore(ctx context.Context, tx transaction, rows map[string]*row, records []record) (taken map[attemptKey]bool, recorded map[string]bool, err error) {
	taken, recorded = map[attemptKey]bool{}, map[string]bool{}
	var ids []string
	for _, r := range records {
		if d := rows[r.attempt.DeliveryID]; d != nil && r.attempt.Number <= d.AttemptsMade {
			ids = append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return taken, recorded, nil
	}
	var found []struct {
		ID, DeliveryID string
		Number         int
	}
	least, greatest := bounds(ids)
	if err := tx.SelectContext(ctx, &found, "SELECT id, delivery_id, number FROM attempts WHERE delivery_id = ANY($1) AND delivery_id >= $2 AND delivery_id <= $3",
		pq.Array(ids), least, greatest); err != nil {
		return nil, nil, err
	}
	for _, f := range found {
		taken[attemptKey{f.DeliveryID, f.Number}], recorded[f.ID] = true, true
	}
	return taken, recorded, nil
}
