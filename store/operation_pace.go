package store

import (
	"context"
	"time"
)

// An operation that sends dates no more deliveries than are being sent. Its unsent deliveries,
// among the newest ones, are limited to what their subscriptions may have in flight, and what the
// operation sends in aheadFor at its rate. Otherwise the deliveries of others would wait behind
// them in Temporal.

const (
	// newestItems is how many of its newest deliveries a step looks at.
	newestItems = batchLimit
	// aheadFor covers the time between two steps of an operation that has to wait.
	aheadFor = 500 * time.Millisecond
	// leastAhead is how many may be ahead at a low rate.
	leastAhead = 100
	// If an operation has to wait, the next step follows after behindLeast. While it may date
	// nothing, the pause grows with the time since the date of its last delivery, up to relayPause.
	behindLeast = 250 * time.Millisecond
)

// unsentQuery counts, by subscription, which of the newest $2 deliveries of the operation $1 wait
// for their attempt: they are dated, due, or parked until their turn. OFFSET 0 makes Postgres look
// for each by its id.
var unsentQuery = `
SELECT s.max_in_flight, n.unsent FROM (
	SELECT d.subscription_id, count(*) FILTER (WHERE d.unsent) AS unsent FROM (
		SELECT delivery_id, before FROM operation_items WHERE operation_id = $1 AND outcome = 'done' ORDER BY delivery_id DESC LIMIT $2) AS i
	CROSS JOIN LATERAL (
		SELECT subscription_id, attempts_made = coalesce((i.before->>'attempts_made')::int, 0) AND (state IN ('pending', 'retrying') OR ` + waitsForTurn + `) AS unsent
		FROM deliveries WHERE id = i.delivery_id OFFSET 0) AS d
	GROUP BY 1) AS n
JOIN subscriptions s ON s.id = n.subscription_id`

// pace is how fast an operation may continue.
type pace struct {
	limit  int           // how many deliveries the step may date
	behind bool          // it may date none, until others are sent
	wait   time.Duration // before the next step, at least
}

// paceOf returns the pace of an operation at that time.
func (s *Store) paceOf(ctx context.Context, o *operationRow, now time.Time) (pace, error) {
	byRate := o.room(now, o.spacing())
	if byRate == 0 || !o.Action.Sends() {
		return pace{limit: byRate}, nil
	}
	var late []int
	if err := s.list(ctx, "operate", &late, relayLateQuery, now.Add(-relayLateBy), relayLate); err != nil {
		return pace{}, err
	}
	if late[0] == relayLate { // others wait too
		return pace{behind: true, wait: relayPause}, nil
	}
	var unsent []unsentOf
	if err := s.list(ctx, "operate", &unsent, unsentQuery, o.ID, newestItems); err != nil {
		return pace{}, err
	}
	ahead := max(leastAhead, int(aheadFor.Seconds()*o.Rate))
	switch bySent := roomBeside(unsent, ahead); {
	case bySent >= byRate:
		return pace{limit: byRate}, nil
	case bySent < ahead/4: // a step for a few would cost more than the deliveries
		return pace{behind: true, wait: min(max(now.Sub(o.NextAt), behindLeast), relayPause)}, nil
	default:
		return pace{limit: bySent, wait: behindLeast}, nil
	}
}

// unsentOf is how many deliveries of a subscription an operation has dated that are not sent yet.
type unsentOf struct{ MaxInFlight, Unsent int }

// roomBeside returns how many more deliveries an operation may date. A full subscription does not
// delay the others.
func roomBeside(unsent []unsentOf, ahead int) int {
	room, behind, all := 0, 0, 0
	for _, u := range unsent {
		room, behind, all = room+max(u.MaxInFlight-u.Unsent, 0), behind+max(u.Unsent-u.MaxInFlight, 0), all+u.Unsent
	}
	return min(room+max(ahead-behind, 0), newestItems-all)
}
