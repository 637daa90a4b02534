package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// planSeal is the associated data of plans, so that no other sealed text opens as a plan.
const planSeal = "operation plan"

// sealPlan encrypts a plan, so that nobody can read or change it.
func (s *Store) sealPlan(p planned) (string, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	keyID, sealed, err := s.keys.seal(plain, planSeal)
	return base64.RawURLEncoding.EncodeToString(append([]byte(keyID+":"), sealed...)), err
}

// openPlan reads a plan that was made for the caller and has not expired.
func (s *Store) openPlan(caller switchboard.Caller, text string) (planned, error) {
	var p planned
	bad := switchboard.InvalidField("plan", "is not one that a dry run gave")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return p, bad
	}
	keyID, sealed, _ := strings.Cut(string(raw), ":")
	plain, err := s.keys.open(keyID, []byte(sealed), planSeal)
	if err != nil {
		return p, bad
	}
	if err := json.Unmarshal(plain, &p); err != nil {
		return p, bad
	}
	switch {
	case p.KeyID != caller.KeyID:
		return p, &switchboard.Error{Code: switchboard.CodeForbidden, Field: "plan", Message: "was made for another key: make one with yours"}
	case caller.Tenant != "" && p.Tenant != caller.Tenant:
		return p, &switchboard.Error{Code: switchboard.CodeForbidden, Field: "plan", Message: "is outside this key's scope"}
	case !p.ExpiresAt.After(s.now()):
		return p, switchboard.InvalidField("plan", "has expired at %s: plan it again, since other deliveries may match by now", p.ExpiresAt.UTC().Format("15:04:05 UTC"))
	}
	return p, nil
}

// StartOperation stores an operation: that of the plan or, without a plan, that of the request. The
// caller then starts its workflow; if it does not, the reconciler does.
func (s *Store) StartOperation(ctx context.Context, caller switchboard.Caller, plan string, r switchboard.OperationRequest) (switchboard.Operation, error) {
	var p planned
	var err error
	if plan != "" {
		p, err = s.openPlan(caller, plan)
	} else {
		p, _, err = s.planOperation(ctx, caller, r)
	}
	if err != nil {
		return switchboard.Operation{}, err
	}
	if r.Rate != 0 {
		p.Rate = r.Rate
	}
	if err := p.checkCount(caller); err != nil {
		return switchboard.Operation{}, err
	}
	filter, err := json.Marshal(p.Filter)
	if err != nil {
		return switchboard.Operation{}, err
	}
	var o switchboard.Operation
	err = s.tx(ctx, "start an operation", func(ctx context.Context, tx transaction) error {
		now, by := s.now(), action(caller, p.Action, r.Reason)
		inserted, err := affected(tx.ExecContext(ctx, `
INSERT INTO operations (id, tenant, subscription_id, action, state, filter, bound_id, rate, reason, actor, person, total, next_at, wake_at, created_at, updated_at)
VALUES ($1, $2, $3, $4, 'running', $5, $6, $7, $8, $9, $10, $11, $12, $12, $12, $12) ON CONFLICT (id) DO NOTHING`,
			p.ID, p.Tenant, p.Filter.Subscription, string(p.Action), string(filter), p.BoundID, p.Rate, clean(by.Reason), by.Actor, clean(by.Person), p.Total, now))
		if err != nil {
			return err
		}
		if inserted == 0 {
			return &switchboard.Error{Code: switchboard.CodeConflict, Field: "plan", Message: "was started already, as operation " + p.ID}
		}
		found, err := selectOperations(ctx, tx, "WHERE id = $1", p.ID)
		if err != nil {
			return err
		}
		o = found[0].shownAt(now)
		return s.audit(ctx, tx, caller, operationEntry(switchboard.Operation{}, o, switchboard.AuditStart, r.Reason))
	})
	return o, err
}

