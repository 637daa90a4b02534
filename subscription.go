package switchboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SubscriptionState is whether a subscription takes deliveries.
type SubscriptionState string

// The states of a subscription.
const (
	SubscriptionActive     SubscriptionState = "active"
	SubscriptionPaused     SubscriptionState = "paused"     // by an operator, for a while
	SubscriptionDisabled   SubscriptionState = "disabled"   // by an operator, or by Switchboard, for example after 410 Gone
	SubscriptionUnverified SubscriptionState = "unverified" // the receiver has not answered the challenge yet
)

// BodyKind is what the body of a request is made of.
type BodyKind string

// The kinds of body.
const (
	BodyEnvelope BodyKind = "envelope" // {"id","type","timestamp","data"}
	BodyData     BodyKind = "data"     // the event's bytes unchanged
	BodyParams   BodyKind = "params"   // a JSON document whose string leaves are templates
)

// Subscription says which events of a tenant go where, and how they are rendered, signed, retried
// and limited. This is its only declaration. The API, its document, the client and the store read
// the tags of each member, in their own ways:
//
//   - json is the name. A caller must give a member without omitempty or omitzero.
//   - default is the value of a member that was not given, see [Subscription.SetDefaults];
//     default_duration is that of a duration. Clients only find it in the description.
//   - readOnly members are set by Switchboard only.
//   - always marks members that answers always have although callers may leave them out. Members
//     with a default need no such mark.
//   - enum, minimum and maximum, and shortest and longest of a duration, limit the value; the code
//     for a member checks minLength to maxItems.
//   - doc and example document the member.
//
// A member that is zero was not given.
type Subscription struct {
	ID            string            `json:"id" readOnly:"true" example:"sub_01k0000000000000000000000"`
	Tenant        string            `json:"tenant" doc:"The tenant whose events it takes" example:"acme" maxLength:"128"`
	Name          string            `json:"name" doc:"A name for people, unique in the tenant; CRM and crm differ" example:"CRM sync" maxLength:"200"`
	Profile       string            `json:"profile,omitempty" doc:"A platform, such as signalzen: fields that are left out below are as that platform sends them. Fixed at creation"`
	UseCase       string            `json:"use_case,omitempty" doc:"The part of an event's data that the templates may read, such as contact or ticket. Fixed at creation. Left out: all"`
	Events        []string          `json:"events" nullable:"false" minItems:"1" maxItems:"200" doc:"Event types, or patterns: ticket.* matches every type below ticket, * every type except those of Switchboard itself, which begin with switchboard. A change replaces the list" example:"ticket.*,customer.created"`
	Filter        json.RawMessage   `json:"filter,omitempty" always:"true" doc:"Selects among those events by content: a document in the shape of the event, with values or operators. data is the event's data, metadata its id, type, key, tenant and occurred_at. {} matches all. A change replaces the whole filter" example:"{\"data\":{\"ticket\":{\"priority\":{\"$gte\":3}}}}"`
	Request       Request           `json:"request" doc:"The HTTP request to send"`
	Signature     Signature         `json:"signature,omitzero" always:"true" doc:"How requests are signed. Changing the scheme removes header and prefix. If the secret does not fit the scheme, the answer has a new one, which replaces the former ones at once"`
	Secrets       []SigningSecret   `json:"-"` // the current one first
	Auth          Auth              `json:"auth,omitzero" doc:"How requests authenticate to the receiver, in addition to their signature. Changing the type removes the other members"`
	Verification  Verification      `json:"verification,omitempty" enum:"none,challenge" default:"none" doc:"challenge: before anything is delivered, and after each change of the url, the address must answer a signed POST of {\"challenge\": \"…\"} with that bare value"`
	Retry         RetryPolicy       `json:"retry,omitzero" always:"true" doc:"When a failed attempt is followed by another"`
	Timeout       Duration          `json:"timeout,omitempty" default_duration:"10s" doc:"Limit of one attempt, from dialling to the end of the answer: 1s to 30s. It is shortened under load; a timeout that is given without adaptive is fixed" example:"10s"`
	Adaptive      Adaptive          `json:"adaptive" required:"false" always:"true" doc:"How timeout and retries follow the load of the worker"`
	MaxInFlight   int               `json:"max_in_flight,omitempty" minimum:"1" maximum:"100" default:"16" doc:"Requests at the same time, across all workers" example:"16"`
	RateLimit     RateLimit         `json:"rate_limit,omitzero" doc:"The rate of requests, across all workers. Deliveries beyond it are held and sent in order. Left out: no limit"`
	Ordering      Ordering          `json:"ordering,omitempty" enum:"none,key" default:"none" doc:"key: the events of one key are delivered strictly in the order in which they were accepted, each after the one before has ended. Events without a key have no order. A change affects events that are accepted after it"`
	DeliverWithin Duration          `json:"deliver_within,omitempty" shortest:"1s" longest:"720h" doc:"How long after its acceptance a delivery fails as expired if it is not delivered. Left out: no deadline" example:"30m"`
	Supersede     bool              `json:"supersede,omitempty" doc:"A new event cancels the open deliveries of older ones with the same type and key"`
	HoldFor       Duration          `json:"hold_for,omitempty" default_duration:"720h" shortest:"1m" longest:"2160h" doc:"How long a delivery may be held before it fails as hold_expired" example:"720h"`
	ReleaseRate   int               `json:"release_rate,omitempty" minimum:"1" maximum:"1000" default:"50" doc:"How many held deliveries are released a second, after a pause or when the endpoint has recovered" example:"50"`
	Breaker       Breaker           `json:"breaker,omitzero" always:"true" doc:"When deliveries are held because the endpoint fails"`
	State         SubscriptionState `json:"state" readOnly:"true" enum:"active,paused,disabled,unverified" doc:"paused and disabled: deliveries are held until it is resumed or enabled. unverified: until its address has answered the challenge" example:"active"`
	StateReason   string            `json:"state_reason" readOnly:"true" doc:"Why it is not active"`
	StateSince    time.Time         `json:"state_since" readOnly:"true" doc:"Since when it is in that state"`
	StateBy       string            `json:"state_by" readOnly:"true" doc:"Who brought it there: a person, an API key, or switchboard"`
	Version       int               `json:"version" doc:"Counts changes. A change names the version that it is based on; an old version is a conflict" example:"1"`
	CreatedAt     time.Time         `json:"created_at" readOnly:"true"`
	UpdatedAt     time.Time         `json:"updated_at" readOnly:"true"`
	DeletedAt     time.Time         `json:"-"` // zero: not deleted; only its deliveries see a deleted one
	// Unreadable has the names of stored members that cannot be read, such as "request.headers": no
	// key of this installation decrypts them, or they are damaged. They are zero here.
	Unreadable []string `json:"unreadable,omitempty" readOnly:"true" nullable:"false" doc:"Members that are stored and cannot be read, because this installation lacks the key that they were encrypted with, or because they are damaged. Nothing is sent meanwhile. Give them again in one change (null: there is none); for secret, rotate it" example:"request.headers,auth"`
}

