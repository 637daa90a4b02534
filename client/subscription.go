package client

import (
	"encoding/json"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// NewSubscription is a subscription to create. Of what is left out, Switchboard's
// defaults or those of the profile hold.
type NewSubscription struct {
	Tenant       string                   `json:"tenant,omitempty"`
	Name         string                   `json:"name,omitempty"`
	Profile      string                   `json:"profile,omitempty"`  // a platform's
	UseCase      string                   `json:"use_case,omitempty"` // which of an event's data its templates may read
	Events       []string                 `json:"events,omitempty"`
	Filter       json.RawMessage          `json:"filter,omitempty"`
	Request      Request                  `json:"request,omitzero"`
	Signature    Signature                `json:"signature,omitzero"`
	Secret       switchboard.Secret       `json:"secret,omitempty"` // the signing secret; empty: one is made
	Auth         *Auth                    `json:"auth,omitempty"`
	Verification switchboard.Verification `json:"verification,omitempty"`
	Retry        Retry                    `json:"retry,omitzero"`
	Timeout      switchboard.Duration     `json:"timeout,omitzero"`
	Adaptive     *Adaptive                `json:"adaptive,omitempty"`
	MaxInFlight  int                      `json:"max_in_flight,omitempty"`
}

// Subscription is a subscription as the API shows it. Secrets in it are masked.
type Subscription struct {
	ID            string                        `json:"id"`
	Tenant        string                        `json:"tenant"`
	Name          string                        `json:"name"`
	Profile       string                        `json:"profile,omitempty"`
	UseCase       string                        `json:"use_case,omitempty"`
	Events        []string                      `json:"events"`
	Filter        json.RawMessage               `json:"filter"`
	Request       Request                       `json:"request"`
	Signature     Signature                     `json:"signature"`
	Secret        switchboard.Secret            `json:"secret,omitempty"` // only in the answer that made it
	Auth          *Auth                         `json:"auth,omitempty"`
	Verification  switchboard.Verification      `json:"verification"`
	Retry         Retry                         `json:"retry"`
	RetrySchedule []switchboard.Duration        `json:"retry_schedule"`
	RetrySpan     switchboard.Duration          `json:"retry_span"`
	Timeout       switchboard.Duration          `json:"timeout"`
	Adaptive      Adaptive                      `json:"adaptive"`
	MaxInFlight   int                           `json:"max_in_flight"`
	State         switchboard.SubscriptionState `json:"state"`
	StateReason   string                        `json:"state_reason"`
	Version       int                           `json:"version"`
	CreatedAt     time.Time                     `json:"created_at"`
	UpdatedAt     time.Time                     `json:"updated_at"`
	Unreadable    []string                      `json:"unreadable,omitempty"`
	Warnings      []string                      `json:"warnings,omitempty"`
}

// Request is the shape of a subscription's requests.
type Request struct {
	Method      string                      `json:"method,omitempty"`
	URL         string                      `json:"url,omitempty"`
	Body        switchboard.BodyKind        `json:"body,omitempty"`
	Envelope    *switchboard.EnvelopeFields `json:"envelope,omitempty"`
	Params      json.RawMessage             `json:"params,omitempty"`
	Missing     switchboard.Missing         `json:"missing,omitempty"`
	XML         *switchboard.XMLStyle       `json:"xml,omitempty"`
	SOAP        *switchboard.SOAP           `json:"soap,omitempty"`
	Headers     map[string]string           `json:"headers,omitempty"`
	ContentType string                      `json:"content_type,omitempty"`
	HTTPVersion switchboard.HTTPVersion     `json:"http_version,omitempty"`
}

// Signature says how requests are signed.
type Signature struct {
	Scheme     switchboard.Scheme `json:"scheme,omitempty"`
	Header     string             `json:"header,omitempty"`
	Prefix     string             `json:"prefix,omitempty"`
	Secrets    []SigningSecret    `json:"secrets,omitempty"`     // only in answers
	PublicKeys []string           `json:"public_keys,omitempty"` // only in answers
}

// SigningSecret is what is shown of a secret that signs.
type SigningSecret struct {
	Since time.Time  `json:"since"`
	Until *time.Time `json:"until"` // nil: it is the current one
}

// Retry is a retry policy.
type Retry struct {
	InitialInterval    switchboard.Duration `json:"initial_interval,omitzero"`
	BackoffCoefficient float64              `json:"backoff_coefficient,omitzero"`
	MaximumInterval    switchboard.Duration `json:"maximum_interval,omitzero"`
	MaximumAttempts    int                  `json:"maximum_attempts,omitzero"`
}

// Adaptive says how timeout and retries follow the load of the worker.
type Adaptive struct {
	Enabled               bool                 `json:"enabled"`
	MinimumTimeout        switchboard.Duration `json:"minimum_timeout,omitzero"`
	MaximumIntervalFactor float64              `json:"maximum_interval_factor,omitzero"`
	MinimumAttempts       int                  `json:"minimum_attempts,omitzero"`
}

// Auth is what requests show the receiver beside their signature.
type Auth struct {
	Type         switchboard.AuthType          `json:"type,omitempty"`
	Username     string                        `json:"username,omitempty"`
	Password     switchboard.Secret            `json:"password,omitempty"`
	Token        switchboard.Secret            `json:"token,omitempty"`
	Header       string                        `json:"header,omitempty"`
	Value        switchboard.Secret            `json:"value,omitempty"`
	TokenURL     string                        `json:"token_url,omitempty"`
	ClientID     string                        `json:"client_id,omitempty"`
	ClientSecret switchboard.Secret            `json:"client_secret,omitempty"`
	Scopes       []string                      `json:"scopes,omitempty"`
	Parameters   map[string]switchboard.Secret `json:"parameters,omitempty"`
	Certificate  string                        `json:"certificate,omitempty"`
	PrivateKey   switchboard.Secret            `json:"private_key,omitempty"`
}

// revealedSubscription and revealedAuth are what is sent: their fields take the place
// of the embedded ones of the same JSON name, which a [switchboard.Secret] would mask.
type revealedSubscription struct {
	NewSubscription
	Secret revealed      `json:"secret,omitempty"`
	Auth   *revealedAuth `json:"auth,omitempty"`
}

type revealedAuth struct {
	Auth
	Password     revealed            `json:"password,omitempty"`
	Token        revealed            `json:"token,omitempty"`
	Value        revealed            `json:"value,omitempty"`
	ClientSecret revealed            `json:"client_secret,omitempty"`
	Parameters   map[string]revealed `json:"parameters,omitempty"`
	PrivateKey   revealed            `json:"private_key,omitempty"`
}

// revealed is the text of a secret, on its way to the API.
type revealed string

func (s NewSubscription) reveal() revealedSubscription {
	out := revealedSubscription{NewSubscription: s, Secret: revealed(s.Secret)}
	if a := s.Auth; a != nil {
		out.Auth = &revealedAuth{
			Auth: *a, Password: revealed(a.Password), Token: revealed(a.Token), Value: revealed(a.Value),
			ClientSecret: revealed(a.ClientSecret), PrivateKey: revealed(a.PrivateKey),
		}
		if a.Parameters != nil {
			out.Auth.Parameters = make(map[string]revealed, len(a.Parameters))
		}
		for name, value := range a.Parameters {
			out.Auth.Parameters[name] = revealed(value)
		}
	}
	return out
}