// checkCount refuses an operation on nothing, or on more than the caller may act on at once.
func (p *planned) checkCount(caller switchboard.Caller) error {
	limit := itemLimit(caller)
	switch {
	case p.Count.Exact && p.Count.Value == 0:
		return switchboard.InvalidField("filter", "matches nothing that a %s applies to; a dry run says what it leaves out, and why", p.Action)
	case limit > 0 && p.Count.Value > limit:
		return &switchboard.Error{Code: switchboard.CodeForbidden, Field: "filter",
			Message: switchboard.Errorf("", "matches %d, and a key with the role %s may act on %d at once: narrow it, or have an admin start it", p.Count.Value, caller.Role, limit).Message}
	case limit > 0 && !p.Count.Exact:
		return &switchboard.Error{Code: switchboard.CodeForbidden, Field: "filter",
			Message: switchboard.Errorf("", "matches more than could be counted, and a key with the role %s may act on %d at once: narrow it, or have an admin start it", caller.Role, limit).Message}
	}
	return nil
}

// ChangeOperation pauses, resumes or cancels an operation. A running step ends first. Deliveries of
// a cancelled operation that are not sent yet are taken back: some here, and the rest by its
// workflow, which the caller wakes.
func (s *Store) ChangeOperation(ctx context.Context, caller switchboard.Caller, id string, change switchboard.OperationChange, reason string) (switchboard.Operation, error) {
	var o operationRow
	err := s.tx(ctx, "change an operation", func(ctx context.Context, tx transaction) error {
		found, err := selectOperations(ctx, tx, "WHERE id = $1 FOR NO KEY UPDATE", id)
		if err != nil {
			return err
		}
		if len(found) == 0 || !caller.Sees(found[0].Tenant) {
			return noOperation(id)
		}
		o = found[0]
		before, now := o.Operation, s.now()
		if err := o.Change(now, change); err != nil {
			return err
		}
		if o.State == switchboard.OperationCancelled && o.Action.Sends() {
			o.BackID = backAll
		}
		if o.State == switchboard.OperationRunning { // dispatches that the pause prevented are not made up for
			o.NextAt = latest(o.NextAt, now)
		}
		if err := s.audit(ctx, tx, caller, operationEntry(before, o.Operation, switchboard.AuditVerb(change), reason)); err != nil {
			return err
		}
		return s.saveOperation(ctx, tx, o)
	})
	if err == nil && o.BackID != "" {
		if after, _, err := s.takeBack(ctx, o, false); err == nil { // otherwise the workflow does it
			o = after
		}
	}
	return o.shownAt(s.now()), err
}

// operationEntry is the entry of the audit for a change of an operation.
func operationEntry(before, after switchboard.Operation, verb switchboard.AuditVerb, reason string) switchboard.AuditEntry {
	changed := switchboard.AuditChanges{}
	changed.Set("action", before.Action, after.Action)
	changed.Set("state", before.State, after.State)
	changed.Set("filter", before.Filter, after.Filter)
	changed.Set("rate", before.Rate, after.Rate)
	changed.Set("total", before.Total, after.Total)
	return switchboard.AuditEntry{Verb: verb, Kind: switchboard.AuditOperation, Object: after.ID, Tenant: after.Tenant, Reason: reason, Changed: changed}
}

// OperationItems lists the results of an operation for each delivery, newest first; an empty
// outcome lists all. A position has the event in place of a tenant.
func (s *Store) OperationItems(ctx context.Context, caller switchboard.Caller, id string, outcome switchboard.OperationOutcome, p switchboard.PageRequest) (switchboard.Page[switchboard.OperationItem], error) {
	if _, err := s.Operation(ctx, caller, id); err != nil {
		return switchboard.Page[switchboard.OperationItem]{}, err
	}
	return list(ctx, s, s.itemsQuery(caller, id, outcome), p, func(i switchboard.OperationItem) position { return position{ID: i.DeliveryID, Tenant: i.EventID} })
}

func (s *Store) itemsQuery(caller switchboard.Caller, id string, outcome switchboard.OperationOutcome) pageQuery {
	filter := struct {
		Operation string
		Outcome   switchboard.OperationOutcome
	}{id, outcome}
	q := pageQuery{
		cursors: cursors{s.keys, "operation items", caller, filter}, columns: fields("operation_items", "delivery_id event_id outcome why", ""), table: "operation_items",
		order: "delivery_id DESC, event_id DESC", where: &conditions{},
		after: func(c *conditions, p position) { c.add("(delivery_id, event_id) < (?, ?)", p.ID, p.Tenant) },
	}
	q.where.equal("operation_id", id)
	q.where.equal("outcome", string(outcome))
	return q
}
