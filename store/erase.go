package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const erasureFields = "id scope tenant event_id requested_at finished_at? actor person reason"

// erasureRow is an erasure as its table stores it.
type erasureRow struct {
	switchboard.Erasure
	EventAt  time.Time // when the event was accepted; zero: the erasure is of a tenant
	CutOffAt time.Time // rows up to this time are erased; zero: the tenant is not cut off yet

	Keys, Subscriptions, Cancelled, Deliveries, Attempts, Events int
}

func erasureColumns() string {
	return fields("erasures", erasureFields+" event_at? cut_off_at? keys subscriptions cancelled deliveries attempts events", "")
}

func (r erasureRow) erasure() switchboard.Erasure {
	e := r.Erasure
	e.RequestedAt, e.FinishedAt = e.RequestedAt.UTC(), e.FinishedAt.UTC()
	e.Erased = switchboard.Erased{Keys: r.Keys, Subscriptions: r.Subscriptions, Cancelled: r.Cancelled, Deliveries: r.Deliveries, Attempts: r.Attempts, Events: r.Events}
	return e
}

// EraseTenant begins the erasure of a tenant, or returns the one that is running. If nothing of the
// tenant is left, it returns the last one, or NotFound if there was none.
func (s *Store) EraseTenant(ctx context.Context, caller switchboard.Caller, tenant, reason string) (switchboard.Erasure, error) {
	missing := switchboard.Errorf(switchboard.CodeNotFound, "there is no tenant %q", tenant)
	if !caller.Sees(tenant) {
		return switchboard.Erasure{}, missing
	}
	var known bool
	if err := s.get(ctx, "erase a tenant", &known, nil, `
SELECT EXISTS (SELECT FROM subscriptions WHERE tenant = $1) OR EXISTS (SELECT FROM keys WHERE tenant = $1)
	OR EXISTS (SELECT FROM events WHERE tenant = $1) OR EXISTS (SELECT FROM deliveries WHERE tenant = $1)`, tenant); err != nil {
		return switchboard.Erasure{}, err
	}
	e := switchboard.Erasure{Scope: switchboard.ErasureTenant, Tenant: tenant, Reason: reason}
	return s.beginErasure(ctx, caller, e, time.Time{}, known, missing)
}

// EraseEvent begins the erasure of an event's content, or returns the one that is running or
// finished. If several events have that id, it erases the newest that is not erased yet. The tenant
// may be left out if only one has an event with that id.
func (s *Store) EraseEvent(ctx context.Context, caller switchboard.Caller, tenant, id, reason string) (switchboard.Erasure, error) {
	event, _, err := s.Event(ctx, caller, tenant, id)
	if err != nil {
		return switchboard.Erasure{}, err
	}
	e := switchboard.Erasure{Scope: switchboard.ErasureEvent, Tenant: event.Tenant, EventID: event.ID, Reason: reason}
	return s.beginErasure(ctx, caller, e, event.CreatedAt, true, nil)
}

// beginErasure stores an erasure. If the same one is running, or nothing is left to erase, it
// returns that one, or the last.
func (s *Store) beginErasure(ctx context.Context, caller switchboard.Caller, e switchboard.Erasure, eventAt time.Time, needed bool, missing error) (switchboard.Erasure, error) {
	var row erasureRow
	err := s.tx(ctx, "begin an erasure", func(ctx context.Context, tx transaction) error {
		var earlier []erasureRow
		if err := tx.SelectContext(ctx, &earlier, "SELECT "+erasureColumns()+` FROM erasures
WHERE scope = $1 AND tenant = $2 AND event_id = $3 AND coalesce(event_at, `+zeroTime+`) = $4 ORDER BY id DESC LIMIT 1`, string(e.Scope), e.Tenant, e.EventID, eventAt); err != nil {
			return err
		}
		if len(earlier) > 0 && (!earlier[0].Finished() || !needed || e.Scope == switchboard.ErasureEvent) {
			row = earlier[0]
			return nil
		}
		if !needed {
			return missing
		}
		now := s.now()
		begun, err := affected(tx.ExecContext(ctx, `
INSERT INTO erasures (id, scope, tenant, event_id, event_at, requested_at, actor, person, reason)
VALUES ($1, $2, $3, $4, nullif($5, `+zeroTime+`), $6, $7, $8, $9) ON CONFLICT (tenant, event_id) WHERE finished_at IS NULL DO NOTHING`,
			switchboard.NewID(switchboard.ErasurePrefix, now), string(e.Scope), e.Tenant, e.EventID, eventAt, now,
			action(caller, "", "").Actor, clean(caller.Person), clean(e.Reason)))
		if err != nil {
			return err
		}
		if begun > 0 {
			err = s.audit(ctx, tx, caller, erasureEntry(e))
		}
		if err != nil {
			return err
		}
		return tx.GetContext(ctx, &row, "SELECT "+erasureColumns()+" FROM erasures WHERE tenant = $1 AND event_id = $2 AND finished_at IS NULL", e.Tenant, e.EventID)
	})
	return row.erasure(), err
}

// erasureEntry is the entry of the audit for an erasure.
func erasureEntry(e switchboard.Erasure) switchboard.AuditEntry {
	entry := switchboard.AuditEntry{Verb: switchboard.AuditErase, Kind: switchboard.AuditTenant, Object: e.Tenant, Tenant: e.Tenant, Reason: e.Reason}
	if e.Scope == switchboard.ErasureEvent {
		entry.Kind, entry.Object = switchboard.AuditEvent, e.EventID
	}
	return entry
}

// Erasure returns an erasure.
func (s *Store) Erasure(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Erasure, error) {
	c := &conditions{}
	c.add("id = ?", id)
	c.scope(caller, "")
	var row erasureRow
	err := s.get(ctx, "read an erasure", &row, switchboard.Errorf(switchboard.CodeNotFound, "there is no erasure %q", id), "SELECT "+erasureColumns()+" FROM erasures"+c.where(), c.args...)
	return row.erasure(), err
}

// Erasures lists erasures, newest first.
func (s *Store) Erasures(ctx context.Context, caller switchboard.Caller, p switchboard.PageRequest) (switchboard.Page[switchboard.Erasure], error) {
	q := pageQuery{
		cursors: cursors{s.keys, "erasures", caller, nil}, columns: erasureColumns(), table: "erasures", order: "id DESC",
		where: &conditions{}, after: afterID,
	}
	q.where.scope(caller, "")
	found, err := list(ctx, s, q, p, func(r erasureRow) position { return position{ID: r.ID} })
	page := switchboard.Page[switchboard.Erasure]{NextCursor: found.NextCursor}
	for _, r := range found.Items {
		page.Items = append(page.Items, r.erasure())
	}
	return page, err
}

// EraseStep does the next part of an erasure, and returns the progress. It can be repeated, also
// after a crash at any point. It returns ErrMaintenanceBusy while another process changes the
// partitions.
func (s *Store) EraseStep(ctx context.Context, id string) (switchboard.ErasureProgress, error) {
	var row erasureRow
	err := s.get(ctx, "read an erasure", &row, switchboard.Errorf(switchboard.CodeNotFound, "there is no erasure %q", id), "SELECT "+erasureColumns()+" FROM erasures WHERE id = $1", id)
	switch {
	case err != nil:
		return switchboard.ErasureProgress{}, err
	case row.Finished():
		return switchboard.ErasureProgress{Finished: true}, nil
	case row.Scope == switchboard.ErasureEvent:
		return s.eraseEvent(ctx, row)
	}
	return s.eraseTenant(ctx, row)
}
