package store

import (
	"context"

	"github.com/seed-49a43567/switchboard"
)

// UpdateSubscription applies a change to a subscription as it was given and stores the result as
// its next version. version is the one that the caller knows; if there is another one, it is a
// Conflict for the field "version". The change sees no signing secrets; one that it sets replaces
// the earlier ones at once. It cannot change the id, tenant or use case. If the change returns an
// error, so does UpdateSubscription, and nothing is stored. If a part of the subscription cannot be
// read, the change must set it again and remove it from Unreadable; otherwise it is a Conflict. The
// change may be called twice. Another address, or no breaker, may let held deliveries be sent. Then
// their release is stored, and the caller starts the operation of that id in Temporal; otherwise
// the id is empty.
func (s *Store) UpdateSubscription(ctx context.Context, caller switchboard.Caller, id string, version int, change func(*switchboard.Subscription) error) (changed switchboard.Subscription, operationID string, err error) {
	err = s.tx(ctx, "update subscription", func(ctx context.Context, tx transaction) error {
		operationID = ""
		old, err := s.lockGiven(ctx, tx, caller, id)
		if err != nil {
			return err
		}
		if err := old.CheckVersion(version); err != nil {
			return err
		}
		changed = old
		if err := change(&changed); err != nil {
			return err
		}
		// The unreadable part would be lost, and another process may have the key.
		if err := changed.CheckReadable(); err != nil {
			return err
		}
		changed.ID, changed.Tenant, changed.UseCase, changed.CreatedAt = old.ID, old.Tenant, old.UseCase, old.CreatedAt
		changed.Version, changed.UpdatedAt = old.Version+1, s.now()
		if changed.State != old.State {
			changed.StateSince, changed.StateBy = changed.UpdatedAt, stateBy(caller)
		}
		if err := s.saveSubscription(ctx, tx, changed); err != nil {
			return err
		}
		if what := unblocks(&old, &changed); what != "" {
			if operationID, err = s.renewHealth(ctx, tx, &changed, what+" by "+clean(stateBy(caller))); err != nil {
				return err
			}
		}
		changes, err := switchboard.SubscriptionChanges(&old, &changed)
		if err != nil {
			return err
		}
		if err := s.audit(ctx, tx, caller, subscriptionEntry(&changed, switchboard.AuditUpdate, "", changes)); err != nil {
			return err
		}
		if len(changed.Secrets) == 0 {
			return nil
		}
		if err := revokeSecrets(ctx, tx, id); err != nil {
			return err
		}
		changed.Secrets = []switchboard.SigningSecret{{Secret: changed.Secrets[0].Secret, CreatedAt: changed.UpdatedAt}}
		return s.insertSecret(ctx, tx, id, changed.UpdatedAt, changed.Secrets[0])
	})
	if err != nil {
		return switchboard.Subscription{}, "", err
	}
	return s.withDefaults(changed), operationID, nil
}

// unblocks returns which part of a change makes the known health of the endpoint invalid; empty:
// none.
func unblocks(before, after *switchboard.Subscription) string {
	switch {
	case after.Request.URL != before.Request.URL:
		return "its address was changed"
	case after.Breaker.Mode == switchboard.BreakerOff:
		return "its breaker was turned off"
	}
	return ""
}

func (s *Store) saveSubscription(ctx context.Context, tx transaction, sub switchboard.Subscription) error {
	r, err := s.keys.subscriptionRow(sub)
	if err != nil {
		return err
	}
	_, err = tx.NamedExecContext(ctx, `
UPDATE subscriptions SET name = :name, state = :state, state_reason = :state_reason, state_since = :state_since, state_by = :state_by, events = :events, patterns = :patterns, filter = :filter,
	method = :method, url = :url, max_in_flight = :max_in_flight, ordered = :ordered, supersede = :supersede,
	deliver_within_us = :deliver_within_us, hold_for_us = :hold_for_us, operational = :operational, flow = flow + 1, document = :document, version = :version, updated_at = :updated_at,
	headers_key_id = :headers_key_id, headers_ciphertext = :headers_ciphertext,
	private_key_id = :private_key_id, private_ciphertext = :private_ciphertext
WHERE id = :id`, r)
	return nameTaken(err, sub.Name)
}

// lockSubscription reads a subscription that the caller sees, and prevents changes of it and new
// deliveries to it until the transaction ends.
func (s *Store) lockSubscription(ctx context.Context, tx transaction, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	given, err := s.lockGiven(ctx, tx, caller, id)
	if err != nil {
		return given, err
	}
	return s.withDefaults(given), nil
}

// lockGiven is lockSubscription, but returns the subscription as it was given.
func (s *Store) lockGiven(ctx context.Context, tx transaction, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	var rows []subscriptionRow
	query := "SELECT " + fields("subscriptions", subscriptionFields, "") + " FROM subscriptions WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
	if err := tx.SelectContext(ctx, &rows, query, id); err != nil {
		return switchboard.Subscription{}, err
	}
	if len(rows) == 0 || !caller.Sees(rows[0].Tenant) {
		return switchboard.Subscription{}, noSubscription(id)
	}
	given, _ := s.keys.given(rows[0])
	return given, nil
}
