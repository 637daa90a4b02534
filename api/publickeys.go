package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// jsonWebKeySet is a list of public keys in the form of RFC 7517.
type jsonWebKeySet struct {
	Keys []jsonWebKey `json:"keys" nullable:"false" doc:"The current one first"`
}

type jsonWebKey struct {
	KeyType   string     `json:"kty" example:"OKP"`
	Curve     string     `json:"crv" example:"Ed25519"`
	X         string     `json:"x" doc:"The key's 32 bytes in base64url" example:"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
	ID        string     `json:"kid" doc:"The key's thumbprint (RFC 7638)" example:"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"`
	Use       string     `json:"use" example:"sig"`
	Algorithm string     `json:"alg" example:"EdDSA"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"During a rotation, of the key before: until when it signs"`
}

func (s *server) listPublicKeys(ctx context.Context, caller switchboard.Caller, in *subscriptionInput) (*reply[jsonWebKeySet], error) {
	sub, err := s.Store.SubscriptionWithSecrets(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	if sub.Signature.Scheme != switchboard.SchemeStandardEd25519 {
		return nil, switchboard.Errorf(switchboard.CodeNotFound, "the subscription's scheme has no public keys; %s has", switchboard.SchemeStandardEd25519)
	}
	keys := switchboard.PublicKeys(sub.Secrets)
	out := jsonWebKeySet{Keys: []jsonWebKey{}}
	for i, key := range switchboard.JSONWebKeys(keys).Keys {
		out.Keys = append(out.Keys, jsonWebKey{
			key.KeyType, key.Curve, key.X, key.ID, key.Use, key.Algorithm, date(keys[i].ExpiresAt),
		})
	}
	return &reply[jsonWebKeySet]{Body: out}, nil
}

// addKeys reads the secrets of a subscription: of what signs is shown since and until
// when, and the public keys.
func (s *server) addKeys(ctx context.Context, caller switchboard.Caller, sub *switchboard.Subscription) error {
	if sub.Signature.Scheme == switchboard.SchemeNone {
		return nil
	}
	whole, err := s.Store.SubscriptionWithSecrets(ctx, caller, sub.ID)
	sub.Secrets = whole.Secrets
	return err
}
