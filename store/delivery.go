package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// deliveryFields are the columns of switchboard.Delivery.
const deliveryFields = "id tenant event_id event_type subscription_id method host state reason attempts_made " +
	"last_status_code last_failure next_attempt_at? created_at completed_at? permanent generation prior_attempts temporal_run_id dispatch_at? parked_at? held_until? blocked_by expires_at? key ordered"

// rowFields are the columns of row.
const rowFields = deliveryFields + " response_awaited position"

// row is a delivery with the columns that only the store uses.
type row struct {
	switchboard.Delivery
	ResponseAwaited bool  // a caller may wait for the first response
	Position        int64 // in the queue of its ordering key; 0: it was never in one
}

// shownAt gives the deliveries the reasons that they have at that time.
func shownAt(now time.Time, deliveries []switchboard.Delivery) []switchboard.Delivery {
	for i := range deliveries {
		deliveries[i].Reason = deliveries[i].ReasonAt(now)
	}
	return deliveries
}

// bounds returns the least and the greatest of the ids. A statement that finds rows by id also
// gives their bounds, because Postgres leaves out partitions by bounds, and not by a list.
func bounds(ids []string) (least, greatest string) {
	if len(ids) == 0 {
		return "", ""
	}
	return slices.Min(ids), slices.Max(ids)
}

// Find returns the deliveries that exist, in any order and of any tenant.
func (s *Store) Find(ctx context.Context, ids []string) ([]switchboard.Delivery, error) {
	found := []switchboard.Delivery{}
	least, greatest := bounds(ids)
	err := s.list(ctx, "find deliveries", &found,
		"SELECT "+fields("deliveries", deliveryFields, "")+" FROM deliveries WHERE id = ANY($1) AND id >= $2 AND id <= $3", pq.Array(ids), least, greatest)
	return found, err
}

// deliveriesOfQuery reads the deliveries of the events with the ids $1, tenants $2 and times $3, in
// order. Deliveries that were made with their event have the ids $4 to $5, within $6 to $7; OFFSET
// 0 makes Postgres look for those of each event alone, in the partition where they are. The other
// deliveries name the event's time, and have an index of their own.
var deliveriesOfQuery = `
WITH e AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) AS e(id, tenant, created_at, lo, hi))
SELECT ` + fields("d", deliveryFields, "") + ` FROM e CROSS JOIN LATERAL (
	SELECT * FROM deliveries d WHERE d.id >= e.lo AND d.id < e.hi AND d.id >= $6 AND d.id < $7 AND d.event_id = e.id AND d.tenant = e.tenant AND d.event_at IS NULL OFFSET 0) d
UNION ALL
SELECT ` + fields("d", deliveryFields, "") + ` FROM (SELECT * FROM deliveries WHERE event_id = ANY($1) AND event_at IS NOT NULL AND id >= $6 OFFSET 0) d
JOIN e ON d.event_id = e.id AND d.tenant = e.tenant AND d.event_at = e.created_at
ORDER BY id`

// selector reads rows into the slice at dest.
type selector interface {
	SelectContext(ctx context.Context, dest any, query string, args ...any) error
}

// selectDeliveriesOf reads the deliveries of the events in the order of their ids.
func selectDeliveriesOf(ctx context.Context, db selector, events []switchboard.Event) ([]switchboard.Delivery, error) {
	deliveries := []switchboard.Delivery{}
	if len(events) == 0 {
		return deliveries, nil
	}
	var ids, tenants, times, lo, hi []string
	for _, e := range events {
		bound := idBound(e.CreatedAt)
		ids, tenants, times = append(ids, e.ID), append(tenants, e.Tenant), append(times, e.CreatedAt.Format(time.RFC3339Nano))
		lo, hi = append(lo, bound), append(hi, bound+"~") // after every id of those 8 ms
	}
	err := db.SelectContext(ctx, &deliveries, deliveriesOfQuery, pq.Array(ids), pq.Array(tenants), pq.Array(times), pq.Array(lo), pq.Array(hi),
		slices.Min(lo), slices.Max(hi))
	return deliveries, err
}

var lockDeliveriesQuery = "SELECT " + fields("deliveries", rowFields, "") +
	" FROM deliveries WHERE id = ANY($1) AND id >= $2 AND id <= $3 ORDER BY id FOR NO KEY UPDATE"

// lockedInOrder stands for the deliveries $1 in an UPDATE. It locks all of them first, in the order
// of their ids and not in that of the plan. $2 and $3 are the bounds of the ids.
const lockedInOrder = "ANY(ARRAY(SELECT id FROM deliveries WHERE id = ANY($1) AND id >= $2 AND id <= $3 ORDER BY id FOR NO KEY UPDATE))"

