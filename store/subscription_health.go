package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// subscriptionHealthQuery reads, for the subscriptions $1, their health, what is held, counted up
// to $2, and the running release. The index deliveries_held has the held ones. Without an order
// Postgres stops at the limit; it begins with the oldest partition.
const subscriptionHealthQuery = `
SELECT s.id, ` + healthColumn + `,
	held.n AS held, coalesce(held.since, ` + zeroTime + `) AS held_since,
	coalesce(o.id, '') AS operation_id, coalesce(o.total, 0) AS total, coalesce(o.done, 0) AS done, coalesce(o.skipped, 0) AS skipped
FROM unnest($1::text[]) AS s(id)
CROSS JOIN LATERAL (SELECT count(*) AS n, min(parked_at) AS since
	FROM (SELECT d.parked_at FROM deliveries d WHERE d.subscription_id = s.id AND d.state = 'held' LIMIT $2) AS counted) AS held
LEFT JOIN operations o ON o.subscription_id = s.id AND o.action = 'release' AND o.state = 'running'`

// SubscriptionHealth returns the health of the subscriptions' endpoints, by the ids of the
// subscriptions. The caller has checked that the subscriptions may be seen.
func (s *Store) SubscriptionHealth(ctx context.Context, ids []string) (map[string]switchboard.SubscriptionHealth, error) {
	found := make(map[string]switchboard.SubscriptionHealth, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var rows []struct {
		ID                   string
		Health               []byte
		Held                 int
		HeldSince            time.Time
		OperationID          string
		Total, Done, Skipped int
	}
	if err := s.search(ctx, "read health", &rows, subscriptionHealthQuery, pq.Array(ids), switchboard.MaxCounted+1); err != nil {
		return nil, err
	}
	for _, r := range rows {
		endpoint, err := parseHealth(r.Health)
		if err != nil {
			return nil, err
		}
		health := switchboard.SubscriptionHealth{
			Health: endpoint, Held: min(r.Held, switchboard.MaxCounted), MoreHeld: r.Held > switchboard.MaxCounted, HeldSince: r.HeldSince.UTC(),
		}
		if r.OperationID != "" {
			health.Release = &switchboard.Operation{ID: r.OperationID, SubscriptionID: r.ID, Total: r.Total, Done: r.Done, Skipped: r.Skipped}
		}
		found[r.ID] = health
	}
	return found, nil
}
