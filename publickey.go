package switchboard

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// PublicKey is what receivers verify signatures of [StandardEd25519] with. It is no
// secret.
type PublicKey struct {
	Text      string            // whpk_ and the key in base64, as Standard Webhooks writes it
	Key       ed25519.PublicKey // its 32 bytes
	ExpiresAt time.Time         // when it signs no more; zero: the current one
}

// PublicKeys returns the public keys of the secrets, in their order. Secrets of
// another scheme than [StandardEd25519] have none and are left out.
func PublicKeys(secrets []SigningSecret) []PublicKey {
	keys := []PublicKey{}
	for _, secret := range secrets {
		private, err := secret.Secret.privateKey()
		if err != nil {
			continue
		}
		public := ed25519.PublicKey(private[ed25519.SeedSize:])
		keys = append(keys, PublicKey{
			Text: PublicKeyPrefix + base64.StdEncoding.EncodeToString(public), Key: public, ExpiresAt: secret.ExpiresAt,
		})
	}
	return keys
}

// JSONWebKey is a public key as RFC 8037 writes it.
type JSONWebKey struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"` // the key's thumbprint, RFC 7638
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

// JSONWebKeySet is a list of public keys as RFC 7517 writes it.
type JSONWebKeySet struct {
	Keys []JSONWebKey `json:"keys"`
}

// JSONWebKeys lists the keys in the form that libraries for JSON Web Keys read.
func JSONWebKeys(keys []PublicKey) JSONWebKeySet {
	set := JSONWebKeySet{Keys: []JSONWebKey{}}
	for _, key := range keys {
		x := base64.RawURLEncoding.EncodeToString(key.Key)
		thumbprint := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + x + `"}`))
		set.Keys = append(set.Keys, JSONWebKey{
			KeyType: "OKP", Curve: "Ed25519", X: x, ID: base64.RawURLEncoding.EncodeToString(thumbprint[:]),
			Use: "sig", Algorithm: "EdDSA",
		})
	}
	return set
}
