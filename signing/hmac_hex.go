package signing

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// HMACHex is HMAC-SHA256 over the body alone, in hexadecimal, in a header that the subscription
// chooses. It does not cover the time of the request, so a receiver cannot recognise a replay by
// it.
const HMACHex switchboard.Scheme = "hmac-sha256-hex"

// Lengths of a secret in bytes.
const (
	minSecretText = 16
	maxSecretText = 256
)

var hmacHex = scheme{
	name:      HMACHex,
	words:     "HMAC-SHA256 over the body, in a header of your choice; not for a GET, HEAD or DELETE whose params are the query string",
	newSecret: func() switchboard.Secret { return switchboard.Secret(hex.EncodeToString(random())) },
	parse:     parseText,
	sign:      signHex,
	ownHeader: "X-Webhook-Signature",
	bodyOnly:  true,
}

// parseText accepts any printable text. Receivers use its bytes as the key.
func parseText(secret switchboard.Secret) ([]byte, error) {
	text := secret.Reveal()
	switch {
	case len(text) < minSecretText || len(text) > maxSecretText:
		return nil, switchboard.InvalidField("secret", "must have %d to %d bytes, and has %d", minSecretText, maxSecretText, len(text))
	case !utf8.ValidString(text), strings.TrimSpace(text) != text,
		strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, switchboard.InvalidField("secret", "must be printable text, without spaces at its ends")
	case strings.HasPrefix(text, PrivateKeyPrefix):
		// Receivers know the secret of this scheme, and must never see a private key.
		return nil, switchboard.InvalidField("secret", "is a private key, of the scheme %s", StandardEd25519)
	}
	return []byte(text), nil
}

func signHex(key []byte, _, _ string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
