package api

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
	"github.com/seed-49a43567/switchboard/signing"
)

// newSubscription is a subscription as it is created. Pointers tell what was left
// out, and gets its default, from what was given.
type newSubscription struct {
	Tenant       string                    `json:"tenant" doc:"Whose events it gets" example:"acme" maxLength:"128"`
	Name         *string                   `json:"name" nullable:"false" doc:"For people. No two subscriptions of a tenant have the same name; CRM and crm are two" example:"CRM sync" maxLength:"200"`
	Profile      *string                   `json:"profile,omitempty" doc:"A platform, as signalzen: what is left out below is as that platform sends it. Fixed at creation"`
	UseCase      *string                   `json:"use_case,omitempty" doc:"Which of an event's data the templates may read, as contact or ticket. Fixed at creation. Left out: all"`
	Events       *[]string                 `json:"events" nullable:"false" minItems:"1" maxItems:"200" doc:"Event types, or patterns: ticket.* takes every type below ticket, * every type" example:"ticket.*,customer.created"`
	Filter       json.RawMessage           `json:"filter,omitempty" doc:"Which of those events, by their content: the shape of what is asked for, with values or operators ($eq $ne $gt $gte $lt $lte $in $nin $exist $startsWith $endsWith $regex $and $or $not). data is the event's data, metadata its id, type, key, tenant and occurred_at" example:"{\"data\":{\"ticket\":{\"priority\":{\"$gte\":3}}}}"`
	Request      *requestInput             `json:"request" doc:"The HTTP request to send; its url is required"`
	Signature    *signatureInput           `json:"signature,omitempty" doc:"How requests are signed"`
	Secret       *switchboard.Secret       `json:"secret,omitempty" doc:"A signing secret of your own. standard: whsec_ and 24 to 64 bytes in base64. standard-ed25519: whsk_ and the key's seed in base64. hmac-sha256-hex: 16 to 256 printable characters. Left out, one is made. Shown in this answer, and never again"`
	Auth         *authInput                `json:"auth,omitempty" doc:"What requests show the receiver beside their signature"`
	Verification *switchboard.Verification `json:"verification,omitempty" enum:"none,challenge" default:"none" doc:"challenge: before anything is delivered, and after each change of the url, the address must answer a signed POST of {\"challenge\": \"…\"} with that bare value"`
	Retry        *retryInput               `json:"retry,omitempty" doc:"When a failed attempt is followed by another"`
	Timeout      *switchboard.Duration     `json:"timeout,omitempty" doc:"Of one attempt, from dialling to the end of the answer: 1s to 30s. One that is given without adaptive is fixed. Default: 10s, and less under load" example:"10s"`
	Adaptive     *adaptiveInput            `json:"adaptive,omitempty" doc:"How timeout and retries follow the load of the worker"`
	MaxInFlight  *int                      `json:"max_in_flight,omitempty" minimum:"1" maximum:"1000" default:"16" doc:"Requests at the same time, per worker process"`
}

// subscriptionPatch is a change of a subscription. What is left out stays.
type subscriptionPatch struct {
	Version      *int                      `json:"version" nullable:"false" doc:"The version that you change; an old one is a conflict" example:"1"`
	Name         *string                   `json:"name,omitempty" doc:"For people" example:"CRM sync" maxLength:"200"`
	Profile      *string                   `json:"profile,omitempty" doc:"Cannot be changed; change the fields that it gave instead"`
	UseCase      *string                   `json:"use_case,omitempty" doc:"Cannot be changed"`
	Events       *[]string                 `json:"events,omitempty" nullable:"false" minItems:"1" maxItems:"200" doc:"Replaces the whole list" example:"ticket.*"`
	Filter       json.RawMessage           `json:"filter,omitempty" doc:"Replaces the whole filter; {} and null remove it" example:"{\"data\":{\"ticket\":{\"channel\":\"whatsapp\"}}}"`
	Request      *requestInput             `json:"request,omitempty" doc:"Changes the given fields only"`
	Signature    *signatureInput           `json:"signature,omitempty" doc:"Another scheme starts afresh. Where the secret does not fit it, the answer holds a new one, which takes the place of those before at once"`
	Auth         *authInput                `json:"auth,omitempty" doc:"Changes the given fields only; another type starts afresh, and null removes it"`
	Verification *switchboard.Verification `json:"verification,omitempty" enum:"none,challenge"`
	Retry        *retryInput               `json:"retry,omitempty" doc:"Changes the given fields only"`
	Timeout      *switchboard.Duration     `json:"timeout,omitempty" doc:"1s to 30s. One that is given without adaptive is fixed" example:"10s"`
	Adaptive     *adaptiveInput            `json:"adaptive,omitempty" doc:"Changes the given fields only"`
	MaxInFlight  *int                      `json:"max_in_flight,omitempty" minimum:"1" maximum:"1000"`
}

