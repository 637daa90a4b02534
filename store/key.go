package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store/batch"
)

const keyFields = "id name role tenant created_at expires_at? revoked_at? read_payload last_used_at?"

// keyReadFields returns the columns of a key, with the counts of what ends with the key.
func (s *Store) keyReadFields(c *conditions) string {
	open := &conditions{args: c.args}
	open.add("sessions.key_id = keys.id")
	s.openSession(open)
	waiting := open.term("portal_links.key_id = keys.id AND spent_at IS NULL AND portal_links.expires_at > ?", s.now())
	c.args = open.args
	return fields("keys", keyFields, "") + ", (SELECT count(*) FROM sessions" + open.where() + ") AS sessions, (SELECT count(*) FROM portal_links WHERE " + waiting + ") AS portal_links"
}

// CreateKey stores an API key under the hash of its text, and fills in id and time. If the text is
// stored with the same role, tenant and permission, it returns that key, so that a development key
// may be created at every start. With another role, tenant or permission, or if that key was
// revoked, it returns a Conflict.
func (s *Store) CreateKey(ctx context.Context, caller switchboard.Caller, key switchboard.Key, text switchboard.Secret) (switchboard.Key, error) {
	if err := caller.CheckTenant(key.Tenant); err != nil {
		return switchboard.Key{}, err
	}
	key.CreatedAt = s.now()
	key.ID = switchboard.NewID(switchboard.KeyPrefix, key.CreatedAt)
	hash := sha256.Sum256([]byte(text.Reveal()))
	var stored switchboard.Key
	err := s.tx(ctx, "create key", func(ctx context.Context, tx transaction) error {
		_, err := tx.ExecContext(ctx, `
INSERT INTO keys (id, name, role, tenant, created_at, expires_at, hash, read_payload)
VALUES ($1, $2, $3, $4, $5, nullif($6, `+zeroTime+`), $7, $8) ON CONFLICT (hash) DO NOTHING`,
			key.ID, clean(key.Name), string(key.Role), key.Tenant, key.CreatedAt, key.ExpiresAt, hash[:], key.ReadPayload)
		if err != nil {
			return err
		}
		if err := tx.GetContext(ctx, &stored, "SELECT "+fields("keys", keyFields, "")+" FROM keys WHERE hash = $1", hash[:]); err != nil || stored.ID != key.ID {
			return err
		}
		return s.audit(ctx, tx, caller, keyEntry(switchboard.Key{}, stored, switchboard.AuditCreate, ""))
	})
	if err != nil {
		return switchboard.Key{}, err
	}
	if stored.ID != key.ID && (stored.Role != key.Role || stored.Tenant != key.Tenant || stored.ReadPayload != key.ReadPayload || !stored.RevokedAt.IsZero()) {
		return switchboard.Key{}, switchboard.Errorf(switchboard.CodeConflict, "this key exists, with another role, tenant or permission, or revoked")
	}
	return stored, nil
}

// Key returns the key with that id.
func (s *Store) Key(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Key, error) {
	c := &conditions{}
	c.add("id = ?", id)
	c.scope(caller, "")
	columns := s.keyReadFields(c)
	var key switchboard.Key
	err := s.get(ctx, "read key", &key, switchboard.Errorf(switchboard.CodeNotFound, "there is no key %q", id), "SELECT "+columns+" FROM keys"+c.where(), c.args...)
	return key, err
}

// Keys lists keys, newest first, including revoked and expired ones.
func (s *Store) Keys(ctx context.Context, caller switchboard.Caller, p switchboard.PageRequest) (switchboard.Page[switchboard.Key], error) {
	q := pageQuery{
		cursors: cursors{s.keys, "keys", caller, nil}, table: "keys", order: "id DESC", where: &conditions{}, after: afterID,
	}
	q.where.scope(caller, "")
	q.columns = s.keyReadFields(q.where)
	return list(ctx, s, q, p, func(k switchboard.Key) position { return position{ID: k.ID} })
}

