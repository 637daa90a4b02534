package signing

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"

	"github.com/seed-49a43567/switchboard"
)

// StandardEd25519 is Standard Webhooks v1a: Ed25519 over id, timestamp and body.
const StandardEd25519 switchboard.Scheme = "standard-ed25519"

// The prefixes of the keys of [StandardEd25519]. Base64 follows.
const (
	PrivateKeyPrefix = "whsk_" // only the sender knows it
	PublicKeyPrefix  = "whpk_"
)

var standardEd25519 = scheme{
	name:      StandardEd25519,
	words:     "Standard Webhooks v1a",
	newSecret: func() switchboard.Secret { return encode(PrivateKeyPrefix, random()) },
	parse:     parseEd25519,
	sign:      signEd25519,
	publicKey: func(key []byte) ed25519.PublicKey { return key[ed25519.SeedSize:] },
}

// parseEd25519 accepts a seed, or a whole private key in libsodium's form.
func parseEd25519(secret switchboard.Secret) ([]byte, error) {
	key, err := decode(PrivateKeyPrefix, secret)
	if err != nil {
		return nil, err
	}
	switch len(key) {
	case ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(key), nil
	case ed25519.PrivateKeySize:
		// The second half is the public key. If it belonged to another seed, nobody could verify
		// the signatures, and they would reveal the key.
		if whole := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize]); bytes.Equal(whole, key) {
			return whole, nil
		}
		return nil, switchboard.InvalidField("secret", "holds a private key whose two halves do not belong together")
	}
	return nil, switchboard.InvalidField("secret", "must hold an Ed25519 seed of %d bytes or a private key of %d, and holds %d",
		ed25519.SeedSize, ed25519.PrivateKeySize, len(key))
}

func signEd25519(key []byte, id, timestamp string, body []byte) string {
	content := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	content = append(content, id+"."+timestamp+"."...)
	content = append(content, body...)
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(key, content))
}
