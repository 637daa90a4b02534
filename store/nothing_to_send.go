package store

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// nothingToSendQuery reads the events of the deliveries $1 with the bounds $2 and $3. OFFSET 0
// makes Postgres look for each event alone, in the partition where it is.
const nothingToSendQuery = `
SELECT d.id, e.created_at AS at, e.erased FROM deliveries d CROSS JOIN LATERAL (
	SELECT e.created_at, e.erased_at IS NOT NULL AS erased FROM events e WHERE e.created_at = coalesce(d.event_at, d.created_at) AND e.id = d.event_id
		AND e.tenant = d.tenant OFFSET 0) e
WHERE d.id = ANY($1) AND d.id >= $2 AND d.id <= $3`

// nothingToSendOf is [refuseErased] for the final ones of the deliveries, which are locked.
func nothingToSendOf(ctx context.Context, tx transaction, rows map[string]*row) (map[string]error, error) {
	var ids []string
	for id, r := range rows {
		if r.State.Final() {
			ids = append(ids, id)
		}
	}
	refusals := make(map[string]error, len(ids))
	if len(ids) == 0 {
		return refusals, nil
	}
	var until time.Time
	if err := tx.GetContext(ctx, &until, "SELECT payloads_until FROM retention FOR SHARE"); err != nil {
		return nil, err
	}
	var events []struct {
		ID     string
		At     time.Time
		Erased bool
	}
	least, greatest := bounds(ids)
	if err := tx.SelectContext(ctx, &events, nothingToSendQuery, pq.Array(ids), least, greatest); err != nil {
		return nil, err
	}
	for _, id := range ids {
		refusals[id] = nothingToSend(id, until, until, true)
	}
	for _, e := range events {
		refusals[e.ID] = nothingToSend(e.ID, e.At, until, e.Erased)
	}
	return refusals, nil
}
