package switchboard

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Event is what the platform posted. Its Data are the bytes as received: nothing marshals them
// again between acceptance and signature.
type Event struct {
	ID         string // evt_… or the platform's own id, unique in its tenant
	Tenant     string
	Type       string    // such as "ticket.created"
	Key        string    // what the event is about, such as the id of a ticket; may be empty
	Data       []byte    // one JSON value
	OccurredAt time.Time // when it happened at the platform; by default the time of acceptance
	CreatedAt  time.Time // when it was accepted
	ErasedAt   time.Time // when its data were erased; zero: not erased
	// TraceParent is the W3C trace context of its post (https://www.w3.org/TR/trace-context/); empty: its
	// deliveries are not traced.
	TraceParent string
}

// Limits of an event's fields: of texts in characters, of data in bytes.
const (
	MaxEventID     = 128
	MaxTenant      = 128
	MaxEventType   = 128
	MaxEventKey    = 255
	DefaultMaxData = 256 << 10 // Zendesk's limit for a payload
	MaxBatch       = 1000      // events in one batch
)

// MaxNesting is the depth of nested objects and arrays in an event's data. Accepted data must be
// renderable, so both have this one limit. Real data stay below about ten levels; deeper data are
// an attack on the stack of a parser, ours or the receiver's.
const MaxNesting = 128

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:@-]*$`)

// ValidateTenant checks a tenant's name.
func ValidateTenant(tenant string) error {
	switch {
	case tenant == "":
		return InvalidField("tenant", "is required")
	case LongerThan(tenant, MaxTenant):
		return InvalidField("tenant", "is longer than %d characters", MaxTenant)
	case !namePattern.MatchString(tenant):
		return InvalidField("tenant", "may hold letters, digits and _ . : @ - only, and starts with a letter or digit")
	}
	return nil
}

// validateOwner checks the tenant of a subscription, which may be the operators'.
func validateOwner(tenant string) error {
	if tenant == OperatorTenant {
		return nil
	}
	return ValidateTenant(tenant)
}

// CheckPosted refuses types that only Switchboard itself may post. [Event.Validate] allows them,
// because its own events can be tested too.
func (e *Event) CheckPosted() error {
	switch {
	case e.Tenant == OperatorTenant:
		return InvalidField("tenant", "is that of the operators: nothing can be posted for it")
	case IsOperational(e.Type):
		return InvalidField("type", "begins with %s: such events are Switchboard's own", OperationalPrefix)
	case IsOperational(e.ID):
		return InvalidField("id", "begins with %s: such ids are those of Switchboard's own events", OperationalPrefix)
	}
	return nil
}

// Validate checks the event as it was posted; maxData is the limit of its data in bytes. It does
// not check again that the data are one JSON value: the decoder of the event has checked that to
// find the end of the value, and a second scan is costly.
func (e *Event) Validate(maxData int) error {
	if err := validateOwner(e.Tenant); err != nil {
		return err
	}
	if err := ValidateEventType("type", e.Type); err != nil {
		return err
	}
	switch {
	case LongerThan(e.ID, MaxEventID):
		return InvalidField("id", "is longer than %d characters", MaxEventID)
	case e.ID != "" && !namePattern.MatchString(e.ID):
		return InvalidField("id", "may hold letters, digits and _ . : @ - only, and starts with a letter or digit")
	case LongerThan(e.Key, MaxEventKey):
		return InvalidField("key", "is longer than %d characters", MaxEventKey)
	case strings.ContainsRune(e.Key, 0) || !utf8.ValidString(e.Key): // Postgres stores neither
		return InvalidField("key", "must be UTF-8 without a NUL")
	case len(e.Data) == 0:
		return InvalidField("data", "is required")
	case len(e.Data) > maxData:
		return &Error{Code: CodeTooLarge, Field: "data", Message: fmt.Sprintf("is %d bytes long; the limit is %d", len(e.Data), maxData)}
	}
	return ValidateTime("occurred_at", e.OccurredAt)
}
