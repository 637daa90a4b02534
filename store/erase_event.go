package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// errReopened is the error of an erasure if one of the deliveries was started again, or resent,
// while they were cancelled. The erasure is then tried again.
var errReopened = errors.New("a delivery of the event was started again, or resent, meanwhile")

// eraseEvent cancels the open deliveries of an event. It empties the event, the requests of its
// attempts and the responses to them. Earlier events with its id, from before the idempotency
// window, are erased with it.
func (s *Store) eraseEvent(ctx context.Context, e erasureRow) (switchboard.ErasureProgress, error) {
	var cancelled int
	err := s.maintain(ctx, "erase an event", func(ctx context.Context, m maintenance) error {
		if err := m.dropStage(ctx); err != nil {
			return err
		}
		deliveries, err := deliveriesOfEvent(ctx, m, e)
		if err != nil {
			return err
		}
		ids := make([]string, len(deliveries))
		for i, d := range deliveries {
			ids[i] = d.ID
			if d.State.Final() {
				continue
			}
			if err := s.cancelErased(ctx, d.ID); err != nil {
				return err
			}
			cancelled++
		}
		return m.emptyEvent(ctx, e, ids, cancelled)
	})
	return switchboard.ErasureProgress{Finished: err == nil}, err
}

// ofErasure matches the events of an erasure: the tenant $1 and the id $2.
const ofErasure = "tenant = $1 AND id = $2"

func deliveriesOfEvent(ctx context.Context, db selector, e erasureRow) ([]switchboard.Delivery, error) {
	var events []switchboard.Event
	if err := db.SelectContext(ctx, &events, "SELECT id, tenant, created_at FROM events WHERE "+ofErasure, e.Tenant, e.EventID); err != nil {
		return nil, err
	}
	return selectDeliveriesOf(ctx, db, events)
}

// cancelErased cancels a delivery whose event is erased, unless it has ended since.
func (s *Store) cancelErased(ctx context.Context, id string) error {
	action := switchboard.Action{Actor: switchboard.ActorSwitchboard, Kind: switchboard.ActionCancel, Reason: "its event is erased"}
	_, err := s.change(ctx, switchboard.Caller{}, id, action, func(d *switchboard.Delivery, now time.Time) error {
		return d.Cancel(now, switchboard.ReasonErased, now)
	})
	if switchboard.CodeOf(err) == switchboard.CodeConflict {
		return nil
	}
	return err
}

// emptyEvent empties the event and its attempts, while nobody can start one of the deliveries
// again: such a start waits for the row, and then finds the event erased. It uses the connection
// that has the advisory lock. If that connection was lost before, another maintenance step might
// have begun to copy the rows that are emptied here.
func (m maintenance) emptyEvent(ctx context.Context, e erasureRow, ids []string, cancelled int) error {
	return m.tx(ctx, func(tx *sqlx.Tx) error {
		least, greatest := bounds(ids)
		// If the last delivery of a key has ended, it blocks no other.
		if _, err := tx.ExecContext(ctx, `
WITH unused AS MATERIALIZED (
	SELECT o.subscription_id, o.key FROM ordering_keys o JOIN deliveries d ON o.subscription_id = d.subscription_id AND o.key = d.key AND o.last_delivery = d.id
	WHERE d.id = ANY($1) AND d.id >= $2 AND d.id <= $3 AND d.key <> '' ORDER BY o.subscription_id, o.key FOR UPDATE OF o)
DELETE FROM ordering_keys o USING unused u WHERE o.subscription_id = u.subscription_id AND o.key = u.key`,
			pq.Array(ids), least, greatest); err != nil {
			return err
		}
		rows, err := lockDeliveries(ctx, transaction{Tx: tx}, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !r.State.Final() {
				return errReopened
			}
		}
		// A resend of one of them also waits for its row, or has already made the copy.
		if made, err := deliveriesOfEvent(ctx, tx, e); err != nil || len(made) > len(rows) {
			return cmp.Or(err, errReopened)
		}
		now := m.s.now()
		payload := erasedPayload("a", now)["attempts"]
		payload["detail"] = "''"
		attempts, err := affected(tx.ExecContext(ctx, "UPDATE attempts a SET "+assignments(payload)+" WHERE a.delivery_id = ANY($1) AND a.delivery_id >= $2 AND a.delivery_id <= $3", pq.Array(ids), least, greatest))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE deliveries SET key = '' WHERE id = ANY($1) AND id >= $2 AND id <= $3 AND key <> ''", pq.Array(ids), least, greatest); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE resends SET key_id = '', ciphertext = '' WHERE delivery_id = ANY($1) AND ciphertext <> ''", pq.Array(ids)); err != nil {
			return err
		}
		payload = erasedPayload("e", now)["events"]
		payload["key"] = "''"
		events, err := affected(tx.ExecContext(ctx, "UPDATE events e SET "+assignments(payload)+" WHERE "+ofErasure, e.Tenant, e.EventID))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE event_ids SET content = '' WHERE name = %s", eventName("$1", "$2")), e.Tenant, e.EventID); err != nil {
			return err
		}
		// If the event is missing, its tenant was erased in the meantime, and its id must not stay.
		_, err = tx.ExecContext(ctx, `
UPDATE erasures SET finished_at = $2, cancelled = cancelled + $3, deliveries = $4, attempts = $5, events = $6,
	event_id = CASE WHEN $6 = 0 THEN '' ELSE event_id END, reason = CASE WHEN $6 = 0 THEN '' ELSE reason END WHERE id = $1`,
			e.ID, now, cancelled, len(ids), attempts, events)
		return err
	})
}

// eventName returns the name of an event in event_ids: the first half of the SHA-256 of tenant, NUL
// and id.
func eventName(tenant, id string) string {
	return fmt.Sprintf(`encode(substring(sha256(convert_to(%s::text, 'UTF8') || '\x00'::bytea || convert_to(%s::text, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid`, tenant, id)
}

// deleteNames deletes events of the tenant from event_ids. It locks them in the order in which
// events are accepted.
func deleteNames(ctx context.Context, tx *sqlx.Tx, tenant string, ids []string) error {
	_, err := tx.ExecContext(ctx, `
DELETE FROM event_ids WHERE name = ANY(ARRAY(
	SELECT name FROM event_ids WHERE name IN (SELECT `+eventName("$1", "id")+` FROM unnest($2::text[]) AS n(id)) ORDER BY name FOR UPDATE))`, tenant, pq.Array(ids))
	return err
}
