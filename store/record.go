package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// record is an attempt on its way in.
type record struct {
	Attempt  attempt
	Decision switchboard.Decision
	RunID    string
	Run      int
}

// attempt is an attempt with the run of its delivery.
type attempt struct {
	switchboard.Attempt
	Run int
}

// recorded is what became of a record.
type recorded struct {
	delivery switchboard.Delivery
	err      error
}

// Record stores an attempt with what was decided after it, moves its delivery
// there, and returns the delivery as it is when that is durable. It may be
// repeated: an attempt whose id is recorded already changes nothing. A
// delivery that an operator moved in the meantime stays where it is.
//
// Two attempts may come with one number: the last of an earlier run that was still
// under way when an operator set the delivery going again, or one that Temporal
// repeated elsewhere because it had lost sight of the first. Both requests were
// made, so the later record takes the next free number.
func (s *Store) Record(ctx context.Context, a switchboard.Attempt, d switchboard.Decision, runID string, run int) (switchboard.Delivery, error) {
	r, err := s.records.do(ctx, record{Attempt: attempt{storable(a), run}, Decision: d, RunID: runID, Run: run})
	if err != nil {
		return switchboard.Delivery{}, err
	}
	return r.delivery, r.err
}

func weighRecord(r record) int { return len(r.Attempt.Outcome.Response.Body) }

// recordAll records attempts of several deliveries together: nearly all of them in
// one statement, and in a transaction what is not simply a delivery's next.
func (s *Store) recordAll(ctx context.Context, records []record) ([]recorded, error) {
	moved, err := s.recordNext(ctx, records)
	if err != nil {
		return nil, err
	}
	results := make([]recorded, len(records))
	var others []record
	for i, r := range records {
		if d, ok := moved[r.Attempt.ID]; ok {
			results[i].delivery = d
		} else {
			others = append(others, r)
		}
	}
	if len(others) == 0 {
		return results, nil
	}
	var rows map[string]*row
	err = s.tx(ctx, func(ctx context.Context, tx transaction) (err error) {
		rows, err = recordRows(ctx, tx, others)
		return err
	})
	for i, r := range records {
		if _, ok := moved[r.Attempt.ID]; ok {
			continue
		}
		switch row := rows[r.Attempt.DeliveryID]; {
		case err != nil:
			results[i].err = err
		case row == nil:
			results[i].err = noDelivery(r.Attempt.DeliveryID)
		default:
			results[i].delivery = row.Delivery
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
	var attempts []attempt
	changed := map[string]*row{}
	for _, r := range byNumber(records) {
		d := rows[r.Attempt.DeliveryID]
		if d == nil || recorded[r.Attempt.ID] {
			continue
		}
		if taken[r.key()] {
			r.Attempt.Number = d.AttemptsMade + 1
		}
		taken[r.key()], recorded[r.Attempt.ID] = true, true
		d.record(r)
		attempts, changed[d.ID] = append(attempts, r.Attempt), d
	}
	if len(attempts) == 0 {
		return rows, nil
	}
	if err := execJSON(ctx, tx, insertAttemptsQuery, attempts); err != nil {
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
	a := rec.Attempt
	overtaken := r.Generation != rec.Run // it is of an earlier run, before an operator set the delivery going again
	if a.Number > r.AttemptsMade {
		if overtaken {
			r.PriorAttempts += a.Number - r.AttemptsMade // the new run has all of its own
		}
		r.AttemptsMade, r.LastStatusCode, r.LastFailure = a.Number, a.Outcome.StatusCode, a.Outcome.Failure
	}
	if overtaken {
		return
	}
	r.TemporalRunID = rec.RunID
	if !r.State.HasNextAttempt() {
		return
	}
	r.DispatchAt = time.Time{}
	r.State, r.Reason, r.Permanent = rec.Decision.State, rec.Decision.Reason, rec.Decision.Permanent
	r.NextAttemptAt, r.CompletedAt = rec.dates()
}

// dates are those of the delivery after the attempt: of the next one, or of its
// completion; zero: it has none.
func (r record) dates() (next, completed time.Time) {
	end := r.Attempt.At.Add(r.Attempt.Outcome.Latency)
	switch {
	case r.Decision.State.HasNextAttempt():
		next = end.Add(r.Decision.Wait).UTC().Truncate(time.Microsecond)
	case r.Decision.State.Final():
		completed = end.UTC().Truncate(time.Microsecond)
	}
	return next, completed
}

// attemptKey is what names an attempt.
type attemptKey struct {
	delivery string
	number   int
}

func (r record) key() attemptKey { return attemptKey{r.Attempt.DeliveryID, r.Attempt.Number} }

func deliveriesOf(records []record) []string {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.Attempt.DeliveryID
	}
	return unique(ids)
}

func byNumber(records []record) []record {
	return slices.SortedStableFunc(slices.Values(records), func(a, b record) int {
		return cmp.Or(strings.Compare(a.Attempt.DeliveryID, b.Attempt.DeliveryID), cmp.Compare(a.Attempt.Number, b.Attempt.Number))
	})
}

// recordedBefore returns the numbers that are taken, and the ids of the attempts that
// have them, of the deliveries where there may be one of the records. Its number may be
// another than it came with.
func recordedBefore(ctx context.Context, tx transaction, rows map[string]*row, records []record) (taken map[attemptKey]bool, recorded map[string]bool, err error) {
	taken, recorded = map[attemptKey]bool{}, map[string]bool{}
	var ids []string
	for _, r := range records {
		if d := rows[r.Attempt.DeliveryID]; d != nil && r.Attempt.Number <= d.AttemptsMade {
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
	if err := tx.SelectContext(ctx, &found, "SELECT id, delivery_id, number FROM attempts WHERE delivery_id = ANY($1)", pq.Array(ids)); err != nil {
		return nil, nil, err
	}
	for _, f := range found {
		taken[attemptKey{f.DeliveryID, f.Number}], recorded[f.ID] = true, true
	}
	return taken, recorded, nil
}
