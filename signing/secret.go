package signing

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// maxSecrets limits how many secrets sign at the same time, and so the length of webhook-signature.
// Nobody plans more than four rotations within one grace, and a header of five signatures is
// shorter than 500 bytes.
const maxSecrets = 5

// MaxSecrets returns how many secrets of that scheme sign at the same time: 1 if the header has
// room for one signature only.
func MaxSecrets(name switchboard.Scheme) int {
	if s := find(name); s != nil && s.ownHeader != "" {
		return 1
	}
	return maxSecrets
}

// NewSecret returns a new random secret for that scheme, or "" if the scheme has no secrets.
func NewSecret(name switchboard.Scheme) switchboard.Secret {
	if s := find(name); s != nil && s.sign != nil {
		return s.newSecret()
	}
	return ""
}

// CheckSecret returns an Invalid error for the field "secret" unless the scheme can sign with it. A
// scheme that signs nothing only accepts "".
func CheckSecret(name switchboard.Scheme, secret switchboard.Secret) error {
	s := find(name)
	switch {
	case s == nil:
		return unknown(name)
	case s.sign != nil:
		_, err := s.parse(secret)
		return err
	case secret != "":
		return switchboard.InvalidField("secret", "the scheme %s has no secret", name)
	}
	return nil
}

// Valid returns the secrets that sign requests of the scheme at that time, the current one first.
// They have not expired, they fit the scheme, and there are no more than the header has room for.
// If the current one does not fit, it returns none.
func Valid(name switchboard.Scheme, secrets []switchboard.SigningSecret, at time.Time) []switchboard.SigningSecret {
	s := find(name)
	if s == nil || s.sign == nil {
		return nil
	}
	keys, err := s.valid(secrets, at)
	if err != nil {
		return nil
	}
	valid := make([]switchboard.SigningSecret, len(keys))
	for i := range keys {
		valid[i] = *keys[i].SigningSecret
	}
	return valid
}

// validSecret is a secret that signs, with its key.
type validSecret struct {
	*switchboard.SigningSecret
	key []byte
}

// valid is the only place that decides which secrets sign: those that have not expired at the
// attempt's time. It skips an earlier secret that was made for another scheme. The error is an
// Invalid error for the field "secret": the current one does not fit, or none is left.
func (s *scheme) valid(secrets []switchboard.SigningSecret, at time.Time) ([]validSecret, error) {
	valid := make([]validSecret, 0, 1)
	for i := range secrets {
		secret := &secrets[i]
		current := secret.ExpiresAt.IsZero()
		if !current && !secret.ExpiresAt.After(at) {
			continue
		}
		key, err := s.parse(secret.Secret)
		switch {
		case err == nil:
			valid = append(valid, validSecret{secret, key})
		case current:
			return nil, err
		}
	}
	if len(valid) == 0 {
		return nil, switchboard.InvalidField("secret", "the subscription has no signing secret that is valid now")
	}
	if s.ownHeader != "" {
		valid = valid[:1]
	}
	return valid, nil
}

// random returns 32 random bytes, which is also the length of an Ed25519 seed.
func random() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return key
}

func encode(prefix string, key []byte) switchboard.Secret {
	return switchboard.Secret(prefix + base64.StdEncoding.EncodeToString(key))
}

// decode returns the bytes after the prefix, which are in base64.
func decode(prefix string, secret switchboard.Secret) ([]byte, error) {
	encoded, ok := strings.CutPrefix(secret.Reveal(), prefix)
	if !ok {
		return nil, switchboard.InvalidField("secret", "must start with %s", prefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	// The decoder skips line breaks; receivers' decoders may not.
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return nil, switchboard.InvalidField("secret", "must be base64 after %s", prefix)
	}
	return key, nil
}
