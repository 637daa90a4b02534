package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

const (
	// batchLimit bounds one transaction of a sweep, so that nobody waits long for it.
	batchLimit = 1000
	// sweepLimit bounds one sweep, because a caller waits for it: about a second.
	sweepLimit = 10 * batchLimit
	// turnPause is the time between the turns of two deliveries. A hundred a second is far
	// less than a relay does, so that nobody else's starts wait behind very many.
	turnPause = 10 * time.Millisecond
)

// sweep is one change of what may be very many deliveries of a subscription. Those that
// the relay then has to start, or to end, take turns.
type sweep struct {
	which  string // of its deliveries, in SQL
	change string // in SQL: $3 is now, n.turn the delivery's turn
	ends   bool   // whether it makes them final
	action switchboard.Action
}

// The deliveries that sweeps look for, each with an index of its own.
const (
	isOpen = "completed_at IS NULL"
	isHeld = "state = 'held'"
)

// turns numbers the deliveries $1 of the subscription $2 from $3 or $5 on, whichever is
// later, at a distance of $4 seconds. They go on behind the delivery before them, which
// may be the last of an earlier sweep and wait for its turn.
const turns = `(
	SELECT id, greatest($3::timestamptz, $5::timestamptz, (
		SELECT dispatch_at + $4::float8 * interval '1 second' FROM deliveries WHERE subscription_id = $2 AND id < ($1::text[])[1] ORDER BY id DESC LIMIT 1
	)) + (place - 1) * $4::float8 * interval '1 second' AS turn
	FROM unnest($1::text[]) WITH ORDINALITY AS p(id, place)) AS n`

// sweep changes deliveries of the subscriptions, sweepLimit or a little more of them, and
// returns how many those were.
func (s *Store) sweep(ctx context.Context, w sweep, subscriptions ...string) (int, error) {
	total := 0
	for _, subscription := range subscriptions {
		turn := s.now()
		for behind, more := "", true; more; turn = turn.Add(batchLimit * turnPause) {
			changed, err := s.sweepBatch(ctx, w, subscription, behind, turn)
			if total += len(changed); err != nil || total >= sweepLimit {
				return total, err
			}
			if more = len(changed) == batchLimit; more {
				behind = changed[batchLimit-1]
			}
		}
	}
	return total, nil
}

// sweepBatch changes the next deliveries of the subscription behind an id, in one
// transaction, and returns their ids in order. Their turns come from then on.
func (s *Store) sweepBatch(ctx context.Context, w sweep, subscription, behind string, turn time.Time) ([]string, error) {
	var ids []string
	err := s.tx(ctx, "change deliveries of a subscription", func(ctx context.Context, tx transaction) error {
		ids = nil
		// The limit is an argument so that Postgres walks the index: were it known to be more
		// than it believes to be there, Postgres would read and sort all that are left.
		err := tx.SelectContext(ctx, &ids, "SELECT id FROM deliveries WHERE subscription_id = $1 AND "+w.which+
			" AND id > $2 ORDER BY id LIMIT $3 FOR NO KEY UPDATE", subscription, behind, batchLimit)
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE deliveries d SET "+w.change+" FROM "+turns+" WHERE d.id = n.id AND d.id = ANY($1)",
			pq.Array(ids), subscription, s.now(), turnPause.Seconds(), turn); err != nil {
			return err
		}
		if err := s.insertActions(ctx, tx, w.action, ids...); err != nil {
			return err
		}
		if w.ends {
			if err := tellOfEnds(ctx, tx, ids); err != nil {
				return err
			}
		}
		return notify(ctx, tx, startChannel, "") // the relays see to their workflows
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// tellOfEnds tells those who make attempts of the deliveries, which have ended, to stop,
// and whoever waits for the answer of one to look at it.
func tellOfEnds(ctx context.Context, tx transaction, ended []string) error {
	if err := notify(ctx, tx, cancelChannel, ended...); err != nil {
		return err
	}
	var awaited []string
	if err := tx.SelectContext(ctx, &awaited, "SELECT id FROM deliveries WHERE id = ANY($1) AND response_awaited", pq.Array(ended)); err != nil {
		return err
	}
	return notify(ctx, tx, answerChannel, awaited...)
}

// sweepAll sweeps those subscriptions that have such deliveries. It finds them by going
// in the index from each to the next, however many deliveries lie between, and takes them
// in any order, so that none always comes behind another that has very many.
func (s *Store) sweepAll(ctx context.Context, w sweep, deliveries, subscriptions string) (int, error) {
	var found []string
	err := s.list(ctx, "list subscriptions to change", &found, `
WITH RECURSIVE owner AS (
	(SELECT subscription_id AS id FROM deliveries WHERE `+deliveries+` ORDER BY subscription_id LIMIT 1)
	UNION ALL
	SELECT (SELECT subscription_id FROM deliveries WHERE `+deliveries+` AND subscription_id > owner.id ORDER BY subscription_id LIMIT 1)
	FROM owner WHERE owner.id IS NOT NULL)
SELECT id FROM subscriptions JOIN owner USING (id) WHERE `+subscriptions+` ORDER BY random()`)
	if err != nil {
		return 0, err
	}
	return s.sweep(ctx, w, found...)
}
