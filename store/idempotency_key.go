package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

const (
	// idempotencyWindow is how long an Idempotency-Key belongs to its request. Stripe keeps it for
	// a day too.
	idempotencyWindow = 24 * time.Hour
	// claimTime is how long a claim is valid. If a process dies during a request, the caller can
	// repeat it after that. No request takes longer; the longest waits a minute for a receiver's
	// response.
	claimTime = 90 * time.Second
)

const idempotencyField = switchboard.IdempotencyHeader

// claimQuery claims a key that is new or has expired, or that belongs to the same request, whose
// claim has ended without an answer. It returns when the key was first used.
const claimQuery = `
INSERT INTO idempotency_keys AS k (name, request, created_at, expires_at, locked_until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET request = EXCLUDED.request, locked_until = EXCLUDED.locked_until, status = NULL, key_id = '', ciphertext = '',
	created_at = CASE WHEN k.expires_at <= $3 THEN EXCLUDED.created_at ELSE k.created_at END,
	expires_at = CASE WHEN k.expires_at <= $3 THEN EXCLUDED.expires_at ELSE k.expires_at END
WHERE k.expires_at <= $3 OR (k.request = EXCLUDED.request AND k.status IS NULL AND k.locked_until <= $3)
RETURNING created_at`

// reclaimQuery claims a key whose stored answer cannot be decrypted.
const reclaimQuery = `
UPDATE idempotency_keys SET locked_until = $2, status = NULL, key_id = '', ciphertext = '' WHERE name = $1 AND status IS NOT NULL
RETURNING created_at`

// Claim lets the owner of the API key make a request with an Idempotency-Key, or returns the stored
// answer. request is a digest of the request: the same key with another request is KeyReused. If
// the same request is running, it returns a Conflict. If no encryption key of this process opens
// the answer, it counts as not stored.
func (s *Store) Claim(ctx context.Context, apiKeyID, key string, request [sha256.Size]byte) (switchboard.IdempotencyClaim, error) {
	now := s.now()
	claim := switchboard.IdempotencyClaim{Name: sha256.Sum256([]byte(apiKeyID + "\x00" + key)), Until: now.Add(claimTime)}
	err := s.tx(ctx, "claim Idempotency-Key", func(ctx context.Context, tx transaction) error {
		var claimed []time.Time
		if err := tx.SelectContext(ctx, &claimed, claimQuery, claim.Name[:], request[:], now, now.Add(idempotencyWindow), claim.Until); err != nil {
			return err
		}
		if len(claimed) > 0 {
			claim.CreatedAt = claimed[0].UTC()
			return nil
		}
		var rows []struct {
			Request, Ciphertext []byte
			KeyID               string
			Status              *int
		}
		if err := tx.SelectContext(ctx, &rows, "SELECT request, status, key_id, ciphertext FROM idempotency_keys WHERE name = $1", claim.Name[:]); err != nil {
			return err
		}
		switch {
		case len(rows) > 0 && [sha256.Size]byte(rows[0].Request) != request:
			return &switchboard.Error{Code: switchboard.CodeKeyReused, Field: idempotencyField, Message: "was used with another request before: use a new one for each request"}
		case len(rows) == 0 || rows[0].Status == nil: // or it was released just now
			return underWay()
		}
		if body, err := s.keys.open(rows[0].KeyID, rows[0].Ciphertext, answerPlace(claim)); err == nil {
			claim.Answer = &switchboard.StoredAnswer{Status: *rows[0].Status, Body: body}
			return nil
		}
		if err := tx.SelectContext(ctx, &claimed, reclaimQuery, claim.Name[:], claim.Until); err != nil {
			return err
		}
		if len(claimed) == 0 { // another process was faster
			return underWay()
		}
		claim.CreatedAt = claimed[0].UTC()
		return nil
	})
	return claim, err
}

func underWay() error {
	return &switchboard.Error{Code: switchboard.CodeConflict, Field: idempotencyField, Message: "is that of a request which is still under way: try again"}
}

// SaveAnswer stores the answer to a claimed request, unless another request has claimed the key
// since.
func (s *Store) SaveAnswer(ctx context.Context, claim switchboard.IdempotencyClaim, answer switchboard.StoredAnswer) error {
	keyID, ciphertext, err := s.keys.seal(answer.Body, answerPlace(claim))
	if err != nil {
		return err
	}
	_, err = s.exec(ctx, "save answer", "UPDATE idempotency_keys SET status = $3, key_id = $4, ciphertext = $5, tenants = $6 WHERE name = $1 AND locked_until = $2",
		claim.Name[:], claim.Until, answer.Status, keyID, ciphertext, pq.Array(tenantsNamed(answer.Body)))
	return err
}

// Release ends the claim of a request that was not completed: the next request with the key is made
// again. If nothing was done, the key is deleted, and another request may use it.
func (s *Store) Release(ctx context.Context, claim switchboard.IdempotencyClaim, nothingDone bool) error {
	query, args := "UPDATE idempotency_keys SET locked_until = $3 WHERE name = $1 AND locked_until = $2", []any{claim.Name[:], claim.Until, s.now()}
	if nothingDone {
		query, args = "DELETE FROM idempotency_keys WHERE name = $1 AND locked_until = $2", args[:2]
	}
	_, err := s.exec(ctx, "release Idempotency-Key", query, args...)
	return err
}

// ForgetAnswers deletes expired keys, at most batchLimit of them, and returns how many.
func (s *Store) ForgetAnswers(ctx context.Context) (int, error) {
	deleted, err := s.exec(ctx, "delete expired Idempotency-Keys", `
DELETE FROM idempotency_keys WHERE name IN (
	SELECT name FROM idempotency_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`, s.now(), batchLimit)
	return int(deleted), err
}

// answerPlace returns the associated data of an answer's ciphertext.
func answerPlace(claim switchboard.IdempotencyClaim) string {
	return "idempotency_keys/" + hex.EncodeToString(claim.Name[:])
}
