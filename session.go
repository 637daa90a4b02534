package switchboard

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

// The prefixes of the ids of sessions and portal links. Such an id names one in lists, and opens
// nothing: what opens a session is its token.
const (
	SessionPrefix    = "ses_"
	PortalLinkPrefix = "plk_"
)

// How long a session of the console lasts. It is over earlier when its key is revoked or expires.
const (
	SessionLasts = 12 * time.Hour
	SessionIdle  = 2 * time.Hour    // without a request that is no poll
	PortalIdle   = 30 * time.Minute // of a session that a portal link began
)

// How long a portal link can be used, and the session that it begins lasts.
const (
	PortalLinkLasts       = 5 * time.Minute
	MaxPortalLinkLasts    = 15 * time.Minute
	PortalSessionLasts    = time.Hour
	MaxPortalSessionLasts = 8 * time.Hour
)

// Session is one sign-in of a person to the console. Who knows its token acts as its caller.
type Session struct {
	ID        string // as ses_…
	Caller    Caller // what the person may do: KeyID, Role, Tenant, Person and ReadPayload
	Verified  bool   // a trusted proxy says who the person is, and the caller has no key; else the person does
	Portal    bool   // a portal link began it
	CreatedAt time.Time
	SeenAt    time.Time // of the last request that was no poll, to the minute
	EndsAt    time.Time // at the latest
	Address   string    // from where the person signed in
}

// Idle is for how long the session may be without a request that is no poll.
func (s *Session) Idle() time.Duration {
	if s.Portal {
		return PortalIdle
	}
	return SessionIdle
}

// SignIn begins a session.
type SignIn struct {
	Caller   Caller // who signs in, with the request's id and the person's address; of a portal link these two alone
	Verified bool   // see [Session]
	Replaces Secret // the token that the person's browser had until now: its session ends; empty: it had none
}

// SignedIn is a session that has begun.
type SignedIn struct {
	Session Session
	Token   Secret // opens it; only its holder knows it
	Next    string // what the portal link says, see [PortalLink]
}

// PortalLink begins one session for a person of a tenant, who has no key. Who knows its token may
// use it, once.
type PortalLink struct {
	ID          string // as plk_…
	KeyID       string // of whom made it: the session ends with that key
	Tenant      string
	Person      string
	Role        Role
	ReadPayload bool
	Next        string // the page of the console to begin with; empty: the first
	CreatedAt   time.Time
	ExpiresAt   time.Time
	UsedAt      time.Time     // zero: nobody has used it
	Lasts       time.Duration // for how long it can be used
	Session     time.Duration // how long the session lasts
}

// verifiedActor begins the actor that is a person.
const verifiedActor = "person:"

// ActorOfPerson is the actor that a person is whom a trusted proxy names.
func ActorOfPerson(person string) string { return verifiedActor + person }

// IsVerifiedPerson reports whether an actor is a person whom a trusted proxy named, rather than a key
// that somebody used.
func IsVerifiedPerson(actor string) bool { return strings.HasPrefix(actor, verifiedActor) }

// HasConsole reports whether people with the role may use the console: publishers are programs.
func (r Role) HasConsole() bool { return r.Valid() && r != RolePublisher }

// NewSessionToken returns the token of a new session or portal link: 32 random bytes, as 43 letters
// that a URL and a cookie may hold.
func NewSessionToken() Secret {
	token := make([]byte, 32)
	_, _ = rand.Read(token) // never fails: crypto/rand ends the process instead
	return Secret(base64.RawURLEncoding.EncodeToString(token))
}
