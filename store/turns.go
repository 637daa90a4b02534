package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

// turnRequest asks for the next turn of a subscription under its rate limit.
type turnRequest struct {
	subscriptionID string
	limit          switchboard.RateLimit
}

// turns are the turns of a subscription that were taken together.
type turns struct {
	granted int
	first   time.Duration // until the first of them; negative: it has passed
}

// TakeTurn returns how long a request must wait for its turn under the rate limit of a
// subscription. It takes the turn if the wait is at most [switchboard.RateWait]. Concurrent callers
// share a statement.
func (s *Store) TakeTurn(ctx context.Context, subscriptionID string, limit switchboard.RateLimit) (time.Duration, error) {
	return do(ctx, s.turns, "take turn", turnRequest{subscriptionID, limit})
}

// takeTurns takes the turns of several requests.
func (s *Store) takeTurns(ctx context.Context, requests []turnRequest) ([]batch.Result[time.Duration], error) {
	asked := map[string]turnsAsked{}
	for _, r := range requests {
		a := asked[r.subscriptionID]
		a.limit, a.count = r.limit, a.count+1
		asked[r.subscriptionID] = a
	}
	var taken map[string]turns
	err := s.direct(ctx, "take turns", func(ctx context.Context, db session) (err error) {
		taken, err = selectTurns(ctx, db, asked, switchboard.RateWait)
		return err
	})
	if err != nil {
		return nil, err
	}
	results, given := make([]batch.Result[time.Duration], len(requests)), map[string]int{}
	for i, r := range requests {
		t, n := taken[r.subscriptionID], given[r.subscriptionID]
		results[i].Out = max(0, t.first+time.Duration(n)*r.limit.Interval())
		if n < t.granted { // the others learn when the next turn is
			given[r.subscriptionID]++
		}
	}
	return results, nil
}

// turnsAsked is how many turns of a subscription are asked for.
type turnsAsked struct {
	limit switchboard.RateLimit
	count int
}

// takeTurnsQuery takes turns of the subscriptions $1: at most $2 of each, $3 microseconds apart,
// and $4 earlier after a pause, if they are at most $5 microseconds from now. This is the generic
// cell rate algorithm: allowed_at is when the next request would be made at the full rate. The time
// is the database's, so that the workers' clocks do not matter.
const takeTurnsQuery = `
WITH asked AS (SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS a(id, count, every_us, burst_us)),
locked AS MATERIALIZED (SELECT * FROM subscription_rates WHERE subscription_id = ANY($1) ORDER BY subscription_id FOR UPDATE),
timed AS MATERIALIZED (SELECT l.subscription_id, l.allowed_at, clock_timestamp() AS now FROM locked l),
given AS MATERIALIZED (
	SELECT t.subscription_id, a.every_us, greatest(t.allowed_at, t.now) AS base,
		extract(epoch FROM greatest(t.allowed_at, t.now) - t.now) * 1000000 - a.burst_us AS first_us, a.count
	FROM timed t JOIN asked a ON a.id = t.subscription_id),
counted AS MATERIALIZED (SELECT *, least(count, greatest(0, floor(($5::bigint - first_us) / every_us) + 1))::int AS granted FROM given)
UPDATE subscription_rates r SET allowed_at = c.base + c.granted * c.every_us * interval '1 microsecond' FROM counted c WHERE r.subscription_id = c.subscription_id
RETURNING r.subscription_id, c.granted, c.first_us::float8 AS first_us`

// beginTurnsQuery makes the rows of subscriptions that had no turn before.
const beginTurnsQuery = `
INSERT INTO subscription_rates (subscription_id, allowed_at) SELECT s.id, now() FROM subscriptions s WHERE s.id = ANY($1) ORDER BY s.id
ON CONFLICT DO NOTHING RETURNING subscription_id`

// selectTurns takes turns, by subscription. A deleted subscription has no turns.
func selectTurns(ctx context.Context, db selector, asked map[string]turnsAsked, ahead time.Duration) (map[string]turns, error) {
	taken, err := selectKnownTurns(ctx, db, asked, ahead)
	if err != nil || len(taken) == len(asked) {
		return taken, err
	}
	var ids []string
	for id := range asked {
		if _, known := taken[id]; !known {
			ids = append(ids, id)
		}
	}
	var made []string
	if err := db.SelectContext(ctx, &made, beginTurnsQuery, pq.Array(ids)); err != nil {
		return nil, err
	}
	rest := map[string]turnsAsked{}
	for _, id := range ids {
		rest[id] = asked[id]
	}
	more, err := selectKnownTurns(ctx, db, rest, ahead)
	for id, t := range more {
		taken[id] = t
	}
	return taken, err
}

func selectKnownTurns(ctx context.Context, db selector, asked map[string]turnsAsked, ahead time.Duration) (map[string]turns, error) {
	var ids []string
	var counts, every, burst []int64
	for id, a := range asked {
		ids, counts = append(ids, id), append(counts, int64(a.count))
		every, burst = append(every, a.limit.Interval().Microseconds()), append(burst, a.limit.Ahead().Microseconds())
	}
	var rows []struct {
		SubscriptionID string
		Granted        int
		FirstUS        float64 `db:"first_us"`
	}
	err := db.SelectContext(ctx, &rows, takeTurnsQuery, pq.Array(ids), pq.Array(counts), pq.Array(every), pq.Array(burst), ahead.Microseconds())
	taken := make(map[string]turns, len(rows))
	for _, r := range rows {
		taken[r.SubscriptionID] = turns{r.Granted, time.Duration(r.FirstUS) * time.Microsecond}
	}
	return taken, err
}
