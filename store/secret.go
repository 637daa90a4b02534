package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// secretPrefix marks the id of a stored signing secret, which nobody outside sees.
const secretPrefix = "sec_"

// secretRow is a signing secret as its table holds it.
type secretRow struct {
	ID         string    `json:"id"`
	KeyID      string    `json:"key_id"`
	Ciphertext []byte    `json:"ciphertext"` // base64 in JSON
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func secretPlace(subscriptionID, id string) string {
	return "subscription_secrets/" + subscriptionID + "/" + id
}

func (s *Store) insertSecret(ctx context.Context, tx transaction, subscriptionID string, now time.Time, secret switchboard.SigningSecret) error {
	id := switchboard.NewID(secretPrefix, now)
	keyID, ciphertext, err := s.keys.seal([]byte(secret.Secret.Reveal()), secretPlace(subscriptionID, id))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
INSERT INTO subscription_secrets (id, subscription_id, created_at, expires_at, key_id, ciphertext)
VALUES ($1, $2, $3, nullif($4, `+zeroTime+`), $5, $6)`, id, subscriptionID, now, secret.ExpiresAt, keyID, ciphertext)
	return err
}

// RotateSecret makes next the signing secret of a subscription. The one before stays
// valid for the rotation's grace, and older ones until the time that an earlier rotation
// promised them, unless the rotation revokes them all. More than
// [switchboard.MaxSigningSecrets] that sign at the same time are a Conflict, and so is
// one that does not fit the scheme, which may have changed meanwhile. The subscription
// is returned at its next version, with next as its only secret.
func (s *Store) RotateSecret(ctx context.Context, caller switchboard.Caller, id string, next switchboard.Secret, rotation switchboard.Rotation) (switchboard.Subscription, error) {
	var sub switchboard.Subscription
	err := s.tx(ctx, "rotate secret", func(ctx context.Context, tx transaction) error {
		var err error
		if sub, err = s.lockSubscription(ctx, tx, caller, id); err != nil {
			return err
		}
		if sub.Signature.Scheme.CheckSecret(next) != nil {
			return switchboard.Errorf(switchboard.CodeConflict, "the subscription signs with the scheme %s by now: rotate again", sub.Signature.Scheme)
		}
		sub.UpdatedAt = s.now()
		sub.Version++
		sub.Secrets = []switchboard.SigningSecret{{Secret: next, CreatedAt: sub.UpdatedAt}}
		if err := expireSecrets(ctx, tx, &sub, rotation); err != nil {
			return err
		}
		if err := s.insertSecret(ctx, tx, id, sub.UpdatedAt, sub.Secrets[0]); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE subscriptions SET updated_at = $2, version = $3 WHERE id = $1", id, sub.UpdatedAt, sub.Version)
		return err
	})
	if err != nil {
		return switchboard.Subscription{}, err
	}
	return sub, nil
}

// expireSecrets dates the end of the current secret, and sees that not too many stay.
func expireSecrets(ctx context.Context, tx transaction, sub *switchboard.Subscription, rotation switchboard.Rotation) error {
	if rotation.RevokePrevious {
		return revokeSecrets(ctx, tx, sub.ID, sub.UpdatedAt)
	}
	_, err := tx.ExecContext(ctx, "UPDATE subscription_secrets SET expires_at = $2 WHERE subscription_id = $1 AND expires_at IS NULL",
		sub.ID, sub.UpdatedAt.Add(rotation.Grace))
	if err != nil || sub.Signature.Scheme == switchboard.SchemeHMACHex { // which has room for the current one only
		return err
	}
	var valid []time.Time
	err = tx.SelectContext(ctx, &valid, "SELECT expires_at FROM subscription_secrets WHERE subscription_id = $1 AND expires_at > $2 ORDER BY expires_at", sub.ID, sub.UpdatedAt)
	if err == nil && len(valid) >= switchboard.MaxSigningSecrets {
		return switchboard.Errorf(switchboard.CodeConflict, "%d secrets sign already, and no more may: the next one ends at %s. "+
			"Rotate then, or with a grace of 0s, which ends the current one, or with revoke_previous, which ends all of them",
			len(valid), valid[0].UTC().Format(time.RFC3339))
	}
	return err
}

// revokeSecrets ends all secrets of a subscription that are valid yet.
func revokeSecrets(ctx context.Context, tx transaction, id string, now time.Time) error {
	_, err := tx.ExecContext(ctx, "UPDATE subscription_secrets SET expires_at = $2 WHERE subscription_id = $1 AND (expires_at IS NULL OR expires_at > $2)", id, now)
	return err
}
