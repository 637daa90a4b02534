package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/ingest"
)

// Store keeps what the API serves. What a caller may not see does not exist for that caller.
type Store interface {
	rest.Store
	ingest.Store

	// Event returns an event with its deliveries.
	Event(ctx context.Context, caller switchboard.Caller, tenant, id string) (switchboard.Event, []switchboard.Delivery, error)
	Events(ctx context.Context, caller switchboard.Caller, filter switchboard.EventFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.EventDetail], error)
	// TenantUsage says whether the tenant is named anywhere, and returns the types of its latest
	// events.
	TenantUsage(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.TenantUsage, error)

	Deliveries(ctx context.Context, caller switchboard.Caller, filter switchboard.DeliveryFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Delivery], error)
	Delivery(ctx context.Context, caller switchboard.Caller, id string) (switchboard.DeliveryDetail, error)
	// DeliveryFacets counts the values that occur in the newest deliveries of a list. It returns
	// false if it could not find them in time.
	DeliveryFacets(ctx context.Context, caller switchboard.Caller, filter switchboard.DeliveryFilter, by []switchboard.Facet) (switchboard.Facets, bool, error)
	// Search finds what has that name, or a name that begins so.
	Search(ctx context.Context, caller switchboard.Caller, text string) ([]switchboard.SearchHit, error)
	// LoadForAttempt loads what an attempt needs, for callers who may see the delivery.
	LoadForAttempt(ctx context.Context, deliveryID string) (switchboard.LoadedDelivery, error)
	// Surroundings returns what decides about actions on deliveries that the caller sees, by
	// delivery id.
	Surroundings(ctx context.Context, ids []string) (map[string]switchboard.Surroundings, error)
	// Retry makes the next attempt due. start says that the workflow of the next generation must be
	// started now. A conflict of this and the next three methods is a
	// [switchboard.StandingConflict].
	Retry(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (d switchboard.Delivery, start bool, err error)
	Cancel(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (switchboard.Delivery, error)
	// SetAside holds an open delivery until an operator releases it.
	SetAside(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (switchboard.Delivery, error)
	// ReleaseDelivery ends an operator's hold, and has the delivery dispatched.
	ReleaseDelivery(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (switchboard.Delivery, error)
	// Resend makes a copy of a delivery. start says that its workflow must be started now.
	Resend(ctx context.Context, caller switchboard.Caller, id string, asked switchboard.Resend) (d switchboard.Delivery, start bool, err error)
	// Answer waits for the first attempt that the receiver answered, or until the delivery has
	// ended, is held or is blocked, so that no further attempt follows by itself. If ctx ends
	// first, it returns ctx's error.
	Answer(ctx context.Context, caller switchboard.Caller, deliveryID string) (switchboard.DeliveryDetail, error)

	// CreateSubscription stores s and sets its id, version and times.
	CreateSubscription(ctx context.Context, caller switchboard.Caller, s *switchboard.Subscription) error
	Subscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error)
	// SubscriptionWithSecrets returns a subscription with its signing secrets.
	SubscriptionWithSecrets(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error)
	Subscriptions(ctx context.Context, caller switchboard.Caller, filter switchboard.SubscriptionFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Subscription], error)
	// SubscriptionHealth returns the known health of the endpoints of subscriptions that the caller
	// sees, by subscription id.
	SubscriptionHealth(ctx context.Context, ids []string) (map[string]switchboard.SubscriptionHealth, error)
	// SubscriptionsThen returns what the audit says about the state at that time of subscriptions
	// that the caller sees, by subscription id.
	SubscriptionsThen(ctx context.Context, at time.Time, ids []string) (map[string]switchboard.SubscriptionThen, error)
	// SubscriptionActivity returns what was recently sent for such subscriptions, and what is still
	// to be sent.
	SubscriptionActivity(ctx context.Context, ids []string) (map[string]switchboard.SubscriptionActivity, error)
	// GivenSubscription returns a subscription as it was given, without defaults, with its
	// signing secrets.
	GivenSubscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error)
	// UpdateSubscription applies change to the subscription as it was given, and stores the result
	// if the version is still the same. Otherwise it returns a Conflict. change sees no signing
	// secrets; secrets that it sets replace the previous ones at once. The result has its defaults.
	UpdateSubscription(ctx context.Context, caller switchboard.Caller, id string, version int, change func(*switchboard.Subscription) error) (sub switchboard.Subscription, operationID string, err error)
	// DeleteSubscription hides the subscription, and returns the operation that cancels its
	// deliveries, which the caller must start.
	DeleteSubscription(ctx context.Context, caller switchboard.Caller, id, reason string) (operationID string, err error)
	// ChangeSubscriptionState brings the subscription to the state that the action leads to, or
	// returns a Conflict. The caller must start the returned operation, if any.
	ChangeSubscriptionState(ctx context.Context, caller switchboard.Caller, id string, action switchboard.SubscriptionAction, reason string) (sub switchboard.Subscription, operationID string, err error)
	// RotateSecret makes next the current secret. Earlier secrets continue to sign, each until its
	// own grace is over.
	RotateSecret(ctx context.Context, caller switchboard.Caller, id string, next switchboard.Secret, rotation switchboard.Rotation) (switchboard.Subscription, error)
	// RecordVerification stores the result of the challenge if the subscription still has the
	// version. Otherwise it returns a Conflict. With an empty reason the subscription becomes
	// active, and the caller must start the returned operation, which releases its held deliveries.
	// With a reason it stays unverified, and there is no operation.
	RecordVerification(ctx context.Context, caller switchboard.Caller, id string, version int, reason string) (sub switchboard.Subscription, operationID string, err error)

	Operation(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Operation, error)
	// PlanOperation returns what an operation would do.
	PlanOperation(ctx context.Context, caller switchboard.Caller, r switchboard.OperationRequest) (switchboard.OperationPlan, error)
	// StartOperation stores an operation, which the caller must start: that of the plan or, without
	// a plan, that of the request.
	StartOperation(ctx context.Context, caller switchboard.Caller, plan string, r switchboard.OperationRequest) (switchboard.Operation, error)
	// ChangeOperation pauses, resumes or cancels an operation. The caller must wake a resumed one.
	ChangeOperation(ctx context.Context, caller switchboard.Caller, id string, change switchboard.OperationChange, reason string) (switchboard.Operation, error)
	// OperationItems lists what an operation did to each delivery. An empty outcome means all
	// outcomes.
	OperationItems(ctx context.Context, caller switchboard.Caller, id string, outcome switchboard.OperationOutcome, page switchboard.PageRequest) (switchboard.Page[switchboard.OperationItem], error)
	Operations(ctx context.Context, caller switchboard.Caller, filter switchboard.OperationFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Operation], error)

	// Traffic counts attempts.
	Traffic(ctx context.Context, caller switchboard.Caller, q switchboard.TrafficQuery) (switchboard.Traffic, error)
	// OpenStatus counts what is open now. An empty tenant means everything that the caller sees,
	// and includes the workers if the caller is not bound to a tenant.
	OpenStatus(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.OpenStatus, error)
	// FailureGroups groups what fails, and returns the groups with the most open deliveries first.
	FailureGroups(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.FailureGroups, error)
	// NotePayloadRead notes in the audit that the caller opened a payload of a delivery.
	NotePayloadRead(ctx context.Context, caller switchboard.Caller, deliveryID string) error
	// Audit lists changes, newest first.
	Audit(ctx context.Context, caller switchboard.Caller, filter switchboard.AuditFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.AuditEntry], error)

	// SaveEventType adds the type, or replaces the one with the same platform and name.
	SaveEventType(ctx context.Context, caller switchboard.Caller, t switchboard.EventType) error
	// ChangeEventType applies the change to the stored type with base's platform and name. If none
	// is stored, it applies the change to base if that is built in. It returns an error of the
	// change and then stores nothing. It may call the change twice.
	ChangeEventType(ctx context.Context, caller switchboard.Caller, base switchboard.EventType, change func(*switchboard.EventType) error) (switchboard.EventType, error)
	// DeleteEventType removes the stored type. The built-in one, if any, comes back.
	DeleteEventType(ctx context.Context, caller switchboard.Caller, platform, name string) error

	// CreateKey stores the hash of a key's text, and returns the key with its id and time.
	CreateKey(ctx context.Context, caller switchboard.Caller, key switchboard.Key, text switchboard.Secret) (switchboard.Key, error)
	Key(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Key, error)
	Keys(ctx context.Context, caller switchboard.Caller, page switchboard.PageRequest) (switchboard.Page[switchboard.Key], error)
	// Sessions lists who is signed in to the console, or only those of one key if its id is given.
	Sessions(ctx context.Context, caller switchboard.Caller, keyID string, page switchboard.PageRequest) (switchboard.Page[switchboard.Session], error)
	RevokeSession(ctx context.Context, caller switchboard.Caller, id, reason string) error
	// CreatePortalLink stores a link, and returns it with its id, its times and its token.
	CreatePortalLink(ctx context.Context, caller switchboard.Caller, link switchboard.PortalLink) (switchboard.PortalLink, switchboard.Secret, error)
	PortalLinks(ctx context.Context, caller switchboard.Caller, page switchboard.PageRequest) (switchboard.Page[switchboard.PortalLink], error)
	WithdrawPortalLink(ctx context.Context, caller switchboard.Caller, id, reason string) error
	RevokeKey(ctx context.Context, caller switchboard.Caller, id, reason string) (switchboard.Key, error)

	// EraseTenant begins the erasure of a tenant, or returns the current one.
	EraseTenant(ctx context.Context, caller switchboard.Caller, tenant, reason string) (switchboard.Erasure, error)
	// EraseEvent begins the erasure of an event's content, or returns the current one.
	EraseEvent(ctx context.Context, caller switchboard.Caller, tenant, id, reason string) (switchboard.Erasure, error)
	Erasure(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Erasure, error)
	Erasures(ctx context.Context, caller switchboard.Caller, page switchboard.PageRequest) (switchboard.Page[switchboard.Erasure], error)
}
