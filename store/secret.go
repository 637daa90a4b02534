package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// secretPrefix begins the id of a stored signing secret, which is never shown.
const secretPrefix = "sec_"

// secretRow is a signing secret as its table stores it.
type secretRow struct {
	ID         string    `json:"id"`
	KeyID      string    `json:"key_id"`
	Ciphertext []byte    `json:"ciphertext"` // base64 in JSON
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// secretsColumn is a JSON array of secretRow: all stored secrets of the subscription s, the current
// one first. Package signing decides at the time of an attempt which of them sign.
const secretsColumn = `(SELECT coalesce(json_agg(json_build_object('id', k.id, 'key_id', k.key_id, 'created_at', k.created_at,
			'ciphertext', translate(encode(k.ciphertext, 'base64'), E'\n', ''), 'expires_at', coalesce(k.expires_at, ` + zeroTime + `))
			ORDER BY k.expires_at DESC NULLS FIRST, k.id DESC), '[]')
		FROM subscription_secrets k WHERE k.subscription_id = s.id) AS secrets`

// secretData is the associated data of a secret's ciphertext.
func secretData(subscriptionID, id string) string {
	return "subscription_secrets/" + subscriptionID + "/" + id
}

// addSecrets decrypts a JSON array of secretRow. It leaves out a secret that cannot be read. If
// that is the current one, nothing can be signed for the subscription, and Unreadable says so.
func addSecrets(keys *Keyring, sub *switchboard.Subscription, rows []byte) error {
	var secrets []secretRow
	cause := json.Unmarshal(rows, &secrets)
	lost := cause != nil
	sub.Secrets = make([]switchboard.SigningSecret, 0, len(secrets))
	for _, r := range secrets {
		plain, err := keys.open(r.KeyID, r.Ciphertext, secretData(sub.ID, r.ID))
		if err != nil {
			lost, cause = lost || r.ExpiresAt.IsZero(), errors.Join(cause, err)
			continue
		}
		sub.Secrets = append(sub.Secrets, switchboard.SigningSecret{Secret: switchboard.Secret(plain), CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC()})
	}
	if lost {
		sub.Unreadable = append(sub.Unreadable, switchboard.UnreadableSecret)
	}
	return cause
}

func (s *Store) insertSecret(ctx context.Context, tx transaction, subscriptionID string, now time.Time, secret switchboard.SigningSecret) error {
	id := switchboard.NewID(secretPrefix, now)
	keyID, ciphertext, err := s.keys.seal([]byte(secret.Secret.Reveal()), secretData(subscriptionID, id))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
INSERT INTO subscription_secrets (id, subscription_id, created_at, expires_at, key_id, ciphertext)
VALUES ($1, $2, $3, nullif($4, `+zeroTime+`), $5, $6)`, id, subscriptionID, now, secret.ExpiresAt, keyID, ciphertext)
	return err
}

// RotateSecret makes next the signing secret of a subscription. The current one stays valid for the
// rotation's grace, and older ones until the time that an earlier rotation promised. If the
// rotation revokes them, or the scheme has room for only one, they end at once. It returns a
// Conflict if more than [signing.MaxSecrets] would sign at the same time, or if the secret does not
// fit the scheme, which may have changed since. It returns the subscription at its next version,
// with next as its only secret.
func (s *Store) RotateSecret(ctx context.Context, caller switchboard.Caller, id string, next switchboard.Secret, rotation switchboard.Rotation) (switchboard.Subscription, error) {
	var sub switchboard.Subscription
	err := s.tx(ctx, "rotate secret", func(ctx context.Context, tx transaction) error {
		var err error
		if sub, err = s.lockSubscription(ctx, tx, caller, id); err != nil {
			return err
		}
		if signing.CheckSecret(sub.Signature.Scheme, next) != nil {
			return switchboard.Errorf(switchboard.CodeConflict, "the subscription now signs with the scheme %s: rotate again", sub.Signature.Scheme)
		}
		sub.UpdatedAt = s.now()
		sub.Version++
		sub.Secrets = []switchboard.SigningSecret{{Secret: next, CreatedAt: sub.UpdatedAt}}
		if rotation.RevokePrevious || signing.MaxSecrets(sub.Signature.Scheme) == 1 {
			err = revokeSecrets(ctx, tx, id)
		} else {
			err = expireSecrets(ctx, tx, &sub, rotation.Grace)
		}
		if err != nil {
			return err
		}
		if err := s.insertSecret(ctx, tx, id, sub.UpdatedAt, sub.Secrets[0]); err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, "UPDATE subscriptions SET updated_at = $2, version = $3 WHERE id = $1", id, sub.UpdatedAt, sub.Version); err != nil {
			return err
		}
		return s.audit(ctx, tx, caller, subscriptionEntry(&sub, switchboard.AuditRotateSecret, "", nil))
	})
	if err != nil {
		return switchboard.Subscription{}, err
	}
	return sub, nil
}

// expireSecrets dates the end of the current secret, deletes expired ones, and refuses a rotation
// after which too many would sign.
func expireSecrets(ctx context.Context, tx transaction, sub *switchboard.Subscription, grace time.Duration) error {
	_, err := tx.ExecContext(ctx, "UPDATE subscription_secrets SET expires_at = $2 WHERE subscription_id = $1 AND expires_at IS NULL", sub.ID, sub.UpdatedAt.Add(grace))
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM subscription_secrets WHERE subscription_id = $1 AND expires_at <= $2", sub.ID, sub.UpdatedAt); err != nil {
		return err
	}
	var ends []time.Time
	err = tx.SelectContext(ctx, &ends, "SELECT expires_at FROM subscription_secrets WHERE subscription_id = $1 ORDER BY expires_at", sub.ID)
	if err == nil && len(ends) >= signing.MaxSecrets(sub.Signature.Scheme) {
		return switchboard.Errorf(switchboard.CodeConflict, "%d secrets sign already, and no more may: the next one ends at %s. "+
			"Rotate then, or with a grace of 0s, which ends the current one, or with revoke_previous, which ends all of them",
			len(ends), ends[0].UTC().Format(time.RFC3339))
	}
	return err
}

// revokeSecrets deletes all secrets of a subscription, so that none of them signs again.
func revokeSecrets(ctx context.Context, tx transaction, id string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM subscription_secrets WHERE subscription_id = $1", id)
	return err
}
