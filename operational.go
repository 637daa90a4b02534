package switchboard

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// The types of Switchboard's own events. Subscriptions take them by patterns that begin with
// [OperationalPrefix]; the pattern * does not match them.
const (
	OperationalPrefix = "switchboard."

	EventBreakerOpened        = OperationalPrefix + "breaker.opened"
	EventBreakerClosed        = OperationalPrefix + "breaker.closed"
	EventSubscriptionDisabled = OperationalPrefix + "subscription.disabled"
	EventDeliveryFailed       = OperationalPrefix + "delivery.failed"
	EventOperationFinished    = OperationalPrefix + "operation.finished"
)

// OperationalPlatform is the platform in the catalogue for these events.
const OperationalPlatform = "switchboard"

// OperatorTenant is the tenant of the operators' own subscriptions, which get the operational
// events of every tenant. Nothing can be posted for it, and no key is bound to it.
const OperatorTenant = "_operator"

// IsOperational reports whether a type, or a pattern of types, is one of Switchboard's own events.
func IsOperational(eventType string) bool {
	return len(eventType) >= len(OperationalPrefix) && strings.EqualFold(eventType[:len(OperationalPrefix)], OperationalPrefix)
}

// OperationalEvent is an event of Switchboard's own about a subscription, or about one of its
// deliveries. Its data have no payload, no secret, and no part of a URL except the host.
type OperationalEvent struct {
	Type string
	// ID identifies what happened, and is the same if it is announced again.
	ID   string
	Data OperationalData
}

// OperationalData are the data of an operational event. The store adds the tenant, and the name
// and the host of the subscription.
type OperationalData struct {
	Tenant       string                  `json:"tenant"`
	Subscription OperationalSubscription `json:"subscription,omitzero"` // absent: the event is about an operation
	At           time.Time               `json:"at"`                    // when it happened
	Reason       string                  `json:"reason"`                // in words
	Breaker      *OperationalBreaker     `json:"breaker,omitempty"`
	Disabled     *OperationalDisabled    `json:"disabled,omitempty"`
	Delivery     *OperationalDelivery    `json:"delivery,omitempty"`
	Operation    *OperationalOperation   `json:"operation,omitempty"`
}

// OperationalSubscription is the subscription that the event is about.
type OperationalSubscription struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Host string `json:"host"` // of its URL, with the port if one is given
}

// OperationalBreaker is a breaker that opened or closed.
type OperationalBreaker struct {
	Since          time.Time `json:"since"`                  // when it opened
	FailingSince   time.Time `json:"failing_since,omitzero"` // the first failure after the last success
	Attempts       int       `json:"attempts"`               // counted in the windows of the breaker
	Failures       int       `json:"failures"`               // of these, by the endpoint's fault
	FailuresInARow int       `json:"failures_in_a_row"`
	LastFailure    string    `json:"last_failure"`           // such as http_503
	NextProbeAt    time.Time `json:"next_probe_at,omitzero"` // absent if it closed
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
	Reason         string    `json:"reason"` // of its state, such as http_503 or hold_expired
	Attempts       int       `json:"attempts"`
	Generation     int       `json:"generation"`
	LastStatusCode int       `json:"last_status_code"` // 0: none, or no response
	LastFailure    Failure   `json:"last_failure"`     // empty: no attempt was made
}

// OperationalOperation is a finished operation of a person.
type OperationalOperation struct {
	ID             string     `json:"id"`
	Action         ActionKind `json:"action"`
	SubscriptionID string     `json:"subscription_id"` // empty: of several subscriptions
	By             string     `json:"by"`              // a person, or an API key
	StartedAt      time.Time  `json:"started_at"`
	Total          int        `json:"total"`
	Done           int        `json:"done"`
	Skipped        int        `json:"skipped"`
	Failed         int        `json:"failed"`
}

// NewBreakerOpened makes the event for a breaker that opened; h is its health now.
func NewBreakerOpened(h *Health) OperationalEvent {
	b := operationalBreaker(h)
	b.NextProbeAt = h.ProbeAt
	return operational(EventBreakerOpened, h.SubscriptionID, h.BreakerSince, h.BreakerReason, OperationalData{Breaker: b})
}

// NewBreakerClosed makes the event for a breaker that closed at that time, for that reason; before
// is its health before.
func NewBreakerClosed(before *Health, at time.Time, reason string) OperationalEvent {
	return operational(EventBreakerClosed, before.SubscriptionID, at, reason, OperationalData{Breaker: operationalBreaker(before)})
}

// NewSubscriptionDisabled makes the event for a subscription that was disabled.
func NewSubscriptionDisabled(s *Subscription) OperationalEvent {
	return operational(EventSubscriptionDisabled, s.ID, s.StateSince, s.StateReason, OperationalData{Disabled: &OperationalDisabled{Since: s.StateSince, By: s.StateBy}})
}

// NewDeliveryFailed makes the event for a delivery that has failed for good. If a retry fails
// again, that is another event.
func NewDeliveryFailed(d *Delivery) OperationalEvent {
	e := operational(EventDeliveryFailed, d.SubscriptionID, d.CompletedAt, d.Ending(), OperationalData{Delivery: &OperationalDelivery{
		ID: d.ID, EventID: d.EventID, EventType: d.EventType, AcceptedAt: d.CreatedAt, Reason: d.Reason,
		Attempts: d.AttemptsMade, Generation: d.Generation, LastStatusCode: d.LastStatusCode, LastFailure: d.LastFailure,
	}})
	e.ID = fmt.Sprintf("%s:%s:%d", e.Type, d.ID, d.Generation)
	return e
}

// NewOperationFinished makes the event for a person's operation that has handled its last item.
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

// operational makes an event about a subscription, which happens once at that time.
func operational(eventType, subscriptionID string, at time.Time, reason string, data OperationalData) OperationalEvent {
	data.Subscription.ID, data.At, data.Reason = subscriptionID, at, reason
	return OperationalEvent{Type: eventType, ID: fmt.Sprintf("%s:%s:%d", eventType, subscriptionID, at.UnixMicro()), Data: data}
}
