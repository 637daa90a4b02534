package switchboard

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Role is what an API key may do.
type Role string

// The five roles.
const (
	RoleAdmin      Role = "admin"      // everything, including keys
	RolePublisher  Role = "publisher"  // posts events
	RoleIntegrator Role = "integrator" // manages subscriptions and tests them
	RoleSupport    Role = "support"    // reads everything, retries and cancels deliveries
	RoleViewer     Role = "viewer"     // reads
)

// Roles lists every role.
func Roles() []Role { return []Role{RoleAdmin, RolePublisher, RoleIntegrator, RoleSupport, RoleViewer} }

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// ReadsPayload reports whether a new key of the role may read payloads by default: support and
// viewers can work without the customers' data.
func (r Role) ReadsPayload() bool { return r != RoleSupport && r != RoleViewer }

// Origin is the interface through which Switchboard was called.
type Origin string

// The origins.
const (
	OriginAPI         Origin = "api"
	OriginConsole     Origin = "console"
	OriginTemporal    Origin = "temporal"    // Temporal's own UI, CLI or API
	OriginSwitchboard Origin = "switchboard" // Switchboard itself, or one of its own commands
)

// MaxPerson is the longest name of an acting person, in characters.
const MaxPerson = 128

// CheckPerson refuses a name that does not say who acts.
func CheckPerson(field, person string) error {
	switch {
	case strings.TrimSpace(person) == "":
		return InvalidField(field, "is empty: name who acts")
	case !utf8.ValidString(person) || strings.ContainsFunc(person, unicode.IsControl):
		return InvalidField(field, "must be UTF-8 without control characters")
	case LongerThan(person, MaxPerson):
		return InvalidField(field, "is longer than %d characters", MaxPerson)
	}
	return nil
}

// Caller is the API key behind a request. Every method that touches a tenant's data takes a
// Caller, so that no code path can forget whose data it may touch.
type Caller struct {
	KeyID  string // the actor in actions and logs
	Role   Role
	Tenant string // empty: every tenant
	Person string // the name that the key's user gives, for actions; may be empty

	// ReadPayload allows the key to read what is sent and answered. Without it, the API leaves out
	// event data, bodies, paths and queries of URLs, and most header values.
	ReadPayload bool

	// Where the request comes from, for the audit. These fields decide nothing.
	Origin    Origin
	RequestID string // as in logs and problems; empty: there was none
	Address   string // of the peer that connected, without its port; empty: there was none
}

// Sees reports whether the caller's scope includes the tenant. The tenant of the operators does not
// belong to the platform: the platform's publishers and integrators do not see it.
func (c Caller) Sees(tenant string) bool {
	if tenant == OperatorTenant && (c.Role == RolePublisher || c.Role == RoleIntegrator) {
		return false
	}
	return c.Tenant == "" || c.Tenant == tenant
}

// IsTenants reports whether the caller is one of a tenant's own people, who do not get the names of
// the platform's people.
func (c Caller) IsTenants() bool {
	return c.Tenant != "" && (c.Role == RoleIntegrator || c.Role == RoleViewer)
}

// CheckTenant refuses a tenant outside the caller's scope, with the same words whether that tenant
// exists or not.
func (c Caller) CheckTenant(tenant string) error {
	if c.Sees(tenant) {
		return nil
	}
	return &Error{Code: CodeForbidden, Field: "tenant", Message: "is outside this key's scope"}
}