// UnreadableSecret is the name of the current signing secret in Unreadable. It is no field of a
// change: rotating the secret makes a new one.
const UnreadableSecret = "secret"

// CheckReadable returns a [Conflict] if a part of the subscription cannot be read, because nothing
// can be sent for it then.
func (s *Subscription) CheckReadable() error {
	if len(s.Unreadable) == 0 {
		return nil
	}
	return &Error{Code: CodeConflict, Field: s.Unreadable[0], Err: ErrUnreadable,
		Message: "cannot be read: it was encrypted with a key that this installation does not have, or is damaged. Give it again"}
}

// CheckVersion returns a [CodeConflict] unless the subscription still has the version that a caller
// wants to change.
func (s *Subscription) CheckVersion(known int) error {
	if s.Version == known {
		return nil
	}
	return &Error{Code: CodeConflict, Field: "version",
		Message: fmt.Sprintf("is %d, and the subscription is at version %d by now: read it again", known, s.Version)}
}

// Bounds of a subscription's fields.
const (
	MaxName            = 200
	MaxEvents          = 200
	MaxURL             = 2048
	MaxHeaders         = 50
	MaxHeaderValue     = 4096 // as in Svix
	DefaultTimeout     = Duration(10 * time.Second)
	MinTimeout         = Duration(time.Second)
	MaxTimeout         = Duration(30 * time.Second)
	DefaultMaxInFlight = 16
	// MaxMaxInFlight is well below the slots of a worker, so that one subscription never has them
	// all.
	MaxMaxInFlight = 100
	// DefaultHold is how long a delivery is held at most if its subscription does not say.
	DefaultHold = 30 * 24 * time.Hour
)

