package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// seenInterval is the precision of a session's last request: it is written at most once in this
// time.
const seenInterval = time.Minute

// sessionRow is a session as it is stored.
type sessionRow struct {
	ID          string
	KeyID       string // empty: the person has no key
	Person      string
	Role        switchboard.Role
	Tenant      string
	ReadPayload bool
	Portal      bool
	CreatedAt   time.Time
	SeenAt      time.Time
	EndsAt      time.Time
	Address     string
}

const sessionColumns = "id, coalesce(key_id, '') AS key_id, person, role, tenant, read_payload, portal, created_at, seen_at, ends_at, address"

func (r *sessionRow) session() switchboard.Session {
	s := switchboard.Session{
		ID:     r.ID,
		Caller: switchboard.Caller{KeyID: r.KeyID, Role: r.Role, Tenant: r.Tenant, Person: r.Person, ReadPayload: r.ReadPayload},
		Portal: r.Portal, CreatedAt: r.CreatedAt.UTC(), SeenAt: r.SeenAt.UTC(), EndsAt: r.EndsAt.UTC(), Address: r.Address,
	}
	if r.KeyID == "" {
		s.Verified, s.Caller.KeyID = true, switchboard.ActorOfPerson(r.Person)
	}
	return s
}

// validKey is the condition that a row's key is valid at a time.
func validKey(table, now string) string {
	return "EXISTS (SELECT FROM keys k WHERE k.id = " + table + ".key_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > " + now + "))"
}

// openSession keeps sessions that are not over.
func (s *Store) openSession(c *conditions) {
	now := s.now()
	c.add("sessions.ends_at > ?", now)
	c.add("sessions.seen_at > CASE WHEN sessions.portal THEN ?::timestamptz ELSE ?::timestamptz END", now.Add(-switchboard.PortalIdle), now.Add(-switchboard.SessionIdle))
	c.add("(sessions.key_id IS NULL OR "+validKey("sessions", "?")+")", now)
}

func tokenHash(token switchboard.Secret) []byte {
	hash := sha256.Sum256([]byte(token.Reveal()))
	return hash[:]
}

// BeginSession begins a session of twelve hours, and ends the one that it replaces.
func (s *Store) BeginSession(ctx context.Context, in switchboard.SignIn) (switchboard.SignedIn, error) {
	var begun switchboard.SignedIn
	err := s.tx(ctx, "begin a session", func(ctx context.Context, tx transaction) (err error) {
		begun, err = s.begin(ctx, tx, in, false, switchboard.SessionLasts)
		return err
	})
	return begun, err
}

func (s *Store) begin(ctx context.Context, tx transaction, in switchboard.SignIn, portal bool, lasts time.Duration) (switchboard.SignedIn, error) {
	if in.Replaces != "" {
		if err := s.end(ctx, tx, in.Replaces, in.Caller); err != nil {
			return switchboard.SignedIn{}, err
		}
	}
	now, caller, token := s.now(), in.Caller, switchboard.NewSessionToken()
	row := sessionRow{
		ID: switchboard.NewID(switchboard.SessionPrefix, now), KeyID: caller.KeyID, Person: clean(caller.Person), Role: caller.Role, Tenant: caller.Tenant,
		ReadPayload: caller.ReadPayload, Portal: portal, CreatedAt: now, SeenAt: now, EndsAt: now.Add(lasts), Address: clean(caller.Address),
	}
	if in.Verified {
		row.KeyID = ""
		caller.KeyID = switchboard.ActorOfPerson(caller.Person)
	}
	_, err := tx.ExecContext(ctx, `
INSERT INTO sessions (id, hash, key_id, person, role, tenant, read_payload, portal, created_at, seen_at, ends_at, address)
VALUES ($1, $2, nullif($3, ''), $4, $5, $6, $7, $8, $9, $9, $10, $11)`,
		row.ID, tokenHash(token), row.KeyID, row.Person, string(row.Role), row.Tenant, row.ReadPayload, row.Portal, now, row.EndsAt, row.Address)
	if err != nil {
		return switchboard.SignedIn{}, err
	}
	err = s.audit(ctx, tx, caller, switchboard.AuditEntry{Verb: switchboard.AuditCreate, Kind: switchboard.AuditSession, Object: row.ID, Tenant: row.Tenant})
	return switchboard.SignedIn{Session: row.session(), Token: token}, err
}

