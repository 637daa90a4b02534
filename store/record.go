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

// Record stores an attempt, applies the decision after it to the delivery, and returns the delivery
// when that is durable. It may be repeated: an attempt whose id is already recorded has no effect.
// A delivery that an operator moved in the meantime stays where it is.
//
// Two attempts may have the same number: one was the last of an earlier run that was still running
// when an operator restarted the delivery, or Temporal repeated it elsewhere because it no longer
// heard of the first. Both requests were made, so the later record gets the next free number.
func (s *Store) Record(ctx context.Context, r switchboard.Record) (switchboard.Delivery, error) {
	r.Attempt.At = r.Attempt.At.UTC().Truncate(time.Microsecond)
	return do(ctx, s.records, "record attempt", r)
}

func sizeOfRecord(r switchboard.Record) int { return len(r.Attempt.Outcome.Response.Body) }

// recordAll records attempts of several deliveries together. One statement records almost all of
// them; a transaction records attempts that are not simply a delivery's next.
func (s *Store) recordAll(ctx context.Context, records []switchboard.Record) ([]batch.Result[switchboard.Delivery], error) {
	moved, err := s.recordFast(ctx, records)
	if err != nil {
		return nil, err
	}
	results := make([]batch.Result[switchboard.Delivery], len(records))
	var others []switchboard.Record
	for i, r := range records {
		if d, ok := moved[r.Attempt.ID]; ok {
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
		rows, err = s.recordRows(ctx, tx, others)
		return err
	})
	for i, r := range records {
		if _, ok := moved[r.Attempt.ID]; ok {
			continue
		}
		switch row := rows[r.Attempt.DeliveryID]; {
		case err != nil:
			results[i].Err = err
		case row == nil:
			results[i].Err = noDelivery(r.Attempt.DeliveryID)
		default:
			results[i].Out = row.Delivery
		}
	}
	return results, nil
}

// recordRows stores what is new and returns the deliveries as they are afterwards.
func (s *Store) recordRows(ctx context.Context, tx transaction, records []switchboard.Record) (map[string]*row, error) {
	rows, err := lockForRecords(ctx, tx, records)
	if err != nil {
		return nil, err
	}
	taken, recorded, err := recordedBefore(ctx, tx, rows, records)
	if err != nil {
		return nil, err
	}
	erased, err := erasedAmong(ctx, tx, rows)
	if err != nil {
		return nil, err
	}
	var attempts []attemptColumns
	changed, failedBefore, finalBefore := map[string]*row{}, map[string]bool{}, map[string]bool{}
	for _, r := range byNumber(records) {
		d := rows[r.Attempt.DeliveryID]
		if d == nil || recorded[r.Attempt.ID] {
			continue
		}
		if taken[keyOf(r)] {
			r.Attempt.Number = d.AttemptsMade + 1
		}
		taken[keyOf(r)], recorded[r.Attempt.ID] = true, true
		if changed[d.ID] == nil { // another record may just have ended it
			failedBefore[d.ID], finalBefore[d.ID] = d.State == switchboard.StateFailed, d.State.Final()
		}
		d.Record(r)
		attempts, changed[d.ID] = append(attempts, columnsOf(r.Attempt, r.Generation)), d
		if slices.Contains(erased, d.ID) { // it ran during the erasure
			attempts[len(attempts)-1].erasePayload()
		}
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
	if err := announceAnswers(ctx, tx, saved...); err != nil {
		return nil, err
	}
	if err := s.announceFailed(ctx, tx, without(saved, failedBefore)); err != nil {
		return nil, err
	}
	return rows, s.leaveQueues(ctx, tx, without(saved, finalBefore))
}

// without returns the rows whose ids are not in the set.
func without(rows []*row, ids map[string]bool) []*row {
	return slices.DeleteFunc(slices.Clone(rows), func(r *row) bool { return ids[r.ID] })
}

// lockForRecords locks the deliveries of the records. If a record may end an ordered delivery, it
// locks the key first.
func lockForRecords(ctx context.Context, tx transaction, records []switchboard.Record) (map[string]*row, error) {
	var ending []string
	for _, r := range records {
		if r.Decision.State.Final() {
			ending = append(ending, r.Attempt.DeliveryID)
		}
	}
	blocked, err := lockQueues(ctx, tx, unique(ending))
	if err != nil {
		return nil, err
	}
	return lockDeliveries(ctx, tx, append(blocked, deliveriesOf(records)...))
}

// erasedAmong returns the deliveries, which are locked, whose event is erased. None of these is
// open.
func erasedAmong(ctx context.Context, tx transaction, rows map[string]*row) (erased []string, err error) {
	var final []string
	for id, d := range rows {
		if d.State.Final() {
			final = append(final, id)
		}
	}
	if len(final) == 0 {
		return nil, nil
	}
	least, greatest := bounds(final)
	err = tx.SelectContext(ctx, &erased, `
SELECT d.id FROM deliveries d JOIN events e ON e.created_at = coalesce(d.event_at, d.created_at) AND e.id = d.event_id AND e.tenant = d.tenant
WHERE d.id = ANY($1) AND d.id >= $2 AND d.id <= $3 AND e.erased_at IS NOT NULL`, pq.Array(final), least, greatest)
	return erased, err
}

// attemptKey identifies an attempt.
type attemptKey struct {
	delivery string
	number   int
}

func keyOf(r switchboard.Record) attemptKey {
	return attemptKey{r.Attempt.DeliveryID, r.Attempt.Number}
}

func deliveriesOf(records []switchboard.Record) []string {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = r.Attempt.DeliveryID
	}
	return unique(ids)
}

func byNumber(records []switchboard.Record) []switchboard.Record {
	return slices.SortedStableFunc(slices.Values(records), func(a, b switchboard.Record) int {
		return cmp.Or(strings.Compare(a.Attempt.DeliveryID, b.Attempt.DeliveryID), cmp.Compare(a.Attempt.Number, b.Attempt.Number))
	})
}

// recordedBefore returns the used numbers, and the ids of the attempts that have them, of the
// deliveries that may already have one of the records. A recorded attempt may have another number
// than its record.
func recordedBefore(ctx context.Context, tx transaction, rows map[string]*row, records []switchboard.Record) (taken map[attemptKey]bool, recorded map[string]bool, err error) {
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
