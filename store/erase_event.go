package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// errReopened is the error of an erasure whose deliveries were started again while it
// cancelled them. It is tried again.
var errReopened = errors.New("a delivery of the event was started again meanwhile")

// eraseEvent cancels the open deliveries of an event, and empties the event and what its
// attempts sent and were answered.
func (s *Store) eraseEvent(ctx context.Context, e erasureRow) (switchboard.ErasureProgress, error) {
	var cancelled int
	err := s.maintain(ctx, "erase an event", func(ctx context.Context, m maintenance) error {
		if err := m.dropStage(ctx); err != nil {
			return err
		}
		deliveries, err := s.deliveriesOfEvent(ctx, e)
		if err != nil {
			return err
		}
		for _, d := range deliveries {
			if d.State.Final() {
				continue
			}
			if err := s.cancelErased(ctx, d.ID); err != nil {
				return err
			}
			cancelled++
		}
		return s.emptyEvent(ctx, e, deliveries, cancelled)
	})
	return switchboard.ErasureProgress{Finished: err == nil}, err
}

// ofEvent is the condition under which a delivery is of the event with id $1 of the tenant
// $2 that was accepted at $3: its id lies between $4 and $5, or it was made later.
const ofEvent = "event_id = $1 AND tenant = $2 AND (id >= $4 AND id < $5 AND event_at IS NULL AND created_at = $3 OR event_at IS NOT NULL AND event_at = $3)"

func (e erasureRow) ofEvent() []any {
	return []any{e.EventID, e.Tenant, e.EventAt, idBound(e.EventAt), idBound(e.EventAt) + "~"}
}

func (s *Store) deliveriesOfEvent(ctx context.Context, e erasureRow) ([]switchboard.Delivery, error) {
	found := []switchboard.Delivery{}
	err := s.list(ctx, "erase an event", &found, "SELECT "+fields("deliveries", deliveryFields, "")+" FROM deliveries WHERE "+ofEvent, e.ofEvent()...)
	return found, err
}

// cancelErased cancels a delivery whose event is erased, unless it has ended meanwhile.
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

// emptyEvent empties the event and its attempts, while nobody can start one of the
// deliveries again: whoever does so waits for the row, and then finds the event erased.
func (s *Store) emptyEvent(ctx context.Context, e erasureRow, deliveries []switchboard.Delivery, cancelled int) error {
	ids := make([]string, len(deliveries))
	for i, d := range deliveries {
		ids[i] = d.ID
	}
	return s.tx(ctx, "erase an event", func(ctx context.Context, tx transaction) error {
		rows, err := lockDeliveries(ctx, tx, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !r.State.Final() {
				return errReopened
			}
		}
		now := s.now()
		payload := erasedPayload("a", now)["attempts"]
		payload["detail"] = "''"
		emptied, err := affected(tx.ExecContext(ctx, "UPDATE attempts a SET "+assignments(payload)+" WHERE a.delivery_id = ANY($1)", pq.Array(ids)))
		if err != nil {
			return err
		}
		payload = erasedPayload("e", now)["events"]
		if _, err := tx.ExecContext(ctx, "UPDATE events e SET "+assignments(payload)+" WHERE created_at = $1 AND id = $2 AND tenant = $3", e.EventAt, e.EventID, e.Tenant); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE event_ids SET content = '' WHERE name = %s", eventName("$1", "$2")), e.Tenant, e.EventID); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE erasures SET finished_at = $2, cancelled = cancelled + $3, deliveries = $4, attempts = $5, events = 1 WHERE id = $1",
			e.ID, now, cancelled, len(ids), emptied)
		return err
	})
}

// eventName is the name of an event in event_ids: the first half of the SHA-256 of tenant,
// NUL and id.
func eventName(tenant, id string) string {
	return fmt.Sprintf(`encode(substring(sha256(convert_to(%s::text, 'UTF8') || '\x00'::bytea || convert_to(%s::text, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid`, tenant, id)
}
