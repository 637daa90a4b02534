package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/seed-49a43567/switchboard"
)

// Standard is Standard Webhooks v1: HMAC-SHA256 over id, timestamp and body.
const Standard = switchboard.DefaultScheme

// SecretPrefix begins a secret of [Standard]. Base64 follows.
const SecretPrefix = "whsec_"

// Lengths of a secret in bytes: the limits that Standard Webhooks recommends.
const (
	minSecret = 24
	maxSecret = 64
)

var standard = scheme{
	name:      Standard,
	words:     "Standard Webhooks v1",
	newSecret: func() switchboard.Secret { return encode(SecretPrefix, random()) },
	parse:     parseStandard,
	sign:      signStandard,
}

func parseStandard(secret switchboard.Secret) ([]byte, error) {
	key, err := decode(SecretPrefix, secret)
	if err != nil {
		return nil, err
	}
	if len(key) < minSecret || len(key) > maxSecret {
		return nil, switchboard.InvalidField("secret", "must hold %d to %d bytes, and holds %d", minSecret, maxSecret, len(key))
	}
	return key, nil
}

func signStandard(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
