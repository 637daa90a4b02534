package switchboard

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Key is an API key without its text, which only its holder knows. The store has a hash of the
// text.
type Key struct {
	ID        string
	Name      string
	Role      Role
	Tenant    string // empty: every tenant
	CreatedAt time.Time
	ExpiresAt time.Time // zero: it does not expire
	RevokedAt time.Time // zero: it is not revoked

	ReadPayload bool      // see [Caller]
	LastUsedAt  time.Time // to the minute; zero: it was not used

	// What ends with the key: sessions of the console, and portal links that nobody has used yet.
	// Only filled in when keys are read.
	Sessions    int
	PortalLinks int
}

// KeyTextPrefix starts the text of an API key, so that scanners find leaked keys.
const KeyTextPrefix = "sbk_"

// NewKeyText returns the text of a new API key: 32 random bytes, which cannot be guessed.
func NewKeyText() Secret {
	text := make([]byte, 32)
	_, _ = rand.Read(text) // never fails: crypto/rand ends the process instead
	return Secret(KeyTextPrefix + hex.EncodeToString(text))
}
