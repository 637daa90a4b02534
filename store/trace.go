package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// traceParentsQuery finds the traces of the deliveries $1. Their events have the ids $2 and the
// tenants $3. They were accepted with the deliveries or, if that was another time, at the
// delivery's event_at. OFFSET 0 makes Postgres look for each alone, in the partition where it is.
const traceParentsQuery = `
SELECT n.id, e.trace_parent AS parent FROM unnest($1::text[], $2::text[], $3::text[]) AS n(id, event_id, tenant)
CROSS JOIN LATERAL (SELECT coalesce(event_at, created_at) AS event_at FROM deliveries WHERE id = n.id OFFSET 0) d
CROSS JOIN LATERAL (SELECT trace_parent FROM events e WHERE e.created_at = d.event_at AND e.id = n.event_id AND e.tenant = n.tenant OFFSET 0) e
WHERE e.trace_parent IS NOT NULL`

// TraceParents returns the traces in which the events of deliveries were posted, by the ids of the
// deliveries. Deliveries without a trace are left out.
func (s *Store) TraceParents(ctx context.Context, deliveries []switchboard.Delivery) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, traceTimeout)
	defer cancel()
	var ids, events, tenants []string
	for _, d := range deliveries {
		ids, events, tenants = append(ids, d.ID), append(events, d.EventID), append(tenants, d.Tenant)
	}
	var found []struct{ ID, Parent string }
	err := s.list(ctx, "read traces", &found, traceParentsQuery, pq.Array(ids), pq.Array(events), pq.Array(tenants))
	parents := make(map[string]string, len(found))
	for _, f := range found {
		parents[f.ID] = f.Parent
	}
	return parents, err
}

// traceTimeout bounds the search for traces, which a dispatch does not need.
const traceTimeout = time.Second
