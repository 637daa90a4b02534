package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// resendPreview is the request of a possible resend.
type resendPreview struct {
	Method       string            `json:"method" example:"POST"`
	URL          string            `json:"url" example:"https://crm.example.com/hook2"`
	Headers      map[string]string `json:"headers" doc:"All headers, including those of the signature; values of sensitive headers are masked" example:"{\"Content-Type\":\"application/json\"}"`
	Body         string            `json:"body,omitempty" example:"{\"first_name\":\"Ada\"}"`
	BodyEncoding string            `json:"body_encoding,omitempty" enum:"base64" doc:"base64 if the body is not text; else left out"`
	Redacted     *redacted         `json:"body_redacted,omitempty" doc:"For keys without read_payload: a description of the body instead of the body"`
	Elsewhere    bool              `json:"elsewhere" doc:"The request goes to another scheme, host or port than the subscription's: it has neither the subscription's authentication nor its sensitive headers, and is signed with a random secret"`
	Warnings     []string          `json:"warnings" nullable:"false" doc:"The same warnings as in a preview of the subscription"`
}

type resendPreviewInput struct {
	ID string `path:"id" doc:"Id of the delivery" example:"dlv_01k0000000000000000000000"`
	payload[ResendChanges]
}

func (s *server) previewResend(ctx context.Context, caller switchboard.Caller, in *resendPreviewInput) (*reply[resendPreview], error) {
	overrides := in.JSON.overrides()
	if err := caller.CheckResend(&overrides); err != nil {
		return nil, err
	}
	elsewhere, err := s.checkOverrides(ctx, caller, in.ID, &in.JSON, &overrides)
	if err != nil {
		return nil, err
	}
	around, err := s.Store.Surroundings(ctx, []string{in.ID})
	if err != nil {
		return nil, err
	}
	surroundings := around[in.ID]
	if err := surroundings.Obstacles().CheckResend(in.ID); err != nil {
		return nil, err
	}
	loaded, err := s.Store.LoadForAttempt(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	loaded.Overrides, loaded.Body = &overrides, nil // the resend of a resend only has its own changes
	if !edits(caller) {                             // see previewSubscription
		loaded.Subscription.Secrets = secretsOf(signing.NewSecret(loaded.Subscription.Signature.Scheme))
	}
	made, err := s.Sender.Preview(loaded, time.Now())
	if err != nil {
		return nil, err
	}
	out := resendPreview{
		Method: made.Method, URL: shownURL(caller, made.URL, edits(caller)), Headers: shownHeaders(caller, made.Headers),
		Elsewhere: elsewhere, Warnings: append([]string{}, made.Warnings...),
	}
	out.Body, out.BodyEncoding, out.Redacted = shownBody(caller, made.Body, made.Headers["Content-Type"])
	return &reply[resendPreview]{Body: out}, nil
}