// Wants reports whether the subscription takes events of that type: "Object.*"
// takes object.created and Object.OnNew.
func (s *Subscription) Wants(eventType string) bool {
	return slices.ContainsFunc(s.Events, func(pattern string) bool { return matches(pattern, eventType) })
}

// matches ignores case, because platforms spell the same event in both ways. Both sides are ASCII.
// The pattern for every type does not match Switchboard's own.
func matches(pattern, eventType string) bool {
	if IsOperational(eventType) && !IsOperational(pattern) {
		return false
	}
	prefix, wild := strings.CutSuffix(pattern, "*")
	if !wild {
		return strings.EqualFold(pattern, eventType)
	}
	return len(eventType) >= len(prefix) && strings.EqualFold(eventType[:len(prefix)], prefix)
}

// SetDefaults fills in defaults: those of the tags, and those that depend on other members.
func (s *Subscription) SetDefaults() {
	s.Request.Method = strings.ToUpper(s.Request.Method)
	setDefaults(reflect.ValueOf(s).Elem())
	s.Retry.MaximumInterval = cmp.Or(s.Retry.MaximumInterval, max(defaultMaximumInterval, s.Retry.InitialInterval))
	s.State = cmp.Or(s.State, SubscriptionActive)
	if s.RateLimit.PerSecond != 0 {
		s.RateLimit.Burst = cmp.Or(s.RateLimit.Burst, 1)
	}
	s.Adaptive.setDefaults(s)
}

// setDefaults reads the tags of a struct and of those in it.
func setDefaults(v reflect.Value) {
	for i := range v.NumField() {
		field, tag := v.Field(i), v.Type().Field(i).Tag
		text := cmp.Or(tag.Get("default"), tag.Get("default_duration"))
		switch {
		case field.Kind() == reflect.Struct && tag.Get("json") != "-":
			setDefaults(field)
		case text == "" || !field.IsZero():
		case field.Kind() == reflect.String:
			field.SetString(text)
		case field.Type() == reflect.TypeFor[Duration]():
			d, _ := ParseDuration(text) // a test reads every tag
			field.SetInt(int64(d))
		case field.Kind() == reflect.Int:
			n, _ := strconv.Atoi(text)
			field.SetInt(int64(n))
		case field.Kind() == reflect.Float64:
			x, _ := strconv.ParseFloat(text, 64)
			field.SetFloat(x)
		}
	}
}

// Document returns the subscription's JSON with the members that callers decide, as given, with
// secrets masked. A change is merged into it.
func (s *Subscription) Document() (json.RawMessage, error) {
	type hidden = *struct{}
	return json.Marshal(struct { // its members hide those of the subscription
		*Subscription
		ID          hidden `json:"id,omitempty"`
		Tenant      hidden `json:"tenant,omitempty"`
		State       hidden `json:"state,omitempty"`
		StateReason hidden `json:"state_reason,omitempty"`
		StateSince  hidden `json:"state_since,omitempty"`
		StateBy     hidden `json:"state_by,omitempty"`
		Version     hidden `json:"version,omitempty"`
		CreatedAt   hidden `json:"created_at,omitempty"`
		UpdatedAt   hidden `json:"updated_at,omitempty"`
		Unreadable  hidden `json:"unreadable,omitempty"`
	}{Subscription: s})
}
