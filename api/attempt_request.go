package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// sameness says whether the newly rendered bytes are those that were sent.
type sameness string

const (
	isSame        sameness = "true"
	isNotSame     sameness = "false"
	isSameUnknown sameness = "unknown"
)

// attemptRequest is what an attempt sent: the stored part, and the body rendered again.
type attemptRequest struct {
	Number              int         `json:"number" doc:"Number of the attempt" example:"1"`
	At                  time.Time   `json:"at" doc:"When the attempt began"`
	Request             sentRequest `json:"request" doc:"The stored part of the request"`
	RemoteIP            string      `json:"remote_ip,omitempty" doc:"The address of the connection; left out: there was none, or it went to an egress proxy" example:"203.0.113.7"`
	SubscriptionVersion int         `json:"subscription_version,omitempty" doc:"Version of the subscription that the request was made from; left out: it is not known" example:"6"`
	CurrentVersion      int         `json:"current_version,omitempty" doc:"Current version of the subscription, which the body below is rendered from" example:"7"`
	Same                sameness    `json:"same" enum:"true,false,unknown" doc:"Whether the body below has exactly the bytes that were sent" example:"true"`
	Why                 string      `json:"why" doc:"Why same is known, or not" example:"these are the bytes that were sent: their SHA-256 is the one that was kept with the attempt"`
	SHA256              string      `json:"sha256,omitempty" doc:"SHA-256 of the body below, in hex" example:"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"`
	Body                string      `json:"body,omitempty" doc:"The body as rendered now from the event and the subscription; left out if it cannot be rendered" example:"{\"first_name\":\"Ada\"}"`
	BodyEncoding        string      `json:"body_encoding,omitempty" enum:"base64" doc:"base64 if the body is not text; else left out"`
	Redacted            *redacted   `json:"body_redacted,omitempty" doc:"For keys without read_payload: a description of the body instead of the body"`
}

type attemptRequestInput struct {
	ID     string `path:"id" doc:"Id of the delivery" example:"dlv_01k0000000000000000000000"`
	Number int    `path:"n" minimum:"1" doc:"Number of the attempt" example:"1"`
}

func (s *server) getAttemptRequest(ctx context.Context, caller switchboard.Caller, in *attemptRequestInput) (*reply[attemptRequest], error) {
	detail, err := s.Store.Delivery(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(detail.Attempts, func(a switchboard.Attempt) bool { return a.Number == in.Number })
	if at < 0 {
		return nil, switchboard.Errorf(switchboard.CodeNotFound, "delivery %s has no attempt %d", rest.Clip(in.ID), in.Number)
	}
	made := &detail.Attempts[at]
	out := attemptRequest{
		Number: made.Number, At: made.At.UTC(), Request: sentRequestOf(caller, made), RemoteIP: made.Outcome.RemoteIP,
		SubscriptionVersion: made.SubscriptionVersion, CurrentVersion: detail.Subscription.Version,
	}
	if !detail.Event.ErasedAt.IsZero() {
		out.Same, out.Why = isSameUnknown, "the data of the event are erased: nothing can be rendered"
		return &reply[attemptRequest]{Body: out}, nil
	}
	loaded, err := s.Store.LoadForAttempt(ctx, detail.Delivery.ID)
	if err != nil && !errors.Is(err, switchboard.ErrUnreadable) {
		return nil, err
	}
	if err == nil {
		err = out.render(caller, s.Sender, loaded, made)
	}
	if refusal, ok := errors.AsType[*switchboard.Error](err); ok {
		out.Same, out.Why = isSameUnknown, "the request cannot be rendered today: "+refusal.Field+" "+refusal.Message
		err = nil
	}
	if err == nil && out.Body != "" { // shown only after the audit has noted who sees it
		err = s.Store.NotePayloadRead(ctx, caller, detail.Delivery.ID)
	}
	return &reply[attemptRequest]{Body: out}, err
}

// render renders the body again, as of the attempt's time, and compares it with what was sent.
func (out *attemptRequest) render(caller switchboard.Caller, sender Previewer, loaded switchboard.LoadedDelivery, made *switchboard.Attempt) error {
	rendered, err := sender.Preview(loaded, made.At)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(rendered.Body)
	out.SHA256 = digest(sum[:])
	out.Body, out.BodyEncoding, out.Redacted = shownBody(caller, rendered.Body, rendered.Headers["Content-Type"])
	kept, now := made.Request.SHA256, loaded.Subscription.Version
	switch {
	case len(kept) == 0:
		out.Same, out.Why = isSameUnknown, "no SHA-256 was kept with the attempt: this is what would be sent now"
	case bytes.Equal(kept, sum[:]):
		out.Same, out.Why = isSame, "these are the bytes that were sent: their SHA-256 is the one that was kept with the attempt"
	case made.SubscriptionVersion != now:
		out.Same, out.Why = isNotSame, fmt.Sprintf("the subscription has been changed since, from version %d to %d: this is what would be sent now", made.SubscriptionVersion, now)
	default:
		out.Same, out.Why = isNotSame, "the SHA-256 differs, although the subscription is the same: this is what would be sent now"
	}
	return nil
}
