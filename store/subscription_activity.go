package store

import (
	"context"
	"strings"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// openAndDelivered reads, for the subscriptions $1, how many deliveries are open, counted up to $2,
// and the last hour with a successful attempt. The index deliveries_open has the open ones.
func openAndDelivered() string {
	return `
SELECT s.id, open.n AS open, coalesce(delivered.at, ` + zeroTime + `) AS delivered
FROM ` + askedSubscriptions + `
CROSS JOIN LATERAL (SELECT count(*) AS n
	FROM (SELECT FROM deliveries d WHERE d.subscription_id = s.id AND d.completed_at IS NULL LIMIT $2) AS counted) AS open
LEFT JOIN LATERAL (SELECT t.at FROM ` + subscriptionTraffic() + ` WHERE t.tenant = s.tenant AND t.subscription_id = s.id AND t.failure = '' ORDER BY t.at DESC LIMIT 1) AS delivered ON true`
}

// askedSubscriptions are the subscriptions with the ids $1, with their tenants. OFFSET 0 prevents
// Postgres from reading all subscriptions while they are few.
const askedSubscriptions = "unnest($1::text[]) AS asked(id) CROSS JOIN LATERAL (SELECT id, tenant FROM subscriptions WHERE subscriptions.id = asked.id OFFSET 0) AS s"

// activityQuery counts the attempts of the subscriptions $1 since $2, by the hour.
func activityQuery() string {
	return `
SELECT s.id, t.at, sum(t.attempts) AS attempts, coalesce(sum(t.attempts) FILTER (WHERE t.failure = ''), 0) AS succeeded, ARRAY[sum(t.` + strings.Join(latencyColumns(), "), sum(t.") + `)]::bigint[] AS latencies
FROM ` + askedSubscriptions + ` JOIN ` + subscriptionTraffic() + ` ON t.tenant = s.tenant AND t.subscription_id = s.id
WHERE t.at >= $2 GROUP BY s.id, t.at ORDER BY s.id, t.at`
}

// SubscriptionActivity returns, by their ids, what was sent for the subscriptions recently and what
// is still open. The caller has checked that the subscriptions may be seen.
func (s *Store) SubscriptionActivity(ctx context.Context, ids []string) (map[string]switchboard.SubscriptionActivity, error) {
	found := make(map[string]switchboard.SubscriptionActivity, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	since := s.now().UTC().Add(-switchboard.ActivityFor).Truncate(time.Hour)
	var states []struct {
		ID        string
		Open      int
		Delivered time.Time
	}
	if err := s.search(ctx, "count open deliveries", &states, openAndDelivered(), pq.Array(ids), switchboard.MaxCounted+1); err != nil {
		return nil, err
	}
	var rows []struct {
		ID                  string
		At                  time.Time
		Attempts, Succeeded int64
		Latencies           pq.Int64Array
	}
	if err := s.search(ctx, "count attempts", &rows, activityQuery(), pq.Array(ids), since); err != nil {
		return nil, err
	}
	hours, totals := map[string][]switchboard.ActivityHour{}, map[string]trafficRow{}
	for _, r := range rows {
		hours[r.ID] = append(hours[r.ID], switchboard.ActivityHour{At: r.At.UTC(), Attempts: r.Attempts, Failed: r.Attempts - r.Succeeded})
		total := totals[r.ID]
		total.add(r.Attempts, r.Succeeded, r.Latencies)
		totals[r.ID] = total
	}
	for _, r := range states {
		activity := switchboard.SubscriptionActivity{
			Open: switchboard.Count{Value: min(r.Open, switchboard.MaxCounted), More: r.Open > switchboard.MaxCounted}, Since: since, Hours: hours[r.ID],
		}
		if total := totals[r.ID]; total.Attempts > 0 {
			activity.Attempts = total.count()
		}
		if !r.Delivered.IsZero() {
			activity.DeliveredHour = r.Delivered.UTC()
		}
		found[r.ID] = activity
	}
	return found, nil
}
