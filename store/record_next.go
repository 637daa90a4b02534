package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// move is an attempt with where it leaves its delivery, as recordNextQuery reads it.
type move struct {
	attempt
	State, Reason, RunID       string
	Permanent                  bool
	NextAttemptAt, CompletedAt time.Time
}

// recordNextQuery stores the attempts among $1 that are simply the next of their
// delivery in its current run, and moves those deliveries, which are among $2. What
// it does not return is left to a closer look: repeated, overtaken or out of order.
// Whoever waits for an answer is told in a transaction, and left to that too.
//
// IS TRUE keeps Postgres from finding the deliveries by their state, as it would
// while few are open, and would go on to when very many are.
func recordNextQuery() string {
	return `
WITH a AS MATERIALIZED (
	SELECT * FROM json_to_recordset($1) AS a` + moveColumns + `),
moved AS (
	UPDATE deliveries d SET state = a."State", reason = a."Reason", permanent = a."Permanent", attempts_made = a."Number",
		last_status_code = (a."Outcome"->>'StatusCode')::int, last_failure = a."Outcome"->>'Failure',
		next_attempt_at = nullif(a."NextAttemptAt", ` + zeroTime + `), completed_at = nullif(a."CompletedAt", ` + zeroTime + `),
		temporal_run_id = a."RunID", dispatch_at = NULL
	FROM a WHERE d.id = a."DeliveryID" AND d.id = ANY($2::text[]) AND d.generation = a."Generation" AND d.attempts_made = a."Number" - 1
		AND (d.state IN ('pending', 'retrying')) IS TRUE AND NOT d.response_awaited
	RETURNING d.*, a."ID" AS attempt_id),
kept AS (` + insertAttempts + `
	FROM a JOIN moved ON moved.attempt_id = a."ID")
SELECT attempt_id, ` + fields("moved", deliveryFields, "") + " FROM moved"
}

// moveColumns names the fields of move as encoding/json writes them.
const moveColumns = "(" + attemptFields + `, "State" text, "Reason" text, "RunID" text, "Permanent" boolean, "NextAttemptAt" timestamptz, "CompletedAt" timestamptz)`

// recordNext returns the deliveries that were moved, by the attempts' ids.
func (s *Store) recordNext(ctx context.Context, records []switchboard.Record) (map[string]switchboard.Delivery, error) {
	moves := make([]move, len(records))
	for i, r := range byNumber(records) { // most plans lock the deliveries in this order
		next, completed := r.Dates()
		moves[i] = move{attempt{r.Attempt, r.Generation}, string(r.Decision.State), r.Decision.Reason, r.TemporalRunID, r.Decision.Permanent, next, completed}
	}
	text, err := json.Marshal(moves)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		AttemptID string
		switchboard.Delivery
	}
	err = s.direct(ctx, func(ctx context.Context, db session) error {
		rows = rows[:0]
		return db.SelectContext(ctx, &rows, recordNextQuery(), string(text), pq.Array(deliveriesOf(records)))
	})
	moved := make(map[string]switchboard.Delivery, len(rows))
	for _, r := range rows {
		moved[r.AttemptID] = r.Delivery
	}
	return moved, err
}
