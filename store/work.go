package store

import (
	"context"
	"encoding/json"

	"switchboard"
)

// secretsColumn is a JSON array of secretRow, of the secrets of the subscription s
// that are valid at the time $2, the current one first.
const secretsColumn = `(SELECT coalesce(json_agg(json_build_object('id', k.id, 'key_id', k.key_id,
			'ciphertext', translate(encode(k.ciphertext, 'base64'), E'\n', ''), 'expires_at', coalesce(k.expires_at, ` + zeroTime + `))
			ORDER BY k.expires_at DESC NULLS FIRST), '[]')
		FROM subscription_secrets k WHERE k.subscription_id = s.id AND (k.expires_at IS NULL OR k.expires_at > $2)) AS secrets`

// workQuery joins all that an attempt needs.
func workQuery() string {
	return "SELECT " +
		fields("d", deliveryFields, "delivery") + ", " +
		fields("e", "id tenant type key data occurred_at created_at", "event") + ", " +
		fields("s", subscriptionFields, "subscription") + `,
	` + secretsColumn + `
FROM deliveries d
JOIN events e ON e.id = d.event_id AND e.tenant = d.tenant
JOIN subscriptions s ON s.id = d.subscription_id
WHERE d.id = $1`
}

// Work loads all that an attempt needs, in one query: the delivery, its event, and
// the subscription as it is now, deleted or not, with the signing secrets that
// are valid, the current one first.
func (s *Store) Work(ctx context.Context, deliveryID string) (switchboard.Work, error) {
	var found struct {
		Delivery     switchboard.Delivery
		Event        switchboard.Event
		Subscription subscriptionRow
		Secrets      []byte
	}
	if err := s.getPrepared(ctx, &found, noDelivery(deliveryID), workQuery(), deliveryID, s.now()); err != nil {
		return switchboard.Work{}, err
	}
	work := switchboard.Work{Delivery: found.Delivery, Event: found.Event}
	var err error
	if work.Subscription, err = s.keys.subscription(found.Subscription); err != nil {
		return switchboard.Work{}, err
	}
	work.Subscription.Secrets, err = s.keys.secrets(work.Subscription.ID, found.Secrets)
	return work, err
}

// secrets decrypts a JSON array of secretRow.
func (k *Keyring) secrets(subscriptionID string, text []byte) ([]switchboard.SigningSecret, error) {
	var rows []secretRow
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, err
	}
	secrets := make([]switchboard.SigningSecret, len(rows))
	for i, r := range rows {
		plain, err := k.open(r.KeyID, r.Ciphertext, secretPlace(subscriptionID, r.ID))
		if err != nil {
			return nil, err
		}
		secrets[i] = switchboard.SigningSecret{Secret: switchboard.Secret(plain), ExpiresAt: r.ExpiresAt.UTC()}
	}
	return secrets, nil
}
