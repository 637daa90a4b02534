package switchboard

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

// The prefixes of the ids of sessions and portal links. Such an id is for lists, and opens nothing:
// only a session's token opens it.
const (
	SessionPrefix    = "ses_"
	PortalLinkPrefix = "plk_"
)

// How long a session of the console lasts. It ends earlier if its key is revoked or expires.
const (
	SessionLasts = 12 * time.Hour
	SessionIdle  = 2 * time.Hour    // without a request other than a poll
	PortalIdle   = 30 * time.Minute // of a session that a portal link began
)

// How long a portal link can be used, and how long its session lasts.
const (
	PortalLinkLasts       = 5 * time.Minute
	MaxPortalLinkLasts    = 15 * time.Minute
	PortalSessionLasts    = time.Hour
	MaxPortalSessionLasts = 8 * time.Hour
)

// Session is one sign-in of a person to the console. The holder of its token acts as its caller.
type Session struct {
	ID        string // such as ses_…
	Caller    Caller // what the person may do: KeyID, Role, Tenant, Person and ReadPayload
	Verified  bool   // a trusted proxy names the person, and the caller has no key; otherwise the person gave the name
	Portal    bool   // a portal link began it
	CreatedAt time.Time
	SeenAt    time.Time // the time of the last request other than a poll, to the minute
	EndsAt    time.Time // at the latest
	Address   string    // the address at sign-in
}

// Idle returns how long the session may be without a request other than a poll.
func (s *Session) Idle() time.Duration {
	if s.Portal {
		return PortalIdle
	}
	return SessionIdle
}

// SignIn begins a session.
type SignIn struct {
	Caller   Caller // who signs in, with the request's id and the person's address; for a portal link only these two
	Verified bool   // see [Session]
	Replaces Secret // the token that the person's browser had before: its session ends; empty: none
}

// SignedIn is a session that has begun.
type SignedIn struct {
	Session Session
	Token   Secret // opens the session; only its holder knows it
	Next    string // from the portal link, see [PortalLink]
}

// PortalLink begins one session for a person of a tenant, who has no key. The holder of its token
// may use it once.
type PortalLink struct {
	ID          string // such as plk_…
	KeyID       string // of its creator: the session ends with that key
	Tenant      string
	Person      string
	Role        Role
	ReadPayload bool
	Next        string // the first page of the session; empty: the console's first page
	CreatedAt   time.Time
	ExpiresAt   time.Time
	UsedAt      time.Time     // zero: not used
	Lasts       time.Duration // how long it can be used
	Session     time.Duration // how long the session lasts
}

// verifiedActor begins the actor of a verified person.
const verifiedActor = "person:"

// ActorOfPerson returns the actor of a person whom a trusted proxy names.
func ActorOfPerson(person string) string { return verifiedActor + person }

// IsVerifiedPerson reports whether an actor is a person whom a trusted proxy named, rather than a
// key.
func IsVerifiedPerson(actor string) bool { return strings.HasPrefix(actor, verifiedActor) }

// HasConsole reports whether people with the role may use the console. Publishers are programs.
func (r Role) HasConsole() bool { return r.Valid() && r != RolePublisher }

// NewSessionToken returns the token of a new session or portal link: 32 random bytes, as 43
// characters that are allowed in a URL and a cookie.
func NewSessionToken() Secret {
	token := make([]byte, 32)
	_, _ = rand.Read(token) // never fails: crypto/rand ends the process instead
	return Secret(base64.RawURLEncoding.EncodeToString(token))
}