type signatureInput struct {
	Scheme *switchboard.Scheme `json:"scheme,omitempty" enum:"standard,standard-ed25519,hmac-sha256-hex,none" default:"standard" doc:"standard: Standard Webhooks v1. standard-ed25519: Standard Webhooks v1a. hmac-sha256-hex: HMAC-SHA256 over the body, in a header of your choice; not for a GET, HEAD or DELETE whose params are the query string. None of them covers the URL or other headers"`
	Header *string             `json:"header,omitempty" doc:"Of hmac-sha256-hex: the header that holds it. Default: X-Webhook-Signature" maxLength:"200"`
	Prefix *string             `json:"prefix,omitempty" doc:"Of hmac-sha256-hex: what stands before it, as sha256=" maxLength:"64"`
}

type retryInput struct {
	InitialInterval    *switchboard.Duration `json:"initial_interval,omitempty" doc:"Before the second attempt: 100ms to 168h. Default: 5s" example:"5s"`
	BackoffCoefficient *float64              `json:"backoff_coefficient,omitempty" minimum:"1" maximum:"10" default:"3" doc:"By what each further wait is longer"`
	MaximumInterval    *switchboard.Duration `json:"maximum_interval,omitempty" doc:"The longest wait: initial_interval to 168h. Default: 4h" example:"4h"`
	MaximumAttempts    *int                  `json:"maximum_attempts,omitempty" minimum:"1" maximum:"100" default:"38" doc:"The first one counts. The defaults span five days; the answer shows the whole schedule"`
}

type adaptiveInput struct {
	Enabled         *bool                 `json:"enabled,omitempty" doc:"false: the limits are fixed, and the bounds below are forgotten" example:"true"`
	MinimumTimeout  *switchboard.Duration `json:"minimum_timeout,omitempty" doc:"The timeout under full load: 1s to timeout. Default: 5s" example:"5s"`
	MaximumStretch  *float64              `json:"maximum_stretch,omitempty" minimum:"1" maximum:"10" default:"2" doc:"The factor of retry intervals under full load"`
	MinimumAttempts *int                  `json:"minimum_attempts,omitempty" minimum:"1" doc:"The number of attempts under full load. Default: retry.maximum_attempts" example:"38"`
}

// given is what was given beside the fields that no change may touch.
func (in *newSubscription) given() *subscriptionPatch {
	return &subscriptionPatch{
		Name: in.Name, Events: in.Events, Filter: in.Filter, Request: in.Request, Signature: in.Signature, Auth: in.Auth,
		Verification: in.Verification, Retry: in.Retry, Timeout: in.Timeout, Adaptive: in.Adaptive, MaxInFlight: in.MaxInFlight,
	}
}

// apply changes the subscription, and checks what it has become.
func (p *subscriptionPatch) apply(sub *switchboard.Subscription) error {
	switch {
	case p.UseCase != nil && !strings.EqualFold(*p.UseCase, sub.UseCase):
		return switchboard.InvalidField("use_case", "is fixed at creation: make another subscription")
	case p.Profile != nil && !strings.EqualFold(*p.Profile, sub.Profile):
		return switchboard.InvalidField("profile", "is fixed at creation: change the fields that it gave, or make another subscription")
	}
	before := *sub
	sub.Unreadable = p.leaves(sub.Unreadable)
	if err := sub.CheckReadable(); err != nil {
		return err
	}
	forgetDefaults(sub)
	if err := p.complete(sub); err != nil {
		return err
	}
	return unverify(&before, sub)
}

