package api

import (
	"cmp"
	"encoding/json"
	"time"

	"switchboard"
)

// subscription is a subscription as it is shown.
type subscription struct {
	ID           string                        `json:"id" example:"sub_01k0000000000000000000000"`
	Tenant       string                        `json:"tenant" example:"acme"`
	Name         string                        `json:"name" example:"CRM sync"`
	Profile      string                        `json:"profile,omitempty" doc:"The platform whose profile it was made from"`
	UseCase      string                        `json:"use_case,omitempty" doc:"Which of an event's data its templates may read; left out: all"`
	Events       []string                      `json:"events" nullable:"false" doc:"Event types, or patterns such as ticket.* or *" example:"ticket.*,customer.created"`
	Filter       json.RawMessage               `json:"filter" doc:"Which of those events, by their content; {} takes all" example:"{}"`
	Request      request                       `json:"request"`
	Signature    signature                     `json:"signature"`
	Secret       string                        `json:"secret,omitempty" doc:"The signing secret: shown once, when it is made. Of the scheme standard-ed25519 never: what receivers need are the public keys" example:"whsec_…"`
	Auth         *auth                         `json:"auth,omitempty" doc:"What requests show the receiver beside their signature; left out: nothing"`
	Verification switchboard.Verification      `json:"verification" enum:"none,challenge" doc:"Whether a new address must answer a challenge first" example:"none"`
	Retry        retry                         `json:"retry"`
	Timeout      switchboard.Duration          `json:"timeout" doc:"Of one attempt" example:"10s"`
	Adaptive     adaptive                      `json:"adaptive"`
	MaxInFlight  int                           `json:"max_in_flight" doc:"Requests at the same time, per worker process" example:"16"`
	State        switchboard.SubscriptionState `json:"state" enum:"active,paused,disabled,unverified" doc:"paused and disabled: events make no deliveries for it. unverified: they do, and those are held until its address has answered the challenge" example:"active"`
	StateReason  string                        `json:"state_reason" doc:"Why it is not active"`
	Version      int                           `json:"version" doc:"Counts changes; a PATCH names the version that it changes" example:"1"`
	CreatedAt    time.Time                     `json:"created_at"`
	UpdatedAt    time.Time                     `json:"updated_at"`
	Warnings     []string                      `json:"warnings,omitempty" nullable:"false" doc:"In the answer to a change: what in its templates may not work with every event, and that its host has no address now that may be reached"`
}

type signature struct {
	Scheme     switchboard.Scheme `json:"scheme" enum:"standard,standard-ed25519,hmac-sha256-hex,none" example:"standard"`
	Header     string             `json:"header,omitempty" doc:"Of hmac-sha256-hex: the header that holds it"`
	Prefix     string             `json:"prefix,omitempty" doc:"Of hmac-sha256-hex: what stands before it"`
	PublicKeys []string           `json:"public_keys,omitempty" nullable:"false" doc:"Of standard-ed25519: what to verify with, the current key first. In lists they are left out"`
}

type retry struct {
	InitialInterval    switchboard.Duration `json:"initial_interval" example:"5s"`
	BackoffCoefficient float64              `json:"backoff_coefficient" example:"3"`
	MaximumInterval    switchboard.Duration `json:"maximum_interval" example:"10h"`
	MaximumAttempts    int                  `json:"maximum_attempts" example:"12"`
}

type adaptive struct {
	Enabled         bool                 `json:"enabled" doc:"Whether timeout and retries follow the load of the worker" example:"true"`
	MinimumTimeout  switchboard.Duration `json:"minimum_timeout,omitempty" doc:"The timeout under full load" example:"5s"`
	MaximumStretch  float64              `json:"maximum_stretch,omitempty" doc:"The factor of retry intervals under full load" example:"2"`
	MinimumAttempts int                  `json:"minimum_attempts,omitempty" doc:"The number of attempts under full load" example:"12"`
}

func subscriptionOf(s *switchboard.Subscription) subscription {
	filter, _ := s.Filter.MarshalJSON() // it was parsed, so it can be written
	return subscription{
		ID: s.ID, Tenant: s.Tenant, Name: s.Name, Profile: s.Profile, UseCase: s.UseCase, Events: s.Events, Filter: filter,
		Request: requestOf(&s.Request), Signature: signatureOf(s), Auth: authOf(&s.Auth),
		Verification: cmp.Or(s.Verify, switchboard.NoVerification), Retry: retry(s.Retry),
		Timeout: s.Timeout, Adaptive: adaptive(s.Adaptive), MaxInFlight: s.MaxInFlight, State: s.State, StateReason: s.StateReason,
		Version: s.Version, CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
	}
}

// signatureOf shows public keys where the subscription was read with its secrets.
func signatureOf(s *switchboard.Subscription) signature {
	out := signature{Scheme: s.Signature.Scheme, Header: s.Signature.Header, Prefix: s.Signature.Prefix}
	if s.Signature.Scheme == switchboard.StandardEd25519 {
		for _, key := range switchboard.PublicKeys(s.Secrets) {
			out.PublicKeys = append(out.PublicKeys, key.Text)
		}
	}
	return out
}

// withSecret is the one place where a secret leaves: when it is made. A private key
// never does, since only the sender needs it.
func withSecret(s *switchboard.Subscription, secret switchboard.Secret) subscription {
	out := subscriptionOf(s)
	if s.Signature.Scheme != switchboard.StandardEd25519 {
		out.Secret = secret.Reveal()
	}
	return out
}
