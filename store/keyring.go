package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// KeyringVariable is the environment variable that a [Keyring] is read from.
const KeyringVariable = "SWITCHBOARD_ENCRYPTION_KEY"

// keyLength is the key length of AES-256.
const keyLength = 32

// Keyring encrypts data that must not be readable in the database. The first key encrypts and all
// keys decrypt: an operator adds a new key in front, and keeps the old ones for older data.
type Keyring struct {
	keys []ringKey
}

type ringKey struct {
	id   string
	aead cipher.AEAD
}

// ParseKeyring reads "id:key,id:key,…", or one key alone, whose id is derived from it. A key is 32
// bytes in base64 or hex. Errors name [KeyringVariable] and never show its value.
func ParseKeyring(text string) (*Keyring, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New(KeyringVariable + " is not set: it must hold a key of 32 bytes in base64, as `openssl rand -base64 32` makes one")
	}
	ring := &Keyring{}
	for i, part := range strings.Split(text, ",") {
		key, err := parseRingKey(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%s: key %d %w", KeyringVariable, i+1, err)
		}
		if ring.find(key.id) != nil {
			return nil, fmt.Errorf("%s: key %d has the id of another", KeyringVariable, i+1)
		}
		ring.keys = append(ring.keys, key)
	}
	return ring, nil
}

func parseRingKey(text string) (ringKey, error) {
	id, encoded, named := strings.Cut(text, ":")
	if !named {
		id, encoded = "", text
	}
	secret := decodeKey(encoded)
	if len(secret) != keyLength {
		return ringKey{}, fmt.Errorf("is not %d bytes in base64 or hex", keyLength)
	}
	if !named {
		sum := sha256.Sum256(secret)
		id = hex.EncodeToString(sum[:4])
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`).MatchString(id) {
		return ringKey{}, errors.New("has an id that is not 1 to 32 letters, digits, _ or -")
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return ringKey{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return ringKey{id: id, aead: aead}, err
}

// decodeKey returns nil for text that is neither hex nor base64. It tries hex first: 64 hex digits
// are also valid base64, of 48 bytes, which is no key.
func decodeKey(text string) []byte {
	if len(text) == hex.EncodedLen(keyLength) {
		key, err := hex.DecodeString(text)
		if err != nil {
			return nil
		}
		return key
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if key, err := encoding.DecodeString(text); err == nil {
			return key
		}
	}
	return nil
}

// find returns the key with that id; nil: there is none.
func (k *Keyring) find(id string) cipher.AEAD {
	for _, key := range k.keys {
		if key.id == id {
			return key.aead
		}
	}
	return nil
}

// seal encrypts with the first key. The associated data name the row and column of the ciphertext,
// so it cannot be opened in another row.
func (k *Keyring) seal(plain []byte, associatedData string) (keyID string, ciphertext []byte, err error) {
	if k == nil {
		return "", nil, errors.New("no keyring: " + KeyringVariable + " is needed")
	}
	key := k.keys[0]
	return key.id, key.aead.Seal(nil, nil, plain, []byte(associatedData)), nil //nolint:gosec // this AEAD makes its nonces itself
}

// open decrypts what seal encrypted with the same associated data.
func (k *Keyring) open(keyID string, ciphertext []byte, associatedData string) ([]byte, error) {
	if k == nil {
		return nil, errors.New("no keyring: " + KeyringVariable + " is needed")
	}
	aead := k.find(keyID)
	if aead == nil {
		return nil, fmt.Errorf("%s was encrypted with key %q, which is not in %s", associatedData, keyID, KeyringVariable)
	}
	plain, err := aead.Open(nil, nil, ciphertext, []byte(associatedData))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be decrypted with key %q of %s: %w", associatedData, keyID, KeyringVariable, err)
	}
	return plain, nil
}
