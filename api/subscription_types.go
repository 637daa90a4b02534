package api

import (
	"encoding/json"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/signing"
)

// newSubscription is a subscription in a request to create it. Its own members hide those of the
// same name.
type newSubscription struct {
	rest.Source
	switchboard.Subscription
	Secret  *switchboard.Secret `json:"secret,omitempty" doc:"Your own signing secret. standard: whsec_ and 24 to 64 bytes in base64. standard-ed25519: whsk_ and the key's seed in base64. hmac-sha256-hex: 16 to 256 printable characters. Default: a generated secret. It is shown only in this answer"`
	Version struct{}            `json:"-"` // it has none yet
}

// subscriptionPatch is a change of a subscription: a JSON merge patch (RFC 7396).
type subscriptionPatch struct {
	rest.Source
	switchboard.Subscription
	Tenant struct{} `json:"-"` // it never changes
}

// subscription is a subscription in the form of the API.
type subscription struct {
	switchboard.Subscription
	Signature shownSignature `json:"signature"`
	Secret    string         `json:"secret,omitempty" doc:"The signing secret; shown only once, when it is made. With the scheme standard-ed25519 it is never shown: receivers need the public keys" example:"whsec_…"`
	Warnings  []string       `json:"warnings,omitempty" nullable:"false" doc:"In the answer to a change: templates that may not work with every event, events and a filter that may never match, parts that the signature does not cover, and a host without an allowed address"`

	Health *endpointHealth `json:"health,omitempty" doc:"Health of its endpoint, in the answer for one subscription, and in lists with include=health. Left out: it is healthy, and nothing is held"`

	Activity *activity `json:"activity,omitempty" doc:"Recent attempts and open deliveries, with include=health"`

	// Outside of the policy, so that callers can send back a policy that they were shown.
	RetrySchedule []switchboard.Duration `json:"retry_schedule" nullable:"false" doc:"The wait after each attempt except the last, plus or minus 10 %, unless Retry-After or our load lengthens it"`
	RetrySpan     switchboard.Duration   `json:"retry_span" doc:"The sum of the schedule" example:"120h33m20s"`
}

type shownSignature struct {
	switchboard.Signature
	Secrets    []signingSecret `json:"secrets,omitempty" nullable:"false" doc:"The secrets that sign, without their values, the current one first; several during a rotation. Left out in lists"`
	PublicKeys []string        `json:"public_keys,omitempty" nullable:"false" doc:"For standard-ed25519: the public keys to verify with, the current one first. Left out in lists"`
}

// signingSecret is the visible part of a secret that signs.
type signingSecret struct {
	Since time.Time  `json:"since" doc:"When the secret was made"`
	Until *time.Time `json:"until" doc:"When the secret stops signing; null: it is the current one"`
}

func subscriptionOf(s *switchboard.Subscription) subscription {
	out := subscription{Subscription: *s, Signature: shownSignatureOf(s), RetrySchedule: s.Retry.Schedule(), RetrySpan: s.Retry.Span()}
	out.CreatedAt, out.UpdatedAt, out.StateSince = s.CreatedAt.UTC(), s.UpdatedAt.UTC(), s.StateSince.UTC()
	if s.Filter == nil {
		out.Filter = json.RawMessage("{}")
	}
	if s.Request.Headers == nil {
		out.Request.Headers = switchboard.Headers{}
	}
	return out
}

// shownSignatureOf shows which secrets sign, if the subscription was read with its secrets.
func shownSignatureOf(s *switchboard.Subscription) shownSignature {
	out := shownSignature{Signature: s.Signature}
	now := time.Now()
	for _, secret := range signing.Valid(s.Signature.Scheme, s.Secrets, now) {
		out.Secrets = append(out.Secrets, signingSecret{secret.CreatedAt.UTC(), date(secret.ExpiresAt)})
	}
	for _, key := range signing.PublicKeys(s.Signature.Scheme, s.Secrets, now) {
		out.PublicKeys = append(out.PublicKeys, key.Text)
	}
	return out
}

// subscriptionFor shows subscriptions as the caller may see them. Callers who may not change a
// subscription do not see the query of its URLs, which often contains the receiver's token. A
// tenant's own people do not see which of the platform's people set its state.
func subscriptionFor(caller switchboard.Caller) func(*switchboard.Subscription) subscription {
	return func(s *switchboard.Subscription) subscription {
		out := subscriptionOf(s)
		out.Request.URL = shownURL(caller, out.Request.URL, edits(caller))
		out.Auth.TokenURL = shownURL(caller, out.Auth.TokenURL, edits(caller))
		maskSubscription(caller, &out.Subscription)
		if caller.IsTenants() && out.StateBy != caller.KeyID && out.StateBy != caller.Person {
			out.StateBy = ""
		}
		return out
	}
}

// edits reports whether the caller's role may change subscriptions.
func edits(caller switchboard.Caller) bool {
	return caller.Role == switchboard.RoleAdmin || caller.Role == switchboard.RoleIntegrator
}

// withSecret is the only place where a secret leaves: when it is made. A private key never leaves,
// since only the sender needs it.
func withSecret(caller switchboard.Caller, s *switchboard.Subscription, secret switchboard.Secret) subscription {
	out := subscriptionFor(caller)(s)
	if !signing.HasPublicKeys(s.Signature.Scheme) {
		out.Secret = secret.Reveal()
	}
	return out
}
