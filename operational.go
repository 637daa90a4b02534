package switchboard

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// The types of Switchboard's own events. Subscriptions take them by patterns that begin with
// [OperationalPrefix]; the pattern * does not take them.
const (
	OperationalPrefix = "switchboard."

	EventBreakerOpened        = OperationalPrefix + "breaker.opened"
	EventBreakerClosed        = OperationalPrefix + "breaker.closed"
	EventSubscriptionDisabled = OperationalPrefix + "subscription.disabled"
	EventDeliveryFailed       = OperationalPrefix + "delivery.failed"
	EventOperationFinished    = OperationalPrefix + "operation.finished"
)

// OperationalPlatform is the platform of the catalogue that describes them.
const OperationalPlatform = "switchboard"

// OperatorTenant is the tenant of the operators' own subscriptions: those get the operational
// events of every tenant. Nothing can be posted for it, and no key is bound to it.
const OperatorTenant = "_operator"

// IsOperational reports whether a type, or a pattern of types, is of Switchboard's own events.
func IsOperational(eventType string) bool {
	return len(eventType) >= len(OperationalPrefix) && strings.EqualFold(eventType[:len(OperationalPrefix)], OperationalPrefix)
}

// OperationalEvent is what happened to a subscription, or to a delivery of it. Its data hold no
// payload, no secret, and no part of a URL but the host.
type OperationalEvent struct {
	Type string
	// ID names what happened, and is the same whenever it is announced again.
	ID   string
	Data OperationalData
}

// OperationalData are the data of an operational event. The store adds the tenant, and the name
// and the host of the subscription.
type OperationalData struct {
	Tenant       string                  `json:"tenant"`
	Subscription OperationalSubscription `json:"subscription,omitzero"` // absent: it happened to an operation
	At           time.Time               `json:"at"`                    // when it happened
	Reason       string                  `json:"reason"`                // in words
	Breaker      *OperationalBreaker     `json:"breaker,omitempty"`
	Disabled     *OperationalDisabled    `json:"disabled,omitempty"`
	Delivery     *OperationalDelivery    `json:"delivery,omitempty"`
	Operation    *OperationalOperation   `json:"operation,omitempty"`
}

// OperationalSubscription is the subscription that it happened to.
type OperationalSubscription struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Host string `json:"host"` // of its URL, with the port if one is given
}

// OperationalBreaker is a breaker that opened or closed.
type OperationalBreaker struct {
	Since          time.Time `json:"since"`                  // when it opened
	FailingSince   time.Time `json:"failing_since,omitzero"` // the first failure after the last success
	Attempts       int       `json:"attempts"`               // counted in the windows that it opened by
	Failures       int       `json:"failures"`               // of these, through the endpoint's fault
	FailuresInARow int       `json:"failures_in_a_row"`
	LastFailure    string    `json:"last_failure"`           // as http_503
	NextProbeAt    time.Time `json:"next_probe_at,omitzero"` // absent where it closed
}

// OperationalDisabled is how a subscription was disabled.
type OperationalDisabled struct {
	Since time.Time `json:"since"`
	By    string    `json:"by"` // a person, an API key, or switchboard
}

// OperationalDelivery is a delivery that has failed.
type OperationalDelivery struct {
	ID             string    `json:"id"`
	EventID        string    `json:"event_id"`
	EventType      string    `json:"event_type"`
	AcceptedAt     time.Time `json:"accepted_at"`
	Reason         string    `json:"reason"` // of its state, as http_503 or hold_expired
	Attempts       int       `json:"attempts"`
	Generation     int       `json:"generation"`
	LastStatusCode int       `json:"last_status_code"` // 0: none, or no answer
	LastFailure    Failure   `json:"last_failure"`     // empty: no attempt was made
}

// OperationalOperation is an operation of somebody that has finished.
type OperationalOperation struct {
	ID             string     `json:"id"`
	Action         ActionKind `json:"action"`
	SubscriptionID string     `json:"subscription_id"` // empty: of several
	By             string     `json:"by"`              // a person, or an API key
	StartedAt      time.Time  `json:"started_at"`
	Total          int        `json:"total"`
	Done           int        `json:"done"`
	Skipped        int        `json:"skipped"`
	Failed         int        `json:"failed"`
}

// NewBreakerOpened is the event that the breaker opened, as the health has it now.
func NewBreakerOpened(h *Health) OperationalEvent {
	b := operationalBreaker(h)
	b.NextProbeAt = h.ProbeAt
	return operational(EventBreakerOpened, h.SubscriptionID, h.BreakerSince, h.BreakerReason, OperationalData{Breaker: b})
}

// NewBreakerClosed is the event that the breaker closed at that time, and why; the health is as it was before.
func NewBreakerClosed(before *Health, at time.Time, reason string) OperationalEvent {
	return operational(EventBreakerClosed, before.SubscriptionID, at, reason, OperationalData{Breaker: operationalBreaker(before)})
}

// NewSubscriptionDisabled is the event that a subscription is disabled.
func NewSubscriptionDisabled(s *Subscription) OperationalEvent {
	return operational(EventSubscriptionDisabled, s.ID, s.StateSince, s.StateReason, OperationalData{Disabled: &OperationalDisabled{Since: s.StateSince, By: s.StateBy}})
}

// NewDeliveryFailed is the event that a delivery has failed for good. A retry that fails again is another
// event.
func NewDeliveryFailed(d *Delivery) OperationalEvent {
	e := operational(EventDeliveryFailed, d.SubscriptionID, d.CompletedAt, d.Ending(), OperationalData{Delivery: &OperationalDelivery{
		ID: d.ID, EventID: d.EventID, EventType: d.EventType, AcceptedAt: d.CreatedAt, Reason: d.Reason,
		Attempts: d.AttemptsMade, Generation: d.Generation, LastStatusCode: d.LastStatusCode, LastFailure: d.LastFailure,
	}})
	e.ID = fmt.Sprintf("%s:%s:%d", e.Type, d.ID, d.Generation)
	return e
}

// NewOperationFinished is the event that an operation of somebody has come to the last of its items.
func NewOperationFinished(o *Operation) OperationalEvent {
	return OperationalEvent{Type: EventOperationFinished, ID: EventOperationFinished + ":" + o.ID, Data: OperationalData{
		Tenant: o.Tenant, At: o.FinishedAt, Reason: o.Reason, Operation: &OperationalOperation{
			ID: o.ID, Action: o.Action, SubscriptionID: o.SubscriptionID, By: cmp.Or(o.Person, o.Actor), StartedAt: o.CreatedAt,
			Total: o.Total, Done: o.Done, Skipped: o.Skipped, Failed: o.Failed,
		},
	}}
}

func operationalBreaker(h *Health) *OperationalBreaker {
	return &OperationalBreaker{
		Since: h.BreakerSince, FailingSince: h.FailingSince, Attempts: h.Attempts + h.PreviousAttempts, Failures: h.Failures + h.PreviousFailures,
		FailuresInARow: h.FailuresInARow, LastFailure: h.LastFailureReason,
	}
}

// operational is an event about a subscription, which happens once at that time.
func operational(eventType, subscriptionID string, at time.Time, reason string, data OperationalData) OperationalEvent {
	data.Subscription.ID, data.At, data.Reason = subscriptionID, at, reason
	return OperationalEvent{Type: eventType, ID: fmt.Sprintf("%s:%s:%d", eventType, subscriptionID, at.UnixMicro()), Data: data}
}
