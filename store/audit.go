package store

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/seed-49a43567/switchboard"
)

// audit stores an entry in the transaction of the change. The entry has the verb, the kind, the
// object, its tenant, the reason and the changes; the caller and the clock give the rest.
// Switchboard's own changes have a zero caller, and are not stored.
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

// bySelf is the caller of the only change by Switchboard itself that the audit has: the disabling
// of a subscription.
func bySelf() switchboard.Caller {
	return switchboard.Caller{KeyID: switchboard.ActorSwitchboard, Origin: switchboard.OriginSwitchboard}
}

// byAction returns the caller behind an action without a key: a person in Temporal, or nobody.
func byAction(action switchboard.Action) switchboard.Caller {
	if action.Actor != switchboard.ActorTemporal {
		return switchboard.Caller{}
	}
	return switchboard.Caller{KeyID: switchboard.ActorTemporal, Origin: switchboard.OriginTemporal}
}

// subscriptionEntry is the entry of the audit for a change of a subscription.
func subscriptionEntry(sub *switchboard.Subscription, verb switchboard.AuditVerb, reason string, changed switchboard.AuditChanges) switchboard.AuditEntry {
	return switchboard.AuditEntry{Verb: verb, Kind: switchboard.AuditSubscription, Object: sub.ID, Tenant: sub.Tenant, Reason: reason, Changed: changed}
}

// stateChanges returns the changes of a subscription's state.
func stateChanges(before, after *switchboard.Subscription) switchboard.AuditChanges {
	changed := switchboard.AuditChanges{}
	changed.Set("state", before.State, after.State)
	changed.Set("state_reason", before.StateReason, after.StateReason)
	return changed
}

// deliveryEntry is the entry of the audit for an action on a delivery.
func deliveryEntry(before, after *switchboard.Delivery, action switchboard.Action) switchboard.AuditEntry {
	changed := switchboard.AuditChanges{}
	changed.Set("state", before.State, after.State)
	changed.Set("reason", before.Reason, after.Reason)
	changed.Set("generation", before.Generation, after.Generation)
	changed.Set("next_attempt_at", before.NextAttemptAt, after.NextAttemptAt)
	return switchboard.AuditEntry{
		Verb: switchboard.AuditVerb(action.Kind), Kind: switchboard.AuditDelivery, Object: after.ID, Tenant: after.Tenant, Reason: action.Reason, Changed: changed,
	}
}

// auditRow is an entry as it is read.
type auditRow struct {
	switchboard.AuditEntry
	Changes []byte // what changed, as JSON
	Bound   bool   // the actor is bound to the tenant
}

// Audit lists the entries, newest first. Integrators and viewers of a tenant do not see which of
// the platform's people made a change.
func (s *Store) Audit(ctx context.Context, caller switchboard.Caller, f switchboard.AuditFilter, p switchboard.PageRequest) (switchboard.Page[switchboard.AuditEntry], error) {
	rows, err := list(ctx, s, s.auditQuery(caller, f), p, func(r auditRow) position { return position{ID: r.ID} })
	page := switchboard.Page[switchboard.AuditEntry]{Items: make([]switchboard.AuditEntry, len(rows.Items)), NextCursor: rows.NextCursor}
	for i, r := range rows.Items {
		page.Items[i] = r.AuditEntry
		page.Items[i].At = r.At.UTC()
		if !r.Bound && caller.IsTenants() {
			page.Items[i].Person, page.Items[i].ActorName, page.Items[i].Address = "", "", ""
		}
		if err == nil {
			err = json.Unmarshal(r.Changes, &page.Items[i].Changed)
		}
	}
	return page, err
}

func (s *Store) auditQuery(caller switchboard.Caller, f switchboard.AuditFilter) pageQuery {
	q := pageQuery{
		cursors: cursors{s.keys, "audit", caller, f}, table: "audit", order: "id DESC", where: &conditions{}, after: afterID,
		columns: fields("audit", "id at actor role person verb kind object tenant reason request_id origin address", "") +
			", audit.bound, audit.changed AS changes, coalesce((SELECT name FROM keys WHERE keys.id = audit.actor), '') AS actor_name",
	}
	q.where.scope(caller, f.Tenant)
	q.where.equal("object", f.Object)
	q.where.equal("actor", f.Actor)
	if f.Person != "" {
		q.where.equal("person", f.Person)
		q.where.add("person <> ''") // lets Postgres use its partial index
		if caller.IsTenants() {
			q.where.add("bound") // otherwise the filter would show who made the other changes
		}
	}
	q.where.equal("verb", string(f.Verb))
	q.where.equal("kind", string(f.Kind))
	if !f.After.IsZero() {
		q.where.add("at >= ? AND id >= ?", f.After, boundOf(switchboard.ActionPrefix, f.After))
	}
	if !f.Before.IsZero() {
		q.where.add("at < ? AND id < ?", f.Before, boundOf(switchboard.ActionPrefix, f.Before)+"~") // after every id of those 8 ms
	}
	return q
}
