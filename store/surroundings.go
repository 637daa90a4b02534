package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// surroundingsQuery reads, for the deliveries $1 with the bounds $2 and $3, what decides about
// actions on them. OFFSET 0 makes Postgres look for each event alone, in the partition where it is.
const surroundingsQuery = `
SELECT d.id, s.id AS subscription_id, s.state, coalesce(s.deleted_at, ` + zeroTime + `) AS deleted_at, ` + healthColumn + `,
	e.created_at AS event_at, coalesce(e.erased, true) AS erased, (SELECT payloads_until FROM retention) AS until
FROM deliveries d JOIN subscriptions s ON s.id = d.subscription_id
LEFT JOIN LATERAL (
	SELECT e.created_at, e.erased_at IS NOT NULL AS erased FROM events e WHERE e.created_at = coalesce(d.event_at, d.created_at) AND e.id = d.event_id
		AND e.tenant = d.tenant OFFSET 0) e ON true
WHERE d.id = ANY($1) AND d.id >= $2 AND d.id <= $3`

// Surroundings returns what decides about actions on the deliveries, in addition to their own
// state, by their ids. The caller has checked that the deliveries may be seen.
func (s *Store) Surroundings(ctx context.Context, ids []string) (map[string]switchboard.Surroundings, error) {
	found := make(map[string]switchboard.Surroundings, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	var rows []struct {
		ID, SubscriptionID string
		State              switchboard.SubscriptionState
		DeletedAt          time.Time
		Health             []byte
		EventAt            *time.Time
		Erased             bool
		Until              time.Time
	}
	least, greatest := bounds(ids)
	if err := s.search(ctx, "read surroundings", &rows, surroundingsQuery, pq.Array(ids), least, greatest); err != nil {
		return nil, err
	}
	for _, r := range rows {
		health, err := parseHealth(r.Health)
		if err != nil {
			return nil, err
		}
		eventAt := r.Until
		if r.EventAt != nil {
			eventAt = *r.EventAt
		}
		found[r.ID] = switchboard.Surroundings{
			Subscription: &switchboard.Subscription{ID: r.SubscriptionID, State: r.State, DeletedAt: r.DeletedAt},
			Health:       &health, NothingToSend: nothingToSend(r.ID, eventAt, r.Until, r.Erased),
		}
	}
	return found, nil
}
