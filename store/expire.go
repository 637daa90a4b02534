package store

import (
	"context"
	"slices"

	"github.com/seed-49a43567/switchboard"
)

// expireLimit bounds a pass of the reconciler. The next pass follows soon.
const expireLimit = 10 * batchLimit

const expiredQuery = "SELECT id FROM deliveries WHERE held_until <= $1 ORDER BY held_until LIMIT $2"

// ExpireHolds ends parked deliveries whose hold is over, and returns how many. If there are very
// many, one call ends only some of them.
func (s *Store) ExpireHolds(ctx context.Context) (int, error) {
	total := 0
	for total < expireLimit {
		found, expired, err := s.expireBatch(ctx)
		if total += expired; err != nil || found < batchLimit || expired == 0 {
			return total, err
		}
	}
	return total, nil
}

func (s *Store) expireBatch(ctx context.Context) (found, expired int, err error) {
	now := s.now()
	var ids []string
	if err := s.list(ctx, "list holds that are over", &ids, expiredQuery, now, batchLimit); err != nil || len(ids) == 0 {
		return 0, 0, err
	}
	slices.Sort(ids)
	err = s.tx(ctx, "end holds", func(ctx context.Context, tx transaction) error {
		rows, err := lockInQueues(ctx, tx, ids...)
		if err != nil {
			return err
		}
		states, ended := map[string]switchboard.State{}, []*row{}
		for _, id := range ids {
			r := rows[id]
			if r == nil {
				continue
			}
			states[id] = r.State
			if r.Expire(now); r.State.Final() && !states[id].Final() {
				ended = append(ended, r)
			}
		}
		expired = len(ended)
		return s.saveTransitions(ctx, tx, switchboard.Action{}, states, ended...)
	})
	if err != nil {
		return 0, 0, err
	}
	return len(ids), expired, nil
}
