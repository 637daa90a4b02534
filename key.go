package switchboard

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Key is an API key as it may be shown: the key's text is known to its holder
// only, and stored as a hash.
type Key struct {
	ID        string
	Name      string
	Role      Role
	Tenant    string // empty: every tenant
	CreatedAt time.Time
	ExpiresAt time.Time // zero: it does not expire
	RevokedAt time.Time // zero: it is not revoked
}

// KeyTextPrefix marks the text of an API key, so that scanners find leaked ones.
const KeyTextPrefix = "sbk_"

// NewKeyText makes the text of a new API key: 32 random bytes, beyond guessing.
func NewKeyText() Secret {
	text := make([]byte, 32)
	_, _ = rand.Read(text) // never fails: crypto/rand ends the process instead
	return Secret(KeyTextPrefix + hex.EncodeToString(text))
}
