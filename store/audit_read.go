package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// NotePayloadRead notes that the caller opened a payload of a delivery. There is one row for each
// key, person, delivery and hour, because a person who looks at a delivery opens it again and
// again. Concurrent calls wait for each other, so only one of them writes the row.
func (s *Store) NotePayloadRead(ctx context.Context, caller switchboard.Caller, id string) error {
	return s.tx(ctx, "note that a payload was read", func(ctx context.Context, tx transaction) error {
		c := &conditions{}
		c.add("id = ?", id)
		c.scope(caller, "")
		var tenants []string
		if err := tx.SelectContext(ctx, &tenants, "SELECT tenant FROM deliveries"+c.where(), c.args...); err != nil {
			return err
		}
		if len(tenants) == 0 {
			return noDelivery(id)
		}
		person := clean(caller.Person)
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", string(switchboard.AuditReadPayload)+" "+id+" "+caller.KeyID+" "+person); err != nil {
			return err
		}
		hour := s.now().Truncate(time.Hour)
		var noted bool
		err := tx.GetContext(ctx, &noted, "SELECT EXISTS (SELECT FROM audit WHERE object = $1 AND id >= $2 AND at >= $3 AND verb = $4 AND actor = $5 AND person = $6)",
			id, boundOf(switchboard.ActionPrefix, hour), hour, string(switchboard.AuditReadPayload), caller.KeyID, person)
		if err != nil || noted {
			return err
		}
		return s.audit(ctx, tx, caller, switchboard.AuditEntry{Verb: switchboard.AuditReadPayload, Kind: switchboard.AuditDelivery, Object: id, Tenant: tenants[0]})
	})
}
