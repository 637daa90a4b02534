package api

import (
	"maps"
	"net/textproto"
	"strings"
	"time"

	"switchboard"
)

// subscription is a subscription as it is shown.
type subscription struct {
	ID          string                        `json:"id" example:"sub_01k0000000000000000000000"`
	Tenant      string                        `json:"tenant" example:"acme"`
	Name        string                        `json:"name" example:"CRM sync"`
	Events      []string                      `json:"events" nullable:"false" doc:"Event types, or patterns such as ticket.* or *" example:"ticket.*,customer.created"`
	Request     request                       `json:"request"`
	Signature   signature                     `json:"signature"`
	Secret      string                        `json:"secret,omitempty" doc:"The signing secret: shown once, when it is created or rotated" example:"whsec_…"`
	Retry       retry                         `json:"retry"`
	Timeout     switchboard.Duration          `json:"timeout" doc:"Of one attempt" example:"10s"`
	MaxInFlight int                           `json:"max_in_flight" doc:"Requests at the same time, per worker process" example:"16"`
	State       switchboard.SubscriptionState `json:"state" enum:"active,paused,disabled" example:"active"`
	StateReason string                        `json:"state_reason" doc:"Why it is paused or disabled"`
	Version     int                           `json:"version" doc:"Counts changes; a PATCH names the version that it changes" example:"1"`
	CreatedAt   time.Time                     `json:"created_at"`
	UpdatedAt   time.Time                     `json:"updated_at"`
}

type request struct {
	Method      string               `json:"method" example:"POST"`
	URL         string               `json:"url" example:"https://crm.example.com/hook"`
	Body        switchboard.BodyKind `json:"body" enum:"envelope,data" example:"envelope"`
	Headers     map[string]string    `json:"headers" doc:"Values of sensitive headers are masked" example:"{\"X-Env\":\"prod\"}"`
	ContentType string               `json:"content_type" example:"application/json"`
}

type signature struct {
	Scheme switchboard.Scheme `json:"scheme" enum:"standard" doc:"standard: Standard Webhooks v1" example:"standard"`
}

type retry struct {
	InitialInterval    switchboard.Duration `json:"initial_interval" example:"5s"`
	BackoffCoefficient float64              `json:"backoff_coefficient" example:"3"`
	MaximumInterval    switchboard.Duration `json:"maximum_interval" example:"10h"`
	MaximumAttempts    int                  `json:"maximum_attempts" example:"12"`
}

// newSubscription is a subscription as it is created. Pointers tell what was left
// out, and gets its default, from what was given.
type newSubscription struct {
	Tenant      string                `json:"tenant" doc:"Whose events it gets" example:"acme" maxLength:"128"`
	Name        *string               `json:"name" nullable:"false" doc:"For people" example:"CRM sync" maxLength:"200"`
	Events      *[]string             `json:"events" nullable:"false" minItems:"1" maxItems:"200" doc:"Event types, or patterns: ticket.* takes every type below ticket, * every type" example:"ticket.*,customer.created"`
	Request     *requestInput         `json:"request" doc:"The HTTP request to send; its url is required"`
	Signature   *signatureInput       `json:"signature,omitempty" doc:"How requests are signed"`
	Secret      *switchboard.Secret   `json:"secret,omitempty" doc:"A signing secret of your own: whsec_ and 24 to 64 bytes in base64. Left out, one is made. Shown in this answer, and never again"`
	Retry       *retryInput           `json:"retry,omitempty" doc:"When a failed attempt is followed by another"`
	Timeout     *switchboard.Duration `json:"timeout,omitempty" doc:"Of one attempt, from dialling to the end of the answer: 1s to 30s. Default: 10s" example:"10s"`
	MaxInFlight *int                  `json:"max_in_flight,omitempty" minimum:"1" maximum:"1000" default:"16" doc:"Requests at the same time, per worker process"`
}

// subscriptionPatch is a change of a subscription. What is left out stays.
type subscriptionPatch struct {
	Version     *int                  `json:"version" nullable:"false" doc:"The version that you change; an old one is a conflict" example:"1"`
	Name        *string               `json:"name,omitempty" doc:"For people" example:"CRM sync" maxLength:"200"`
	Events      *[]string             `json:"events,omitempty" nullable:"false" minItems:"1" maxItems:"200" doc:"Replaces the whole list" example:"ticket.*"`
	Request     *requestInput         `json:"request,omitempty" doc:"Changes the given fields only"`
	Signature   *signatureInput       `json:"signature,omitempty"`
	Retry       *retryInput           `json:"retry,omitempty" doc:"Changes the given fields only"`
	Timeout     *switchboard.Duration `json:"timeout,omitempty" doc:"1s to 30s" example:"10s"`
	MaxInFlight *int                  `json:"max_in_flight,omitempty" minimum:"1" maximum:"1000"`
}

type requestInput struct {
	Method      *string               `json:"method,omitempty" default:"POST" doc:"Any HTTP method but CONNECT and TRACE"`
	URL         *string               `json:"url,omitempty" doc:"Where to; http or https, without user name, password and fragment" example:"https://crm.example.com/hook" maxLength:"2048"`
	Body        *switchboard.BodyKind `json:"body,omitempty" enum:"envelope,data" default:"envelope" doc:"envelope: {id, type, timestamp, data}. data: the event's bytes unchanged"`
	Headers     *map[string]string    `json:"headers,omitempty" doc:"At most 50. In a change they replace all headers; a value that was masked when it was read, sent back as it is, keeps what is stored" example:"{\"X-Env\":\"prod\"}"`
	ContentType *string               `json:"content_type,omitempty" default:"application/json"`
}

