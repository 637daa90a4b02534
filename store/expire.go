package store

import (
	"context"
	"slices"

	"github.com/seed-49a43567/switchboard"
)

// expireLimit bounds a pass of the reconciler; the next is near.
const expireLimit = 10 * batchLimit

const expiredQuery = "SELECT id, subscription_id FROM deliveries WHERE held_until <= $1 ORDER BY held_until LIMIT $2"

// ExpireHolds ends parked deliveries whose hold is over, and returns how many. Of very many a call
// ends only some.
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
	var due []struct{ ID, SubscriptionID string }
	if err := s.list(ctx, "list holds that are over", &due, expiredQuery, now, batchLimit); err != nil || len(due) == 0 {
		return 0, 0, err
	}
	ids, subscriptions := make([]string, len(due)), make([]string, len(due))
	for i, d := range due {
		ids[i], subscriptions[i] = d.ID, d.SubscriptionID
	}
	slices.Sort(ids)
	err = s.tx(ctx, "end holds", func(ctx context.Context, tx transaction) error {
		for _, id := range unique(subscriptions) {
			if _, err := lockFlow(ctx, tx, id, shared); err != nil && switchboard.CodeOf(err) != switchboard.CodeNotFound {
				return err
			}
		}
		rows, err := lockDeliveries(ctx, tx, ids)
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
	return len(due), expired, nil
}
