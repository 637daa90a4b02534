package switchboard

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The prefixes that Standard Webhooks gives to keys.
const (
	SecretPrefix     = "whsec_" // of a secret that both sides know
	PrivateKeyPrefix = "whsk_"  // of a private key, which only the sender knows
	PublicKeyPrefix  = "whpk_"  // of its public key
)

// Lengths of a signing secret's key in bytes: the bounds that Standard Webhooks
// recommends, and what we generate.
const (
	minSecret = 24
	maxSecret = 64
	newSecret = 32
)

// Lengths of the text that is the key of [HMACHex].
const (
	minSecretText = 16
	maxSecretText = 256
)

// MaxSigningSecrets bounds the secrets of a subscription that sign at the same time, and
// with it the length of webhook-signature: four rotations within one grace are more than
// a plan has, and a header of five signatures stays below 500 bytes.
const MaxSigningSecrets = 5

// SigningSecret is a secret that deliveries are signed with. During a rotation a
// subscription has several, and all of them sign where the scheme has room for that.
type SigningSecret struct {
	Secret    Secret    // as the scheme writes it, see [Scheme.CheckSecret]
	CreatedAt time.Time // since when it signs
	ExpiresAt time.Time // zero: the current one, which does not expire
}

// Rotation says what becomes of the secrets before a new one.
type Rotation struct {
	Grace          time.Duration // how long the current one stays valid
	RevokePrevious bool          // all end at once, whatever was promised them
}

// Signing returns those of the secrets, the current one first, that requests are signed
// with: [HMACHex] has room for the current one only.
func (s Scheme) Signing(secrets []SigningSecret) []SigningSecret {
	fitting := s.Fitting(secrets)
	if s == SchemeHMACHex && len(fitting) > 1 {
		return fitting[:1]
	}
	return fitting
}

// NewSigningSecret makes a random secret that fits the scheme; for [Unsigned], which
// has none, it is empty.
func NewSigningSecret(scheme Scheme) Secret {
	key := make([]byte, newSecret) // also the length of an Ed25519 seed
	_, _ = rand.Read(key)          // never fails: crypto/rand ends the process instead
	switch scheme {
	case SchemeStandard:
		return Secret(SecretPrefix + base64.StdEncoding.EncodeToString(key))
	case SchemeStandardEd25519:
		return Secret(PrivateKeyPrefix + base64.StdEncoding.EncodeToString(key))
	case SchemeHMACHex:
		return Secret(hex.EncodeToString(key))
	}
	return ""
}

// CheckSecret returns an [Invalid] error for the field "secret" unless the scheme can
// sign with it: [Standard] takes whsec_ and 24 to 64 bytes in base64;
// [StandardEd25519] whsk_ and an Ed25519 seed, or the private key of 64 bytes, in
// base64; [HMACHex] any printable text of 16 to 256 bytes; [Unsigned] none at all.
func (s Scheme) CheckSecret(secret Secret) error {
	if s != SchemeNone {
		_, err := s.Key(secret)
		return err
	}
	if secret != "" {
		return InvalidField("secret", "the scheme %s has no secret", s)
	}
	return nil
}

// Fitting returns the secrets that the scheme can sign with, in their order. A change
// of the scheme keeps these; if none is left that is current, a scheme that signs
// needs a new one.
func (s Scheme) Fitting(secrets []SigningSecret) []SigningSecret {
	var fitting []SigningSecret
	for _, secret := range secrets {
		if s != SchemeNone && s.CheckSecret(secret.Secret) == nil {
			fitting = append(fitting, secret)
		}
	}
	return fitting
}

// Key returns the bytes to sign with: the key of the HMAC, or an
// [ed25519.PrivateKey]. Its errors are those of [Scheme.CheckSecret].
func (s Scheme) Key(secret Secret) ([]byte, error) {
	switch s {
	case SchemeStandard:
		return secret.standardKey()
	case SchemeStandardEd25519:
		return secret.privateKey()
	case SchemeHMACHex:
		return secret.textKey()
	}
	return nil, InvalidField("signature.scheme", "%q signs nothing", s)
}

func (s Secret) standardKey() ([]byte, error) {
	key, err := s.decode(SecretPrefix)
	if err != nil {
		return nil, err
	}
	if len(key) < minSecret || len(key) > maxSecret {
		return nil, InvalidField("secret", "must hold %d to %d bytes, and holds %d", minSecret, maxSecret, len(key))
	}
	return key, nil
}

func (s Secret) privateKey() (ed25519.PrivateKey, error) {
	key, err := s.decode(PrivateKeyPrefix)
	if err != nil {
		return nil, err
	}
	switch len(key) {
	case ed25519.SeedSize:
		return ed25519.NewKeyFromSeed(key), nil
	case ed25519.PrivateKeySize:
		// The second half is the public key. One that belongs to another seed would
		// make signatures that nobody can verify, and that give the key away.
		if whole := ed25519.NewKeyFromSeed(key[:ed25519.SeedSize]); bytes.Equal(whole, key) {
			return whole, nil
		}
		return nil, InvalidField("secret", "holds a private key whose two halves do not belong together")
	}
	return nil, InvalidField("secret", "must hold an Ed25519 seed of %d bytes or a private key of %d, and holds %d",
		ed25519.SeedSize, ed25519.PrivateKeySize, len(key))
}

func (s Secret) textKey() ([]byte, error) {
	text := string(s)
	switch {
	case len(text) < minSecretText || len(text) > maxSecretText:
		return nil, InvalidField("secret", "must have %d to %d bytes, and has %d", minSecretText, maxSecretText, len(text))
	case !utf8.ValidString(text), strings.TrimSpace(text) != text,
		strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, InvalidField("secret", "must be printable text, without spaces at its ends")
	case strings.HasPrefix(text, PrivateKeyPrefix):
		// Receivers know this scheme's secret; a private key is not to be told.
		return nil, InvalidField("secret", "is a private key, of the scheme %s", SchemeStandardEd25519)
	}
	return []byte(text), nil
}

// decode returns the bytes that stand in base64 behind the prefix.
func (s Secret) decode(prefix string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(string(s), prefix)
	if !ok {
		return nil, InvalidField("secret", "must start with %s", prefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	// The decoder skips line breaks; receivers' may not.
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return nil, InvalidField("secret", "must be base64 behind %s", prefix)
	}
	return key, nil
}