// FindSession returns the session of the token, or the same Unauthenticated error for one that
// never existed and one that is over. A request that is not a poll keeps it open.
func (s *Store) FindSession(ctx context.Context, token switchboard.Secret, poll bool) (switchboard.Session, error) {
	c := &conditions{}
	c.add("sessions.hash = ?", tokenHash(token))
	s.openSession(c)
	var row sessionRow
	missing := switchboard.Errorf(switchboard.CodeUnauthenticated, "the session is over")
	if err := s.get(ctx, "find a session", &row, missing, "SELECT "+sessionColumns+" FROM sessions"+c.where(), c.args...); err != nil {
		return switchboard.Session{}, err
	}
	if row.KeyID != "" && !row.Portal {
		s.uses.note(row.KeyID, s.now())
	}
	if now := s.now(); !poll && now.Sub(row.SeenAt) >= seenInterval {
		row.SeenAt = now
		if _, err := s.exec(ctx, "find a session", "UPDATE sessions SET seen_at = greatest(seen_at, $2) WHERE id = $1", row.ID, now); err != nil {
			return switchboard.Session{}, err
		}
	}
	return row.session(), nil
}

// EndSession ends the session of the token, if there is one: its person signs out. from gives only
// the source of the request: its origin, its id and the address.
func (s *Store) EndSession(ctx context.Context, token switchboard.Secret, from switchboard.Caller) error {
	return s.tx(ctx, "end a session", func(ctx context.Context, tx transaction) error {
		return s.end(ctx, tx, token, from)
	})
}

func (s *Store) end(ctx context.Context, tx transaction, token switchboard.Secret, from switchboard.Caller) error {
	var row sessionRow
	err := tx.GetContext(ctx, &row, "DELETE FROM sessions WHERE hash = $1 RETURNING "+sessionColumns, tokenHash(token))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	caller := row.session().Caller
	caller.Origin, caller.RequestID, caller.Address = from.Origin, from.RequestID, from.Address
	return s.audit(ctx, tx, caller, switchboard.AuditEntry{Verb: switchboard.AuditDelete, Kind: switchboard.AuditSession, Object: row.ID, Tenant: row.Tenant})
}

// Sessions lists the sessions that are not over, newest first; only those of one key if it is
// given.
func (s *Store) Sessions(ctx context.Context, caller switchboard.Caller, keyID string, p switchboard.PageRequest) (switchboard.Page[switchboard.Session], error) {
	q := pageQuery{
		cursors: cursors{s.keys, "sessions", caller, keyID}, columns: sessionColumns, table: "sessions", order: "id DESC", where: &conditions{}, after: afterID,
	}
	q.where.scope(caller, "")
	q.where.equal("key_id", keyID)
	s.openSession(q.where)
	rows, err := list(ctx, s, q, p, func(r sessionRow) position { return position{ID: r.ID} })
	page := switchboard.Page[switchboard.Session]{Items: make([]switchboard.Session, len(rows.Items)), NextCursor: rows.NextCursor}
	for i := range rows.Items {
		page.Items[i] = rows.Items[i].session()
	}
	return page, err
}

// RevokeSession ends another person's session.
func (s *Store) RevokeSession(ctx context.Context, caller switchboard.Caller, id, reason string) error {
	c := &conditions{}
	c.add("id = ?", id)
	c.scope(caller, "")
	s.openSession(c)
	return s.tx(ctx, "end a session", func(ctx context.Context, tx transaction) error {
		var tenant string
		err := tx.GetContext(ctx, &tenant, "DELETE FROM sessions"+c.where()+" RETURNING tenant", c.args...)
		if errors.Is(err, sql.ErrNoRows) {
			return switchboard.Errorf(switchboard.CodeNotFound, "there is no session %q", id)
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, caller, switchboard.AuditEntry{Verb: switchboard.AuditRevoke, Kind: switchboard.AuditSession, Object: id, Tenant: tenant, Reason: reason})
	})
}
