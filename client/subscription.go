package client

import (
	"encoding/json"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// NewSubscription is the request to create a subscription. Missing members get the defaults of
// Switchboard or of the profile.
type NewSubscription struct {
	switchboard.Subscription
	Secret switchboard.Secret `json:"secret,omitempty"` // the signing secret; empty: a new one is made
}

// Subscription is a subscription in the form of the API. Its secrets are masked.
type Subscription struct {
	switchboard.Subscription
	Signature     Signature              `json:"signature"`
	Secret        switchboard.Secret     `json:"secret,omitempty"` // only in the answer that made it
	RetrySchedule []switchboard.Duration `json:"retry_schedule"`
	RetrySpan     switchboard.Duration   `json:"retry_span"`
	Warnings      []string               `json:"warnings,omitempty"`
	Health        *EndpointHealth        `json:"health,omitempty"`   // nil: healthy and nothing held, or not requested
	Activity      *Activity              `json:"activity,omitempty"` // nil: not requested
}

// Activity is what was recently sent for a subscription, and what is still to be sent.
type Activity struct {
	Open          switchboard.Count          `json:"open"`  // counted up to [switchboard.MaxCounted]
	Since         time.Time                  `json:"since"` // when the count of attempts begins
	Attempts      switchboard.TrafficCount   `json:"attempts"`
	Hours         []switchboard.ActivityHour `json:"hours"`                         // those with attempts, the earliest first
	DeliveredHour *time.Time                 `json:"last_delivered_hour,omitempty"` // beginning of the last hour with a successful attempt; nil: none in 35 days
}

// Signature says how requests are signed.
type Signature struct {
	switchboard.Signature
	Secrets    []SigningSecret `json:"secrets,omitempty"`
	PublicKeys []string        `json:"public_keys,omitempty"`
}

// SigningSecret is the visible part of a secret that signs.
type SigningSecret struct {
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until"` // nil: the current one
}

// EndpointHealth is the health of an endpoint that is unhealthy, or for which deliveries are held.
type EndpointHealth struct {
	Breaker         switchboard.BreakerState `json:"breaker"`
	Reason          string                   `json:"reason"` // why the breaker is not closed, in words
	BreakerSince    *time.Time               `json:"breaker_since,omitempty"`
	FailingSince    *time.Time               `json:"failing_since,omitempty"`
	NextProbeAt     *time.Time               `json:"next_probe_at,omitempty"`
	ProbeDeliveryID string                   `json:"probe_delivery_id,omitempty"`
	DeferredUntil   *time.Time               `json:"deferred_until,omitempty"` // the receiver asked for no requests until then
	Queue           string                   `json:"queue,omitempty"`          // why deliveries wait for their turn
	Slow            bool                     `json:"slow"`
	Held            HeldDeliveries           `json:"held"`
	Release         *RunningRelease          `json:"release,omitempty"`
}

// HeldDeliveries counts what is held.
type HeldDeliveries struct {
	Count int        `json:"count"` // at most [switchboard.MaxCounted]
	More  bool       `json:"more"`  // there are more than Count
	Since *time.Time `json:"oldest_since,omitempty"`
}

// RunningRelease is the progress of the release of held deliveries.
type RunningRelease struct {
	OperationID string `json:"operation_id"`
	Done        int    `json:"done"`
	Skipped     int    `json:"skipped"`
	Total       int    `json:"total"`
}

// revealed is a new subscription in the form for the request, with its secrets in clear text.
type revealed struct{ NewSubscription }

// MarshalJSON writes the given members.
func (s revealed) MarshalJSON() ([]byte, error) {
	document, err := s.Document()
	if err != nil {
		return nil, err
	}
	given := map[string]any{"tenant": orNull(s.Tenant), "name": orNull(s.Name), "secret": orNull(s.Secret.Reveal())}
	if s.Events == nil {
		given["events"] = nil
	}
	if s.Auth.Type != switchboard.AuthNone {
		given["auth"] = s.Auth.Reveal()
	}
	if s.Adaptive == (switchboard.Adaptive{}) {
		given["adaptive"] = nil
	}
	request := map[string]any{"url": orNull(s.Request.URL)}
	if s.Request.Headers != nil {
		request["headers"] = map[string]string(s.Request.Headers)
	}
	given["request"] = request
	patch, err := json.Marshal(given)
	return switchboard.MergePatch(document, patch), err
}

// orNull returns null for a text that was not given.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
