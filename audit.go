package switchboard

import (
	"encoding/json"
	"slices"
	"time"
)

// AuditRetention is how long a row of the audit is kept: a year, and a month to look back on it.
const AuditRetention = 400 * 24 * time.Hour

// AuditVerb is the change in an [AuditEntry].
type AuditVerb string

// The changes of deliveries, subscriptions, operations, keys, event types, events, tenants and
// sessions.
const (
	AuditCreate       AuditVerb = "create"
	AuditUpdate       AuditVerb = "update"
	AuditDelete       AuditVerb = "delete"
	AuditPause        AuditVerb = "pause"
	AuditResume       AuditVerb = "resume"
	AuditDisable      AuditVerb = "disable"
	AuditEnable       AuditVerb = "enable"
	AuditVerify       AuditVerb = "verify"
	AuditRotateSecret AuditVerb = "rotate_secret"
	AuditRevoke       AuditVerb = "revoke"
	AuditErase        AuditVerb = "erase"
	AuditStart        AuditVerb = "start"
	AuditRetry        AuditVerb = "retry"
	AuditCancel       AuditVerb = "cancel"
	AuditHold         AuditVerb = "hold"
	AuditRelease      AuditVerb = "release"
	AuditResend       AuditVerb = "resend"
	AuditReset        AuditVerb = "reset"        // of a delivery's workflow, in Temporal itself
	AuditReadPayload  AuditVerb = "read_payload" // a person opened the body that an attempt sent; it changes nothing
)

// AuditVerbs lists every verb.
func AuditVerbs() []AuditVerb {
	return []AuditVerb{
		AuditCreate, AuditUpdate, AuditDelete, AuditPause, AuditResume, AuditDisable, AuditEnable, AuditVerify, AuditRotateSecret, AuditRevoke,
		AuditErase, AuditStart, AuditRetry, AuditCancel, AuditHold, AuditRelease, AuditResend, AuditReset, AuditReadPayload,
	}
}

// Valid reports whether v is one of the verbs.
func (v AuditVerb) Valid() bool { return slices.Contains(AuditVerbs(), v) }

// AuditKind is the kind of object that an [AuditEntry] is about.
type AuditKind string

// The kinds of object.
const (
	AuditDelivery     AuditKind = "delivery"
	AuditSubscription AuditKind = "subscription"
	AuditOperation    AuditKind = "operation"
	AuditKey          AuditKind = "key"
	AuditEventType    AuditKind = "event_type" // the object is its platform and name, such as iomnihub/ticket.created
	AuditEvent        AuditKind = "event"
	AuditTenant       AuditKind = "tenant"
	AuditSession      AuditKind = "session"     // of a person who uses the console
	AuditPortalLink   AuditKind = "portal_link" // begins such a session
)

// AuditKinds lists every kind.
func AuditKinds() []AuditKind {
	return []AuditKind{AuditDelivery, AuditSubscription, AuditOperation, AuditKey, AuditEventType, AuditEvent, AuditTenant, AuditSession, AuditPortalLink}
}

// Valid reports whether k is one of the kinds.
func (k AuditKind) Valid() bool { return slices.Contains(AuditKinds(), k) }

// AuditEntry is one change that a person or program made: who, what, why, when, and through which
// interface. It has no payload, no secret and no credential. The code that makes a change gives the
// verb, the kind, the object, its tenant, the reason and the changes; the store fills in the rest.
type AuditEntry struct {
	ID        string       `json:"id" doc:"An id act_…" example:"act_01k0000000000000000000000"`
	At        time.Time    `json:"at"`
	Actor     string       `json:"actor" doc:"The API key; person:… if a trusted proxy named the person; or cli, temporal or switchboard" example:"key_01k0000000000000000000000"`
	ActorName string       `json:"actor_name" doc:"The name of that key; empty if there is none, or if it no longer exists" example:"Support"`
	Role      Role         `json:"role" doc:"Role of the key at that time; empty: the actor has none" example:"support"`
	Person    string       `json:"person" doc:"The person: verified if the actor is that person, else self-named" example:"Ana"`
	Verb      AuditVerb    `json:"verb" doc:"What was done" example:"pause"`
	Kind      AuditKind    `json:"kind" enum:"delivery,subscription,operation,key,event_type,event,tenant,session,portal_link" doc:"Kind of the changed thing"`
	Object    string       `json:"object" doc:"Id of the changed thing; for an event type, platform/name" example:"sub_01k0000000000000000000000"`
	Tenant    string       `json:"tenant" doc:"Its tenant; empty: all tenants" example:"acme"`
	Reason    string       `json:"reason" doc:"The reason, in the actor's own words" example:"receiver is being migrated"`
	RequestID string       `json:"request_id" doc:"Request id of the call, as in logs and problems; empty: there was no call"`
	Origin    Origin       `json:"origin" enum:"api,console,temporal,switchboard" doc:"The way it was done"`
	Address   string       `json:"address" doc:"Address of the peer that connected, which may be a proxy; empty: there was none" example:"198.51.100.7"`
	Changed   AuditChanges `json:"changed" nullable:"false" doc:"The changes, by name of the member"`
}

// AuditChanges are changed members by their paths, such as "retry.max_attempts".
type AuditChanges map[string]AuditChange

// AuditChange has the value of a member before and after a change.
type AuditChange struct {
	Before json.RawMessage `json:"before,omitempty" doc:"Absent: the member was not set"`
	After  json.RawMessage `json:"after,omitempty" doc:"Absent: the member is not set"`
	Hidden bool            `json:"hidden,omitempty" doc:"The value has changed, but old and new values are not stored, or only in part: they may contain a credential, or are long"`
}

// AuditFilter narrows a list of the audit. A zero field does not narrow.
type AuditFilter struct {
	Tenant string
	Object string
	Actor  string
	Person string
	Verb   AuditVerb
	Kind   AuditKind
	After  time.Time // at that time or later
	Before time.Time
}
