package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/ingest"
)

// Store keeps what the API serves. What a caller may not see does not exist for them.
type Store interface {
	rest.Store
	ingest.Store

	// Event returns an event with its deliveries.
	Event(ctx context.Context, caller switchboard.Caller, tenant, id string) (switchboard.Event, []switchboard.Delivery, error)
	Events(ctx context.Context, caller switchboard.Caller, filter switchboard.EventFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.EventDetail], error)
	// TenantUsage says whether the tenant is named anywhere, and the types of its last events.
	TenantUsage(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.TenantUsage, error)

	Deliveries(ctx context.Context, caller switchboard.Caller, filter switchboard.DeliveryFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Delivery], error)
	Delivery(ctx context.Context, caller switchboard.Caller, id string) (switchboard.DeliveryDetail, error)
	// DeliveryFacets counts the values that the newest deliveries of a list have, and reports false
	// where they could not be found in time.
	DeliveryFacets(ctx context.Context, caller switchboard.Caller, filter switchboard.DeliveryFilter, by []switchboard.Facet) (switchboard.Facets, bool, error)
	// Search finds what is called so, or begins so.
	Search(ctx context.Context, caller switchboard.Caller, text string) ([]switchboard.SearchHit, error)
	// LoadForAttempt loads what an attempt needs, for callers who see the delivery.
	LoadForAttempt(ctx context.Context, deliveryID string) (switchboard.LoadedDelivery, error)
	// Surroundings returns what decides about actions on deliveries that the caller sees, by their ids.
	Surroundings(ctx context.Context, ids []string) (map[string]switchboard.Surroundings, error)
	// Retry makes the next attempt due; start says that the workflow of the next generation has to be
	// started now. A conflict of this and the next three is a [switchboard.StandingConflict].
	Retry(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (d switchboard.Delivery, start bool, err error)
	Cancel(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (switchboard.Delivery, error)
	// SetAside holds an open delivery until an operator releases it.
	SetAside(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (switchboard.Delivery, error)
	// ReleaseDelivery ends the hold of an operator, and has the delivery dispatched.
	ReleaseDelivery(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (switchboard.Delivery, error)
	// Resend makes a copy of a delivery; start says that its workflow has to be started now.
	Resend(ctx context.Context, caller switchboard.Caller, id string, asked switchboard.Resend) (d switchboard.Delivery, start bool, err error)
	// Answer waits for the first attempt of the delivery that the receiver answered, or
	// until none will follow by itself, because it has ended, is held or is blocked. When
	// ctx ends first its error is ctx's.
	Answer(ctx context.Context, caller switchboard.Caller, deliveryID string) (switchboard.DeliveryDetail, error)

	// CreateSubscription stores s and fills in its id, version and times.
	CreateSubscription(ctx context.Context, caller switchboard.Caller, s *switchboard.Subscription) error
	Subscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error)
	// SubscriptionWithSecrets returns a subscription with its signing secrets.
	SubscriptionWithSecrets(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error)
	Subscriptions(ctx context.Context, caller switchboard.Caller, filter switchboard.SubscriptionFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Subscription], error)
	// SubscriptionHealth returns what is known of the endpoints of subscriptions that the caller
	// sees, by their ids.
	SubscriptionHealth(ctx context.Context, ids []string) (map[string]switchboard.SubscriptionHealth, error)
	// SubscriptionsThen returns what the audit says of subscriptions at that time that the caller sees,
	// by their ids.
	SubscriptionsThen(ctx context.Context, at time.Time, ids []string) (map[string]switchboard.SubscriptionThen, error)
	// SubscriptionActivity returns what was sent for such subscriptions lately, and what is still to be.
	SubscriptionActivity(ctx context.Context, ids []string) (map[string]switchboard.SubscriptionActivity, error)
	// GivenSubscription returns a subscription as it was given, without defaults, with its
	// signing secrets.
	GivenSubscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error)
	// UpdateSubscription stores what change makes of the subscription as it was given, if that
	// still has the version, else it returns a Conflict. The change sees no signing secrets;
	// one that it sets replaces those before at once. What is returned has its defaults.
	UpdateSubscription(ctx context.Context, caller switchboard.Caller, id string, version int, change func(*switchboard.Subscription) error) (sub switchboard.Subscription, operationID string, err error)
	// DeleteSubscription hides the subscription, and returns the operation that cancels its
	// deliveries, which is to be started.
	DeleteSubscription(ctx context.Context, caller switchboard.Caller, id, reason string) (operationID string, err error)
	// ChangeSubscriptionState brings the subscription to the state that the action leads to, or
	// returns a Conflict. The operation is to be started; empty: there is none.
	ChangeSubscriptionState(ctx context.Context, caller switchboard.Caller, id string, action switchboard.SubscriptionAction, reason string) (sub switchboard.Subscription, operationID string, err error)
	// RotateSecret makes next the current secret; those before sign too, each until its
	// own grace has passed.
	RotateSecret(ctx context.Context, caller switchboard.Caller, id string, next switchboard.Secret, rotation switchboard.Rotation) (switchboard.Subscription, error)
	// RecordVerification stores how the challenge ended, if the subscription still has the
	// version, else it returns a Conflict: with an empty reason it becomes active, and the
	// operation that releases its held deliveries is to be started; else it stays unverified for
	// that reason, and there is none.
	RecordVerification(ctx context.Context, caller switchboard.Caller, id string, version int, reason string) (sub switchboard.Subscription, operationID string, err error)

	Operation(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Operation, error)
	// PlanOperation says what an operation would do.
	PlanOperation(ctx context.Context, caller switchboard.Caller, r switchboard.OperationRequest) (switchboard.OperationPlan, error)
	// StartOperation stores an operation, which is to be started: that of the plan or, without
	// one, what the request asks for.
	StartOperation(ctx context.Context, caller switchboard.Caller, plan string, r switchboard.OperationRequest) (switchboard.Operation, error)
	// ChangeOperation pauses, resumes or cancels an operation. One that is resumed is to be woken.
	ChangeOperation(ctx context.Context, caller switchboard.Caller, id string, change switchboard.OperationChange, reason string) (switchboard.Operation, error)
	// OperationItems lists what an operation did to each delivery; an empty outcome is every one.
	OperationItems(ctx context.Context, caller switchboard.Caller, id string, outcome switchboard.OperationOutcome, page switchboard.PageRequest) (switchboard.Page[switchboard.OperationItem], error)
	Operations(ctx context.Context, caller switchboard.Caller, filter switchboard.OperationFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Operation], error)

	// Traffic counts attempts.
	Traffic(ctx context.Context, caller switchboard.Caller, q switchboard.TrafficQuery) (switchboard.Traffic, error)
	// OpenStatus counts what is open now; an empty tenant: of all that the caller sees, with the
	// workers for a caller who is bound to none.
	OpenStatus(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.OpenStatus, error)
	// FailureGroups counts what fails, those with the most open deliveries first.
	FailureGroups(ctx context.Context, caller switchboard.Caller, tenant string) (switchboard.FailureGroups, error)
	// NotePayloadRead notes in the audit that the caller opened a payload of a delivery.
	NotePayloadRead(ctx context.Context, caller switchboard.Caller, deliveryID string) error
	// Audit lists what was done, newest first.
	Audit(ctx context.Context, caller switchboard.Caller, filter switchboard.AuditFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.AuditEntry], error)

	// SaveEventType adds the type, or replaces the one of its platform and name.
	SaveEventType(ctx context.Context, caller switchboard.Caller, t switchboard.EventType) error
	// ChangeEventType applies the change to the stored type of base's platform and name;
	// where none is stored, to base if it is built in. An error of the change is returned
	// and nothing stored. The change may be called twice.
	ChangeEventType(ctx context.Context, caller switchboard.Caller, base switchboard.EventType, change func(*switchboard.EventType) error) (switchboard.EventType, error)
	// DeleteEventType removes the stored type, which brings back the built-in one.
	DeleteEventType(ctx context.Context, caller switchboard.Caller, platform, name string) error

	// CreateKey stores the hash of a key's text, and returns the key with its id and time.
	CreateKey(ctx context.Context, caller switchboard.Caller, key switchboard.Key, text switchboard.Secret) (switchboard.Key, error)
	Key(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Key, error)
	Keys(ctx context.Context, caller switchboard.Caller, page switchboard.PageRequest) (switchboard.Page[switchboard.Key], error)
	// Sessions lists who is signed in to the console, of one key if its id is given.
	Sessions(ctx context.Context, caller switchboard.Caller, keyID string, page switchboard.PageRequest) (switchboard.Page[switchboard.Session], error)
	RevokeSession(ctx context.Context, caller switchboard.Caller, id, reason string) error
	// CreatePortalLink stores a link, and returns it with its id, its times and its token.
	CreatePortalLink(ctx context.Context, caller switchboard.Caller, link switchboard.PortalLink) (switchboard.PortalLink, switchboard.Secret, error)
	PortalLinks(ctx context.Context, caller switchboard.Caller, page switchboard.PageRequest) (switchboard.Page[switchboard.PortalLink], error)
	WithdrawPortalLink(ctx context.Context, caller switchboard.Caller, id, reason string) error
	RevokeKey(ctx context.Context, caller switchboard.Caller, id, reason string) (switchboard.Key, error)

	// EraseTenant begins the erasure of a tenant, or returns the one under way.
	EraseTenant(ctx context.Context, caller switchboard.Caller, tenant, reason string) (switchboard.Erasure, error)
	// EraseEvent begins the erasure of an event's content, or returns the one under way.
	EraseEvent(ctx context.Context, caller switchboard.Caller, tenant, id, reason string) (switchboard.Erasure, error)
	Erasure(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Erasure, error)
	Erasures(ctx context.Context, caller switchboard.Caller, page switchboard.PageRequest) (switchboard.Page[switchboard.Erasure], error)
}