// complete merges what was given into the subscription and checks the whole.
func (p *subscriptionPatch) complete(sub *switchboard.Subscription) error {
	if err := p.merge(sub); err != nil {
		return err
	}
	sub.SetDefaults()
	signing.SetDefaults(&sub.Signature)
	sub.Verification = cmp.Or(sub.Verification, switchboard.VerificationNone)
	fitBounds(sub)
	// Once more, since a default has taken the place of zeros that were given: those
	// are to be refused, not to be read as something else.
	if err := p.merge(sub); err != nil {
		return err
	}
	if err := sub.Validate(); err != nil {
		return err
	}
	return signing.Validate(sub)
}

// forgetDefaults takes away bounds of the adaptive limits that are what the rest of
// the subscription makes them, so that they follow when that changes.
func forgetDefaults(sub *switchboard.Subscription) {
	plain := *sub
	plain.Adaptive = switchboard.Adaptive{Enabled: true}
	plain.SetDefaults()
	if sub.Adaptive.MinimumTimeout == plain.Adaptive.MinimumTimeout {
		sub.Adaptive.MinimumTimeout = 0
	}
	if sub.Adaptive.MinimumAttempts == plain.Adaptive.MinimumAttempts {
		sub.Adaptive.MinimumAttempts = 0
	}
}

// fitBounds lowers bounds of the adaptive limits to limits that lie below them by
// now. The caller may never have named them: a profile has its own.
func fitBounds(sub *switchboard.Subscription) {
	if a := &sub.Adaptive; a.Enabled {
		a.MinimumTimeout = min(a.MinimumTimeout, sub.Timeout)
		a.MinimumAttempts = min(a.MinimumAttempts, sub.Retry.MaxAttempts)
	}
}

// merge puts what was given into the subscription. It changes nothing that the
// subscription points to.
func (p *subscriptionPatch) merge(sub *switchboard.Subscription) error {
	set(&sub.Name, p.Name)
	set(&sub.Events, p.Events)
	set(&sub.Verification, p.Verification)
	set(&sub.MaxInFlight, p.MaxInFlight)
	p.Signature.merge(&sub.Signature)
	p.Retry.merge(&sub.Retry)
	p.mergeLimits(sub)
	if p.Filter != nil {
		f, err := filter.Parse(p.Filter)
		if err != nil {
			return err
		}
		sub.Filter = f.Document()
	}
	if err := p.Request.merge(&sub.Request); err != nil {
		return err
	}
	return p.Auth.merge(&sub.Auth)
}

// mergeLimits fixes a timeout that is given alone: who names one means it.
func (p *subscriptionPatch) mergeLimits(sub *switchboard.Subscription) {
	set(&sub.Timeout, p.Timeout)
	a := &sub.Adaptive
	if in := p.Adaptive; in != nil {
		set(&a.Enabled, in.Enabled)
		set(&a.MinimumTimeout, in.MinimumTimeout)
		set(&a.MaxIntervalFactor, in.MaximumStretch)
		set(&a.MinimumAttempts, in.MinimumAttempts)
	} else if p.Timeout != nil {
		a.Enabled = false
	}
	if !a.Enabled {
		*a = switchboard.Adaptive{}
	}
}

// merge starts afresh with another scheme: header and prefix belong to one only.
func (in *signatureInput) merge(s *switchboard.Signature) {
	if in == nil {
		return
	}
	if in.Scheme != nil && *in.Scheme != s.Scheme {
		*s = switchboard.Signature{Scheme: *in.Scheme}
	}
	set(&s.Header, in.Header)
	set(&s.Prefix, in.Prefix)
}

func (in *retryInput) merge(r *switchboard.RetryPolicy) {
	if in == nil {
		return
	}
	set(&r.InitialInterval, in.InitialInterval)
	set(&r.BackoffCoefficient, in.BackoffCoefficient)
	set(&r.MaximumInterval, in.MaximumInterval)
	set(&r.MaxAttempts, in.MaximumAttempts)
}

func set[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}
