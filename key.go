package switchboard

import "time"

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
