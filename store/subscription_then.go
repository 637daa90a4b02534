package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// subscriptionsThenQuery reads from the audit the state of the subscriptions $1 at the time $2: the
// first change of the state after that time has the state, and the last one before it has who made
// it so. $3 and $4 are the bounds of the ids of entries at that time.
const subscriptionsThenQuery = `
SELECT s.id, coalesce(later.state, earlier.state, '') AS state, coalesce(earlier.at, ` + zeroTime + `) AS since, coalesce(earlier.by, '') AS by, coalesce(earlier.reason, '') AS reason,
	EXISTS (SELECT FROM audit a WHERE a.object = s.id AND a.id >= $3 AND a.at > $2 AND a.verb = 'update' AND a.changed->'events' IS NOT NULL) AS events_changed,
	EXISTS (SELECT FROM audit a WHERE a.object = s.id AND a.id >= $3 AND a.at > $2 AND a.verb = 'update' AND a.changed->'filter' IS NOT NULL) AS filter_changed
FROM unnest($1::text[]) AS s(id)
LEFT JOIN LATERAL (SELECT a.changed->'state'->>'before' AS state FROM audit a
	WHERE a.object = s.id AND a.id >= $3 AND a.at > $2 AND a.changed->'state' IS NOT NULL ORDER BY a.id LIMIT 1) AS later ON true
LEFT JOIN LATERAL (SELECT a.changed->'state'->>'after' AS state, a.at, coalesce(nullif(a.person, ''), a.actor) AS by, a.reason FROM audit a
	WHERE a.object = s.id AND a.id < $4 AND a.at <= $2 AND a.changed->'state' IS NOT NULL ORDER BY a.id DESC LIMIT 1) AS earlier ON true`

// SubscriptionsThen returns the audited states of subscriptions at that time, by their ids. The
// caller has checked that the subscriptions may be seen.
func (s *Store) SubscriptionsThen(ctx context.Context, at time.Time, ids []string) (map[string]switchboard.SubscriptionThen, error) {
	found := make(map[string]switchboard.SubscriptionThen, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var rows []struct {
		ID string
		switchboard.SubscriptionThen
	}
	lo := boundOf(switchboard.ActionPrefix, at)
	err := s.search(ctx, "read what was done to subscriptions", &rows, subscriptionsThenQuery, pq.Array(ids), at, lo, lo+"~") // after every id of those 8 ms
	for _, r := range rows {
		r.Since = r.Since.UTC()
		found[r.ID] = r.SubscriptionThen
	}
	return found, err
}
