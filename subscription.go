package switchboard

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// SubscriptionState says whether a subscription takes deliveries.
type SubscriptionState string

// The states of a subscription.
const (
	SubscriptionActive     SubscriptionState = "active"
	SubscriptionPaused     SubscriptionState = "paused"     // by an operator
	SubscriptionDisabled   SubscriptionState = "disabled"   // by us, as after 410 Gone
	SubscriptionUnverified SubscriptionState = "unverified" // the receiver has not answered the challenge yet
)

// BodyKind says what the body of a request is made of.
type BodyKind string

// The kinds of body.
const (
	BodyEnvelope BodyKind = "envelope" // {"id","type","timestamp","data"}
	BodyData     BodyKind = "data"     // the event's bytes unchanged
	BodyParams   BodyKind = "params"   // a JSON document whose string leaves are templates
)

// Subscription says which events of a tenant go where, and how they are
// rendered, signed, retried and limited.
type Subscription struct {
	ID           string
	Tenant       string
	Name         string
	Profile      string          // the platform whose profile it was made from; empty: none
	UseCase      string          // which data its templates may read; fixed at creation; empty: all
	Events       []string        // event types; "ticket.*" takes every type below ticket, "*" every type
	Filter       json.RawMessage // which of those events, by their content, in the language of package filter; nil takes all
	Request      Request
	Signature    Signature
	Secrets      []SigningSecret // the current one first
	Auth         Auth
	Verification Verification // whether a new address must answer a challenge first
	Retry        RetryPolicy
	Timeout      Duration // of one attempt, from dialling to the end of the answer
	Adaptive     Adaptive // how timeout and retries follow the worker's load
	MaxInFlight  int      // requests at the same time, per worker process
	State        SubscriptionState
	StateReason  string
	Version      int // counts changes; a PATCH names the version that it changes
	CreatedAt    time.Time
	UpdatedAt    time.Time
	DeletedAt    time.Time // zero: it is not; a deleted one is seen by its deliveries only
	// Unreadable names the fields that are stored and cannot be read, as "request.headers": no
	// key of this installation decrypts them, or they are damaged. They are zero here.
	Unreadable []string
}

// UnreadableSecret is the name in Unreadable of the current signing secret, which is no field
// of a change: rotating it makes another one.
const UnreadableSecret = "secret"

// CheckReadable is a [Conflict] if a part of the subscription cannot be read: nothing can be
// sent for it then.
func (s *Subscription) CheckReadable() error {
	if len(s.Unreadable) == 0 {
		return nil
	}
	return &Error{Code: CodeConflict, Field: s.Unreadable[0], Err: ErrUnreadable,
		Message: "cannot be read: it was encrypted with a key that this installation does not have, or is damaged. Give it anew"}
}

// Bounds of a subscription's fields.
const (
	MaxName            = 200
	MaxEvents          = 200
	MaxURL             = 2048
	MaxHeaders         = 50
	MaxHeaderValue     = 4096 // as Svix
	DefaultTimeout     = Duration(10 * time.Second)
	MinTimeout         = Duration(time.Second)
	MaxTimeout         = Duration(30 * time.Second)
	DefaultMaxInFlight = 16
	MaxMaxInFlight     = 1000
)

// Wants reports whether the subscription takes events of that type: "Object.*"
// takes object.created and Object.OnNew.
func (s *Subscription) Wants(eventType string) bool {
	return slices.ContainsFunc(s.Events, func(pattern string) bool { return matches(pattern, eventType) })
}

// matches ignores case, because platforms spell one event both ways. Both sides
// are ASCII.
func matches(pattern, eventType string) bool {
	prefix, wild := strings.CutSuffix(pattern, "*")
	if !wild {
		return strings.EqualFold(pattern, eventType)
	}
	return len(eventType) >= len(prefix) && strings.EqualFold(eventType[:len(prefix)], prefix)
}

// SetDefaults fills in what the caller left out. Package signing adds the defaults of the scheme.
func (s *Subscription) SetDefaults() {
	r := &s.Request
	r.Method = cmp.Or(strings.ToUpper(r.Method), "POST")
	r.Body = cmp.Or(r.Body, BodyEnvelope)
	r.ContentType = cmp.Or(r.ContentType, defaultContentType)
	s.Signature.Scheme = cmp.Or(s.Signature.Scheme, DefaultScheme)
	s.Timeout = cmp.Or(s.Timeout, DefaultTimeout)
	s.MaxInFlight = cmp.Or(s.MaxInFlight, DefaultMaxInFlight)
	s.State = cmp.Or(s.State, SubscriptionActive)
	s.Retry.setDefaults()
	s.Adaptive.setDefaults(s)
}
