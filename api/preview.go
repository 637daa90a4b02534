package api

import (
	"context"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/webhook"
)

// Previewer makes requests without sending them.
type Previewer interface {
	// Preview makes the request of an attempt that would begin at that time. An Invalid error names
	// the field that cannot be rendered, and the placeholder.
	Preview(work switchboard.LoadedDelivery, at time.Time) (webhook.Preview, error)
}

// preview is a request as it would be sent.
type preview struct {
	Method       string            `json:"method" example:"POST"`
	URL          string            `json:"url" example:"https://crm.example.com/contacts/4711"`
	Headers      map[string]string `json:"headers" doc:"All headers, including those of the signature; values of sensitive headers are masked" example:"{\"Content-Type\":\"application/json\"}"`
	Body         string            `json:"body" example:"{\"first_name\":\"Ada\"}"`
	BodyEncoding string            `json:"body_encoding,omitempty" enum:"base64" doc:"base64 if the body is not text; else left out"`
	Warnings     []string          `json:"warnings" nullable:"false" doc:"Forms of placeholders that may be dropped, and placeholders without a value in the event" example:"request.params.height: {{ czCol.15 }} has no value in the samples of these events"`
}

type previewInput struct {
	ID string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	payload[SampleEvent]
}

func (s *server) previewSubscription(ctx context.Context, caller switchboard.Caller, in *previewInput) (*reply[preview], error) {
	if err := requirePayload(caller, "a preview"); err != nil {
		return nil, err
	}
	sub, err := s.Store.SubscriptionWithSecrets(ctx, caller, in.ID)
	if err == nil {
		err = sub.CheckReadable()
	}
	if err != nil {
		return nil, err
	}
	e, err := s.eventFor(ctx, caller, &sub, &in.JSON)
	if err != nil {
		return nil, err
	}
	if edits(caller) {
		return s.preview(sub, e)
	}
	// A caller with a valid signature of their own data could send them to the receiver in our
	// name. Callers who may send through us anyway gain nothing by it.
	sub.Secrets = secretsOf(signing.NewSecret(sub.Signature.Scheme))
	out, err := s.preview(sub, e)
	if err == nil {
		out.Body.URL = switchboard.MaskQuery(out.Body.URL)
	}
	return out, err
}

type previewTrialInput struct{ payload[previewTrial] }

func (s *server) previewGiven(ctx context.Context, caller switchboard.Caller, in *previewTrialInput) (*reply[preview], error) {
	if err := requirePayload(caller, "a preview"); err != nil {
		return nil, err
	}
	trial := &in.JSON
	var asked *newSubscription
	if trial.Subscription != nil {
		asked = &trial.Subscription.newSubscription
	}
	sub, err := s.buildTrial(caller, asked, previewedDocument)
	if err != nil {
		return nil, err
	}
	e, err := s.eventFor(ctx, caller, &sub, &trial.SampleEvent)
	if err != nil {
		return nil, err
	}
	out, err := s.preview(sub, e)
	return out, ofSubscription(err)
}

func (s *server) preview(sub switchboard.Subscription, e switchboard.Event) (*reply[preview], error) {
	d := switchboard.Delivery{ID: placeholderDelivery, Tenant: e.Tenant, EventID: e.ID, EventType: e.Type, SubscriptionID: sub.ID}
	made, err := s.Sender.Preview(switchboard.LoadedDelivery{Delivery: d, Event: e, Subscription: sub}, time.Now())
	if err != nil {
		return nil, err
	}
	out := preview{Method: made.Method, URL: made.URL, Headers: made.Headers, Body: string(made.Body), Warnings: append([]string{}, made.Warnings...)}
	if !utf8.Valid(made.Body) {
		out.Body, out.BodyEncoding = base64.StdEncoding.EncodeToString(made.Body), "base64"
	}
	return &reply[preview]{Body: out}, nil
}
