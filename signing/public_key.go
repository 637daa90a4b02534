package signing

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// PublicKey is the key with which receivers verify signatures, in schemes that have public keys. It
// is not secret.
type PublicKey struct {
	Text      string            // whpk_ and the key in base64, as Standard Webhooks writes it
	Key       ed25519.PublicKey // its 32 bytes
	ExpiresAt time.Time         // when it stops signing; zero: the current one
}

// HasPublicKeys reports whether receivers verify requests of the scheme with public keys. If so,
// only the sender may ever see a secret.
func HasPublicKeys(name switchboard.Scheme) bool {
	s := find(name)
	return s != nil && s.publicKey != nil
}

// PublicKeys returns the public keys of the secrets that sign at that time, the current one first.
// If the scheme has no public keys, it returns none.
func PublicKeys(name switchboard.Scheme, secrets []switchboard.SigningSecret, at time.Time) []PublicKey {
	keys := []PublicKey{}
	if !HasPublicKeys(name) {
		return keys
	}
	s := find(name)
	valid, err := s.valid(secrets, at)
	if err != nil {
		return keys
	}
	for _, secret := range valid {
		public := s.publicKey(secret.key)
		keys = append(keys, PublicKey{
			Text: PublicKeyPrefix + base64.StdEncoding.EncodeToString(public), Key: public, ExpiresAt: secret.ExpiresAt,
		})
	}
	return keys
}

// JSONWebKeySet is a list of public keys in the form of RFC 7517.
type JSONWebKeySet struct {
	Keys []JSONWebKey `json:"keys" nullable:"false" doc:"The current one first"`
}

// JSONWebKey is a public key in the form of RFC 8037.
type JSONWebKey struct {
	KeyType   string     `json:"kty" example:"OKP"`
	Curve     string     `json:"crv" example:"Ed25519"`
	X         string     `json:"x" doc:"The key's 32 bytes in base64url" example:"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`
	ID        string     `json:"kid" doc:"The key's thumbprint (RFC 7638)" example:"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"`
	Use       string     `json:"use" example:"sig"`
	Algorithm string     `json:"alg" example:"EdDSA"`
	ExpiresAt *time.Time `json:"expires_at,omitempty" doc:"For the previous key during a rotation: when it stops signing"`
}

// JSONWebKeys returns the keys in the form that libraries for JSON Web Keys read.
func JSONWebKeys(keys []PublicKey) JSONWebKeySet {
	set := JSONWebKeySet{Keys: []JSONWebKey{}}
	for _, key := range keys {
		x := base64.RawURLEncoding.EncodeToString(key.Key)
		thumbprint := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
		web := JSONWebKey{
			KeyType: "OKP", Curve: "Ed25519", X: x, ID: base64.RawURLEncoding.EncodeToString(thumbprint[:]),
			Use: "sig", Algorithm: "EdDSA",
		}
		if !key.ExpiresAt.IsZero() {
			until := key.ExpiresAt.UTC()
			web.ExpiresAt = &until
		}
		set.Keys = append(set.Keys, web)
	}
	return set
}
