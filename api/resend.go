package api

import (
	"context"
	"errors"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// resend requests a copy of a delivery.
type resend struct {
	Reason string       `json:"reason" doc:"The reason, in your own words; stored with the action of both deliveries" example:"the receiver lost it" maxLength:"500"`
	Expect *expectation `json:"expect,omitempty" doc:"Acts only if the original is in this state. Otherwise the answer is 409, with the actual state as current"`
	ResendChanges
}

// ResendChanges is what a resend changes in the request. The name is exported because huma only
// reads the members of exported embedded structs.
type ResendChanges struct {
	URL     string                `json:"url,omitempty" doc:"Replaces the subscription's URL; may have placeholders" example:"https://crm.example.com/hook2" maxLength:"2048"`
	Headers map[string]string     `json:"headers,omitempty" doc:"Added to the headers of the subscription, or replacing those of the same name; values may have placeholders" example:"{\"X-Replay\":\"1\"}"`
	Body    *string               `json:"body,omitempty" doc:"The bytes of the body, instead of the rendered body; the content type stays. Not for a request without a body" example:"{\"id\":4711}"`
	Timeout *switchboard.Duration `json:"timeout,omitempty" doc:"Time limit of each attempt, under any load: 1s to 30s" example:"30s"`
}

func (r *ResendChanges) overrides() switchboard.Overrides {
	o := switchboard.Overrides{URL: r.URL, Headers: r.Headers, Body: r.Body}
	if r.Timeout != nil {
		o.Timeout = *r.Timeout
	}
	return o
}

type resendInput struct {
	ID string `path:"id" doc:"Id of the delivery" example:"dlv_01k0000000000000000000000"`
	payload[resend]
}

func (s *server) resendDelivery(ctx context.Context, caller switchboard.Caller, in *resendInput) (*reply[delivery], error) {
	overrides := in.JSON.overrides()
	if err := caller.CheckResend(&overrides); err != nil {
		return nil, err
	}
	if err := checkRequiredReason(in.JSON.Reason); err != nil {
		return nil, err
	}
	options, err := in.JSON.Expect.options()
	if err != nil {
		return nil, err
	}
	elsewhere, err := s.checkOverrides(ctx, caller, in.ID, &in.JSON.ResendChanges, &overrides)
	if err != nil {
		return nil, err
	}
	d, start, err := s.Store.Resend(ctx, caller, in.ID, switchboard.Resend{
		ID: rest.DeliveryID(ctx), Reason: in.JSON.Reason, Expect: options.Expect, Overrides: overrides, Elsewhere: elsewhere,
	})
	if err != nil {
		return nil, withStanding(err)
	}
	if start {
		s.Engine.Start(ctx, []switchboard.Delivery{d})
	}
	out := s.acted(ctx, caller, &d)
	out.Body.ResendOf, out.Body.Changed = in.ID, overrides.Names()
	return out, nil
}

// checkOverrides checks the changes of a resend against the rules for a subscription, and its
// address against the egress guard. elsewhere says that it goes to another scheme, host or port.
func (s *server) checkOverrides(ctx context.Context, caller switchboard.Caller, id string, asked *ResendChanges, o *switchboard.Overrides) (elsewhere bool, err error) {
	found, err := s.Store.Delivery(ctx, caller, id)
	if err != nil {
		return false, err
	}
	sub, err := s.Store.Subscription(ctx, caller, found.Delivery.SubscriptionID)
	if switchboard.CodeOf(err) == switchboard.CodeNotFound { // it is deleted
		return false, switchboard.Obstacles{SubscriptionDeleted: true}.CheckResend(id)
	}
	if err != nil {
		return false, err
	}
	switch {
	case asked.Timeout != nil && (o.Timeout < switchboard.MinTimeout || o.Timeout > switchboard.MaxTimeout):
		return false, switchboard.InvalidField("timeout", "must be from %s to %s", switchboard.MinTimeout, switchboard.MaxTimeout)
	case o.Body != nil && sub.Request.InQuery():
		return false, switchboard.InvalidField("body", "a %s request of this subscription has none", sub.Request.Method)
	case o.Body != nil && len(*o.Body) > s.MaxData:
		return false, &switchboard.Error{Code: switchboard.CodeTooLarge, Field: "body", Message: "is too long"}
	}
	changed := o.Apply(sub, false)
	if err := changed.Request.Validate(); err != nil {
		return false, ofRequest(err)
	}
	if _, err := s.checkTemplates(&changed); err != nil {
		return false, ofRequest(err)
	}
	if o.URL == "" {
		return false, nil
	}
	if _, err := s.checkURL(ctx, "url", o.URL); err != nil {
		return false, err
	}
	return render.Origin(o.URL) != render.Origin(sub.Request.URL), nil
}

// ofRequest changes the field name of an error to that of the resend.
func ofRequest(err error) error {
	if e, ok := errors.AsType[*switchboard.Error](err); ok {
		return asField(strings.TrimPrefix(e.Field, "request."), err)
	}
	return err
}
