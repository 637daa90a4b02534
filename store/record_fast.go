package store

import (
	"context"
	"encoding/json"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// recordFastQuery stores the attempts $4 that are simply the next of their delivery in its current
// generation, and changes those deliveries to $5; $1 are their ids, with the bounds $2 and $3. It
// does in one statement what [switchboard.Delivery.Record] does; a test compares the two.
// recordRows handles what it does not return: attempts that are already recorded, are of an earlier
// generation or are out of order. recordRows also handles awaited deliveries, which need a NOTIFY,
// deliveries that fail for good if a subscription takes operational events, and ordered deliveries
// that end, because others wait for them.
//
// IS TRUE prevents Postgres from finding the deliveries by their state. It would do so while few
// are open, and keep that plan when very many are.
var recordFastQuery = `
WITH a AS MATERIALIZED (SELECT * FROM json_populate_recordset(NULL::attempts, $4)),
n AS MATERIALIZED (SELECT * FROM json_populate_recordset(NULL::deliveries, $5)),
moved AS (
	UPDATE deliveries d SET state = n.state, reason = n.reason, permanent = n.permanent, attempts_made = n.attempts_made,
		last_status_code = n.last_status_code, last_failure = n.last_failure, next_attempt_at = n.next_attempt_at, completed_at = n.completed_at,
		temporal_run_id = n.temporal_run_id, dispatch_at = NULL
	FROM n WHERE d.id = n.id AND d.id = ` + lockedInOrder + ` AND d.id >= $2 AND d.id <= $3 AND d.generation = n.generation AND d.attempts_made = n.attempts_made - 1
		AND (d.state IN ('pending', 'retrying')) IS TRUE AND NOT d.response_awaited AND (n.completed_at IS NULL OR NOT d.ordered)
		AND CASE WHEN n.state = 'failed' THEN NOT EXISTS (SELECT FROM subscriptions o WHERE o.tenant IN (d.tenant, '` + switchboard.OperatorTenant + `') AND o.operational AND o.deleted_at IS NULL) ELSE true END
	RETURNING d.*),
stored AS (
	INSERT INTO attempts (` + attemptNames + `)
	SELECT ` + attemptNames + ` FROM a WHERE delivery_id IN (SELECT id FROM moved))
SELECT ` + fields("moved", deliveryFields, "") + " FROM moved"

// recordFast returns the changed deliveries by the attempts' ids.
func (s *Store) recordFast(ctx context.Context, records []switchboard.Record) (map[string]switchboard.Delivery, error) {
	var attempts []attemptColumns
	var moves []*row
	first := map[string]switchboard.Record{} // by delivery: its second record comes after this statement
	for _, r := range byNumber(records) {
		if _, there := first[r.Attempt.DeliveryID]; there {
			continue
		}
		first[r.Attempt.DeliveryID] = r
		next, completed := r.Dates()
		attempts = append(attempts, columnsOf(r.Attempt, r.Generation))
		moves = append(moves, &row{Delivery: switchboard.Delivery{
			ID: r.Attempt.DeliveryID, State: r.Decision.State, Reason: r.Decision.Reason, Permanent: r.Decision.Permanent,
			AttemptsMade: r.Attempt.Number, LastStatusCode: r.Attempt.Outcome.StatusCode, LastFailure: r.Attempt.Outcome.Failure,
			NextAttemptAt: next, CompletedAt: completed, Generation: r.Generation, TemporalRunID: r.TemporalRunID,
		}})
	}
	attemptsText, err := json.Marshal(attempts)
	if err != nil {
		return nil, err
	}
	movesText, err := deliveriesJSON(moves)
	if err != nil {
		return nil, err
	}
	ids := deliveriesOf(records)
	least, greatest := bounds(ids)
	var rows []switchboard.Delivery
	err = s.direct(ctx, "record attempts", func(ctx context.Context, db session) error {
		rows = rows[:0]
		return db.SelectContext(ctx, &rows, recordFastQuery, pq.Array(ids), least, greatest, string(attemptsText), movesText)
	})
	moved := make(map[string]switchboard.Delivery, len(rows))
	for _, d := range rows {
		moved[first[d.ID].Attempt.ID] = d
	}
	return moved, err
}
