package switchboard

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// SecretPrefix marks a signing secret, as Standard Webhooks writes it.
const SecretPrefix = "whsec_"

// Lengths of a signing secret's key in bytes: the bounds that Standard Webhooks
// recommends, and what we generate.
const (
	minSecret = 24
	maxSecret = 64
	newSecret = 32
)

// Mask stands wherever a secret would be shown. Sent back in a change, it means
// the value that is stored.
const Mask = "[redacted]"

// Secret is text that must not be seen: printing, logging or marshalling it gives
// a mask. [Secret.Reveal] is the only way to the text.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String masks the secret.
func (s Secret) String() string { return Mask }

// Format masks the secret under every verb: a verb that does not fit, as %d, would
// otherwise print the text in its complaint.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// MarshalText masks the secret.
func (s Secret) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// LogValue masks the secret.
func (s Secret) LogValue() slog.Value { return slog.StringValue(Mask) }

// SigningSecret is a secret that deliveries are signed with. During a rotation a
// subscription has two, and both sign.
type SigningSecret struct {
	Secret    Secret    // whsec_ and the key in base64
	ExpiresAt time.Time // zero: the current one, which does not expire
}

// NewSigningSecret makes a random secret.
func NewSigningSecret() Secret {
	key := make([]byte, newSecret)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return Secret(SecretPrefix + base64.StdEncoding.EncodeToString(key))
}

// Key returns the bytes of a signing secret, or an [Invalid] error for the field "secret".
func (s Secret) Key() ([]byte, error) {
	encoded, ok := strings.CutPrefix(string(s), SecretPrefix)
	if !ok {
		return nil, InvalidField("secret", "must start with %s", SecretPrefix)
	}
	key, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, InvalidField("secret", "must be base64 behind %s", SecretPrefix)
	}
	if len(key) < minSecret || len(key) > maxSecret {
		return nil, InvalidField("secret", "must hold %d to %d bytes, and holds %d", minSecret, maxSecret, len(key))
	}
	return key, nil
}