// lockDeliveries reads the deliveries that exist, and prevents changes by others until the
// transaction ends.
func lockDeliveries(ctx context.Context, tx transaction, ids []string) (map[string]*row, error) {
	var rows []*row
	least, greatest := bounds(ids)
	if err := tx.SelectContext(ctx, &rows, lockDeliveriesQuery, pq.Array(ids), least, greatest); err != nil {
		return nil, err
	}
	locked := make(map[string]*row, len(rows))
	for _, r := range rows {
		locked[r.ID] = r
	}
	return locked, nil
}

// saveDeliveriesQuery reads a JSON array of deliveryColumns. The ids $2 and their bounds are
// arguments too, because Postgres does not know how few the rows are, and would read the whole
// table.
const saveDeliveriesQuery = `
UPDATE deliveries d SET state = n.state, reason = n.reason, attempts_made = n.attempts_made, last_status_code = n.last_status_code, last_failure = n.last_failure,
	next_attempt_at = n.next_attempt_at, completed_at = n.completed_at, permanent = n.permanent, generation = n.generation,
	prior_attempts = n.prior_attempts, temporal_run_id = n.temporal_run_id, dispatch_at = n.dispatch_at,
	parked_at = n.parked_at, held_until = n.held_until, blocked_by = n.blocked_by, expires_at = n.expires_at, position = coalesce(n.position, d.position)
FROM json_populate_recordset(NULL::deliveries, $1) AS n WHERE d.id = n.id AND d.id = ANY($2) AND d.id >= $3 AND d.id <= $4`

// saveDeliveries writes the columns that can change, of deliveries that are locked.
func saveDeliveries(ctx context.Context, tx transaction, rows ...*row) error {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	text, err := deliveriesJSON(rows)
	if err != nil {
		return err
	}
	least, greatest := bounds(ids)
	_, err = tx.ExecContext(ctx, saveDeliveriesQuery, text, pq.Array(ids), least, greatest)
	return err
}

// deliveryColumns is a delivery as json_populate_recordset reads it, by the names of its columns.
// Fields that are left out are null: a time, and columns that recording an attempt does not change.
type deliveryColumns struct {
	ID              string              `json:"id"`
	Tenant          string              `json:"tenant,omitzero"`
	EventID         string              `json:"event_id,omitzero"`
	EventType       string              `json:"event_type,omitzero"`
	SubscriptionID  string              `json:"subscription_id,omitzero"`
	Method          string              `json:"method,omitzero"`
	Host            string              `json:"host"`
	State           switchboard.State   `json:"state"`
	Reason          string              `json:"reason"`
	AttemptsMade    int                 `json:"attempts_made"`
	LastStatusCode  int                 `json:"last_status_code"`
	LastFailure     switchboard.Failure `json:"last_failure"`
	NextAttemptAt   time.Time           `json:"next_attempt_at,omitzero"`
	CreatedAt       time.Time           `json:"created_at,omitzero"`
	CompletedAt     time.Time           `json:"completed_at,omitzero"`
	Permanent       bool                `json:"permanent"`
	Generation      int                 `json:"generation"`
	PriorAttempts   int                 `json:"prior_attempts"`
	TemporalRunID   string              `json:"temporal_run_id"`
	DispatchAt      time.Time           `json:"dispatch_at,omitzero"`
	ResponseAwaited bool                `json:"response_awaited"`
	ParkedAt        time.Time           `json:"parked_at,omitzero"`
	HeldUntil       time.Time           `json:"held_until,omitzero"`
	BlockedBy       string              `json:"blocked_by"`
	ExpiresAt       time.Time           `json:"expires_at,omitzero"`
	Key             string              `json:"key"`
	Ordered         bool                `json:"ordered"`
	Position        int64               `json:"position,omitzero"`
}

// deliveriesJSON writes the rows as a JSON array of deliveryColumns.
func deliveriesJSON(rows []*row) (string, error) {
	columns := make([]deliveryColumns, len(rows))
	for i, r := range rows {
		columns[i] = deliveryColumns{r.ID, r.Tenant, r.EventID, r.EventType, r.SubscriptionID, r.Method, r.Host, r.State, r.Reason, r.AttemptsMade,
			r.LastStatusCode, r.LastFailure, r.NextAttemptAt, r.CreatedAt, r.CompletedAt, r.Permanent, r.Generation, r.PriorAttempts, r.TemporalRunID,
			r.DispatchAt, r.ResponseAwaited, r.ParkedAt, r.HeldUntil, r.BlockedBy, r.ExpiresAt, r.Key, r.Ordered, r.Position}
	}
	text, err := json.Marshal(columns)
	return string(text), err
}
