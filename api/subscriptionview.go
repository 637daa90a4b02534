package api

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
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
	Unreadable   []string                      `json:"unreadable,omitempty" nullable:"false" doc:"Fields that are stored and cannot be read, because this installation lacks the key that they were encrypted with, or because they are damaged. Nothing is sent meanwhile. Give them anew in one PATCH (null and {} say that there is none); for secret, rotate it" example:"request.headers,auth"`
	Warnings     []string                      `json:"warnings,omitempty" nullable:"false" doc:"In the answer to a change: what in its templates may not work with every event, what in its events and filter may never take one, what its signature does not cover, and that its host has no address now that may be reached"`

	// Not in the policy, so that one that was shown can be sent back as it is.
	RetrySchedule []switchboard.Duration `json:"retry_schedule" nullable:"false" doc:"The wait after each attempt but the last, give or take 10 % and while neither Retry-After nor our load lengthens it"`
	RetrySpan     switchboard.Duration   `json:"retry_span" doc:"The sum of the schedule" example:"120h33m20s"`
}

type signature struct {
	Scheme     switchboard.Scheme `json:"scheme" enum:"standard,standard-ed25519,hmac-sha256-hex,none" example:"standard"`
	Header     string             `json:"header,omitempty" doc:"Of hmac-sha256-hex: the header that holds it"`
	Prefix     string             `json:"prefix,omitempty" doc:"Of hmac-sha256-hex: what stands before it"`
	Secrets    []signingSecret    `json:"secrets,omitempty" nullable:"false" doc:"The secrets that sign, without their values, the current one first: several during a rotation. In lists they are left out"`
	PublicKeys []string           `json:"public_keys,omitempty" nullable:"false" doc:"Of standard-ed25519: what to verify with, the current key first. In lists they are left out"`
}

// signingSecret is what may be shown of a secret that signs.
type signingSecret struct {
	Since time.Time  `json:"since" doc:"When it was made"`
	Until *time.Time `json:"until" doc:"When it signs no more; null: it is the current one"`
}

type retry struct {
	InitialInterval    switchboard.Duration `json:"initial_interval" example:"5s"`
	BackoffCoefficient float64              `json:"backoff_coefficient" example:"3"`
	MaximumInterval    switchboard.Duration `json:"maximum_interval" example:"4h"`
	MaxAttempts        int                  `json:"maximum_attempts" example:"38"`
}

type adaptive struct {
	Enabled           bool                 `json:"enabled" doc:"Whether timeout and retries follow the load of the worker" example:"true"`
	MinimumTimeout    switchboard.Duration `json:"minimum_timeout,omitempty" doc:"The timeout under full load" example:"5s"`
	MaxIntervalFactor float64              `json:"maximum_stretch,omitempty" doc:"The factor of retry intervals under full load" example:"2"`
	MinimumAttempts   int                  `json:"minimum_attempts,omitempty" doc:"The number of attempts under full load" example:"38"`
}

func subscriptionOf(s *switchboard.Subscription) subscription {
	filter := s.Filter
	if filter == nil {
		filter = json.RawMessage("{}")
	}
	return subscription{
		ID: s.ID, Tenant: s.Tenant, Name: s.Name, Profile: s.Profile, UseCase: s.UseCase, Events: s.Events, Filter: filter,
		Request: requestOf(&s.Request), Signature: signatureOf(s), Auth: authOf(&s.Auth),
		Verification: cmp.Or(s.Verification, switchboard.VerificationNone), Retry: retry(s.Retry),
		RetrySchedule: s.Retry.Schedule(), RetrySpan: s.Retry.Span(),
		Timeout: s.Timeout, Adaptive: adaptive(s.Adaptive), MaxInFlight: s.MaxInFlight, State: s.State, StateReason: s.StateReason,
		Version: s.Version, CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(), Unreadable: s.Unreadable,
	}
}

// subscriptionFor shows subscriptions as the caller may see them. Who may not change one
// does not see what its URLs hold in their query: it is the token of many receivers.
func subscriptionFor(caller switchboard.Caller) func(*switchboard.Subscription) subscription {
	return func(s *switchboard.Subscription) subscription {
		out := subscriptionOf(s)
		if edits(caller) {
			return out
		}
		out.Request.URL = switchboard.MaskQuery(out.Request.URL)
		if out.Auth != nil {
			out.Auth.TokenURL = switchboard.MaskQuery(out.Auth.TokenURL)
		}
		return out
	}
}

// edits reports whether the caller's role may change subscriptions.
func edits(caller switchboard.Caller) bool {
	return caller.Role == switchboard.RoleAdmin || caller.Role == switchboard.RoleIntegrator
}

// signatureOf shows what signs where the subscription was read with its secrets.
func signatureOf(s *switchboard.Subscription) signature {
	out := signature{Scheme: s.Signature.Scheme, Header: s.Signature.Header, Prefix: s.Signature.Prefix}
	now := time.Now()
	for _, secret := range signing.Valid(s.Signature.Scheme, s.Secrets, now) {
		out.Secrets = append(out.Secrets, signingSecret{secret.CreatedAt.UTC(), date(secret.ExpiresAt)})
	}
	for _, key := range signing.PublicKeys(s.Signature.Scheme, s.Secrets, now) {
		out.PublicKeys = append(out.PublicKeys, key.Text)
	}
	return out
}

// withSecret is the one place where a secret leaves: when it is made. A private key
// never does, since only the sender needs it.
func withSecret(s *switchboard.Subscription, secret switchboard.Secret) subscription {
	out := subscriptionOf(s)
	if !signing.HasPublicKeys(s.Signature.Scheme) {
		out.Secret = secret.Reveal()
	}
	return out
}