type signatureInput struct {
	Scheme *switchboard.Scheme `json:"scheme,omitempty" enum:"standard" default:"standard" doc:"standard: Standard Webhooks v1"`
}

type retryInput struct {
	InitialInterval    *switchboard.Duration `json:"initial_interval,omitempty" doc:"Before the second attempt: 100ms to 168h. Default: 5s" example:"5s"`
	BackoffCoefficient *float64              `json:"backoff_coefficient,omitempty" minimum:"1" maximum:"10" default:"3" doc:"By what each further wait is longer"`
	MaximumInterval    *switchboard.Duration `json:"maximum_interval,omitempty" doc:"The longest wait: initial_interval to 168h. Default: 10h" example:"10h"`
	MaximumAttempts    *int                  `json:"maximum_attempts,omitempty" minimum:"1" maximum:"100" default:"12" doc:"The first one counts"`
}

func subscriptionOf(s *switchboard.Subscription) subscription {
	r := &s.Request
	return subscription{
		ID: s.ID, Tenant: s.Tenant, Name: s.Name, Events: s.Events,
		Request:   request{r.Method, r.URL, r.Body, switchboard.MaskHeaders(r.Headers), r.ContentType},
		Signature: signature{s.Signature.Scheme}, Retry: retry(s.Retry),
		Timeout: s.Timeout, MaxInFlight: s.MaxInFlight, State: s.State, StateReason: s.StateReason,
		Version: s.Version, CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
	}
}

// withSecret is the one place where a secret leaves: at creation and rotation.
func withSecret(s *switchboard.Subscription, secret switchboard.Secret) subscription {
	out := subscriptionOf(s)
	out.Secret = secret.Reveal()
	return out
}

// subscription makes the subscription that was asked for, and checks it.
func (in *newSubscription) subscription() (switchboard.Subscription, error) {
	sub := switchboard.Subscription{Tenant: in.Tenant}
	given := subscriptionPatch{
		Name: in.Name, Events: in.Events, Request: in.Request, Signature: in.Signature,
		Retry: in.Retry, Timeout: in.Timeout, MaxInFlight: in.MaxInFlight,
	}
	if err := given.merge(&sub); err != nil {
		return sub, err
	}
	sub.SetDefaults()
	// Once more, since a default has taken the place of zeros that were given: those
	// are to be refused, not to be read as something else.
	if err := given.apply(&sub); err != nil {
		return sub, err
	}
	secret := switchboard.NewSigningSecret(sub.Signature.Scheme)
	if in.Secret != nil {
		secret = *in.Secret
		if err := sub.Signature.Scheme.CheckSecret(secret); err != nil {
			return sub, err
		}
	}
	sub.Secrets = []switchboard.SigningSecret{{Secret: secret}}
	return sub, nil
}

// apply changes the subscription, and checks what it has become.
func (p *subscriptionPatch) apply(sub *switchboard.Subscription) error {
	if err := p.merge(sub); err != nil {
		return err
	}
	return sub.Validate()
}

func (p *subscriptionPatch) merge(sub *switchboard.Subscription) error {
	set(&sub.Name, p.Name)
	set(&sub.Events, p.Events)
	set(&sub.Timeout, p.Timeout)
	set(&sub.MaxInFlight, p.MaxInFlight)
	if p.Signature != nil {
		set(&sub.Signature.Scheme, p.Signature.Scheme)
	}
	if r := p.Retry; r != nil {
		set(&sub.Retry.InitialInterval, r.InitialInterval)
		set(&sub.Retry.BackoffCoefficient, r.BackoffCoefficient)
		set(&sub.Retry.MaximumInterval, r.MaximumInterval)
		set(&sub.Retry.MaximumAttempts, r.MaximumAttempts)
	}
	if p.Request != nil {
		return p.Request.merge(&sub.Request)
	}
	return nil
}

func (in *requestInput) merge(r *switchboard.Request) error {
	set(&r.Method, in.Method)
	r.Method = strings.ToUpper(r.Method)
	set(&r.URL, in.URL)
	set(&r.Body, in.Body)
	set(&r.ContentType, in.ContentType)
	if in.Headers == nil {
		return nil
	}
	headers, err := unmask(*in.Headers, r.Headers)
	if err == nil {
		r.Headers = headers
	}
	return err
}

// unmask puts the stored values back in the place of masks. The names' case may
// differ, as HTTP allows.
func unmask(given, stored map[string]string) (map[string]string, error) {
	byName := map[string]string{}
	for name, value := range stored {
		byName[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	headers := maps.Clone(given)
	for name, value := range given {
		if value != switchboard.Mask {
			continue
		}
		kept, ok := byName[textproto.CanonicalMIMEHeaderKey(name)]
		if !ok {
			return nil, switchboard.InvalidField("request.headers."+clip(name), "is %s, and there is no stored value to keep", switchboard.Mask)
		}
		headers[name] = kept
	}
	return headers, nil
}

func set[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}
