package store

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
)

// audit notes a change in its transaction. The entry says the verb, the kind, the object, its tenant,
// the reason and what changed; the caller and the clock say the rest. What Switchboard does by itself
// has a zero caller, and leaves no row.
func (s *Store) audit(ctx context.Context, tx transaction, caller switchboard.Caller, e switchboard.AuditEntry) error {
	if caller == (switchboard.Caller{}) {
		return nil
	}
	now := s.now()
	changed := []byte("{}")
	if len(e.Changed) > 0 {
		var err error
		if changed, err = json.Marshal(e.Changed); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `
INSERT INTO audit (id, at, actor, role, bound, person, verb, kind, object, tenant, reason, request_id, origin, address, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		switchboard.NewID(switchboard.ActionPrefix, now), now, cmp.Or(caller.KeyID, switchboard.ActorSwitchboard), string(caller.Role), caller.Tenant != "",
		clean(caller.Person), string(e.Verb), string(e.Kind), clean(e.Object), e.Tenant, clean(e.Reason), clean(caller.RequestID),
		string(cmp.Or(caller.Origin, switchboard.OriginSwitchboard)), clean(caller.Address), clean(string(changed)))
	return err
}

// bySelf is the caller of what Switchboard does by itself and the audit has: the disabling of a
// subscription.
func bySelf() switchboard.Caller {
	return switchboard.Caller{KeyID: switchboard.ActorSwitchboard, Origin: switchboard.OriginSwitchboard}
}

// byAction is the caller behind an action that was not made by a key: somebody in Temporal, or nobody.
func byAction(action switchboard.Action) switchboard.Caller {
	if action.Actor != switchboard.ActorTemporal {
		return switchboard.Caller{}
	}
	return switchboard.Caller{KeyID: switchboard.ActorTemporal, Origin: switchboard.OriginTemporal}
}

// auditDelivery notes what a caller has done to a delivery.
func (s *Store) auditDelivery(ctx context.Context, tx transaction, caller switchboard.Caller, action switchboard.Action, before, after *switchboard.Delivery) error {
	changed := switchboard.AuditChanges{}
	changed.Set("state", before.State, after.State)
	changed.Set("reason", before.Reason, after.Reason)
	changed.Set("generation", before.Generation, after.Generation)
	changed.Set("next_attempt_at", before.NextAttemptAt, after.NextAttemptAt)
	return s.audit(ctx, tx, caller, switchboard.AuditEntry{
		Verb: switchboard.AuditVerb(action.Kind), Kind: switchboard.AuditDelivery, Object: after.ID, Tenant: after.Tenant, Reason: action.Reason, Changed: changed,
	})
}
