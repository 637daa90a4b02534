package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// resendData is the associated data of the overrides' ciphertext.
func resendData(deliveryID string) string { return "resends/" + deliveryID }

// Resend makes a copy of a delivery, with the overrides, and returns it. If the caller gives an id
// that already exists, the same request made that copy, and Resend returns it. start means that the
// caller starts its workflow now.
func (s *Store) Resend(ctx context.Context, caller switchboard.Caller, id string, asked switchboard.Resend) (d switchboard.Delivery, start bool, err error) {
	err = s.tx(ctx, "resend delivery", func(ctx context.Context, tx transaction) error {
		conditions, err := lockFlowOf(ctx, tx, id)
		if err != nil {
			return err
		}
		original, err := s.lockDelivery(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		if made, err := lockDeliveries(ctx, tx, []string{asked.ID}); err != nil || made[asked.ID] != nil {
			if err == nil {
				d = made[asked.ID].Delivery
			}
			return err
		}
		now, obstacles := s.now(), switchboard.Obstacles{SubscriptionDeleted: !conditions.Subscription.DeletedAt.IsZero()}
		if obstacles.NothingToSend = refuseErased(ctx, tx, id); obstacles.NothingToSend != nil && !isRefused(obstacles.NothingToSend) {
			return obstacles.NothingToSend
		}
		if err := asked.Expect.Act(now, &original.Delivery, func() error { return obstacles.CheckResend(id) }); err != nil {
			return err
		}
		r, err := s.copyOf(ctx, tx, original, conditions, asked)
		if err != nil {
			return err
		}
		d, start = r.Delivery, r.State.HasNextAttempt()
		return s.insertResend(ctx, tx, caller, original, r, asked)
	})
	return d, start && err == nil, err
}

// copyOf makes the copy in the state that the subscription's current flow gives it. It is ordered
// as its original is, after all open deliveries of its key.
func (s *Store) copyOf(ctx context.Context, tx transaction, original *row, conditions switchboard.Conditions, asked switchboard.Resend) (*row, error) {
	var target struct{ Method, URL string }
	if err := tx.GetContext(ctx, &target, "SELECT method, url FROM subscriptions WHERE id = $1", original.SubscriptionID); err != nil {
		return nil, err
	}
	now := s.now()
	r := &row{Delivery: switchboard.Delivery{
		ID: asked.ID, Tenant: original.Tenant, EventID: original.EventID, EventType: original.EventType, SubscriptionID: original.SubscriptionID,
		Method: target.Method, Host: hostOf(target.URL), Key: original.Key, Ordered: original.Ordered,
	}}
	if r.ID == "" {
		r.ID = switchboard.NewID(switchboard.DeliveryPrefix, now)
	}
	if asked.Overrides.URL != "" {
		r.Host = hostOf(asked.Overrides.URL)
	}
	if r.Ordered {
		var err error
		if conditions.Predecessor, err = enter(ctx, tx, r); err != nil {
			return nil, err
		}
	}
	if asked.Elsewhere {
		conditions.Health, conditions.Queue = nil, ""
	}
	r.Accept(now, switchboard.Admit(now, conditions))
	return r, nil
}

// insertResend stores the copy, its overrides, and the actions on both.
func (s *Store) insertResend(ctx context.Context, tx transaction, caller switchboard.Caller, original, r *row, asked switchboard.Resend) error {
	text, err := deliveriesJSON([]*row{r})
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
INSERT INTO deliveries (id, tenant, event_id, event_type, subscription_id, method, host, state, reason, next_attempt_at, created_at, completed_at, dispatch_at,
	parked_at, held_until, blocked_by, key, ordered, position, event_at)
SELECT id, tenant, event_id, event_type, subscription_id, method, host, state, reason, next_attempt_at, created_at, completed_at, dispatch_at,
	parked_at, held_until, blocked_by, key, ordered, coalesce(position, 0), (SELECT coalesce(event_at, created_at) FROM deliveries WHERE id = $2)
FROM json_populate_recordset(NULL::deliveries, $1)`, text, original.ID); err != nil {
		return err
	}
	changed, keyID, ciphertext := asked.Overrides.Names(), "", []byte{}
	if len(changed) > 0 {
		plain, err := json.Marshal(asked.Overrides.Revealed())
		if err != nil {
			return err
		}
		if keyID, ciphertext, err = s.keys.seal(plain, resendData(r.ID)); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO resends (delivery_id, original_id, tenant, created_at, changed, key_id, ciphertext) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		r.ID, original.ID, r.Tenant, r.CreatedAt, pq.Array(changed), keyID, ciphertext); err != nil {
		return err
	}
	if err := s.insertActions(ctx, tx, action(caller, switchboard.ActionResend, asked.Reason), original.ID, r.ID); err != nil {
		return err
	}
	changes := switchboard.AuditChanges{}
	changes.Set("resent_as", nil, r.ID)
	changes.Set("changed", nil, changed)
	return s.audit(ctx, tx, caller, switchboard.AuditEntry{
		Verb: switchboard.AuditResend, Kind: switchboard.AuditDelivery, Object: original.ID, Tenant: original.Tenant, Reason: asked.Reason, Changed: changes,
	})
}

// overridesQuery reads the overrides of the deliveries among $1 that have some.
const overridesQuery = "SELECT delivery_id, key_id, ciphertext FROM resends WHERE delivery_id = ANY($1) AND ciphertext <> ''"

// readOverrides reads the overrides of the deliveries, by id. Overrides that cannot be read have an
// error of their own.
func (s *Store) readOverrides(ctx context.Context, db querier, ids []string) (map[string]*switchboard.Overrides, map[string]error, error) {
	var rows []struct {
		DeliveryID, KeyID string
		Ciphertext        []byte
	}
	if err := db.SelectContext(ctx, &rows, overridesQuery, pq.Array(ids)); err != nil {
		return nil, nil, err
	}
	found, unreadable := make(map[string]*switchboard.Overrides, len(rows)), map[string]error{}
	for _, r := range rows {
		plain, err := s.keys.open(r.KeyID, r.Ciphertext, resendData(r.DeliveryID))
		overrides := &switchboard.Overrides{}
		if err == nil {
			err = json.Unmarshal(plain, overrides)
		}
		if err != nil {
			unreadable[r.DeliveryID] = &switchboard.Error{Code: switchboard.CodeConflict, Err: errors.Join(switchboard.ErrUnreadable, err),
				Message: "what the resend has changed cannot be read: it was encrypted with a key that this installation does not have, or is damaged"}
			continue
		}
		found[r.DeliveryID] = overrides
	}
	return found, unreadable, nil
}

// addResends adds to a delivery its original, if it is a copy, and its own copies.
func addResends(ctx context.Context, tx transaction, detail *switchboard.DeliveryDetail) error {
	var links []struct {
		DeliveryID, OriginalID string
		Changed                pq.StringArray
	}
	if err := tx.SelectContext(ctx, &links, "SELECT delivery_id, original_id, changed FROM resends WHERE delivery_id = $1 OR original_id = $1 ORDER BY delivery_id",
		detail.Delivery.ID); err != nil {
		return err
	}
	for _, l := range links {
		if l.DeliveryID == detail.Delivery.ID {
			detail.ResendOf, detail.Changed = l.OriginalID, l.Changed
		} else {
			detail.ResentAs = append(detail.ResentAs, l.DeliveryID)
		}
	}
	return nil
}

// resendsGoneQuery deletes links of deliveries that were deleted before $1, at most $2 of them.
const resendsGoneQuery = `
DELETE FROM resends WHERE delivery_id IN (
	SELECT delivery_id FROM resends r WHERE created_at < $1 AND NOT EXISTS (SELECT FROM deliveries d WHERE d.id = r.delivery_id) LIMIT $2)`

// eraseOldOverrides erases the overrides of ended deliveries after the retention of payloads.
func (m maintenance) eraseOldOverrides(ctx context.Context) (int64, error) {
	var until time.Time
	if err := m.GetContext(ctx, &until, "SELECT payloads_until FROM retention"); err != nil {
		return 0, err
	}
	return affected(m.ExecContext(ctx, `
UPDATE resends SET key_id = '', ciphertext = '' WHERE delivery_id IN (
	SELECT delivery_id FROM resends r WHERE ciphertext <> '' AND delivery_id < $1
		AND NOT EXISTS (SELECT FROM deliveries d WHERE d.id = r.delivery_id AND d.completed_at IS NULL) LIMIT $2)`, idBound(until), maintenanceRows))
}