// RevokeKey ends a key's validity now. Revoking it again has no effect.
func (s *Store) RevokeKey(ctx context.Context, caller switchboard.Caller, id, reason string) (switchboard.Key, error) {
	c := &conditions{}
	c.add("id = ?", id)
	c.scope(caller, "")
	var key switchboard.Key
	err := s.tx(ctx, "revoke key", func(ctx context.Context, tx transaction) error {
		err := tx.GetContext(ctx, &key, "SELECT "+fields("keys", keyFields, "")+" FROM keys"+c.where()+" FOR UPDATE", c.args...)
		if errors.Is(err, sql.ErrNoRows) {
			return switchboard.Errorf(switchboard.CodeNotFound, "there is no key %q", id)
		}
		if err != nil || !key.RevokedAt.IsZero() {
			return err
		}
		before := key
		key.RevokedAt = s.now()
		if _, err := tx.ExecContext(ctx, "UPDATE keys SET revoked_at = $2 WHERE id = $1", id, key.RevokedAt); err != nil {
			return err
		}
		return s.audit(ctx, tx, caller, keyEntry(before, key, switchboard.AuditRevoke, reason))
	})
	return key, err
}

// keyEntry is the entry of the audit for a change of a key.
func keyEntry(before, after switchboard.Key, verb switchboard.AuditVerb, reason string) switchboard.AuditEntry {
	changed := switchboard.AuditChanges{}
	changed.Set("name", before.Name, after.Name)
	changed.Set("role", before.Role, after.Role)
	changed.Set("read_payload", before.ReadPayload, after.ReadPayload)
	changed.Set("expires_at", before.ExpiresAt.UTC(), after.ExpiresAt.UTC())
	changed.Set("revoked_at", before.RevokedAt.UTC(), after.RevokedAt.UTC())
	return switchboard.AuditEntry{Verb: verb, Kind: switchboard.AuditKey, Object: after.ID, Tenant: after.Tenant, Reason: reason, Changed: changed}
}

// keyHash is the SHA-256 of a key's text.
type keyHash [sha256.Size]byte

const callersQuery = "SELECT hash, id, role, tenant, read_payload FROM keys WHERE hash = ANY($1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)"

// Authenticate returns the caller that the text belongs to. For an unknown, expired or revoked key
// it returns the same Unauthenticated error, so that nobody learns which. Concurrent callers share
// a query.
func (s *Store) Authenticate(ctx context.Context, text switchboard.Secret) (switchboard.Caller, error) {
	bounded, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return do(bounded, s.callers, "authenticate", sha256.Sum256([]byte(text.Reveal())))
}

// findCallers returns the callers that these keys belong to.
func (s *Store) findCallers(ctx context.Context, hashes []keyHash) ([]batch.Result[switchboard.Caller], error) {
	texts := make(pq.ByteaArray, len(hashes))
	for i := range hashes {
		texts[i] = hashes[i][:]
	}
	var keys []struct {
		Hash []byte
		switchboard.Key
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err := s.direct(ctx, "authenticate", func(ctx context.Context, db session) error {
		keys = keys[:0]
		return db.SelectContext(ctx, &keys, callersQuery, texts, s.now())
	})
	if err != nil {
		return nil, err
	}
	callers := make([]batch.Result[switchboard.Caller], len(hashes))
	for i := range callers {
		callers[i].Err = switchboard.Errorf(switchboard.CodeUnauthenticated, "the API key is unknown, expired or revoked")
		for _, k := range keys {
			if keyHash(k.Hash) == hashes[i] {
				s.uses.note(k.ID, s.now())
				callers[i] = batch.Result[switchboard.Caller]{Out: switchboard.Caller{KeyID: k.ID, Role: k.Role, Tenant: k.Tenant, ReadPayload: k.ReadPayload}}
			}
		}
	}
	return callers, nil
}
